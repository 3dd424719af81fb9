//! What holds: of each configuration its value, and every place that says something about it.
//!
//! ```text
//!   topic ─▶ this broker ─▶ all brokers ─▶ the settings of this process ─▶ default
//! ```

use std::collections::BTreeMap;

use pagelog_store::{ConfigKey, ConfigKind, ConfigValues};

use crate::configs::{self, ConfigType, Definition, Update, broker_name};
use crate::handlers::broker::NODE_ID;
use crate::handlers::connection::Call;

/// Where a value comes from; the numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::handlers) enum Source {
    Topic = 1,
    Broker = 2,
    AllBrokers = 3,
    Settings = 4,
    Default = 5,
}

/// A configuration as it is described.
pub(in crate::handlers) struct Entry {
    pub(in crate::handlers) name: &'static str,
    pub(in crate::handlers) value: Option<String>,
    pub(in crate::handlers) source: Source,
    pub(in crate::handlers) is_sensitive: bool,
    pub(super) is_read_only: bool,
    pub(super) config_type: ConfigType,
    pub(super) documentation: &'static str,
    /// The strongest first.
    pub(super) synonyms: Vec<Synonym>,
}

/// A place that says something about a configuration.
pub(super) struct Synonym {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) source: Source,
}

/// The values that this broker has.
pub(in crate::handlers) struct Known<'a> {
    own: ConfigValues,
    all: ConfigValues,
    settings: &'a BTreeMap<String, String>,
}

impl Known<'_> {
    pub(in crate::handlers) fn of(call: &Call) -> Known<'_> {
        let of = |name: String| {
            let kind = ConfigKind::Broker;
            call.broker.store.config(&ConfigKey { kind, name })
        };
        Known {
            own: of(NODE_ID.to_string()),
            all: of(String::new()),
            settings: &call.broker.options.static_values,
        }
    }

    /// Every configuration of a topic that sets `values` itself.
    pub(in crate::handlers) fn topic(&self, values: &ConfigValues) -> Vec<Entry> {
        let table = configs::topic().iter();
        table.map(|one| self.topic_entry(one, values)).collect()
    }

    /// Every configuration of this broker.
    pub(super) fn broker(&self) -> Vec<Entry> {
        let table = configs::broker().iter();
        let entry = |one| entry(one, self.broker_synonyms(one.name), one.default);
        table.map(entry).collect()
    }

    /// What is set for all brokers at once, and nothing else.
    pub(super) fn all_brokers(&self) -> Vec<Entry> {
        let table = configs::broker().iter();
        let set = table.filter(|one| self.all.contains_key(one.name));
        let entry = |one: &Definition| {
            let mut synonyms = self.broker_synonyms(one.name);
            synonyms.retain(|synonym| synonym.source != Source::Broker);
            entry(one, synonyms, one.default)
        };
        set.map(entry).collect()
    }

    fn topic_entry(&self, one: &Definition, values: &ConfigValues) -> Entry {
        let mut synonyms = Vec::new();
        if let Some(value) = values.get(one.name) {
            synonyms.push(Synonym {
                name: one.name,
                value: value.clone(),
                source: Source::Topic,
            });
        }
        if let Some(name) = broker_name(one.name) {
            synonyms.extend(self.broker_synonyms(name));
        }
        let mut entry = entry(one, synonyms, one.default);
        entry.is_read_only = false;
        entry
    }

    fn broker_synonyms(&self, name: &'static str) -> Vec<Synonym> {
        let default = configs::broker().get(name).and_then(|one| one.default);
        let default = default.map(str::to_owned);
        let places = [
            (self.own.get(name).cloned(), Source::Broker),
            (self.all.get(name).cloned(), Source::AllBrokers),
            (self.settings.get(name).cloned(), Source::Settings),
            (default, Source::Default),
        ];
        let synonym = |(value, source): (Option<String>, Source)| {
            Some(Synonym {
                name,
                value: value?,
                source,
            })
        };
        places.into_iter().filter_map(synonym).collect()
    }
}

fn entry(one: &Definition, synonyms: Vec<Synonym>, default: Option<&str>) -> Entry {
    let (value, source) = match synonyms.first() {
        Some(strongest) => (Some(strongest.value.clone()), strongest.source),
        None => (default.map(str::to_owned), Source::Default),
    };
    let is_sensitive = one.is_sensitive();
    Entry {
        name: one.name,
        value: value.filter(|_| !is_sensitive),
        source,
        is_sensitive,
        is_read_only: one.update != Update::ClusterWide,
        config_type: one.config_type,
        documentation: one.documentation,
        synonyms: if is_sensitive { Vec::new() } else { synonyms },
    }
}
