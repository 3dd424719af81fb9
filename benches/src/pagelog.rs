//! The broker under test: a release build, started with its defaults on a directory of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::process::{Server, address};

/// The flush policy it is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    Sync,
    Interval,
}

/// A running broker.
pub(crate) struct Pagelog {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    directory: TempDir,
}

impl Pagelog {
    /// Starts on a new directory below `parent`.
    ///
    /// # Errors
    /// Where it does not get ready; its log is in the message.
    pub(crate) fn start_empty(binary: &Path, parent: &Path, flush: Flush) -> Result<Pagelog> {
        Pagelog::start_with(binary, parent, flush, &[])
    }

    /// The same with settings other than the defaults; a later start has the defaults again.
    ///
    /// # Errors
    /// As [`Pagelog::start_empty`].
    pub(crate) fn start_with(
        binary: &Path,
        parent: &Path,
        flush: Flush,
        with: &[(&str, &str)],
    ) -> Result<Pagelog> {
        let directory = tempfile::Builder::new()
            .prefix("pagelog-")
            .tempdir_in(parent)?;
        let mut command = Command::new(binary);
        for (name, value) in with {
            let name = name.to_uppercase().replace(['.', '-'], "_");
            command.env(format!("PAGELOG_{name}"), value);
        }
        Pagelog::spawn(command, directory, flush)
    }

    fn start(binary: &Path, directory: TempDir, flush: Flush) -> Result<Pagelog> {
        Pagelog::spawn(Command::new(binary), directory, flush)
    }

    fn spawn(mut command: Command, directory: TempDir, flush: Flush) -> Result<Pagelog> {
        let policy = match flush {
            Flush::Sync => "sync",
            Flush::Interval => "interval",
        };
        let log = File::create(directory.path().join("log"))?;
        command
            .arg("serve")
            .args(["--kafka", "127.0.0.1:0", "--flush", policy])
            // However full the disk of this machine is.
            .args(["--set", "disk.refuse.percent=101"]);
        command
            .arg("--data-dir")
            .arg(directory.path().join("data"))
            .stderr(log);
        let server = Server::start(&mut command).with_context(|| log_of(directory.path()))?;
        let address = address(&server.ready)?;
        Ok(Pagelog {
            server,
            address,
            directory,
        })
    }

    /// Stops it well, then starts again on the same data; the start's time is the new server's.
    ///
    /// # Errors
    /// Where it does not end well, or does not get ready again.
    pub(crate) fn stop_and_restart(self, binary: &Path, flush: Flush) -> Result<Pagelog> {
        let Pagelog {
            server, directory, ..
        } = self;
        server.stop().with_context(|| log_of(directory.path()))?;
        Pagelog::start(binary, directory, flush)
    }

    /// SIGKILL, then starts again on the same data; the start's time is the new server's.
    ///
    /// # Errors
    /// Where it does not get ready again.
    pub(crate) fn kill_and_restart(self, binary: &Path, flush: Flush) -> Result<Pagelog> {
        let Pagelog {
            server, directory, ..
        } = self;
        server.kill()?;
        Pagelog::start(binary, directory, flush)
    }

    /// The directory of the log.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The segment files, oldest first.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub(crate) fn segments(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.data())?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        paths.sort();
        Ok(paths)
    }

    /// Stops it well, and returns what it counted in its life.
    ///
    /// # Errors
    /// Where it does not end well.
    pub(crate) fn stop(self) -> Result<Counters> {
        let Pagelog {
            server, directory, ..
        } = self;
        server.stop().with_context(|| log_of(directory.path()))?;
        Ok(Counters::read(&log_of(directory.path())))
    }

    /// Processor time of the broker so far.
    ///
    /// # Errors
    /// Where it is gone.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        self.server
            .processor_time()
            .with_context(|| log_of(self.directory.path()))
    }
}

/// What the broker logs when it stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// `fdatasync` calls of the flush thread; none where the log does not say.
    pub(crate) syncs: Option<u64>,
}

impl Counters {
    /// Reads the last `syncs=N` of a log.
    fn read(log: &str) -> Counters {
        let numbers = log.split("syncs=").skip(1);
        let last = numbers.filter_map(|rest| {
            rest.split(|sign: char| !sign.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        });
        Counters { syncs: last.last() }
    }
}

fn log_of(directory: &Path) -> String {
    fs::read_to_string(directory.join("log")).unwrap_or_else(|error| format!("no log: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_read_from_the_last_line_that_has_it() {
        let log = "INFO flush syncs=3\nINFO flush stopped syncs=41 bytes=7\n";
        assert_eq!(Counters::read(log).syncs, Some(41));
        assert_eq!(Counters::read("nothing"), Counters::default());
    }
}
