//! An idempotent producer that outlives the broker: what is not acknowledged is sent again, in the same order and
//! with the same sequence numbers, to whichever process serves next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use pagelog_kafka::codec::ErrorCode;

use super::ledger::{Lane, value_of};
use super::world::{TOPIC, World};
use crate::random::Random;
use crate::wire::Connection;
use crate::wire::batch::{self, Sender};

/// The most batches of one producer in flight that Kafka's rules keep in order (the broker remembers five).
const IN_FLIGHT_MAX: u64 = 5;

/// Values are small, and now and then much larger, so that segments end at every distance from a batch.
const FILLING_MAX: u64 = 300;
const LARGE_FILLING_MAX: u64 = 8_000;

/// A producer, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Producer {
    world: Arc<World>,
    random: Random,
    sender: u32,
    partitions: u32,
    acks: i16,
    identity: Option<(i64, i16)>,
    /// By partition: the number of the next record, over all producer ids.
    next_number: BTreeMap<u32, u64>,
    /// By partition: the next sequence number of this producer id.
    next_sequence: BTreeMap<u32, i32>,
    outstanding: VecDeque<Outstanding>,
}

/// A batch that is not acknowledged; its bytes never change.
#[derive(Debug)]
struct Outstanding {
    lane: Lane,
    first: u64,
    count: u64,
    batch: Vec<u8>,
}

impl Producer {
    /// The producer number `sender`; odd ones are content with acks=1.
    pub(crate) fn new(world: Arc<World>, sender: u32, partitions: u32, seed: u64) -> Producer {
        Producer {
            world,
            random: Random::new(seed ^ u64::from(sender) << 32),
            sender,
            partitions,
            acks: if sender.is_multiple_of(2) { -1 } else { 1 },
            identity: None,
            next_number: BTreeMap::new(),
            next_sequence: BTreeMap::new(),
            outstanding: VecDeque::new(),
        }
    }

    /// Produces until it is told to finish and everything is acknowledged.
    pub(crate) fn run(mut self) {
        while !self.is_done() {
            let Some((address, generation)) = self.world.wait_address() else {
                return;
            };
            match self.session(&address) {
                Ok(()) => {}
                Err(error) if error.is::<Refused>() => thread::sleep(Duration::from_millis(5)),
                Err(error) => self.world.lost(generation, "a producer", &error),
            }
        }
    }

    fn is_done(&self) -> bool {
        self.world.is_over() || (self.world.is_finishing() && self.outstanding.is_empty())
    }

    /// One connection: first what is outstanding, then new batches, until the connection or the test ends.
    fn session(&mut self, address: &str) -> Result<()> {
        let mut connection = Connection::open(address)?;
        self.world.count_resent(self.outstanding.len());
        let mut sent = VecDeque::new();
        while !self.is_done() {
            self.ensure_identity(&mut connection)?;
            self.fill();
            for outstanding in self.outstanding.iter().skip(sent.len()) {
                let partition = i32::try_from(outstanding.lane.partition)?;
                sent.push_back(connection.send_batch(
                    TOPIC,
                    partition,
                    self.acks,
                    &outstanding.batch,
                )?);
            }
            // Some answers are waited for and some stay under way, so that a kill finds both.
            for _ in 0..self.random.within(1..IN_FLIGHT_MAX + 1) {
                let Some(id) = sent.front() else { break };
                let answer = connection.receive_batch_answer(*id)?;
                self.settle(answer)?;
                sent.pop_front();
            }
            self.pause();
        }
        Ok(())
    }

    /// A new producer id, at first and sometimes when nothing is outstanding.
    fn ensure_identity(&mut self, connection: &mut Connection) -> Result<()> {
        let renew = self.outstanding.is_empty() && self.random.one_in(200);
        if self.identity.is_some() && !renew {
            return Ok(());
        }
        let (id, epoch) = connection.init_producer_id()?;
        if let Err(error) = self.world.ledger().give_producer_id(id) {
            self.world.report(format!("{error:#}"));
        }
        self.identity = Some((id, epoch));
        self.next_sequence.clear();
        Ok(())
    }

    /// Makes new batches until a random number is outstanding.
    fn fill(&mut self) {
        let wanted = self.random.within(1..IN_FLIGHT_MAX + 1) as usize;
        while self.outstanding.len() < wanted && !self.world.is_finishing() {
            let batch = self.new_batch();
            self.outstanding.push_back(batch);
        }
    }

    fn new_batch(&mut self) -> Outstanding {
        let partition = u32::try_from(self.random.below(u64::from(self.partitions))).unwrap_or(0);
        let lane = Lane {
            sender: self.sender,
            partition,
        };
        let count = self.random.within(1..6);
        let next_number = self.next_number.entry(partition).or_default();
        let first = *next_number;
        *next_number += count;
        let values: Vec<Vec<u8>> = (first..first + count)
            .map(|number| value_of(lane, number, filling(&mut self.random)))
            .collect();
        let next_sequence = self.next_sequence.entry(partition).or_default();
        let (producer_id, producer_epoch) = self.identity.unwrap_or((-1, -1));
        let sender = Sender {
            producer_id,
            producer_epoch,
            base_sequence: *next_sequence,
        };
        *next_sequence += i32::try_from(count).unwrap_or(0);
        Outstanding {
            lane,
            first,
            count,
            batch: batch::encode(sender, 1_700_000_000_000, &values),
        }
    }

    /// The answer to the oldest outstanding batch.
    fn settle(&mut self, answer: Result<i64, ErrorCode>) -> Result<()> {
        self.world.count_answer();
        let Some(oldest) = self.outstanding.front() else {
            bail!("an answer to nothing")
        };
        let Outstanding {
            lane, first, count, ..
        } = oldest;
        match answer {
            Ok(base_offset) => self
                .world
                .ledger()
                .acknowledge(*lane, *first, *count, base_offset),
            Err(error) if may_pass(error) => return Err(Refused(error).into()),
            Err(error) => {
                let violation = format!("record {first} of {lane:?} is refused: {error}");
                self.world.report(violation.clone());
                bail!(violation);
            }
        }
        self.outstanding.pop_front();
        Ok(())
    }

    fn pause(&mut self) {
        if self.random.one_in(4) {
            thread::sleep(Duration::from_micros(self.random.below(3_000)));
        }
    }
}

/// The broker says that it cannot now; what follows in the same connection is void.
#[derive(Debug, thiserror::Error)]
#[error("refused for now: {0}")]
struct Refused(ErrorCode);

/// Errors after which a producer sends the same again. Any other loses something, or says that something was lost.
fn may_pass(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::REQUEST_TIMED_OUT
    )
}

fn filling(random: &mut Random) -> usize {
    let end = if random.one_in(50) {
        LARGE_FILLING_MAX
    } else {
        FILLING_MAX
    };
    usize::try_from(random.below(end)).unwrap_or(0)
}
