//! One configuration: its type, its default, and which values it allows.

use super::replicas;

/// A configuration that Kafka knows.
#[derive(Debug)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// The type of its value.
    pub config_type: ConfigType,
    /// What holds where nothing is set; `None`: nothing.
    pub default: Option<&'static str>,
    /// Which values of the type are allowed.
    pub allowed: Allowed,
    /// Whether it can be changed while the broker runs.
    pub update: Update,
    /// What it means, in a sentence.
    pub documentation: &'static str,
}

/// The type of a configuration's value; the numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the protocol's own")]
pub enum ConfigType {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

/// Which values of its type a configuration allows.
#[derive(Clone, Debug, PartialEq)]
pub enum Allowed {
    /// All of them.
    Any,
    /// Numbers from the first to the second; or -1 also, where the flag says so.
    Range(f64, f64, bool),
    /// These words, and of lists only these elements.
    Words(Vec<&'static str>),
    /// `*`, or a list of `partition:broker`.
    Replicas,
}

/// Whether a configuration can be changed while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// It cannot.
    ReadOnly,
    /// Only of one broker: addresses and keys.
    PerBroker,
    /// Of one broker and of all.
    ClusterWide,
}

impl Definition {
    /// One line of a table.
    ///
    /// # Panics
    /// When the line is no such line; a test reads all of them.
    pub(super) fn parse(line: &'static str, with_update: bool) -> Definition {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_else(|| panic!("too short: {line}"));
        let name = next();
        let config_type = ConfigType::parse(next());
        let default = Some(next()).filter(|default| *default != "<null>");
        let allowed = Allowed::parse(next());
        let update = match if with_update { next() } else { "cluster-wide" } {
            "cluster-wide" => Update::ClusterWide,
            "per-broker" => Update::PerBroker,
            _ => Update::ReadOnly,
        };
        Definition {
            name,
            config_type,
            default,
            allowed,
            update,
            documentation: next(),
        }
    }

    /// Whether its value is a secret.
    pub fn is_sensitive(&self) -> bool {
        self.config_type == ConfigType::Password
    }

    /// Whether `value` may be set; if not, why.
    ///
    /// # Errors
    /// A sentence that names the configuration, the value, and what is allowed.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let name = self.name;
        if !self.config_type.holds(value) {
            let kind = self.config_type.words();
            return Err(format!("{name}={value} is not {kind}"));
        }
        let list = self.config_type == ConfigType::List;
        match &self.allowed {
            Allowed::Any => Ok(()),
            Allowed::Range(least, most, or_minus_one) => {
                let number = value.trim().parse::<f64>().unwrap_or(f64::NAN);
                let fits = (*least..=*most).contains(&number) || (*or_minus_one && number == -1.0);
                let range = self.allowed.words();
                fits.then_some(())
                    .ok_or_else(|| format!("{name}={value} is out of range; allowed is {range}"))
            }
            Allowed::Words(words) => {
                let known = |word: &str| words.contains(&word);
                let fits = match list {
                    true => elements(value).all(known),
                    false => words.contains(&value),
                };
                let words = self.allowed.words();
                fits.then_some(())
                    .ok_or_else(|| format!("{name}={value} is not known; allowed is {words}"))
            }
            Allowed::Replicas => replicas::check(name, value),
        }
    }
}

/// The elements of a list.
pub(crate) fn elements(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

impl ConfigType {
    fn parse(text: &str) -> ConfigType {
        match text {
            "BOOLEAN" => ConfigType::Boolean,
            "STRING" => ConfigType::String,
            "INT" => ConfigType::Int,
            "SHORT" => ConfigType::Short,
            "LONG" => ConfigType::Long,
            "DOUBLE" => ConfigType::Double,
            "LIST" => ConfigType::List,
            "CLASS" => ConfigType::Class,
            "PASSWORD" => ConfigType::Password,
            other => panic!("there is no type {other}"),
        }
    }

    fn holds(self, value: &str) -> bool {
        let value = value.trim();
        match self {
            ConfigType::Boolean => {
                value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false")
            }
            ConfigType::Int => value.parse::<i32>().is_ok(),
            ConfigType::Short => value.parse::<i16>().is_ok(),
            ConfigType::Long => value.parse::<i64>().is_ok(),
            ConfigType::Double => value.parse::<f64>().is_ok_and(f64::is_finite),
            ConfigType::String | ConfigType::List | ConfigType::Class | ConfigType::Password => {
                true
            }
        }
    }

    fn words(self) -> &'static str {
        match self {
            ConfigType::Boolean => "true or false",
            ConfigType::Int => "a number of 32 bits",
            ConfigType::Short => "a number of 16 bits",
            ConfigType::Long => "a number of 64 bits",
            ConfigType::Double => "a number",
            ConfigType::String | ConfigType::List | ConfigType::Class | ConfigType::Password => {
                "text"
            }
        }
    }
}

