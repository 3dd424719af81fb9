//! What a topic is kept with: the values that were set, word for word, and what those that have an effect amount to.
//!
//! A value has a name under which clients set it (`retention.ms`). Whether a name and a value are allowed is for the protocol to
//! say before it hands them over; here only the few that mean something to a log are read. What a topic does not set itself it
//! takes from the broker's values, under the broker's names for the same thing (`log.retention.ms`), and else from the defaults that the store was
//! opened with.

use std::collections::BTreeMap;

/// Values by name, as they were set.
pub type ConfigValues = BTreeMap<String, String>;

/// The configuration of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    values: ConfigValues,
    /// How long a record is kept, in milliseconds after its time; `None`: for ever.
    pub retention_ms: Option<i64>,
    /// How many bytes of a partition are kept; `None`: all.
    pub retention_bytes: Option<u64>,
    /// What becomes of old records.
    pub cleanup: Cleanup,
    /// The largest batch in bytes, its header included; `None`: what the protocol says.
    pub message_size_max: Option<u32>,
    /// Whose time a record has.
    pub timestamp_type: TimestampType,
    /// How far a record's time may lie before the broker's, in milliseconds; `None`: what the protocol says.
    pub timestamp_before_max_ms: Option<i64>,
    /// How far a record's time may lie after the broker's, in milliseconds; `None`: what the protocol says.
    pub timestamp_after_max_ms: Option<i64>,
    /// How many copies there must be for a write that asks for all of them; there is one.
    pub insync_replicas_min: u32,
}

/// What becomes of old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// They go by age and size.
    pub delete: bool,
    /// Of each key the newest stays.
    pub compact: bool,
}

/// Whose time a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The one that its writer gave it.
    Create,
    /// That of its append.
    Append,
}

impl Default for TopicConfig {
    /// Everything is kept for ever.
    fn default() -> TopicConfig {
        TopicConfig {
            values: ConfigValues::new(),
            retention_ms: None,
            retention_bytes: None,
            cleanup: Cleanup {
                delete: true,
                compact: false,
            },
            message_size_max: None,
            timestamp_type: TimestampType::Create,
            timestamp_before_max_ms: None,
            timestamp_after_max_ms: None,
            insync_replicas_min: 1,
        }
    }
}

/// Names for the same thing: a topic's own, then the broker's, the stronger first, with what one unit of it is in the topic's.
const SYNONYMS: [(&str, &[(&str, i64)]); 8] = [
    (
        "retention.ms",
        &[
            ("log.retention.ms", 1),
            ("log.retention.minutes", 60_000),
            ("log.retention.hours", 3_600_000),
        ],
    ),
    ("retention.bytes", &[("log.retention.bytes", 1)]),
    ("cleanup.policy", &[("log.cleanup.policy", 1)]),
    ("max.message.bytes", &[("message.max.bytes", 1)]),
    (
        "message.timestamp.type",
        &[("log.message.timestamp.type", 1)],
    ),
    (
        "message.timestamp.before.max.ms",
        &[("log.message.timestamp.before.max.ms", 1)],
    ),
    (
        "message.timestamp.after.max.ms",
        &[("log.message.timestamp.after.max.ms", 1)],
    ),
    ("min.insync.replicas", &[("min.insync.replicas", 1)]),
];

impl TopicConfig {
    /// What the topic's own `values` amount to, over those of the broker, over `defaults`.
    ///
    /// A value that cannot be read is passed over with a word in the log: it was allowed once.
    pub fn resolve(
        defaults: &TopicConfig,
        broker: &ConfigValues,
        values: &ConfigValues,
    ) -> TopicConfig {
        let mut config = TopicConfig {
            values: values.clone(),
            ..defaults.clone()
        };
        for (name, synonyms) in SYNONYMS {
            let own = values.get(name).map(|value| (value.as_str(), 1));
            let of_broker = || {
                let mut all = synonyms.iter();
                all.find_map(|(synonym, unit)| Some((broker.get(*synonym)?.as_str(), *unit)))
            };
            let Some((value, unit)) = own.or_else(of_broker) else {
                continue;
            };
            if config.apply(name, value, unit).is_none() {
                tracing::warn!("the configuration {name}={value} cannot be read and has no effect");
            }
        }
        config
    }

