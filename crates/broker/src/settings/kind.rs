//! What a setting may hold: the parsing of its text, and the words that say what is allowed.
//!
//! Every source (defaults, file, environment, flags) hands over text, so that all of them follow one set of rules.

use crate::listen::{self, Listen};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What the values of a setting are, with their range.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A size: `4096`, or with a unit `64KiB`, `16MiB`, `1GiB`.
    Bytes {
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// A duration in whole milliseconds.
    Milliseconds {
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// A number of things.
    Count {
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// A number from 0 on, or -1, which means that there is no limit.
    Limit {
        /// The most that is allowed, but for no limit.
        most: u64,
    },
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A path, taken from the working directory.
    Path,
    /// A list of `[NAME=]ADDRESS[@ADVERTISED]`, or `off`.
    Listeners,
}

/// A value that passed the checks of its [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of bytes, milliseconds and counts.
    Number(u64),
    /// Of limits.
    Limit(Option<u64>),
    /// Of booleans.
    Boolean(bool),
    /// Of choices and paths.
    Text(String),
    /// Of listeners.
    Listeners(Vec<Listen>),
}

impl Kind {
    /// The value of `text`, or why it is none.
    pub(crate) fn parse(self, text: &str) -> Result<Value, String> {
        let value = match self {
            Kind::Bytes { least, most } => in_range(bytes(text), least, most).map(Value::Number),
            Kind::Milliseconds { least, most } | Kind::Count { least, most } => {
                in_range(text.parse().ok(), least, most).map(Value::Number)
            }
            Kind::Limit { .. } if text == "-1" => Some(Value::Limit(None)),
            Kind::Limit { most } => {
                in_range(text.parse().ok(), 0, most).map(|number| Value::Limit(Some(number)))
            }
            Kind::Boolean => text.parse().ok().map(Value::Boolean),
            Kind::Choice(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Kind::Path => (!text.is_empty()).then(|| Value::Text(text.to_owned())),
            Kind::Listeners => return listeners(text),
        };
        value.ok_or_else(|| format!("allowed is {}", self.allowed()))
    }

    /// What is allowed, in words.
    pub(crate) fn allowed(self) -> String {
        match self {
            Kind::Bytes { least, most } => {
                format!(
                    "a size from {} to {}, as in 65536 or 64KiB",
                    size(least),
                    size(most)
                )
            }
            Kind::Milliseconds { least, most } => format!("milliseconds from {least} to {most}"),
            Kind::Count { least, most } => format!("a number from {least} to {most}"),
            Kind::Limit { most } => format!("a number from 0 to {most}, or -1 for no limit"),
            Kind::Boolean => "true or false".to_owned(),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Path => "a path".to_owned(),
            Kind::Listeners => format!("`off`, or a list with commas of {}", listen::SYNTAX),
        }
    }
}

fn in_range(number: Option<u64>, least: u64, most: u64) -> Option<u64> {
    number.filter(|number| (least..=most).contains(number))
}

/// A number of bytes, with or without a unit.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "KiB" => KIB,
        "MiB" => MIB,
        "GiB" => GIB,
        _ => return None,
    };
    digits.trim_end().parse::<u64>().ok()?.checked_mul(unit)
}

/// `bytes` in the largest unit that divides it.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")];
    let fits = units
        .into_iter()
        .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    match fits {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

fn listeners(text: &str) -> Result<Value, String> {
    if text == "off" {
        return Ok(Value::Listeners(Vec::new()));
    }
    let listeners = text.split(',').map(|item| Listen::parse(item.trim()));
    let listeners = listeners
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    match listen::same_name(&listeners) {
        Some(name) => Err(format!(
            "two listeners are named {name}; allowed is one of each name"
        )),
        None => Ok(Value::Listeners(listeners)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Value, size};

    #[test]
    fn sizes_have_units() {
        let kind = Kind::Bytes {
            least: 4096,
            most: 1 << 40,
        };
        for (text, bytes) in [
            ("4096", 4096),
            ("64KiB", 65536),
            ("16 MiB", 16 << 20),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(kind.parse(text), Ok(Value::Number(bytes)), "{text}");
        }
        for text in [
            "4095",
            "-1",
            "1TB",
            "1gib",
            "GiB",
            "",
            "99999999999999999999",
            "18446744073709551615GiB",
        ] {
            let error = kind.parse(text).unwrap_err();
            assert_eq!(
                error, "allowed is a size from 4KiB to 1024GiB, as in 65536 or 64KiB",
                "{text}"
            );
        }
    }

    #[test]
    fn a_size_is_shown_in_the_largest_unit_that_divides_it() {
        assert_eq!(size(1 << 30), "1GiB");
        assert_eq!(size(1_048_588), "1048588");
        assert_eq!(size(0), "0");
    }

    #[test]
    fn a_limit_may_be_none() {
        let kind = Kind::Limit { most: 9 };
        assert_eq!(kind.parse("-1"), Ok(Value::Limit(None)));
        assert_eq!(kind.parse("0"), Ok(Value::Limit(Some(0))));
        for text in ["-2", "10", ""] {
            let error = kind.parse(text).unwrap_err();
            assert_eq!(error, "allowed is a number from 0 to 9, or -1 for no limit");
        }
    }

    #[test]
    fn a_choice_names_its_words() {
        let kind = Kind::Choice(&["sync", "interval"]);
        assert_eq!(kind.parse("sync"), Ok(Value::Text("sync".to_owned())));
        assert_eq!(
            kind.parse("Sync").unwrap_err(),
            "allowed is one of sync, interval"
        );
    }

    #[test]
    fn no_listeners_and_two_of_one_name() {
        assert_eq!(
            Kind::Listeners.parse("off"),
            Ok(Value::Listeners(Vec::new()))
        );
        let error = Kind::Listeners
            .parse("A=127.0.0.1:1,a=127.0.0.1:2")
            .unwrap_err();
        assert_eq!(
            error,
            "two listeners are named a; allowed is one of each name"
        );
    }
}
