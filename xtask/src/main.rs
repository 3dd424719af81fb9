//! Builds, checks, tests, fuzzes, benches and demonstrates Pagelog: `cargo xtask <what>`.
//!
//! Each subcommand is one file; this one only names them.

mod bench;
mod ci;
mod clients;
mod command;
mod demo;
mod fuzz;
mod kill;
mod setup;
mod shape;
mod test;

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
    /// Sends a real file through the broker, kills it half-way, and reads everything back.
    Demo(demo::Options),
    /// Kills the broker with SIGKILL at random moments under load and checks what was acknowledged.
    Kill(kill::Options),
    /// Measures appends and fetches beside their limits, one JSON line per figure.
    Bench(bench::Options),
    /// Runs the fuzz targets for a while on the stable toolchain.
    Fuzz(fuzz::Options),
    /// Prints the lengths of functions and files, per crate.
    Shape,
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Ci => ci::run(),
        Task::Test(options) => test::run(&options),
        Task::Setup => setup::run(),
        Task::Demo(options) => demo::run(&options),
        Task::Kill(options) => kill::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Shape => shape::run(),
    }
}
