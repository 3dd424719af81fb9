//! Settings: defaults < file < environment < flags, all read through one table.
//!
//! A source is a list of assignments in text. [`Settings::resolve`] checks each against the table, and later sources
//! override earlier ones; the same key twice in one source is an error, because one of the two would be ignored.

mod description;
pub(crate) mod environment;
pub(crate) mod error;
pub(crate) mod file;
pub(crate) mod kind;
mod nearest;
pub(crate) mod source;
pub(crate) mod table;

use std::collections::HashMap;

pub(crate) use description::for_help;

use error::SettingsError;
use kind::Value;
use source::{Assignment, Origin};
use table::Setting;

use crate::listen::Listen;

/// A checked value for every setting.
#[derive(Debug)]
pub(crate) struct Settings {
    values: HashMap<&'static str, Resolved>,
}

/// A value and who set it.
#[derive(Debug)]
struct Resolved {
    value: Value,
    text: String,
    origin: Origin,
}

impl Settings {
    /// Checks the assignments of every source, the weakest source first.
    ///
    /// # Errors
    /// A key is unknown, a value is not allowed, or one source sets a key twice.
    pub(crate) fn resolve(sources: &[Vec<Assignment>]) -> Result<Settings, SettingsError> {
        let mut values: HashMap<_, _> = table::ALL
            .iter()
            .map(|setting| (setting.name, default(setting)))
            .collect();
        for source in sources {
            values.extend(check_source(source)?);
        }
        Ok(Settings { values })
    }

    /// The value of a number of bytes, milliseconds or things.
    pub(crate) fn number(&self, setting: &Setting) -> u64 {
        match self.value(setting) {
            Value::Number(number) => *number,
            other => unreachable!("{} is of another kind: {other:?}", setting.name),
        }
    }

    /// The value of a limit; `None`: there is none.
    pub(crate) fn limit(&self, setting: &Setting) -> Option<u64> {
        match self.value(setting) {
            Value::Limit(limit) => *limit,
            other => unreachable!("{} is of another kind: {other:?}", setting.name),
        }
    }

    /// The value of a boolean.
    pub(crate) fn boolean(&self, setting: &Setting) -> bool {
        match self.value(setting) {
            Value::Boolean(boolean) => *boolean,
            other => unreachable!("{} is of another kind: {other:?}", setting.name),
        }
    }

    /// The value of a choice or a path.
    pub(crate) fn text(&self, setting: &Setting) -> &str {
        match self.value(setting) {
            Value::Text(text) => text,
            other => unreachable!("{} is of another kind: {other:?}", setting.name),
        }
    }

    /// A number, a limit, a boolean or a word, as text without units.
    pub(crate) fn plain(&self, setting: &Setting) -> Option<String> {
        match self.value(setting) {
            Value::Number(number) | Value::Limit(Some(number)) => Some(number.to_string()),
            Value::Limit(None) => Some("-1".to_owned()),
            Value::Boolean(boolean) => Some(boolean.to_string()),
            Value::Text(text) => Some(text.clone()),
            Value::Listeners(_) => None,
        }
    }

    /// The value of listeners.
    pub(crate) fn listeners(&self, setting: &Setting) -> &[Listen] {
        match self.value(setting) {
            Value::Listeners(listeners) => listeners,
            other => unreachable!("{} is of another kind: {other:?}", setting.name),
        }
    }

    /// The setting with its value and who set it, for messages about two settings that do not go together.
    pub(crate) fn shown(&self, setting: &Setting) -> String {
        let Resolved { text, origin, .. } = &self.values[setting.name];
        format!("{} = {text} ({origin})", setting.name)
    }

    /// Whether somebody said what it is to be.
    pub(crate) fn is_set(&self, setting: &Setting) -> bool {
        self.values[setting.name].origin != Origin::Default
    }

    fn value(&self, setting: &Setting) -> &Value {
        &self.values[setting.name].value
    }
}

/// The default of a setting; a test parses all of them.
fn default(setting: &Setting) -> Resolved {
    let text = setting.default.to_owned();
    match setting.kind.parse(&text) {
        Ok(value) => Resolved {
            value,
            text,
            origin: Origin::Default,
        },
        Err(reason) => unreachable!("the default of {}: {reason}", setting.name),
    }
}

/// Checks the assignments of one source.
fn check_source(source: &[Assignment]) -> Result<HashMap<&'static str, Resolved>, SettingsError> {
    let mut values: HashMap<&'static str, Resolved> = HashMap::new();
    for assignment in source {
        let setting = find(assignment)?;
        let origin = assignment.origin.clone();
        if let Some(first) = values.get(setting.name) {
            let first = first.origin.clone();
            return Err(SettingsError::Twice {
                name: setting.name,
                first,
                second: origin,
            });
        }
        let text = assignment.text.clone();
        let refuse = |reason| SettingsError::Value {
            origin: origin.clone(),
            name: setting.name,
            text: text.clone(),
            reason,
        };
        let value = setting.kind.parse(&text).map_err(refuse)?;
        values.insert(
            setting.name,
            Resolved {
                value,
                text,
                origin,
            },
        );
    }
    Ok(values)
}

/// The setting of that key.
fn find(assignment: &Assignment) -> Result<&'static Setting, SettingsError> {
    let known = table::ALL
        .iter()
        .copied()
        .find(|setting| setting.name == assignment.name);
    known.ok_or_else(|| SettingsError::Unknown {
        origin: assignment.origin.clone(),
        name: assignment.name.clone(),
        nearest: nearest::nearest(&assignment.name),
    })
}

#[cfg(test)]
mod tests {
    use super::source::{Assignment, Origin};
    use super::{Settings, table};

    fn set(name: &str, text: &str) -> Assignment {
        Assignment {
            name: name.to_owned(),
            text: text.to_owned(),
            origin: Origin::Flag("--set"),
        }
    }

    fn error(source: &[Assignment]) -> String {
        Settings::resolve(&[source.to_vec()])
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn later_sources_override_earlier_ones() {
        let sources = [
            vec![set("net.workers", "3"), set("net.reactors", "4")],
            vec![set("net.workers", "5")],
        ];
        let settings = Settings::resolve(&sources).unwrap();
        assert_eq!(settings.number(&table::NET_WORKERS), 5);
        assert_eq!(settings.number(&table::NET_REACTORS), 4);
        assert_eq!(settings.number(&table::SEGMENT_BYTES), 1 << 30);
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = error(&[set("kafka.num.partitons", "3")]);
        assert!(error.starts_with("--set: there is no setting kafka.num.partitons; the nearest are kafka.num.partitions,"), "{error}");
    }

    #[test]
    fn a_bad_value_names_what_is_allowed() {
        let error = error(&[set("kafka.num.partitions", "0")]);
        assert_eq!(
            error,
            "--set: kafka.num.partitions = 0: allowed is a number from 1 to 10000"
        );
    }

    #[test]
    fn one_source_cannot_say_it_twice() {
        let error = error(&[set("net.workers", "3"), set("net.workers", "4")]);
        assert_eq!(error, "--set: net.workers is set twice, first by --set");
    }
}
