//! Real Kafka clients against the broker: unmodified, pinned, all of them against the same records.
//!
//! ```text
//!  matrix ── Client ─┬─ agent ── JSON lines ── tests/clients/agent_* ── the client
//!  (all expectations) └─ kcat  ── text with lengths ── kcat
//! ```

mod agent;
mod client;
mod compare;
mod groups;
mod java;
mod jvm;
mod kcat;
mod matrix;
mod record;

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::broker::Setup;
use crate::report::Report;
use crate::setup::{self, Tools};
use crate::{command, random};
use client::{Client, Codec};
pub(crate) use jvm::Jvm;
use matrix::Matrix;

/// Which broker to test.
#[derive(Args)]
pub(crate) struct Options {
    /// Test a broker that runs already, at HOST:PORT, instead of the one built here. A real Kafka must pass, too.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,

    /// Run the groups alone, and not the matrix.
    #[arg(long, conflicts_with = "bootstrap")]
    groups: bool,
}

/// Runs the tests as a subcommand of their own.
///
/// # Errors
/// A case fails.
pub(crate) fn run_alone(options: &Options) -> Result<()> {
    let tools = setup::prepare()?;
    println!("{}", setup::summary(&tools.missing));
    match &options.bootstrap {
        Some(bootstrap) => run_against(&tools, bootstrap),
        None if options.groups => run_groups(&tools, &command::release_broker()?),
        None => run(&tools, &command::release_broker()?),
    }
}

fn run_groups(tools: &Tools, broker: &Path) -> Result<()> {
    let mut report = Report::new();
    groups::run(tools, broker, &directory()?, &mut report)?;
    report.finish("groups of real clients")?;
    Ok(())
}

/// Runs the tests of every client that `tools` has against the broker at the path `broker`.
///
/// # Errors
/// A case fails, or the broker does not start and stop as it should.
pub(crate) fn run(tools: &Tools, broker: &Path) -> Result<()> {
    let directory = directory()?;
    let mut report = Report::new();
    for variant in &VARIANTS {
        println!("\n== {}: {}", variant.name, variant.arguments.join(" "));
        let data = tempfile::tempdir_in(&directory)?;
        let setup = Setup::new(broker, data.path()).with(variant.arguments);
        run_variant(tools, variant, &setup, &mut report)
            .with_context(|| keep(data, variant.name))?;
    }
    println!("\n== groups");
    groups::run(tools, broker, &directory, &mut report)?;
    report.finish("real clients")?;
    Ok(())
}

/// A way to run the broker, and how much of the matrix to run against it.
struct Variant {
    name: &'static str,
    arguments: &'static [&'static str],
    codecs: &'static [Codec],
    everything: bool,
}

/// The whole matrix with the defaults; of the other settings what they can change.
const VARIANTS: [Variant; 3] = [
    Variant {
        name: "sync",
        arguments: &["--flush", "sync"],
        codecs: &Codec::ALL,
        everything: true,
    },
    Variant {
        name: "interval",
        arguments: &["--flush", "interval"],
        codecs: &[Codec::None, Codec::Zstd],
        everything: false,
    },
    Variant {
        name: "small segments",
        arguments: &["--flush", "sync", "--set", "segment.bytes=4194304"],
        codecs: &[Codec::None, Codec::Lz4],
        everything: false,
    },
];

/// Produces and reads, stops the broker cleanly, starts it again, and reads all of it once more.
fn run_variant(tools: &Tools, variant: &Variant, setup: &Setup, report: &mut Report) -> Result<()> {
    let broker = setup.start()?;
    let mut setup = setup.clone();
    setup.port = port_of(broker.address())?;
    let mut clients = start_clients(tools, broker.address())?;
    let mut matrix = Matrix::new("test", broker.address())?;
    run_matrix(&mut matrix, &mut clients, variant, report)?;
    if let (true, Some(tools)) = (variant.everything, &tools.java) {
        java::run(tools, broker.address(), "test", report);
    }
    println!("-- stop with SIGTERM, start again");
    report.case("the broker stops cleanly", || broker.stop().map(drop));
    let broker = setup.start()?;
    matrix.read_all(&mut clients, report);
    drop(clients);
    report.case("the broker stops cleanly again", || broker.stop().map(drop));
    Ok(())
}

fn run_matrix(
    matrix: &mut Matrix,
    clients: &mut [Box<dyn Client>],
    variant: &Variant,
    report: &mut Report,
) -> Result<()> {
    matrix.produce(clients, variant.codecs, report);
    matrix.large(clients, report)?;
    matrix.read_from_end(clients, report)?;
    if variant.everything {
        matrix.create_by_use(clients, report);
        matrix.administer(clients, report);
        matrix.read_all(clients, report);
    }
    Ok(())
}

/// The matrix against any broker, in topics of a name of their own.
fn run_against(tools: &Tools, bootstrap: &str) -> Result<()> {
    let mut clients = start_clients(tools, bootstrap)?;
    let mut matrix = Matrix::new(
        &format!("test-{:x}", random::Random::seed_from_clock()),
        bootstrap,
    )?;
    let mut report = Report::new();
    run_matrix(&mut matrix, &mut clients, &VARIANTS[0], &mut report)?;
    if let Some(java) = &tools.java {
        java::run(
            java,
            bootstrap,
            &format!("test-{:x}", random::Random::seed_from_clock()),
            &mut report,
        );
    }
    report.finish("real clients")?;
    Ok(())
}

fn start_clients(tools: &Tools, bootstrap: &str) -> Result<Vec<Box<dyn Client>>> {
    let mut clients: Vec<Box<dyn Client>> = Vec::new();
    for agent in agent::start_all(tools, bootstrap, &directory()?)? {
        clients.push(Box::new(agent));
    }
    if let Some(program) = &tools.kcat {
        clients.push(Box::new(kcat::Kcat::new(program, bootstrap)?));
    }
    if !clients.iter().any(|client| client.administers()) {
        bail!("none of the clients is there: see cargo xtask setup");
    }
    for client in &clients {
        println!("client: {}", client.title());
    }
    Ok(clients)
}

/// Where data directories and logs of a run are made.
fn directory() -> Result<std::path::PathBuf> {
    let directory = command::target().join("clients").join("run");
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Keeps the data of a failed run and says where it is.
fn keep(data: tempfile::TempDir, name: &str) -> String {
    format!("{name}: data and log are kept in {}", data.keep().display())
}

fn port_of(address: &str) -> Result<u16> {
    let port = address
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok());
    port.with_context(|| format!("no port in {address}"))
}
