//! `cargo xtask bench`: builds the broker and the load generator, and runs the benches that are named.
//!
//! What is measured, and how, is in `benches/`; here are only the build and the directories.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::command;

/// The benches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// Produce: one client, many clients, batches, without waiting for the disk.
    Append,
    /// Fetch of 1 MiB, of one and of many partitions.
    Fetch,
    /// From the start of the process to `ready`, on an empty directory and after `kill -9`.
    Startup,
    /// Memory of an idle broker.
    Memory,
    /// 100,000 partitions: made, written to, started with, polled and waited for.
    Topics,
    /// The storage engine without a broker, beside other logs.
    Storage,
    /// Every way of sending, beside a bare loop of its own system calls.
    Transfer,
}

/// Which benches, and how.
#[derive(Args)]
pub(crate) struct Options {
    /// Which benches; all of them without a name.
    benches: Vec<Bench>,
    /// Everything small, within seconds: shows that the benches run, and nothing about speed.
    #[arg(long)]
    quick: bool,
    /// Rounds; below ten no aim is judged.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Seconds that each contender runs in a round.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Only cases with this in their name.
    #[arg(long)]
    only: Option<String>,
    /// A directory on the disk that is to be measured [default: one below target/].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A directory with the jars of Kafka, which is then measured in the same rounds.
    #[arg(long)]
    peer: Option<PathBuf>,
}

/// Builds for release, and runs; figures go to `benches/results/`, those of a quick run nowhere.
///
/// # Errors
/// A build or a bench fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let broker = command::release_broker()?;
    let package = [
        "build",
        "--locked",
        "--release",
        "--package",
        "pagelog-benches",
    ];
    let mut build = command::cargo(&package);
    // Other logs take minutes to build; beside whom a quick run would tell nothing.
    if options.with(Bench::Storage) && !options.quick {
        build.args(["--features", "peers"]);
    }
    command::run(&mut build)?;
    let mut benches = Command::new(command::target().join("release/pagelog-benches"));
    benches.current_dir(command::root()).arg("run");
    benches.args(names(&options.benches));
    benches.arg("--broker").arg(broker);
    benches
        .arg("--dir")
        .arg(std::path::absolute(directory(options))?);
    benches.arg("--rounds").arg(options.rounds.to_string());
    benches.arg("--seconds").arg(options.seconds.to_string());
    if options.quick {
        benches.arg("--quick");
    } else {
        benches
            .arg("--results")
            .arg(command::root().join("benches/results"));
    }
    if let Some(only) = &options.only {
        benches.arg("--only").arg(only);
    }
    if let Some(peer) = &options.peer {
        benches.arg("--peer").arg(std::path::absolute(peer)?);
    }
    command::run(&mut benches)
}

impl Options {
    fn with(&self, bench: Bench) -> bool {
        self.benches.is_empty() || self.benches.contains(&bench)
    }
}

/// Runs all benches once, small: a bench that nobody runs is broken by the time it is needed.
///
/// # Errors
/// As [`run`].
pub(crate) fn smoke() -> Result<()> {
    run(&Options {
        benches: Vec::new(),
        quick: true,
        rounds: 1,
        seconds: 0.05,
        only: None,
        dir: None,
        peer: None,
    })
}

fn names(benches: &[Bench]) -> Vec<String> {
    let chosen = if benches.is_empty() {
        Bench::value_variants()
    } else {
        benches
    };
    let values = chosen.iter().filter_map(Bench::to_possible_value);
    values.map(|value| value.get_name().to_owned()).collect()
}

fn directory(options: &Options) -> PathBuf {
    let default = || command::target().join("bench");
    options.dir.clone().unwrap_or_else(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_all_benches_run() {
        assert_eq!(
            names(&[]),
            [
                "append", "fetch", "startup", "memory", "topics", "storage", "transfer"
            ]
        );
        assert_eq!(names(&[Bench::Fetch]), ["fetch"]);
    }
}
