//! What a partition remembers of the producers that number their batches, so that a repeated batch is stored once.
//!
//! Per producer id: its epoch and its last five batches (a client has at most five requests in flight). The rules:
//!
//! 1. Same epoch, and first and last sequence equal to one of the five: a duplicate, answered with the original's offset.
//! 2. An older epoch is fenced off.
//! 3. A newer epoch begins at sequence 0.
//! 4. In the same epoch a batch begins where the last one ended; after 2147483647 comes 0.
//! 5. Of a producer that is not known (never seen, expired, evicted) any sequence is taken.
//!
//! (KIP-98 "Idempotent Producer Guarantees", KIP-360 for rule 5.) A producer that appends nothing for the expiration time is
//! forgotten, and so is the one that has been silent longest when a partition would remember too many.

use std::collections::HashMap;

use pagelog_record::{Offset, Producer, StreamId};

use crate::answer::Position;
use crate::kept::{Carrier, Paused};
use crate::partition_entries::{BatchEntry, ProducerEntry, ProducersEntry};

/// How many batches are remembered of each producer.
const BATCHES_REMEMBERED: usize = 5;

/// How many producers one partition remembers; the ones that have been silent longest are forgotten first.
pub const PRODUCERS_PER_PARTITION_MAX: usize = 10_000;

/// The room that is made when there are too many, so that making it costs little per producer.
const EVICTED_AT_ONCE: usize = PRODUCERS_PER_PARTITION_MAX / 16;

/// Below this many, nobody looks for expired ones.
const PURGE_LEAST: usize = 16;

/// The producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    by_id: HashMap<i64, Box<Known>>,
    /// Expired ones are looked for when this many are known.
    purge_at: usize,
}

/// What is known of one producer.
#[derive(Debug)]
struct Known {
    last_append_ms: i64,
    /// What is known is told by the entry that ends here and those behind it.
    anchor: Position,
    epoch: i16,
    count: u8,
    /// The newest first.
    batches: [Remembered; BATCHES_REMEMBERED],
}

/// A batch that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    first_sequence: i32,
    last_sequence: i32,
    pub(crate) base_offset: Offset,
    /// The position behind its entry: durable when the log is durable up to here.
    pub(crate) end: Position,
    pub(crate) append_time_ms: i64,
}

/// Why a numbered batch is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// A batch before this one is missing, or this one is older than the five that are remembered.
    #[error("producer {producer} sent sequence {found}, expected {expected}")]
    OutOfOrder {
        /// The producer's id.
        producer: i64,
        /// The sequence that would have been next.
        expected: i32,
        /// The sequence it sent.
        found: i32,
    },
    /// Another instance of the producer has a newer epoch.
    #[error("producer {producer} has epoch {found}, but epoch {current} has written already")]
    EpochFenced {
        /// The producer's id.
        producer: i64,
        /// The newest epoch seen.
        current: i16,
        /// The epoch of the batch.
        found: i16,
    },
}

/// The sequence of the last of `count` records that begin at `first`: 0 follows 2147483647.
fn last_sequence(first: i32, count: u32) -> i32 {
    let last = i64::from(first) + i64::from(count) - 1;
    (last & i64::from(i32::MAX)) as i32
}

impl Known {
    fn entry(&self, id: i64) -> ProducerEntry {
        let batch = |batch: &Remembered| BatchEntry {
            first_sequence: batch.first_sequence,
            last_sequence: batch.last_sequence,
            base_offset: batch.base_offset,
            append_time_ms: batch.append_time_ms,
        };
        ProducerEntry {
            id,
            epoch: self.epoch,
            batches: self.batches().iter().map(batch).collect(),
        }
    }

    fn batches(&self) -> &[Remembered] {
        &self.batches[..usize::from(self.count)]
    }

    fn expected(&self) -> i32 {
        last_sequence(self.batches[0].last_sequence, 2)
    }

