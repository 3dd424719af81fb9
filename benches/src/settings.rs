//! How long, how often, where: what the command line says once for all benches.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::pagelog::{Flush, Pagelog};
use crate::peer::Kafka;
use crate::process::Server;

/// Settings of a run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The broker's binary.
    pub(crate) broker: PathBuf,
    /// Where data go: on the disk that is measured.
    pub(crate) directory: PathBuf,
    /// Rounds, each with every contender.
    pub(crate) rounds: usize,
    /// How long a contender runs in a round.
    pub(crate) round: Duration,
    /// Everything small: shows that the benches run, and nothing about speed.
    pub(crate) quick: bool,
    /// Only cases with this in their name.
    pub(crate) only: Option<String>,
    /// The directory with Kafka's jars.
    pub(crate) peer: Option<PathBuf>,
}

impl Settings {
    /// Whether a case is asked for.
    pub(crate) fn wants(&self, case: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| case.contains(only.as_str()))
    }

    /// `size` bytes, or a sixteenth of them in a quick run.
    pub(crate) fn scaled(&self, size: usize) -> usize {
        if self.quick { size / 16 } else { size }
    }

    /// A broker on an empty directory of its own.
    ///
    /// # Errors
    /// Where it does not start.
    pub(crate) fn pagelog(&self, flush: Flush) -> Result<Pagelog> {
        Pagelog::start_empty(&self.broker, &self.directory, flush)
    }

    /// The same with other settings.
    ///
    /// # Errors
    /// Where it does not start.
    pub(crate) fn pagelog_with(&self, flush: Flush, with: &[(&str, &str)]) -> Result<Pagelog> {
        Pagelog::start_with(&self.broker, &self.directory, flush, with)
    }

    /// The peer, where one is asked for.
    ///
    /// # Errors
    /// Where it does not start.
    pub(crate) fn kafka(&self) -> Result<Option<Kafka>> {
        let jars = self.peer.as_ref();
        jars.map(|jars| Kafka::start(jars, &self.directory))
            .transpose()
    }

    /// A bare server: this very program, with other arguments.
    ///
    /// # Errors
    /// Where it does not start.
    pub(crate) fn bare(&self, arguments: &[String]) -> Result<Server> {
        let program = std::env::current_exe().context("the path of this program")?;
        Server::start(Command::new(program).arg("bare").args(arguments))
    }
}
