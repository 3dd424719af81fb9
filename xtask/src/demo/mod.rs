//! `cargo xtask demo`: a real file through the broker, line by line, by unmodified clients.
//!
//! First run: kcat sends, confluent-kafka reads. Second run, on a new data directory: confluent-kafka sends, the
//! broker is killed with SIGKILL once half of the lines are acknowledged and started again, kcat reads.

mod lines;
mod source;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::broker::{Broker, Setup, Usage};
use crate::wire::Connection;
use crate::{command, setup};
use lines::{Sent, read_with_confluent, read_with_kcat};
use source::Source;

/// The topic, of one partition, so that the order of all lines can be compared.
const TOPIC: &str = "lines";

/// Ports for a broker that must come back where it was. Below the ports that systems give to clients.
const PORTS: std::ops::Range<u16> = 29_092..29_192;

/// Which file, and how the broker is set.
#[derive(Args)]
pub(crate) struct Options {
    /// The text file to send; by default a list of all files of all packages of Debian, fetched once.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Arguments for the broker.
    #[arg(last = true, value_name = "BROKER ARGUMENTS")]
    broker: Vec<String>,
}

/// The programs that take part.
struct Parts {
    broker: PathBuf,
    kcat: PathBuf,
    python: PathBuf,
}

/// What one run showed.
#[derive(Debug, Default)]
struct Outcome {
    sent: Sent,
    read: Sent,
    broker: Vec<Usage>,
    start: Duration,
    recovery: Option<Duration>,
}

/// Runs the demonstration and prints its table.
///
/// # Errors
/// Something cannot be started, or what was read is not what was acknowledged.
pub(crate) fn run(options: &Options) -> Result<()> {
    let parts = Parts::find()?;
    let source = Source::find(options.file.as_deref())?;
    println!(
        "file: {}\n{} lines, {} bytes, SHA-256 {}",
        source.description, source.lines, source.bytes, source.sha256
    );
    println!("\n1. kcat sends, confluent-kafka reads");
    let undisturbed = undisturbed(&parts, &source, options)?;
    println!(
        "\n2. confluent-kafka sends, the broker is killed with SIGKILL half-way and started again, kcat reads"
    );
    let killed = killed(&parts, &source, options)?;
    print_table(
        &source,
        &[("undisturbed", &undisturbed), ("killed half-way", &killed)],
    );
    for outcome in [&undisturbed, &killed] {
        ensure!(
            outcome.sent.lines == source.lines,
            "not all lines were acknowledged"
        );
        ensure!(
            outcome.sent.sha256 == source.sha256,
            "what was acknowledged is not the file"
        );
        ensure!(
            outcome.read.lines == source.lines,
            "not all lines were read"
        );
        ensure!(
            outcome.read.sha256 == source.sha256,
            "what was read is not the file"
        );
    }
    println!("every acknowledged line was read, in order, byte for byte");
    Ok(())
}

impl Parts {
    fn find() -> Result<Parts> {
        let tools = setup::prepare()?;
        let missing = setup::summary(&tools.missing);
        Ok(Parts {
            broker: command::release_broker()?,
            kcat: tools.kcat.with_context(|| missing.clone())?,
            python: tools.python.with_context(|| missing.clone())?,
        })
    }
}

fn undisturbed(parts: &Parts, source: &Source, options: &Options) -> Result<Outcome> {
    let directory = directory()?;
    let setup = broker_setup(parts, directory.path(), options)?;
    let broker = start(&setup)?;
    let begun = Instant::now();
    let mut kcat = Command::new(&parts.kcat);
    kcat.args([
        "-P",
        "-b",
        broker.address(),
        "-t",
        TOPIC,
        "-p",
        "0",
        "-X",
        "enable.idempotence=true",
        "-l",
    ]);
    command::run(kcat.arg(&source.path).stdin(Stdio::null()))?;
    // kcat ends with success once every line is acknowledged, and says no more.
    let sent = Sent {
        lines: source.lines,
        sha256: source.sha256.clone(),
        took: begun.elapsed(),
    };
    let read = read_with_confluent(&parts.python, broker.address(), TOPIC)?;
    let (usage, start) = (broker.usage()?, broker.ready_after());
    broker.stop()?;
    Ok(Outcome {
        sent,
        read,
        broker: vec![usage],
        start,
        recovery: None,
    })
}