    fn remember(&mut self, batch: Remembered) {
        self.batches.copy_within(..BATCHES_REMEMBERED - 1, 1);
        self.batches[0] = batch;
        self.count = (self.count + 1).min(BATCHES_REMEMBERED as u8);
    }

    fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        now_ms.saturating_sub(self.last_append_ms) > expiration_ms
    }
}

/// What is known of a producer that numbers its batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownProducer {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The sequence of its last record.
    pub last_sequence: i32,
    /// When it last appended, in milliseconds since 1970 UTC.
    pub last_append_ms: i64,
}

impl Producers {
    /// Those that have appended within `expiration_ms`, by id.
    pub(crate) fn listed(&self, now_ms: i64, expiration_ms: i64) -> Vec<KnownProducer> {
        let living = self.by_id.iter();
        let living = living.filter(|(_, known)| !known.is_expired(now_ms, expiration_ms));
        let mut listed: Vec<KnownProducer> = living
            .map(|(id, known)| KnownProducer {
                id: *id,
                epoch: known.epoch,
                last_sequence: known.batches[0].last_sequence,
                last_append_ms: known.last_append_ms,
            })
            .collect();
        listed.sort_unstable_by_key(|known| known.id);
        listed
    }

    /// Whether a batch of `count` records may be appended (`None`), or has been already.
    pub(crate) fn check(
        &mut self,
        producer: Producer,
        count: u32,
        now_ms: i64,
        expiration_ms: i64,
    ) -> Result<Option<Remembered>, SequenceError> {
        let Some(known) = self.by_id.get(&producer.id) else {
            return Ok(None);
        };
        if known.is_expired(now_ms, expiration_ms) {
            self.by_id.remove(&producer.id);
            return Ok(None);
        }
        known.check(producer, count)
    }

    /// Remembers a batch that was appended.
    pub(crate) fn remember(
        &mut self,
        producer: Producer,
        count: u32,
        appended: Remembered,
        expiration_ms: i64,
    ) {
        let now_ms = appended.append_time_ms;
        let batch = Remembered {
            first_sequence: producer.sequence,
            last_sequence: last_sequence(producer.sequence, count),
            ..appended
        };
        if let Some(known) = self.by_id.get_mut(&producer.id) {
            if known.epoch != producer.epoch {
                known.count = 0;
            }
            known.epoch = producer.epoch;
            known.last_append_ms = now_ms;
            known.remember(batch);
            return;
        }
        self.make_room(now_ms, expiration_ms);
        let known = Known {
            last_append_ms: now_ms,
            anchor: batch.end,
            epoch: producer.epoch,
            count: 1,
            batches: [batch; BATCHES_REMEMBERED],
        };
        self.by_id.insert(producer.id, Box::new(known));
    }

    /// Forgets who is expired when the number has doubled since the last look, and who is silent longest when there are too many.
    fn make_room(&mut self, now_ms: i64, expiration_ms: i64) {
        if self.by_id.len() < self.purge_at.max(PURGE_LEAST) {
            return;
        }
        self.by_id
            .retain(|_, known| !known.is_expired(now_ms, expiration_ms));
        if self.by_id.len() >= PRODUCERS_PER_PARTITION_MAX {
            self.evict();
        }
        self.purge_at = (self.by_id.len() * 2).min(PRODUCERS_PER_PARTITION_MAX);
    }

    fn evict(&mut self) {
        let mut times: Vec<i64> = self
            .by_id
            .values()
            .map(|known| known.last_append_ms)
            .collect();
        let (_, &mut limit, _) = times.select_nth_unstable(EVICTED_AT_ONCE);
        let mut left = EVICTED_AT_ONCE;
        self.by_id.retain(|_, known| {
            let goes = left > 0 && known.last_append_ms <= limit;
            left -= usize::from(goes);
            !goes
        });
        tracing::debug!(
            forgotten = EVICTED_AT_ONCE,
            "a partition has too many producers"
        );
    }

