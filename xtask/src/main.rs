//! Builds, checks, tests, fuzzes, benches and demonstrates Pagelog: `cargo xtask <what>`.
//!
//! Each subcommand is one file; this one only names them.

mod bench;
mod broker;
mod ci;
mod clients;
mod command;
mod demo;
mod fuzz;
mod hostile;
mod kill;
mod random;
mod report;
mod sanitize;
mod setup;
mod shape;
mod soak;
mod strace;
mod test;
mod wire;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Builds, checks, tests, benches and demonstrates Pagelog"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Format, clippy, build, tests, docs, layers, fuzz smoke: what every change must pass.
    Ci,
    /// Sets up what the tests need under target/ (real Kafka clients included) and runs all of it.
    Test(test::Options),
    /// Sets up what the tests need under target/ and says what is missing.
    Setup,
    /// Runs only the tests with real Kafka clients, against this broker or another.
    Clients(clients::Options),
    /// Sends a real file through the broker, kills it half-way, and reads everything back.
    Demo(demo::Options),
    /// Kills the broker with SIGKILL at random moments under load and checks what was acknowledged.
    Kill(kill::Options),
    /// Runs only the tests with bad input, full disks and damaged files.
    Hostile(hostile::Options),
    /// Counts the broker's system calls under load, checks them, and writes docs/syscalls.md.
    Strace,
    /// Measures appends and fetches beside their limits, one JSON line per figure.
    Bench(bench::Options),
    /// Runs the fuzz targets for a while on the stable toolchain.
    Fuzz(fuzz::Options),
    /// Runs the Rust tests again and again, each time with other random histories.
    Soak(soak::Options),
    /// Runs tests under the address sanitizer, by default those of the crate with the unsafe code.
    Sanitize(sanitize::Options),
    /// Prints the lengths of functions and files, per crate.
    Shape,
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Ci => ci::run(),
        Task::Test(options) => test::run(&options),
        Task::Setup => setup::run(),
        Task::Clients(options) => clients::run_alone(&options),
        Task::Demo(options) => demo::run(&options),
        Task::Kill(options) => kill::run(&options),
        Task::Hostile(options) => hostile::run_alone(&options),
        Task::Strace => strace::run_alone(),
        Task::Bench(options) => bench::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::Sanitize(options) => sanitize::run(&options),
        Task::Shape => shape::run(),
    }
}
