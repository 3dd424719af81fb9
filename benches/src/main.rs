//! Pagelog's benchmarks: the real broker over loopback, each figure beside its own limit, which is
//! measured in the same rounds. `cargo xtask bench` builds and runs them.

mod append;
mod batch;
mod client;
mod fetch;
mod figure;
mod host;
mod limit;
mod load;
mod memory;
mod pagelog;
mod peer;
mod plot;
mod process;
mod report;
mod rounds;
mod sample;
mod settings;
mod shape;
mod startup;
mod statistics;
mod storage;
mod topics;
mod transfer;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::host::Host;
use crate::report::Report;
use crate::settings::Settings;

/// Counted are the allocations of appends; for all else it is the system's own.
#[global_allocator]
static ALLOCATOR: pagelog_os::CountingAllocator = pagelog_os::CountingAllocator;

#[derive(Parser)]
#[command(name = "pagelog-benches", about = "Measures Pagelog beside its limits")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs benches.
    Run(Options),
    /// Serves as a limit; the benches start it themselves.
    #[command(hide = true)]
    Bare(limit::bare::Options),
}

#[derive(Args)]
struct Options {
    /// Which benches.
    #[arg(required = true)]
    benches: Vec<Bench>,
    /// The broker's binary.
    #[arg(long)]
    broker: PathBuf,
    /// Where data go while it runs: on the disk that is to be measured.
    #[arg(long)]
    dir: PathBuf,
    /// Where the lines of the figures go; without it they go nowhere.
    #[arg(long)]
    results: Option<PathBuf>,
    /// Rounds, each with every contender once.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Seconds that a contender runs in a round.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Everything small: shows that the benches run, and nothing about speed.
    #[arg(long)]
    quick: bool,
    /// Only cases with this in their name.
    #[arg(long)]
    only: Option<String>,
    /// A directory with the jars of Kafka, to be measured in the same rounds.
    #[arg(long)]
    peer: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Bench {
    Append,
    Fetch,
    Startup,
    Memory,
    Topics,
    Storage,
    Transfer,
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Run(options) => run(&options),
        Task::Bare(options) => limit::bare::serve(options),
    }
}

fn run(options: &Options) -> Result<()> {
    let settings = settings(options)?;
    let host = Host::describe(&settings.directory);
    eprintln!(
        "{}, Linux {}, {}, {}",
        host.description, host.kernel, host.filesystem, host.congestion_control
    );
    if host.load > 0.5 {
        eprintln!(
            "load average {}: others are at work, and the figures will show it",
            host.load
        );
    }
    let mut figures = Vec::new();
    for bench in &options.benches {
        let report = one(*bench, &settings)?;
        if let Some(results) = &options.results {
            report.write(&host, results)?;
        }
        figures.extend(report.figures);
    }
    print!("{}", figure::table(&figures));
    Ok(())
}

fn one(bench: Bench, settings: &Settings) -> Result<Report> {
    Ok(match bench {
        Bench::Append => append::run(settings).context("append")?.into(),
        Bench::Fetch => fetch::run(settings).context("fetch")?.into(),
        Bench::Startup => startup::run(settings).context("startup")?.into(),
        Bench::Memory => memory::run(settings).context("memory")?.into(),
        Bench::Topics => topics::run(settings).context("topics")?.into(),
        Bench::Storage => storage::run(settings).context("storage")?,
        Bench::Transfer => transfer::run(settings).context("transfer")?,
    })
}

fn settings(options: &Options) -> Result<Settings> {
    std::fs::create_dir_all(&options.dir)
        .with_context(|| format!("create {}", options.dir.display()))?;
    let (rounds, seconds) = if options.quick {
        (1, 0.05)
    } else {
        (options.rounds, options.seconds)
    };
    Ok(Settings {
        broker: options.broker.clone(),
        directory: options.dir.clone(),
        rounds,
        round: Duration::try_from_secs_f64(seconds).context("--seconds")?,
        quick: options.quick,
        only: options.only.clone(),
        peer: options.peer.clone(),
    })
}