    /// Appends those again that the log tells below [`Carrier::until`], but for those that have been silent since `expired_ms`.
    pub(crate) fn carry(
        &mut self,
        carrier: &mut Carrier<'_>,
        stream: StreamId,
        expired_ms: i64,
        size_max: usize,
    ) -> Result<(), Paused> {
        let until = carrier.until();
        let below = |known: &Known| known.anchor <= until && known.last_append_ms >= expired_ms;
        let ids = self.by_id.iter().filter(|(_, known)| below(known));
        let ids: Vec<i64> = ids.map(|(id, _)| *id).collect();
        let at_once = match carrier.joins() {
            true => ProducersEntry::producers_max(size_max, BATCHES_REMEMBERED),
            false => 1,
        };
        for ids in ids.chunks(at_once) {
            let producers = ids.iter().map(|id| self.by_id[id].entry(*id)).collect();
            let entry = ProducersEntry { stream, producers };
            let anchor = self.by_id[&ids[0]].anchor;
            let Some(at) = carrier.append(&entry.encode(), anchor)? else {
                continue;
            };
            for id in ids {
                if let Some(known) = self.by_id.get_mut(id) {
                    known.anchor = at;
                }
            }
        }
        Ok(())
    }

    /// Takes a producer as the entry that ends at `end` tells it, in place of what was known.
    pub(crate) fn restore(&mut self, told: &ProducerEntry, end: Position, expired_ms: i64) {
        let batch = |told: &BatchEntry| Remembered {
            first_sequence: told.first_sequence,
            last_sequence: told.last_sequence,
            base_offset: told.base_offset,
            end,
            append_time_ms: told.append_time_ms,
        };
        let Some(newest) = told.batches.first() else {
            return;
        };
        if newest.append_time_ms < expired_ms || self.by_id.len() >= PRODUCERS_PER_PARTITION_MAX {
            return;
        }
        let mut batches = [batch(newest); BATCHES_REMEMBERED];
        let count = told.batches.len().min(BATCHES_REMEMBERED);
        for (place, told) in batches.iter_mut().zip(&told.batches) {
            *place = batch(told);
        }
        let known = Known {
            last_append_ms: newest.append_time_ms,
            anchor: end,
            epoch: told.epoch,
            count: count as u8,
            batches,
        };
        self.by_id.insert(told.id, Box::new(known));
    }

    /// How many are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.by_id.len()
    }
}

impl Known {
    fn check(&self, producer: Producer, count: u32) -> Result<Option<Remembered>, SequenceError> {
        let out_of_order = |expected| SequenceError::OutOfOrder {
            producer: producer.id,
            expected,
            found: producer.sequence,
        };
        if producer.epoch < self.epoch {
            return Err(SequenceError::EpochFenced {
                producer: producer.id,
                current: self.epoch,
                found: producer.epoch,
            });
        }
        if producer.epoch > self.epoch {
            return if producer.sequence == 0 {
                Ok(None)
            } else {
                Err(out_of_order(0))
            };
        }
        let last = last_sequence(producer.sequence, count);
        let same = |batch: &&Remembered| {
            batch.first_sequence == producer.sequence && batch.last_sequence == last
        };
        if let Some(batch) = self.batches().iter().find(same) {
            return Ok(Some(*batch));
        }
        if producer.sequence == self.expected() {
            Ok(None)
        } else {
            Err(out_of_order(self.expected()))
        }
    }
}

