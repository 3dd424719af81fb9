//! The matrix: every client produces in every way, every client reads what every client wrote.
//!
//! [`Matrix`] remembers what lies in each partition, offset by offset, so every read can be compared to the byte.

mod reading;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use super::client::{Client, Codec, Confirmation, Partition, Start};
use super::record::{Expected, Record, varied};
use crate::random::Random;
use crate::report::Report;
use crate::wire::{Connection, batch};
use topics::create_settled;

/// With acks=1 a record is acknowledged before it is durable and so visible; it must be soon.
const VISIBLE_AFTER_MS: i32 = 10_000;

/// A value that fills most of the 1 MiB that a batch may have; kcat reads no longer lines than a million bytes.
const LARGE_SIZE: usize = 990_000;

/// What lies in the broker, and the numbers that the next records are made of.
pub(crate) struct Matrix {
    /// A look at what is stored, past all clients.
    wire: Connection,
    /// Distinguishes the topics of this run from those of an earlier one on the same broker.
    run: String,
    random: Random,
    contents: BTreeMap<Partition, Vec<Expected>>,
    /// The partitions with snappy in Java's framing, which not every client reads.
    framed: BTreeSet<Partition>,
}

impl Matrix {
    /// An empty broker, as far as the topics of `run` are concerned.
    pub(crate) fn new(run: &str, bootstrap: &str) -> Result<Matrix> {
        Ok(Matrix {
            wire: Connection::open(bootstrap)?,
            run: run.to_owned(),
            random: Random::new(1),
            contents: BTreeMap::new(),
            framed: BTreeSet::new(),
        })
    }

    /// Every client creates its topic, lists it, and produces with every codec and every confirmation; who can read
    /// reads back what it has written, from its offset.
    pub(crate) fn produce(
        &mut self,
        clients: &mut [Box<dyn Client>],
        codecs: &[Codec],
        report: &mut Report,
    ) {
        for index in 0..clients.len() {
            let topic = self.topic(clients[index].name());
            let creator = if clients[index].administers() {
                index
            } else {
                0
            };
            let name = format!("{} creates a topic", clients[creator].name());
            if !report.case(&name, || {
                create_settled(clients[creator].as_mut(), &topic, codecs.len())
            }) {
                continue;
            }
            let client = clients[index].as_mut();
            for (partition, codec) in codecs.iter().enumerate() {
                for confirmation in Confirmation::ALL {
                    let to = Partition {
                        topic: topic.clone(),
                        index: partition,
                    };
                    let name = format!(
                        "{} produces {} {}",
                        client.name(),
                        codec.name(),
                        confirmation.name()
                    );
                    report.case(&name, || {
                        self.produce_set(client, &to, *codec, confirmation)
                    });
                }
            }
        }
    }

    /// One set of records by one client, confirmed where that is asked for, and read back.
    fn produce_set(
        &mut self,
        client: &mut dyn Client,
        to: &Partition,
        codec: Codec,
        confirmation: Confirmation,
    ) -> Result<()> {
        let set = self.contents.get(to).map_or(0, Vec::len) / super::record::SET_COUNT;
        let records = varied(set, &mut self.random)
            .into_iter()
            .map(|record| client.sends(record))
            .collect();
        self.send(client, to, codec, confirmation, records)
    }

    /// Sends records, checks the offsets that are confirmed, reads them back.
    fn send(
        &mut self,
        client: &mut dyn Client,
        to: &Partition,
        codec: Codec,
        confirmation: Confirmation,
        records: Vec<Record>,
    ) -> Result<()> {
        let first = self.contents.get(to).map_or(0, Vec::len);
        let before = now_ms();
        let offsets = client.produce(to, codec, confirmation, &records)?;
        let sent = before..=now_ms();
        let wanted: Vec<i64> = (first..first + records.len()).map(position).collect();
        if let Some(offsets) = offsets {
            ensure!(
                offsets == wanted,
                "confirmed at {offsets:?}, not at {wanted:?}"
            );
        }
        let timestamps = |record: &Record| match client.sets_timestamps() {
            true => record.timestamp..=record.timestamp,
            false => sent.clone(),
        };
        let count = records.len();
        let expected = records.into_iter().map(|record| Expected {
            timestamps: timestamps(&record),
            record,
        });
        self.contents
            .entry(to.clone())
            .or_default()
            .extend(expected);
        if client.reads() {
            self.read(client, to, Start::Offset(position(first)), first, count)?;
        }
        self.check_codec(to, first, codec)
    }

    /// A client that thinks the broker cannot take a codec says nothing and sends uncompressed (KAFKA-18659). With acks=0 this waits until what was sent is there:
    /// the next may come by another connection, and would else be before it.
    fn check_codec(&mut self, to: &Partition, first: usize, codec: Codec) -> Result<()> {
        let bytes = self.wire.fetch(
            &to.topic,
            i32::try_from(to.index)?,
            position(first),
            VISIBLE_AFTER_MS,
        )?;
        if batch::is_framed_snappy(&bytes)? {
            self.framed.insert(to.clone());
        }
        let stored = batch::codec_of(&bytes)?;
        ensure!(
            stored == codec.number(),
            "stored with codec {stored}, not with {}",
            codec.number()
        );
        Ok(())
    }

    /// Every client sends values near the largest that is allowed.
    pub(crate) fn large(
        &mut self,
        clients: &mut [Box<dyn Client>],
        report: &mut Report,
    ) -> Result<()> {
        let to = Partition {
            topic: self.topic("large"),
            index: 0,
        };
        create_settled(clients[0].as_mut(), &to.topic, 1)?;
        for client in clients {
            let value = self.random.bytes(LARGE_SIZE);
            let record = Record {
                key: None,
                value: Some(value),
                headers: vec![],
                timestamp: 1_700_000_000_000,
            };
            let record = client.sends(record);
            report.case(
                &format!("{} sends {LARGE_SIZE} bytes", client.name()),
                || {
                    self.send(
                        client.as_mut(),
                        &to,
                        Codec::None,
                        Confirmation::All,
                        vec![record.clone()],
                    )
                },
            );
            let record = Record {
                value: Some(vec![b'x'; LARGE_SIZE]),
                ..record
            };
            report.case(
                &format!("{} sends {LARGE_SIZE} bytes by zstd", client.name()),
                || {
                    self.send(
                        client.as_mut(),
                        &to,
                        Codec::Zstd,
                        Confirmation::All,
                        vec![record],
                    )
                },
            );
        }
        Ok(())
    }

    fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.run)
    }
}

/// An offset as the protocol writes it.
pub(crate) fn position(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn now_ms() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
