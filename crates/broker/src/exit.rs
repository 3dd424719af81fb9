//! How the process ends: every failure has a message and an exit code of its own, documented in `docs/operations.md`.

use std::process::ExitCode;

use crate::listen::BindError;
use crate::settings::error::SettingsError;

/// Why the broker could not serve, or had to stop.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A setting is wrong; clap ends with the same code when the command line is.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Another process has the data directory.
    #[error("{0}")]
    DataInUse(String),
    /// The data directory cannot be read or written, or the disk is full.
    #[error("{0}")]
    Data(String),
    /// The log is damaged where it was durable, or is of another format.
    #[error("{0}")]
    Damaged(String),
    /// A listener could not be bound.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// The log failed while serving, or its last bytes could not be flushed at the stop.
    #[error("{0}")]
    LogFailed(String),
    /// Anything else, such as a thread that the system refused.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// The number that the process ends with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Other(_) => 1,
            Failure::Settings(_) => 2,
            Failure::DataInUse(_) => 3,
            Failure::Data(_) => 4,
            Failure::Damaged(_) => 5,
            Failure::Listen(_) => 6,
            Failure::LogFailed(_) => 7,
        }
    }
}

/// Says why on standard error, and turns the outcome into an exit code.
pub(crate) fn report(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("pagelog: {failure}");
            ExitCode::from(failure.code())
        }
    }
}