impl Remembered {
    /// What an append leaves behind; [`Producers::remember`] adds the sequences.
    pub(crate) fn new(base_offset: Offset, end: Position, append_time_ms: i64) -> Remembered {
        Remembered {
            first_sequence: 0,
            last_sequence: 0,
            base_offset,
            end,
            append_time_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRATION_MS: i64 = 1_000;

    struct Fixture {
        producers: Producers,
        next: i64,
        now_ms: i64,
    }

    impl Fixture {
        fn new() -> Fixture {
            Fixture {
                producers: Producers::default(),
                next: 0,
                now_ms: 0,
            }
        }

        /// The offset under which the batch is stored; appends it when it is new.
        fn send(
            &mut self,
            id: i64,
            epoch: i16,
            sequence: i32,
            count: u32,
        ) -> Result<i64, SequenceError> {
            let producer = Producer {
                id,
                epoch,
                sequence,
            };
            let found = self
                .producers
                .check(producer, count, self.now_ms, EXPIRATION_MS)?;
            if let Some(original) = found {
                return Ok(original.base_offset.0);
            }
            let base = self.next;
            self.next += i64::from(count);
            let batch = Remembered::new(Offset(base), Position(0), self.now_ms);
            self.producers
                .remember(producer, count, batch, EXPIRATION_MS);
            Ok(base)
        }
    }

    #[test]
    fn the_last_five_batches_are_known_again() {
        let mut fixture = Fixture::new();
        for index in 0..7 {
            assert_eq!(
                fixture.send(1, 0, index * 10, 10),
                Ok(i64::from(index) * 10)
            );
        }
        for index in 2..7 {
            assert_eq!(
                fixture.send(1, 0, index * 10, 10),
                Ok(i64::from(index) * 10)
            );
        }
        assert!(matches!(
            fixture.send(1, 0, 10, 10),
            Err(SequenceError::OutOfOrder {
                expected: 70,
                found: 10,
                ..
            })
        ));
        assert_eq!(fixture.next, 70);
    }

    #[test]
    fn a_gap_or_another_cut_of_the_same_records_is_out_of_order() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.send(1, 0, 0, 10), Ok(0));
        assert!(fixture.send(1, 0, 11, 1).is_err());
        assert!(fixture.send(1, 0, 0, 9).is_err());
        assert_eq!(fixture.send(1, 0, 10, 1), Ok(10));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.send(1, 0, i32::MAX - 1, 2), Ok(0));
        assert_eq!(fixture.send(1, 0, 0, 1), Ok(2));
        let mut across = Fixture::new();
        assert_eq!(across.send(1, 0, i32::MAX, 3), Ok(0));
        assert_eq!(across.send(1, 0, 2, 1), Ok(3));
    }

    #[test]
    fn epochs_fence_and_begin_at_zero() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.send(1, 3, 5, 1), Ok(0));
        assert!(matches!(
            fixture.send(1, 2, 6, 1),
            Err(SequenceError::EpochFenced {
                current: 3,
                found: 2,
                ..
            })
        ));
        assert!(fixture.send(1, 4, 6, 1).is_err());
        assert_eq!(fixture.send(1, 4, 0, 1), Ok(1));
        assert_eq!(fixture.send(1, 4, 1, 1), Ok(2));
    }

    #[test]
    fn a_batch_of_an_older_epoch_is_not_a_duplicate_of_the_newer() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.send(1, 0, 0, 1), Ok(0));
        assert_eq!(fixture.send(1, 1, 0, 1), Ok(1));
        assert_eq!(fixture.send(1, 1, 0, 1), Ok(1));
    }

    #[test]
    fn a_silent_producer_is_forgotten() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.send(1, 0, 0, 1), Ok(0));
        fixture.now_ms = EXPIRATION_MS + 1;
        assert_eq!(fixture.send(1, 0, 77, 1), Ok(1));
    }

    #[test]
    fn expired_ones_do_not_pile_up() {
        let mut fixture = Fixture::new();
        for id in 0..10_000 {
            fixture.now_ms = id * 100;
            assert!(fixture.send(id, 0, 0, 1).is_ok());
        }
        assert!(fixture.producers.len() <= 64, "{}", fixture.producers.len());
    }

    #[test]
    fn never_more_than_the_limit_and_the_newest_stay() {
        let mut fixture = Fixture::new();
        let last = PRODUCERS_PER_PARTITION_MAX as i64 + 100;
        for id in 0..=last {
            assert!(fixture.send(id, 0, 0, 1).is_ok());
        }
        assert!(fixture.producers.len() <= PRODUCERS_PER_PARTITION_MAX);
        assert_eq!(fixture.send(last, 0, 0, 1), Ok(last));
    }
}
