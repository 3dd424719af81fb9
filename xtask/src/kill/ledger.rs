//! What was sent, what was acknowledged, what was read: the judge of the crash test.
//!
//! Every record tells who sent it, to which partition, and as its how-manyth. So the ledger needs no copy of what was
//! sent: of one sender, a partition must hold the numbers 0, 1, 2, … in this order, each once, and all that are
//! acknowledged, at the offsets that the broker named.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};

use crate::random::Random;

/// Bytes of a value before its filling: sender, partition, number, size of the filling.
const HEAD_SIZE: usize = 24;

/// What one sender sends to one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub(crate) sender: u32,
    pub(crate) partition: u32,
}

/// A record, by its lane and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    lane: Lane,
    number: u64,
}

/// A batch that the broker has acknowledged.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    first: u64,
    count: u64,
    base_offset: i64,
}

/// The account of one data directory.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    acknowledged: BTreeMap<Lane, Vec<Acknowledged>>,
    /// By partition, in the order of offsets.
    seen: BTreeMap<u32, Vec<Identity>>,
    /// The number that each lane must show next.
    next_seen: BTreeMap<Lane, u64>,
    producer_ids: BTreeSet<i64>,
}

/// The value of a record, from which all is told again; its filling is random and follows from the rest.
pub(crate) fn value_of(lane: Lane, number: u64, filling: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEAD_SIZE + filling);
    value.extend_from_slice(&lane.sender.to_be_bytes());
    value.extend_from_slice(&lane.partition.to_be_bytes());
    value.extend_from_slice(&number.to_be_bytes());
    value.extend_from_slice(&(filling as u64).to_be_bytes());
    let seed = u64::from(lane.sender) << 48 ^ u64::from(lane.partition) << 32 ^ number;
    value.extend_from_slice(&Random::new(seed).bytes(filling));
    value
}