    /// The values that were set for the topic itself, by name.
    pub fn values(&self) -> &ConfigValues {
        &self.values
    }

    fn apply(&mut self, name: &str, value: &str, unit: i64) -> Option<()> {
        let number = || value.trim().parse::<i64>().ok();
        match name {
            "retention.ms" => {
                let time = number()?.saturating_mul(unit);
                self.retention_ms = (time >= 0).then_some(time);
            }
            "retention.bytes" => self.retention_bytes = u64::try_from(number()?).ok(),
            "cleanup.policy" => self.cleanup = Cleanup::parse(value)?,
            "max.message.bytes" => self.message_size_max = Some(u32::try_from(number()?).ok()?),
            "message.timestamp.type" => self.timestamp_type = TimestampType::parse(value)?,
            "message.timestamp.before.max.ms" => self.timestamp_before_max_ms = Some(number()?),
            "message.timestamp.after.max.ms" => self.timestamp_after_max_ms = Some(number()?),
            "min.insync.replicas" => self.insync_replicas_min = u32::try_from(number()?).ok()?,
            _ => return None,
        }
        Some(())
    }
}

impl Cleanup {
    /// `delete`, `compact`, both with a comma between, or nothing.
    pub fn parse(value: &str) -> Option<Cleanup> {
        let mut cleanup = Cleanup {
            delete: false,
            compact: false,
        };
        for word in value.split(',').map(str::trim) {
            match word {
                "delete" => cleanup.delete = true,
                "compact" => cleanup.compact = true,
                "" => {}
                _ => return None,
            }
        }
        Some(cleanup)
    }
}

impl TimestampType {
    /// `CreateTime` or `LogAppendTime`.
    pub fn parse(value: &str) -> Option<TimestampType> {
        match value {
            "CreateTime" => Some(TimestampType::Create),
            "LogAppendTime" => Some(TimestampType::Append),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> ConfigValues {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn resolve(broker: &[(&str, &str)], own: &[(&str, &str)]) -> TopicConfig {
        let defaults = TopicConfig {
            retention_ms: Some(7),
            ..TopicConfig::default()
        };
        TopicConfig::resolve(&defaults, &values(broker), &values(own))
    }

    #[test]
    fn the_topics_own_value_is_stronger_than_the_brokers_and_that_than_the_default() {
        assert_eq!(resolve(&[], &[]).retention_ms, Some(7));
        let hours = ("log.retention.hours", "2");
        assert_eq!(resolve(&[hours], &[]).retention_ms, Some(7_200_000));
        let minutes = ("log.retention.minutes", "1");
        assert_eq!(resolve(&[hours, minutes], &[]).retention_ms, Some(60_000));
        let own = resolve(&[hours, minutes], &[("retention.ms", "-1")]);
        assert_eq!(own.retention_ms, None);
        assert_eq!(own.values().len(), 1);
    }

    #[test]
    fn every_value_with_an_effect_is_read() {
        let own = resolve(
            &[],
            &[
                ("retention.bytes", "10"),
                ("cleanup.policy", "compact, delete"),
                ("max.message.bytes", "99"),
                ("message.timestamp.type", "LogAppendTime"),
                ("message.timestamp.before.max.ms", "1"),
                ("message.timestamp.after.max.ms", "2"),
                ("min.insync.replicas", "3"),
                ("segment.ms", "4"),
            ],
        );
        let both = Cleanup {
            delete: true,
            compact: true,
        };
        assert_eq!((own.retention_bytes, own.cleanup), (Some(10), both));
        assert_eq!(own.message_size_max, Some(99));
        assert_eq!(own.timestamp_type, TimestampType::Append);
        assert_eq!(own.timestamp_before_max_ms, Some(1));
        assert_eq!(own.timestamp_after_max_ms, Some(2));
        assert_eq!(own.insync_replicas_min, 3);
    }

    #[test]
    fn what_cannot_be_read_changes_nothing() {
        let own = resolve(&[], &[("retention.ms", "soon"), ("cleanup.policy", "burn")]);
        let plain = resolve(&[], &[]);
        assert_eq!(
            (own.retention_ms, own.cleanup),
            (plain.retention_ms, plain.cleanup)
        );
    }
}
