//! The configurations that Kafka knows: their names, types, defaults, what values they allow, and what they mean.
//!
//! Two tables say it, one configuration a line: `topic.tsv` and `broker.tsv`. Names, types, defaults and allowed values are those of Kafka
//! 4.3. Which of them have an effect here is listed in `docs/kafka.md`.

mod definition;
mod replicas;
mod synonyms;

pub(crate) use definition::elements;
pub use definition::{Allowed, ConfigType, Definition, Update};
pub(crate) use synonyms::broker_name;

use std::sync::LazyLock;

static TOPIC: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("topic.tsv"), false));
static BROKER: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("broker.tsv"), true));

/// Configurations, ordered by name.
#[derive(Debug)]
pub struct Table(Vec<Definition>);

/// The configurations of topics.
pub fn topic() -> &'static Table {
    &TOPIC
}

/// The configurations of brokers.
pub fn broker() -> &'static Table {
    &BROKER
}

impl Table {
    fn parse(text: &'static str, with_update: bool) -> Table {
        let lines = text.lines();
        Table(
            lines
                .map(|line| Definition::parse(line, with_update))
                .collect(),
        )
    }

    /// All of them, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.0.iter()
    }

    /// The one of this name.
    pub fn get(&self, name: &str) -> Option<&Definition> {
        let found = self.0.binary_search_by(|one| one.name.cmp(name));
        found.ok().map(|index| &self.0[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_are_in_order_and_whole() {
        for (table, count) in [(topic(), 33), (broker(), 340)] {
            assert_eq!(table.iter().count(), count);
            assert!(table.iter().map(|one| one.name).is_sorted());
            for one in table.iter() {
                assert!(one.documentation.ends_with('.'), "{one:?}");
                assert_eq!(table.get(one.name).map(|one| one.name), Some(one.name));
                if let Some(default) = one.default {
                    assert_eq!(one.check(default), Ok(()), "{one:?}");
                }
            }
        }
        assert!(topic().get("nonsense").is_none());
    }

    #[test]
    fn a_topics_name_for_something_leads_to_the_brokers() {
        for one in topic().iter() {
            if let Some(name) = broker_name(one.name) {
                let of_broker = broker().get(name).expect(name);
                assert_eq!(of_broker.config_type, one.config_type, "{name}");
                if let Some(default) = of_broker.default {
                    assert_eq!(Some(default), one.default, "{name}");
                }
            }
        }
    }
}
