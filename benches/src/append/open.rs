//! Latency at a steady rate, from when each record was due: what a client sees that does not wait
//! its turn.

use anyhow::Result;

use super::BENCH;
use super::case::{KIBIBYTE, MANY};
use super::closed::FRESH;
use crate::client::Client;
use crate::figure::Figure;
use crate::limit::sync::{BareSync, Blocks};
use crate::load::OpenLoop;
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::settings::Settings;

/// Records a second, over the connections of [`MANY`]: a load that leaves the machine room.
const RATE: usize = 20_000;

/// Runs the rounds.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let pagelog = settings.pagelog(MANY.flush)?;
    let topic = MANY.topic();
    Client::connect(pagelog.address)?.create(&topic)?;
    let exchange = MANY.exchanges(topic.name)?.remove(0);
    let mut load = OpenLoop::connect(pagelog.address, vec![exchange; MANY.connections])?;
    let rate = settings.scaled(RATE);
    let mut bare = BareSync::new(&settings.directory, Blocks::Fresh, KIBIBYTE)?;
    let rounds = Rounds::run(
        settings.rounds,
        vec![
            Contender::new(PAGELOG, || load.run(rate as f64, settings.round)),
            Contender::new(FRESH, || bare.run(settings.round)),
        ],
    )?;
    drop(load);
    pagelog.stop()?;
    let figure = |metric: Metric| {
        let name = metric.name;
        let case = format!("open loop, {rate} records/s of 1 KiB, acks=all: {name} from due");
        Ok(Figure {
            limit: rounds.beside(FRESH, &metric),
            ..rounds.figure(BENCH, case, &metric)?
        })
    };
    [Metric::P50, Metric::P99, Metric::P999]
        .into_iter()
        .map(figure)
        .collect()
}
