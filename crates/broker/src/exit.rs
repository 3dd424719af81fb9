//! How the process ends: every failure has a message and an exit code of its own, documented in `docs/operations.md`.

use std::io;
use std::process::ExitCode;

use crate::listen::BindError;
use crate::settings::error::SettingsError;

/// Why the broker could not serve, or had to stop, or why another command has nothing good to say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A setting is wrong; clap ends with the same code when the command line is.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What was asked for on the command line cannot be done to this log.
    #[error("{0}")]
    Asked(String),
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
    /// The log would be cut, and nobody has confirmed it.
    #[error("nothing was changed: --yes makes the cut")]
    Unconfirmed,
    /// The report that was asked for says it, and this is its code.
    #[error("see the report")]
    Reported(u8),
    /// Standard output took no more.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// Anything else, such as a thread that the system refused.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// The number that the process ends with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Other(_) | Failure::Output(_) => 1,
            Failure::Settings(_) | Failure::Asked(_) => 2,
            Failure::DataInUse(_) => 3,
            Failure::Data(_) => 4,
            Failure::Damaged(_) => 5,
            Failure::Listen(_) => 6,
            Failure::LogFailed(_) => 7,
            Failure::Unconfirmed => 8,
            Failure::Reported(code) => *code,
        }
    }

    /// Whether there is nobody left to tell, or nothing left to say.
    fn is_silent(&self) -> bool {
        match self {
            Failure::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            Failure::Reported(_) => true,
            _ => false,
        }
    }
}

/// Says why on standard error, and turns the outcome into an exit code.
pub(crate) fn report(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_silent() {
                eprintln!("pagelog: {failure}");
            }
            ExitCode::from(failure.code())
        }
    }
}
