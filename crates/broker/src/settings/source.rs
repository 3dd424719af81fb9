//! Where a value came from, so that every message can say it.

use std::fmt;

/// One key with its text, before it is checked.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    /// The key.
    pub(crate) name: String,
    /// The value as it was written.
    pub(crate) text: String,
    /// Who said so.
    pub(crate) origin: Origin,
}

/// Who set a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody: it is the default.
    Default,
    /// A line of the settings file.
    File {
        /// The file as it was named.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(formatter, "default"),
            Origin::File { path, line } => write!(formatter, "{path}:{line}"),
            Origin::Environment(name) => write!(formatter, "environment {name}"),
            Origin::Flag(flag) => write!(formatter, "{flag}"),
        }
    }
}
