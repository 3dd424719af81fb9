//! Why settings are refused: each message names the key, where it was set, and what is allowed.

use std::io;

use super::source::Origin;

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// A key that nothing knows.
    #[error("{origin}: there is no setting {name}; the nearest are {}", .nearest.join(", "))]
    Unknown {
        /// Who set it.
        origin: Origin,
        /// The key.
        name: String,
        /// The nearest keys, the nearest first.
        nearest: Vec<&'static str>,
    },
    /// An environment variable that stands for no setting.
    #[error(
        "environment {variable}: no setting has this variable; the nearest are {}", .nearest.join(", ")
    )]
    UnknownVariable {
        /// The variable.
        variable: String,
        /// The nearest variables, the nearest first.
        nearest: Vec<String>,
    },
    /// A value outside of what is allowed.
    #[error("{origin}: {name} = {text}: {reason}")]
    Value {
        /// Who set it.
        origin: Origin,
        /// The key.
        name: &'static str,
        /// The value as it was written.
        text: String,
        /// What is allowed.
        reason: String,
    },
    /// One source says it twice.
    #[error("{second}: {name} is set twice, first by {first}")]
    Twice {
        /// The key.
        name: &'static str,
        /// Who set it first.
        first: Origin,
        /// Who set it again.
        second: Origin,
    },
    /// A value of a kind that no setting has.
    #[error("{origin}: {name} is neither a whole number, a boolean, a string nor a list of those")]
    Shape {
        /// The line.
        origin: Origin,
        /// The key.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read the settings file {path}: {source}")]
    File {
        /// The file as it was named.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{origin}: {message}")]
    Syntax {
        /// The line.
        origin: Origin,
        /// What the parser says.
        message: String,
    },
    /// A flag or a variable that is not text.
    #[error("{origin}: {text:?} is not UTF-8")]
    Encoding {
        /// Who set it.
        origin: Origin,
        /// As far as it can be shown.
        text: String,
    },
    /// The log filter of the environment cannot be read.
    #[error(
        "environment PAGELOG_LOG = {text}: {reason}; allowed is a level, as in info or debug, or directives, as in info,pagelog_net=debug"
    )]
    LogFilter {
        /// What it holds.
        text: String,
        /// Why it is none.
        reason: String,
    },
    /// `--set` without a key or without `=`.
    #[error("--set {text}: allowed is KEY=VALUE, as in --set kafka.num.partitions=4")]
    NoKey {
        /// What was given.
        text: String,
    },
    /// Two settings that do not go together.
    #[error("{0}")]
    Together(String),
}