/// The opposite of [`value_of`], which compares every byte.
fn identity_of(value: &[u8]) -> Result<Identity> {
    ensure!(
        value.len() >= HEAD_SIZE,
        "a value of {} bytes, which nobody sent",
        value.len()
    );
    let number_at = |at: usize, size: usize| {
        value[at..at + size]
            .iter()
            .fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let lane = Lane {
        sender: u32::try_from(number_at(0, 4))?,
        partition: u32::try_from(number_at(4, 4))?,
    };
    let (number, filling) = (number_at(8, 8), number_at(16, 8));
    ensure!(
        filling == (value.len() - HEAD_SIZE) as u64,
        "{lane:?}: the size of record {number} is wrong"
    );
    ensure!(
        value == value_of(lane, number, value.len() - HEAD_SIZE),
        "{lane:?}: the bytes of record {number} are wrong"
    );
    Ok(Identity { lane, number })
}

impl Ledger {
    /// The broker has given out a producer id.
    ///
    /// # Errors
    /// It has done so before.
    pub(crate) fn give_producer_id(&mut self, id: i64) -> Result<()> {
        ensure!(id >= 0, "{id} is no producer id");
        ensure!(
            self.producer_ids.insert(id),
            "the producer id {id} was given out twice"
        );
        Ok(())
    }

    /// The broker has acknowledged `count` records of a lane, from the number `first` on.
    pub(crate) fn acknowledge(&mut self, lane: Lane, first: u64, count: u64, base_offset: i64) {
        self.acknowledged
            .entry(lane)
            .or_default()
            .push(Acknowledged {
                first,
                count,
                base_offset,
            });
    }

    /// The offset at which reading of a partition goes on.
    pub(crate) fn next_offset(&self, partition: u32) -> i64 {
        to_offset(self.seen.get(&partition).map_or(0, Vec::len))
    }

    /// A record was read for the first time.
    ///
    /// # Errors
    /// It is not the one that may follow.
    pub(crate) fn see(&mut self, partition: u32, offset: i64, value: &[u8]) -> Result<()> {
        let place = || format!("partition {partition}, offset {offset}");
        let expected = self.next_offset(partition);
        ensure!(
            offset == expected,
            "{}: offset {expected} was to come",
            place()
        );
        let identity = identity_of(value).with_context(place)?;
        let Identity { lane, number } = identity;
        ensure!(
            lane.partition == partition,
            "{}: a record of partition {}",
            place(),
            lane.partition
        );
        let next = self.next_seen.entry(lane).or_default();
        let sender = lane.sender;
        ensure!(
            number >= *next,
            "{}: record {number} of sender {sender} comes twice or too late",
            place()
        );
        ensure!(
            number == *next,
            "{}: record {next} of sender {sender} is lost, {number} follows",
            place()
        );
        *next += 1;
        self.seen.entry(partition).or_default().push(identity);
        Ok(())
    }

    /// A record was read again.
    ///
    /// # Errors
    /// It is not what it was.
    pub(crate) fn see_again(&self, partition: u32, offset: i64, value: &[u8]) -> Result<()> {
        let index = usize::try_from(offset).context("a negative offset")?;
        let before = self.seen.get(&partition).and_then(|seen| seen.get(index));
        let before =
            before.with_context(|| format!("partition {partition}: offset {offset} is new"))?;
        let now = identity_of(value)?;
        ensure!(
            now == *before,
            "partition {partition}, offset {offset}: was {before:?}, is {now:?}"
        );
        Ok(())
    }

    /// Whether every partition has been read as far as it was acknowledged.
    pub(crate) fn has_seen_acknowledged(&self) -> bool {
        self.acknowledged.iter().all(|(lane, batches)| {
            let seen = self.next_offset(lane.partition);
            batches
                .iter()
                .all(|batch| batch.base_offset.saturating_add_unsigned(batch.count) <= seen)
        })
    }

    /// Holds what was acknowledged against what was read. All must have been read before.
    ///
    /// # Errors
    /// A record is missing, or lies at another offset than the broker said.
    pub(crate) fn settle(&self) -> Result<()> {
        for (lane, acknowledged) in &self.acknowledged {
            for batch in acknowledged {
                self.settle_batch(*lane, *batch)?;
            }
        }
        Ok(())
    }

    fn settle_batch(&self, lane: Lane, batch: Acknowledged) -> Result<()> {
        let seen = self
            .seen
            .get(&lane.partition)
            .map_or(&[][..], Vec::as_slice);
        for index in 0..batch.count {
            let wanted = Identity {
                lane,
                number: batch.first + index,
            };
            let offset = batch.base_offset + i64::try_from(index)?;
            match seen.get(usize::try_from(offset).context("a negative offset")?) {
                Some(found) if *found == wanted => {}
                Some(found) => {
                    bail!("offset {offset}: {wanted:?} was acknowledged, {found:?} is there")
                }
                None => bail!("offset {offset}: {wanted:?} was acknowledged and is lost"),
            }
        }
        Ok(())
    }

    /// The number of partitions from which something was read, and of records that were read.
    pub(crate) fn seen_count(&self) -> usize {
        self.seen.values().map(Vec::len).sum()
    }

    /// The number of records that were acknowledged.
    pub(crate) fn acknowledged_count(&self) -> u64 {
        self.acknowledged
            .values()
            .flatten()
            .map(|batch| batch.count)
            .sum()
    }

    /// The number of producer ids that were given out.
    pub(crate) fn producer_id_count(&self) -> usize {
        self.producer_ids.len()
    }
}

fn to_offset(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Lane, Ledger, value_of};

    const LANE: Lane = Lane {
        sender: 3,
        partition: 0,
    };

    /// A ledger that has read the given numbers of one lane, or the first complaint.
    fn read(numbers: &[u64]) -> Result<Ledger, String> {
        let mut ledger = Ledger::default();
        for (offset, number) in (0..).zip(numbers) {
            ledger
                .see(0, offset, &value_of(LANE, *number, 10))
                .map_err(|error| format!("{error:#}"))?;
        }
        Ok(ledger)
    }

    #[test]
    fn numbers_in_order_pass() {
        let mut ledger = read(&[0, 1, 2]).unwrap();
        ledger.acknowledge(LANE, 0, 3, 0);
        ledger.settle().unwrap();
    }

    #[test]
    fn a_loss_a_repetition_and_a_swap_are_found() {
        assert!(
            read(&[0, 2])
                .unwrap_err()
                .contains("record 1 of sender 3 is lost")
        );
        assert!(read(&[0, 1, 1]).unwrap_err().contains("comes twice"));
        assert!(read(&[1, 0]).unwrap_err().contains("is lost"));
    }

    #[test]
    fn an_acknowledged_record_that_was_never_read_is_found() {
        let mut ledger = read(&[0, 1]).unwrap();
        ledger.acknowledge(LANE, 1, 2, 1);
        assert!(ledger.settle().unwrap_err().to_string().contains("is lost"));
    }

    #[test]
    fn a_wrong_offset_in_an_acknowledgement_is_found() {
        let mut ledger = read(&[0, 1]).unwrap();
        ledger.acknowledge(LANE, 0, 1, 1);
        assert!(
            ledger
                .settle()
                .unwrap_err()
                .to_string()
                .contains("was acknowledged")
        );
    }

    #[test]
    fn a_gap_in_offsets_and_a_changed_byte_are_found() {
        let mut ledger = Ledger::default();
        assert!(ledger.see(0, 1, &value_of(LANE, 0, 10)).is_err());
        let mut value = value_of(LANE, 0, 10);
        value[30] ^= 1;
        assert!(ledger.see(0, 0, &value).is_err());
        assert!(ledger.see(0, 0, b"short").is_err());
        let elsewhere = Lane {
            partition: 1,
            ..LANE
        };
        assert!(ledger.see(0, 0, &value_of(elsewhere, 0, 10)).is_err());
    }

    #[test]
    fn a_record_that_changes_later_is_found() {
        let ledger = read(&[0, 1]).unwrap();
        ledger.see_again(0, 1, &value_of(LANE, 1, 10)).unwrap();
        assert!(ledger.see_again(0, 1, &value_of(LANE, 0, 10)).is_err());
    }

    #[test]
    fn a_producer_id_is_given_once() {
        let mut ledger = Ledger::default();
        ledger.give_producer_id(5).unwrap();
        assert!(ledger.give_producer_id(5).is_err());
        assert!(ledger.give_producer_id(-1).is_err());
    }
}
