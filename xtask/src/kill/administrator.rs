//! Creates and deletes topics and takes producer ids all the while: what was acknowledged holds after every kill.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pagelog_kafka::codec::{ErrorCode, MetadataRequest, MetadataResponse};

use super::world::{TOPIC, World};
use crate::random::Random;
use crate::wire::Connection;

/// A version of the request that names topics.
const METADATA: i16 = 12;

/// The most topics that are there at a time.
const TOPICS_MAX: usize = 30;

/// What is known of a topic of the administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its creation was acknowledged.
    Exists,
    /// Its deletion was acknowledged.
    Gone,
    /// The broker died before it answered.
    Unknown,
}

/// The administrator, on a thread of its own.
pub(crate) struct Administrator {
    world: Arc<World>,
    random: Random,
    topics: BTreeMap<String, State>,
    /// The id of the topic that the producers use must never change.
    topic_id: Option<uuid::Uuid>,
}

impl Administrator {
    /// An administrator of the broker of `world`.
    pub(crate) fn new(world: Arc<World>, seed: u64) -> Administrator {
        Administrator {
            world,
            random: Random::new(seed ^ 0xad),
            topics: BTreeMap::new(),
            topic_id: None,
        }
    }

    /// Works until the test is over.
    pub(crate) fn run(mut self) {
        while let Some((address, generation)) = self.world.wait_address() {
            match self.session(&address) {
                Err(error) if error.is::<std::io::Error>() => {
                    self.world.lost(generation, "the administrator", &error);
                }
                Err(error) => self.world.report(format!("administrator: {error:#}")),
                Ok(()) => {}
            }
        }
    }

    /// One connection: what was acknowledged before is held against what is there, then more is done.
    fn session(&mut self, address: &str) -> Result<()> {
        let mut connection = Connection::open(address)?;
        self.compare(&mut connection)?;
        while !self.world.is_over() {
            match self.random.below(3) {
                0 => self.take_producer_id(&mut connection)?,
                1 => self.create(&mut connection)?,
                _ => self.delete(&mut connection)?,
            }
            thread::sleep(Duration::from_millis(self.random.below(10)));
        }
        Ok(())
    }

    fn take_producer_id(&mut self, connection: &mut Connection) -> Result<()> {
        let (id, _) = connection.init_producer_id()?;
        self.world.ledger().give_producer_id(id)
    }

    fn create(&mut self, connection: &mut Connection) -> Result<()> {
        let there = self
            .topics
            .values()
            .filter(|state| **state != State::Gone)
            .count();
        if there >= TOPICS_MAX {
            return Ok(());
        }
        let name = format!("topic-{}", self.topics.len());
        self.topics.insert(name.clone(), State::Unknown);
        let error = connection.create_topic(&name, 2)?;
        ensure!(error == ErrorCode::NONE, "{name} is not created: {error}");
        self.topics.insert(name, State::Exists);
        Ok(())
    }

    fn delete(&mut self, connection: &mut Connection) -> Result<()> {
        let existing: Vec<String> = self
            .topics
            .iter()
            .filter(|(_, state)| **state == State::Exists)
            .map(|(name, _)| name.clone())
            .collect();
        if existing.is_empty() {
            return Ok(());
        }
        let name = existing[usize::try_from(self.random.below(existing.len() as u64))?].clone();
        self.topics.insert(name.clone(), State::Unknown);
        let error = connection.delete_topic(&name)?;
        ensure!(error == ErrorCode::NONE, "{name} is not deleted: {error}");
        self.topics.insert(name, State::Gone);
        Ok(())
    }

    /// Holds the topics that were acknowledged against those that the broker names.
    fn compare(&mut self, connection: &mut Connection) -> Result<()> {
        let request = MetadataRequest {
            topics: None,
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let id = connection.send(METADATA, &request)?;
        let mut frame = Vec::new();
        let answer: MetadataResponse = connection.receive(METADATA, id, &mut frame)?;
        let found: BTreeMap<&str, _> = answer
            .topics
            .iter()
            .map(|topic| (topic.name.as_deref().unwrap_or_default(), topic))
            .collect();
        for (name, state) in &mut self.topics {
            let is_there = found.contains_key(name.as_str());
            match state {
                State::Exists => ensure!(is_there, "{name} was created and is lost"),
                State::Gone => ensure!(!is_there, "{name} was deleted and is back"),
                State::Unknown => *state = if is_there { State::Exists } else { State::Gone },
            }
        }
        let topic_id = found
            .get(TOPIC)
            .map(|topic| topic.topic_id)
            .context("the topic of the producers is lost")?;
        let before = *self.topic_id.get_or_insert(topic_id);
        ensure!(
            before == topic_id,
            "the id of {TOPIC} was {before} and is {topic_id}"
        );
        Ok(())
    }
}
