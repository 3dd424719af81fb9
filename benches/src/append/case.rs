//! The loads of the closed loop: who sends what, and what stands beside it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use crate::batch;
use crate::client::{Client, Topic, produce_error_at, produce_frame};
use crate::load::{ClosedLoop, Exchange, Expect, Receive, Until};
use crate::pagelog::Flush;
use crate::sample::Sample;

/// Bytes of a record's value, where nothing else is said.
pub(super) const KIBIBYTE: usize = 1024;

/// One load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) connections: usize,
    pub(super) partitions: i32,
    pub(super) acks: i16,
    /// Records of a batch, each with a value of 1 KiB.
    pub(super) records: u32,
    pub(super) flush: Flush,
    pub(super) limit: Limit,
}

/// What stands beside a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// One `fdatasync` after each write of this many bytes.
    Sync(usize),
    /// Request and answer over loopback, and nothing else.
    Echo,
}

/// One record at a time.
pub(super) const ONE: Case = Case {
    name: "1 client, 1 KiB, acks=all",
    connections: 1,
    partitions: 1,
    acks: -1,
    records: 1,
    flush: Flush::Sync,
    limit: Limit::Sync(KIBIBYTE),
};

/// Company: the group commit has something to group.
pub(super) const MANY: Case = Case {
    name: "64 clients, 1 KiB, acks=all",
    connections: 64,
    ..ONE
};

/// All of them.
pub(super) const CASES: [Case; 8] = [
    ONE,
    MANY,
    Case {
        name: "256 clients, 1 KiB, acks=all",
        connections: 256,
        ..ONE
    },
    Case {
        name: "64 clients, 1 KiB, 100 partitions, acks=all",
        partitions: 100,
        ..MANY
    },
    Case {
        name: "16 clients, 16 KiB batches, acks=all",
        connections: 16,
        records: 16,
        limit: Limit::Sync(16 * KIBIBYTE),
        ..ONE
    },
    Case {
        // 1,000 and not 1,024 records: with their overhead they stay below `message.max.bytes`.
        name: "4 clients, 1 MiB batches, acks=all",
        connections: 4,
        records: 1000,
        limit: Limit::Sync(1 << 20),
        ..ONE
    },
    Case {
        name: "64 clients, 1 KiB, acks=1",
        acks: 1,
        limit: Limit::Echo,
        ..MANY
    },
    Case {
        name: "64 clients, 1 KiB, acks=all, interval flush",
        flush: Flush::Interval,
        limit: Limit::Echo,
        ..MANY
    },
];

impl Case {
    /// The topic it writes to.
    pub(super) fn topic(&self) -> Topic {
        Topic {
            name: "bench",
            partitions: self.partitions,
            settings: Vec::new(),
        }
    }

    /// Makes the topic and connects.
    ///
    /// # Errors
    /// A refusal.
    pub(super) fn connect(&self, address: SocketAddr, topic: &Topic) -> Result<ClosedLoop> {
        Client::connect(address)?.create(topic)?;
        ClosedLoop::connect(address, self.scripts(topic.name)?)
    }

    /// What each connection sends: every connection goes through all partitions, from another one.
    pub(super) fn scripts(&self, topic: &str) -> Result<Vec<Vec<Exchange>>> {
        let exchanges = self.exchanges(topic)?;
        let turned = |connection: usize| {
            let mut script = exchanges.clone();
            script.rotate_left(connection * exchanges.len() / self.connections);
            script
        };
        Ok((0..self.connections).map(turned).collect())
    }

    /// A request for each partition.
    pub(super) fn exchanges(&self, topic: &str) -> Result<Vec<Exchange>> {
        let batch = batch::of_values(self.records, KIBIBYTE);
        (0..self.partitions)
            .map(|partition| {
                Ok(Exchange {
                    frame: produce_frame(topic, &[partition], &batch, self.acks)?.into(),
                    expect: Expect::NoErrorAt(produce_error_at(topic)),
                    bytes: batch.len() as u64,
                })
            })
            .collect()
    }
}

/// A round against a server, with its processor time.
///
/// # Errors
/// What ends a load.
pub(super) fn measured(
    load: &mut ClosedLoop,
    round: Duration,
    processor_time: impl Fn() -> Result<Duration>,
) -> Result<Sample> {
    let before = processor_time()?;
    let mut sample = load.run(Until::Elapsed(round), Receive::Copy)?;
    sample.processor = processor_time()? - before;
    Ok(sample)
}
