//! What the runner asks of every client, however it is reached.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::record::{Received, Record};

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Partition {
    pub(crate) topic: String,
    pub(crate) index: usize,
}

/// How records are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    /// All of them, in the order of their numbers on the wire.
    pub(crate) const ALL: [Codec; 5] = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];

    /// Its number on the wire.
    pub(crate) fn number(self) -> u8 {
        match self {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }

    /// The name by which every client knows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }
}

/// How a produce is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// acks=0.
    None,
    /// acks=1.
    Leader,
    /// acks=all.
    All,
    /// acks=all with a producer id and sequence numbers.
    Idempotent,
}

impl Confirmation {
    /// All of them.
    pub(crate) const ALL: [Confirmation; 4] = [
        Confirmation::None,
        Confirmation::Leader,
        Confirmation::All,
        Confirmation::Idempotent,
    ];

    /// The value of the setting `acks`.
    pub(crate) fn acks(self) -> &'static str {
        match self {
            Confirmation::None => "0",
            Confirmation::Leader => "1",
            Confirmation::All | Confirmation::Idempotent => "all",
        }
    }

    /// The name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Confirmation::None => "acks=0",
            Confirmation::Leader => "acks=1",
            Confirmation::All => "acks=all",
            Confirmation::Idempotent => "idempotent",
        }
    }
}

/// Where reading begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    Offset(i64),
    Timestamp(i64),
    Beginning,
    End,
}

impl Start {
    /// The form in which agents take it.
    pub(crate) fn to_json(self) -> Value {
        match self {
            Start::Offset(offset) => json!({ "offset": offset }),
            Start::Timestamp(timestamp) => json!({ "timestamp": timestamp }),
            Start::Beginning => json!({ "at": "beginning" }),
            Start::End => json!({ "at": "end" }),
        }
    }
}

/// What ListOffsets says of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offsets {
    pub(crate) beginning: i64,
    pub(crate) end: i64,
    /// The first record that is not older than the time that was asked for.
    pub(crate) at: Option<i64>,
}

/// One unmodified client.
pub(crate) trait Client {
    /// Its name and version.
    fn title(&self) -> String;

    /// The name in the report and in topics.
    fn name(&self) -> &'static str;

    /// Whether it can read a partition that is assigned and not given by a group.
    fn reads(&self) -> bool {
        true
    }

    /// Whether it can read snappy in Java's framing.
    fn reads_framed_snappy(&self) -> bool {
        true
    }

    /// Whether it creates and deletes topics.
    fn administers(&self) -> bool {
        true
    }

    /// Whether it says that a configuration was refused.
    fn tells_refusals(&self) -> bool {
        true
    }

    /// Whether a record's time is the one that it was given.
    fn sets_timestamps(&self) -> bool {
        true
    }

    /// The nearest record to this that it can send.
    fn sends(&self, record: Record) -> Record {
        record
    }

    /// What it shows of a record that it reads.
    fn shows(&self, record: Record) -> Record {
        record
    }

    /// Sends, waits until all is confirmed, and says the offsets if it knows them.
    fn produce(
        &mut self,
        to: &Partition,
        codec: Codec,
        confirmation: Confirmation,
        records: &[Record],
    ) -> Result<Option<Vec<i64>>>;

    /// Begins to read; returns when it is settled where that begins.
    fn open(&mut self, partition: &Partition, start: Start) -> Result<()>;

    /// The next `count` records of what was opened.
    fn take(&mut self, count: usize) -> Result<Vec<Received>>;

    /// Ends reading.
    fn close(&mut self) -> Result<()>;

    /// Asks for the ends of a partition and for the first record at `timestamp` or later.
    fn offsets(&mut self, partition: &Partition, timestamp: i64) -> Result<Offsets>;

    /// Creates a topic.
    fn create(&mut self, topic: &str, partitions: usize) -> Result<()>;

    /// Deletes a topic.
    fn delete(&mut self, topic: &str) -> Result<()>;

    /// Gives a topic more partitions, so that it has so many.
    fn grow(&mut self, _topic: &str, _partitions: usize) -> Result<()> {
        bail!("{} does not administer", self.name())
    }

    /// Sets configurations of a topic.
    fn configure(&mut self, _topic: &str, _configs: &[(&str, &str)]) -> Result<()> {
        bail!("{} does not administer", self.name())
    }

    /// Every configuration of a topic.
    fn configured(&mut self, _topic: &str) -> Result<BTreeMap<String, Option<String>>> {
        bail!("{} does not administer", self.name())
    }

    /// Deletes the records before `offset`; the first offset that is left.
    fn shorten(&mut self, _from: &Partition, _offset: i64) -> Result<i64> {
        bail!("{} does not administer", self.name())
    }

    /// The number of partitions of each topic.
    fn topics(&mut self) -> Result<BTreeMap<String, usize>>;
}
