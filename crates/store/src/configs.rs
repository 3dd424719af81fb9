//! Configuration of what is no topic: the broker, clients, groups; by kind and name, as it was set.

use std::collections::BTreeMap;

use crate::answer::Position;
use crate::control::encode_config;
use crate::kept::{Carrier, Kept, Paused};
use crate::topic_config::ConfigValues;

/// What a configuration belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigKey {
    /// Which kind of thing.
    pub kind: ConfigKind,
    /// Which of them; its spelling is the protocol's. Of the broker, empty means every broker.
    pub name: String,
}

/// The kinds of things that have a configuration beside topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ConfigKind {
    /// A broker, or all of them.
    Broker = 1,
    /// Clients, by what they call themselves.
    Client = 2,
    /// A group of consumers.
    Group = 3,
}

impl ConfigKind {
    pub(crate) fn from_byte(byte: u8) -> Option<ConfigKind> {
        let all = [ConfigKind::Broker, ConfigKind::Client, ConfigKind::Group];
        all.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The configurations that there are; one without values is none.
#[derive(Debug, Default)]
pub(crate) struct Configs(BTreeMap<ConfigKey, Kept<ConfigValues>>);

impl Configs {
    /// The entry at `at` says that these are the values from now on.
    pub(crate) fn set(&mut self, key: ConfigKey, value: ConfigValues, at: Position) {
        if value.is_empty() {
            self.0.remove(&key);
        } else {
            self.0.insert(key, Kept { value, at });
        }
    }

    pub(crate) fn get(&self, key: &ConfigKey) -> ConfigValues {
        let found = self.0.get(key);
        found.map(|kept| kept.value.clone()).unwrap_or_default()
    }

    pub(crate) fn of_kind(&self, kind: ConfigKind) -> Vec<(String, ConfigValues)> {
        let found = self.0.iter().filter(|(key, _)| key.kind == kind);
        found
            .map(|(key, kept)| (key.name.clone(), kept.value.clone()))
            .collect()
    }

    /// What all brokers have in common, with this broker's own on top.
    pub(crate) fn broker(&self) -> ConfigValues {
        let mut values = ConfigValues::new();
        for (_, of_one) in self.of_kind(ConfigKind::Broker) {
            // The empty name, which means every broker, comes first.
            values.extend(of_one);
        }
        values
    }

    /// As [`crate::Keeper::carry`].
    pub(crate) fn carry(&mut self, carrier: &mut Carrier<'_>) -> Result<(), Paused> {
        for (key, kept) in &mut self.0 {
            carrier.carry(kept, |values| encode_config(key, values))?;
        }
        Ok(())
    }
}
