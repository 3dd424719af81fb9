//! What lies under every append: a copy into memory, and a request with its answer.

use anyhow::Result;

use super::BENCH;
use super::case::{Case, Limit, MANY};
use super::closed::{ECHO, limits};
use crate::figure::Figure;
use crate::limit::memcpy::{self, WarmMapping};
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;

const MEMCPY: &str = "memcpy into anonymous memory";

/// Pagelog's own copy into a warm mapping of a file (the one of `pagelog-os`), beside the plain copy
/// where plain memory allows it.
///
/// # Errors
/// A mapping that cannot be had.
pub(super) fn copies(settings: &Settings) -> Result<Vec<Figure>> {
    let round = settings.round / 4;
    let mapping = WarmMapping::new(&settings.directory)?;
    let rounds = Rounds::run(
        settings.rounds,
        vec![
            Contender::new(PAGELOG, || mapping.run(round)),
            Contender::new(MEMCPY, || Ok(memcpy::anonymous(round))),
        ],
    )?;
    let speed = Metric {
        name: "speed",
        unit: "GB/s",
        read: Sample::gigabytes_a_second,
    };
    let case = "memcpy of 1 KiB into a warm mapping of a file".into();
    Ok(vec![Figure {
        limit: rounds.beside(MEMCPY, &speed),
        ..rounds.figure(BENCH, case, &speed)?
    }])
}

/// What the load generator can do against a server that does nothing.
///
/// # Errors
/// A server that does not start.
pub(super) fn generator(settings: &Settings) -> Result<Vec<Figure>> {
    let case = Case {
        limit: Limit::Echo,
        ..MANY
    };
    let rounds = Rounds::run(settings.rounds, limits(settings, &case)?)?;
    let metric = |name, unit, read| Metric { name, unit, read };
    let metrics = [
        metric("echoes", "requests/s", Sample::rate),
        metric(
            "share of a processor it uses",
            "of 1",
            Sample::generator_busy,
        ),
    ];
    let figure = |metric: Metric| {
        let case = format!("generator, 64 clients, 1 KiB, echo: {}", metric.name);
        Ok(Figure::new(
            BENCH,
            case,
            metric.unit,
            rounds.spread(ECHO, &metric)?,
        ))
    };
    metrics.into_iter().map(figure).collect()
}
