//! How many records does one sync serve?
//!
//! Each round is a broker's whole life, since it says how often it synced when it stops.

use anyhow::{Context, Result};

use super::BENCH;
use super::case::{Case, MANY};
use crate::figure::{Aim, Figure};
use crate::load::{Receive, Until};
use crate::settings::Settings;
use crate::statistics::Spread;

/// Runs the rounds, with 64 connections and with 256.
///
/// # Errors
/// The first thing that fails; a broker that does not say how often it synced.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (connections, aim) in [(64, Some(Aim::ValueAtLeast(25.0))), (256, None)] {
        let case = Case {
            connections,
            ..MANY
        };
        let lives = (0..settings.rounds).map(|_| records_a_sync(settings, &case));
        let value = Spread::of(lives.collect::<Result<_>>()?).context("no rounds")?;
        let name = format!("{connections} clients, 1 KiB, acks=all: records a sync");
        figures.push(Figure {
            aim,
            ..Figure::new(BENCH, name, "records", value)
        });
    }
    Ok(figures)
}

fn records_a_sync(settings: &Settings, case: &Case) -> Result<f64> {
    let pagelog = settings.pagelog(case.flush)?;
    let mut load = case.connect(pagelog.address, &case.topic())?;
    let sample = load.run(Until::Elapsed(settings.round), Receive::Copy)?;
    drop(load);
    let syncs = pagelog.stop()?.syncs;
    let syncs = syncs.context("the broker's log has no `syncs=`")?;
    Ok(sample.operations as f64 / syncs as f64)
}