impl Allowed {
    /// `least..most` or `least..`, with `-1|` before it where -1 is allowed too; words with commas; `replicas`; nothing.
    fn parse(text: &'static str) -> Allowed {
        let (or_minus_one, range) = match text.strip_prefix("-1|") {
            Some(range) => (true, range),
            None => (false, text),
        };
        match range.split_once("..") {
            _ if text.is_empty() => Allowed::Any,
            _ if text == "replicas" => Allowed::Replicas,
            None => Allowed::Words(text.split(',').collect()),
            Some((least, most)) => {
                let number = |text: &str| text.parse::<f64>().ok();
                let least = number(least).unwrap_or(f64::NEG_INFINITY);
                Allowed::Range(least, number(most).unwrap_or(f64::INFINITY), or_minus_one)
            }
        }
    }

    /// What is allowed, for people.
    pub fn words(&self) -> String {
        match self {
            Allowed::Any => "anything".to_owned(),
            Allowed::Range(least, most, or_minus_one) => {
                let also = if *or_minus_one { ", or -1" } else { "" };
                match most.is_finite() {
                    true => format!("{least} to {most}{also}"),
                    false => format!("{least} or more{also}"),
                }
            }
            Allowed::Words(words) => words.join(", "),
            Allowed::Replicas => "* or partition:broker,…".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::configs::{broker, topic};

    fn check(name: &str, value: &str) -> bool {
        let definition = topic().get(name).or_else(|| broker().get(name));
        definition.expect(name).check(value).is_ok()
    }

    #[test]
    fn values_are_held_against_type_and_range() {
        for (name, value, fits) in [
            ("retention.ms", "-1", true),
            ("retention.ms", "-2", false),
            ("retention.ms", "1e3", false),
            ("retention.ms", "", false),
            ("max.message.bytes", "2147483648", false),
            ("segment.bytes", "1048575", false),
            ("segment.bytes", "1048576", true),
            ("min.cleanable.dirty.ratio", "0.5", true),
            ("min.cleanable.dirty.ratio", "NaN", false),
            ("min.cleanable.dirty.ratio", "1.01", false),
            ("preallocate", "TRUE", true),
            ("preallocate", "yes", false),
            ("compression.gzip.level", "-1", true),
            ("compression.gzip.level", "0", false),
            ("compression.gzip.level", "9", true),
            ("cleanup.policy", "compact, delete", true),
            ("cleanup.policy", "", true),
            ("cleanup.policy", "compact,burn", false),
            ("message.timestamp.type", "LogAppendTime", true),
            ("message.timestamp.type", "now", false),
            ("leader.replication.throttled.replicas", "*", true),
            ("leader.replication.throttled.replicas", "0:1,1:1", true),
            ("leader.replication.throttled.replicas", "0", false),
            ("num.partitions", "0", false),
            ("ssl.client.auth", "none", true),
        ] {
            assert_eq!(check(name, value), fits, "{name}={value}");
        }
    }

    #[test]
    fn an_error_names_what_is_allowed() {
        let error = topic()
            .get("retention.ms")
            .unwrap()
            .check("-5")
            .unwrap_err();
        assert_eq!(
            error,
            "retention.ms=-5 is out of range; allowed is -1 or more"
        );
        let error = topic()
            .get("cleanup.policy")
            .unwrap()
            .check("x")
            .unwrap_err();
        assert_eq!(
            error,
            "cleanup.policy=x is not known; allowed is compact, delete"
        );
    }
}
