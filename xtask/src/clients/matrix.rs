//! The matrix: every client produces in every way, every client reads what every client wrote.
//!
//! [`Matrix`] remembers what lies in each partition, offset by offset, so every read can be compared to the byte.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use super::client::{Client, Codec, Confirmation, Partition, Start};
use super::record::{Expected, Received, Record, varied};
use crate::random::Random;
use crate::report::Report;
use crate::wire::{Connection, batch};

/// How long a new topic may take until its partitions can be asked.
const SETTLED_AFTER: Duration = Duration::from_secs(15);

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
}

impl Matrix {
    /// An empty broker, as far as the topics of `run` are concerned.
    pub(crate) fn new(run: &str, bootstrap: &str) -> Result<Matrix> {
        Ok(Matrix {
            wire: Connection::open(bootstrap)?,
            run: run.to_owned(),
            random: Random::new(1),
            contents: BTreeMap::new(),
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
        self.check_codec(to, first, codec, confirmation)
    }

    /// A client that thinks the broker cannot take a codec says nothing and sends uncompressed (KAFKA-18659).
    fn check_codec(
        &mut self,
        to: &Partition,
        first: usize,
        codec: Codec,
        confirmation: Confirmation,
    ) -> Result<()> {
        // With acks=0, who cannot read back does not know yet whether it has arrived.
        if confirmation == Confirmation::None {
            return Ok(());
        }
        let bytes = self.wire.fetch(
            &to.topic,
            i32::try_from(to.index)?,
            position(first),
            VISIBLE_AFTER_MS,
        )?;
        let stored = batch::codec_of(&bytes)?;
        ensure!(
            stored == codec.number(),
            "stored with codec {stored}, not with {}",
            codec.number()
        );
        Ok(())
    }

    /// Every reader reads every partition from its beginning, from a time within a batch, and asks for its offsets.
    pub(crate) fn read_all(&mut self, clients: &mut [Box<dyn Client>], report: &mut Report) {
        for client in clients {
            for (partition, expected) in &self.contents {
                let Partition { topic, index } = partition;
                let what = format!("{} {topic}/{index}", client.name());
                if client.reads() {
                    report.case(
                        &format!("{what}: read {} from the beginning", expected.len()),
                        || {
                            self.read(
                                client.as_mut(),
                                partition,
                                Start::Beginning,
                                0,
                                expected.len(),
                            )
                        },
                    );
                    report.case(&format!("{what}: read from a time"), || {
                        self.read_from_time(client.as_mut(), partition)
                    });
                }
                report.case(&format!("{what}: ask for offsets"), || {
                    self.ask_offsets(client.as_mut(), partition)
                });
            }
        }
    }

    /// Reads `count` records that must be those from offset `first` on.
    fn read(
        &self,
        client: &mut dyn Client,
        partition: &Partition,
        start: Start,
        first: usize,
        count: usize,
    ) -> Result<()> {
        client.open(partition, start)?;
        let received = client.take(count);
        client.close()?;
        let expected = self
            .contents
            .get(partition)
            .context("nothing was sent there")?;
        compare(client, &expected[first..first + count], first, &received?)
    }

    /// Begins to read at the time of a record in the middle of the partition.
    fn read_from_time(&self, client: &mut dyn Client, partition: &Partition) -> Result<()> {
        let expected = self
            .contents
            .get(partition)
            .context("nothing was sent there")?;
        let timestamp = middle_time(expected);
        let first = first_at(expected, timestamp).context("no record is so young")?;
        let count = (expected.len() - first).min(5);
        self.read(client, partition, Start::Timestamp(timestamp), first, count)
    }

    /// Asks for both ends, for a time in the middle, and for one after the last record.
    fn ask_offsets(&self, client: &mut dyn Client, partition: &Partition) -> Result<()> {
        let expected = self
            .contents
            .get(partition)
            .context("nothing was sent there")?;
        for timestamp in [0, middle_time(expected), 1 << 42] {
            let offsets = client.offsets(partition, timestamp)?;
            let wanted = (
                0,
                position(expected.len()),
                first_at(expected, timestamp).map(position),
            );
            let found = (offsets.beginning, offsets.end, offsets.at);
            ensure!(
                found == wanted,
                "beginning, end and time {timestamp} are at {found:?}, not at {wanted:?}"
            );
        }
        Ok(())
    }

    /// Every reader waits at the end of a partition while another client sends.
    pub(crate) fn read_from_end(
        &mut self,
        clients: &mut [Box<dyn Client>],
        report: &mut Report,
    ) -> Result<()> {
        let to = Partition {
            topic: self.topic("end"),
            index: 0,
        };
        create_settled(clients[0].as_mut(), &to.topic, 1)?;
        for reader in (0..clients.len())
            .filter(|index| clients[*index].reads())
            .collect::<Vec<_>>()
        {
            let writer = (reader + 1) % clients.len();
            let name = format!(
                "{} waits at the end for {}",
                clients[reader].name(),
                clients[writer].name()
            );
            report.case(&name, || {
                clients[reader].open(&to, Start::End)?;
                let first = self.contents.get(&to).map_or(0, Vec::len);
                self.produce_set(clients[writer].as_mut(), &to, Codec::Lz4, Confirmation::All)?;
                let expected = &self.contents[&to][first..];
                let received = clients[reader].take(expected.len())?;
                clients[reader].close()?;
                compare(clients[reader].as_ref(), expected, first, &received)
            });
        }
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

    /// Every client sends to a topic that nobody has created, and finds it then.
    pub(crate) fn create_by_use(&mut self, clients: &mut [Box<dyn Client>], report: &mut Report) {
        for client in clients {
            let to = Partition {
                topic: self.topic(&format!("unheard-of-{}", client.name())),
                index: 0,
            };
            report.case(
                &format!("{} sends to an unheard-of topic", client.name()),
                || {
                    self.produce_set(client.as_mut(), &to, Codec::None, Confirmation::All)?;
                    let topics = client.topics()?;
                    ensure!(topics.contains_key(&to.topic), "the topic is not listed");
                    Ok(())
                },
            );
        }
    }

    /// Every client sees the topics of all; every administrator deletes one, and makes it again, empty.
    pub(crate) fn administer(&mut self, clients: &mut [Box<dyn Client>], report: &mut Report) {
        let mut wanted = BTreeMap::new();
        for partition in self.contents.keys() {
            let count: &mut usize = wanted.entry(partition.topic.clone()).or_default();
            *count = (partition.index + 1).max(*count);
        }
        for client in clients {
            report.case(&format!("{} lists all topics", client.name()), || {
                let topics = client.topics()?;
                for (topic, count) in &wanted {
                    let found = topics.get(topic).copied();
                    ensure!(
                        found == Some(*count),
                        "{topic} has {found:?} partitions, not {count}"
                    );
                }
                Ok(())
            });
            if client.administers() {
                let topic = self.topic(&format!("short-lived-{}", client.name()));
                report.case(
                    &format!("{} deletes a topic and makes it anew", client.name()),
                    || recreate(client.as_mut(), &topic, &mut self.random),
                );
            }
        }
    }

    fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.run)
    }
}

/// Creates, fills, deletes, creates: the second topic of the name is empty and has its own number of partitions.
fn recreate(client: &mut dyn Client, topic: &str, random: &mut Random) -> Result<()> {
    create_settled(client, topic, 2)?;
    ensure!(
        client.create(topic, 2).is_err(),
        "a topic was created twice"
    );
    let partition = Partition {
        topic: topic.to_owned(),
        index: 1,
    };
    let records: Vec<Record> = varied(0, random)
        .into_iter()
        .map(|record| client.sends(record))
        .collect();
    client.produce(&partition, Codec::Gzip, Confirmation::All, &records)?;
    client.delete(topic)?;
    wait_until("the topic is gone", || {
        Ok(!client.topics()?.contains_key(topic))
    })?;
    create_settled(client, topic, 3)?;
    let offsets = client.offsets(&partition, 0)?;
    ensure!(
        (offsets.beginning, offsets.end) == (0, 0),
        "the new topic is not empty: {offsets:?}"
    );
    Ok(())
}

/// Creates a topic and waits until its partitions can be asked: a broker may name a leader before it serves.
fn create_settled(client: &mut dyn Client, topic: &str, partitions: usize) -> Result<()> {
    client.create(topic, partitions)?;
    wait_until("the topic serves", || {
        Ok(client.topics()?.get(topic) == Some(&partitions))
    })?;
    for index in 0..partitions {
        let partition = Partition {
            topic: topic.to_owned(),
            index,
        };
        wait_until("its partitions serve", || {
            Ok(client.offsets(&partition, 0).is_ok())
        })?;
    }
    Ok(())
}

fn wait_until(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + SETTLED_AFTER;
    while !condition()? {
        if Instant::now() > deadline {
            bail!("waited in vain until {what}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Insists that what was read is what was sent, offset by offset and byte by byte, as far as this client shows it.
fn compare(
    client: &dyn Client,
    expected: &[Expected],
    first: usize,
    received: &[Received],
) -> Result<()> {
    ensure!(
        received.len() == expected.len(),
        "{} records instead of {}",
        received.len(),
        expected.len()
    );
    for ((expected, received), index) in expected.iter().zip(received).zip(first..) {
        ensure!(
            received.offset == position(index),
            "offset {} where {index} was expected",
            received.offset
        );
        compare_time(&expected.timestamps, received.record.timestamp)
            .with_context(|| format!("offset {index}"))?;
        let wanted = Record {
            timestamp: received.record.timestamp,
            ..expected.record.clone()
        };
        let wanted = client.shows(wanted);
        let Record {
            key,
            value,
            headers,
            ..
        } = &received.record;
        ensure!(
            *key == wanted.key,
            "offset {index}: key {} instead of {}",
            show(key),
            show(&wanted.key)
        );
        ensure!(
            *value == wanted.value,
            "offset {index}: value {} instead of {}",
            show(value),
            show(&wanted.value)
        );
        ensure!(
            *headers == wanted.headers,
            "offset {index}: headers {headers:?} instead of {:?}",
            wanted.headers
        );
    }
    Ok(())
}

fn compare_time(expected: &RangeInclusive<i64>, received: i64) -> Result<()> {
    ensure!(
        expected.contains(&received),
        "time {received} instead of {expected:?}"
    );
    Ok(())
}

/// A time that the set in the middle of a partition has, three records after its first.
fn middle_time(expected: &[Expected]) -> i64 {
    let set = super::record::SET_COUNT;
    let middle = expected.len() / 2 / set * set + 4;
    let middle = expected.get(middle).or(expected.last());
    // Of a client that takes its own time, only "before all" is known.
    middle
        .filter(|one| one.timestamps.start() == one.timestamps.end())
        .map_or(0, |one| *one.timestamps.start())
}

/// The first record, in the order of offsets, that is not older than `timestamp`.
fn first_at(expected: &[Expected], timestamp: i64) -> Option<usize> {
    expected
        .iter()
        .position(|one| *one.timestamps.start() >= timestamp)
}

/// The beginning of some bytes, for a message.
fn show(bytes: &Option<Vec<u8>>) -> String {
    let Some(bytes) = bytes else {
        return "null".to_owned();
    };
    let shown = bytes[..bytes.len().min(40)].escape_ascii();
    format!("\"{shown}\" ({} bytes)", bytes.len())
}

/// An offset as the protocol writes it.
fn position(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn now_ms() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
