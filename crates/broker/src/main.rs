//! The pagelog broker: configuration, wiring, command line.

mod command_line;
mod configuration;
mod data;
mod doctor;
mod exit;
mod limits;
mod listen;
mod logging;
mod offline;
mod serve;
mod settings;
mod signals;
mod sweeper;

use std::process::ExitCode;
use std::sync::mpsc;

use anyhow::Context;
use clap::Parser;

use command_line::{Command, CommandLine, Serve};
use configuration::Configuration;
use exit::Failure;
use settings::Settings;

fn main() -> ExitCode {
    exit::report(match CommandLine::parse().chosen() {
        Command::Serve(flags) => serve_until_stopped(&flags),
        Command::Offline(command) => command.run(),
    })
}

/// Reads the settings and serves until a signal or a failure.
fn serve_until_stopped(flags: &Serve) -> Result<(), Failure> {
    logging::start()?;
    let configuration = Configuration::new(&settings(flags)?)?;
    let (events, waited) = mpsc::channel();
    signals::install(events.clone()).context("cannot handle signals")?;
    serve::serve(configuration, &events, &waited)
}

/// Defaults < file < environment < flags.
fn settings(flags: &Serve) -> Result<Settings, Failure> {
    let file = flags
        .config_file()
        .map(|path| settings::file::read(&path))
        .transpose()?;
    let environment = settings::environment::read(std::env::vars_os())?;
    let sources = [file.unwrap_or_default(), environment, flags.assignments()?];
    Ok(Settings::resolve(&sources)?)
}