fn killed(parts: &Parts, source: &Source, options: &Options) -> Result<Outcome> {
    let directory = directory()?;
    let setup = broker_setup(parts, directory.path(), options)?;
    let mut broker = start(&setup)?;
    let start = broker.ready_after();
    let sending = lines::Sending::start(&parts.python, broker.address(), TOPIC, &source.path)?;
    let acknowledged = sending.wait_for(source.lines / 2)?;
    let before = broker.usage()?;
    broker.kill()?;
    println!("killed with {acknowledged} lines acknowledged");
    let broker = setup.start()?;
    let recovery = broker.ready_after();
    println!("serves again after {:.1} ms", milliseconds(recovery));
    let sent = sending.wait_end()?;
    let read = read_with_kcat(&parts.kcat, broker.address(), TOPIC)?;
    let after = broker.usage()?;
    broker.stop()?;
    Ok(Outcome {
        sent,
        read,
        broker: vec![before, after],
        start,
        recovery: Some(recovery),
    })
}

/// Starts the broker and creates the topic.
fn start(setup: &Setup) -> Result<Broker> {
    let broker = setup.start()?;
    println!(
        "ready on {} after {:.1} ms",
        broker.address(),
        milliseconds(broker.ready_after())
    );
    let error = Connection::open(broker.address())?.create_topic(TOPIC, 1)?;
    ensure!(error.0 == 0, "the topic is not created: {error}");
    Ok(broker)
}

fn broker_setup(parts: &Parts, directory: &Path, options: &Options) -> Result<Setup> {
    let mut setup = Setup::new(&parts.broker, directory);
    setup.arguments.clone_from(&options.broker);
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    setup.port = PORTS.clone().find(free).context("no port is free")?;
    Ok(setup)
}

fn print_table(source: &Source, runs: &[(&str, &Outcome)]) {
    type Row<'a> = (&'a str, Box<dyn Fn(&Outcome) -> String + 'a>);
    let rate = |count: u64, took: Duration| count as f64 / took.as_secs_f64();
    let rows: Vec<Row<'_>> = vec![
        (
            "lines acknowledged",
            Box::new(|outcome| outcome.sent.lines.to_string()),
        ),
        (
            "lines read",
            Box::new(|outcome| outcome.read.lines.to_string()),
        ),
        (
            "SHA-256 acknowledged",
            Box::new(|outcome| short(&outcome.sent.sha256)),
        ),
        (
            "SHA-256 read",
            Box::new(|outcome| short(&outcome.read.sha256)),
        ),
        (
            "sent, messages/s",
            Box::new(|outcome| format!("{:.0}", rate(outcome.sent.lines, outcome.sent.took))),
        ),
        (
            "sent, MB/s",
            Box::new(|outcome| format!("{:.1}", rate(source.bytes, outcome.sent.took) / 1e6)),
        ),
        (
            "read, messages/s",
            Box::new(|outcome| format!("{:.0}", rate(outcome.read.lines, outcome.read.took))),
        ),
        (
            "read, MB/s",
            Box::new(|outcome| format!("{:.1}", rate(source.bytes, outcome.read.took) / 1e6)),
        ),
        (
            "broker, processor seconds",
            Box::new(|outcome| each(outcome, |usage| format!("{:.2}", usage.processor_seconds))),
        ),
        (
            "broker, peak memory MiB",
            Box::new(|outcome| each(outcome, |usage| (usage.resident_peak_kib >> 10).to_string())),
        ),
        (
            "of it not of files MiB",
            Box::new(|outcome| each(outcome, |usage| (usage.anonymous_kib >> 10).to_string())),
        ),
        (
            "start, empty, ms",
            Box::new(|outcome| format!("{:.1}", milliseconds(outcome.start))),
        ),
        (
            "recovery after kill, ms",
            Box::new(|outcome| {
                outcome
                    .recovery
                    .map_or("-".to_owned(), |took| format!("{:.1}", milliseconds(took)))
            }),
        ),
    ];
    println!("\n{:<28}{:>24}{:>24}", "", runs[0].0, runs[1].0);
    for (name, show) in rows {
        println!("{name:<28}{:>24}{:>24}", show(runs[0].1), show(runs[1].1));
    }
    println!(
        "(peak memory counts the pages of mapped segments; where there are two figures, before and after the kill)\n"
    );
}

/// A figure of each life of the broker.
fn each(outcome: &Outcome, show: impl Fn(&Usage) -> String) -> String {
    outcome
        .broker
        .iter()
        .map(show)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The ends of a digest, which tell it apart; the whole of it is printed and compared elsewhere.
fn short(sha256: &str) -> String {
    format!(
        "{}…{}",
        &sha256[..8.min(sha256.len())],
        &sha256[sha256.len().saturating_sub(8)..]
    )
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn directory() -> Result<tempfile::TempDir> {
    let parent = command::target().join("demo");
    std::fs::create_dir_all(&parent)?;
    Ok(tempfile::tempdir_in(parent)?)
}
