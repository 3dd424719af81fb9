//! Bad input of every kind: each gets the protocol's error, a closed connection or a clear refusal at start; the
//! process lives, other clients notice nothing, nothing acknowledged is lost.

mod batches;
mod crowd;
mod disk;
mod frames;
mod good_client;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::broker::Setup;
use crate::command;
use crate::report::Report;
use batches::Whose;
use disk::Damage;
use good_client::GoodClient;

/// What the broker may hold at most after all of it: far less than any of the sizes that were claimed.
const MEMORY_MAX_KIB: u64 = 400 << 10;

/// Which broker to test.
#[derive(Args)]
pub(crate) struct Options {
    /// Send the bad frames and batches to a broker that runs already. A real Kafka must answer in the same way.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
}

/// Runs the tests as a subcommand of their own.
///
/// # Errors
/// A case fails.
pub(crate) fn run_alone(options: &Options) -> Result<()> {
    let Some(address) = &options.bootstrap else {
        return run(&command::release_broker()?);
    };
    let mut report = Report::new();
    let good = GoodClient::start(address)?;
    frames::run(address, &mut report);
    batches::run(address, Whose::Another, &mut report)?;
    report.case("the good client noticed nothing", || good.stop().map(drop));
    report.finish("bad input").map(drop)
}

/// Runs all cases against the broker at the path `binary`.
///
/// # Errors
/// A case fails.
pub(crate) fn run(binary: &Path) -> Result<()> {
    println!("\n== bad input");
    let mut report = Report::new();
    over_the_network(binary, &mut report)?;
    on_disk(binary, &mut report)?;
    report.finish("bad input")?;
    Ok(())
}

fn over_the_network(binary: &Path, report: &mut Report) -> Result<()> {
    let directory = disk::directory()?;
    let mut broker = Setup::new(binary, directory.path()).start()?;
    let good = GoodClient::start(broker.address())?;
    frames::run(broker.address(), report);
    batches::run(broker.address(), Whose::Ours, report)?;
    report.case(
        "bad connections leave a line each, but do not fill the log",
        || {
            let closed = broker.log().matches("connection closed").count();
            ensure!(
                (20..200).contains(&closed),
                "{closed} lines about connections that were closed"
            );
            Ok(())
        },
    );
    match crowd::prepare() {
        Ok(()) => drop(report.case("10,000 idle connections", || crowd::run(&broker))),
        Err(error) => println!("skip  10,000 idle connections: {error:#}"),
    }
    report.case(
        "the process lives and the good client noticed nothing",
        || {
            ensure!(broker.is_alive(), "the broker is gone: {}", broker.log());
            ensure!(
                !good.is_disturbed(),
                "the good client gave up: {:#}",
                good.stop().err().context("without a reason")?
            );
            let service = good.stop()?;
            ensure!(service.count > 0, "the good client was not served at all");
            println!(
                "      {} records sent and read meanwhile, the slowest in {:?}",
                service.count, service.slowest
            );
            ensure!(
                !broker.log().contains("panicked"),
                "the broker panicked:\n{}",
                broker.log()
            );
            let peak = broker.usage()?.anonymous_kib;
            ensure!(peak < MEMORY_MAX_KIB, "the broker holds {} MiB", peak >> 10);
            Ok(())
        },
    );
    report.case("the broker stops cleanly", || broker.stop().map(drop));
    Ok(())
}

fn on_disk(binary: &Path, report: &mut Report) -> Result<()> {
    type Case = (&'static str, bool, fn(&Path, &Path) -> Result<()>);
    let cases: [Case; 8] = [
        ("a full disk", true, disk::full_disk),
        (
            "a directory without write permission",
            true,
            disk::forbidden_directory,
        ),
        ("a data directory in use", false, disk::directory_in_use),
        ("a port in use", false, disk::port_in_use),
        ("a segment cut short", false, |b, d| {
            disk::damaged_segment(b, d, Damage::CutShort)
        }),
        ("a segment emptied", false, |b, d| {
            disk::damaged_segment(b, d, Damage::Emptied)
        }),
        ("a segment overwritten", false, |b, d| {
            disk::damaged_segment(b, d, Damage::Overwritten)
        }),
        ("a segment removed", false, |b, d| {
            disk::damaged_segment(b, d, Damage::Removed)
        }),
    ];
    for (name, needs_root, run) in cases {
        if needs_root && !disk::is_root() {
            println!("skip  {name}: needs root, for a file system or a user of its own");
            continue;
        }
        let directory = disk::directory()?;
        report.case(name, || run(binary, directory.path()));
    }
    Ok(())
}
