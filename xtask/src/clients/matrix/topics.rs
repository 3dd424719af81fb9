//! Topics: made by use, made and deleted by administrators, listed by all.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::super::client::{Client, Codec, Confirmation, Partition};
use super::super::record::{Record, varied};
use super::Matrix;
use crate::random::Random;
use crate::report::Report;

/// How long a new topic may take until its partitions can be asked.
const SETTLED_AFTER: Duration = Duration::from_secs(15);

impl Matrix {
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
                let topic = self.topic(&format!("changed-{}", client.name()));
                report.case(
                    &format!(
                        "{} changes partitions, configurations and the beginning",
                        client.name()
                    ),
                    || change(client.as_mut(), &topic, &mut self.random),
                );
            }
        }
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

/// More partitions, other configurations, a later beginning; and what cannot be is refused.
fn change(client: &mut dyn Client, topic: &str, random: &mut Random) -> Result<()> {
    create_settled(client, topic, 1)?;
    let partition = Partition {
        topic: topic.to_owned(),
        index: 0,
    };
    let records: Vec<Record> = varied(0, random)
        .into_iter()
        .map(|record| client.sends(record))
        .collect();
    client.produce(&partition, Codec::None, Confirmation::All, &records)?;
    client.grow(topic, 3)?;
    ensure!(client.grow(topic, 2).is_err(), "a topic has shrunk");
    wait_until("the topic has three partitions", || {
        Ok(client.topics()?.get(topic) == Some(&3))
    })?;
    client.configure(
        topic,
        &[("retention.ms", "12345678"), ("segment.ms", "3600000")],
    )?;
    let configured = client.configured(topic)?;
    for (name, value) in [
        ("retention.ms", "12345678"),
        ("segment.ms", "3600000"),
        ("max.message.bytes", "1048588"),
    ] {
        let found = configured.get(name).cloned().flatten();
        ensure!(
            found.as_deref() == Some(value),
            "{name} is {found:?}, not {value}"
        );
    }
    let wrong = client.configure(topic, &[("retention.ms", "soon")]);
    ensure!(
        wrong.is_err() || !client.tells_refusals(),
        "a wrong value was taken"
    );
    let kept = client.configured(topic)?.remove("retention.ms").flatten();
    ensure!(
        kept.as_deref() == Some("12345678"),
        "retention.ms has become {kept:?}"
    );
    let beginning = client.shorten(&partition, 2)?;
    ensure!(beginning == 2, "the beginning is {beginning}, not 2");
    wait_until("the partition begins later", || {
        Ok(client.offsets(&partition, 0)?.beginning == 2)
    })
}

/// Creates a topic and waits until its partitions can be asked: a broker may name a leader before it serves.
pub(super) fn create_settled(
    client: &mut dyn Client,
    topic: &str,
    partitions: usize,
) -> Result<()> {
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
