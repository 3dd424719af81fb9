//! A durable append by one thread and by many, beside the disk and beside other logs.

use std::time::Duration;

use anyhow::Result;
use pagelog_commit_log::LogOptions;
use pagelog_flush::Policy;

use super::BENCH;
use super::durable_plots::{Case, plots};
use super::engine::{Engine, PAYLOAD_SIZE_MAX, SEGMENT_SIZE, STAGED};
use super::writers::round;
use crate::figure::{Aim, Figure};
use crate::limit::sync::{BareSync, Blocks};
use crate::report::Report;
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;
use crate::statistics::Spread;

const RECORD_SIZE: usize = 1024;
const FDATASYNC: &str = "fdatasync, written blocks";
const FRESH: &str = "fdatasync";
/// Pagelog on the file of a deleted segment, as it is after retention has begun; its other row is of a new log, on new files.
const USED_AGAIN: &str = "segment used again";
const RATE: Metric = Metric {
    name: "rate",
    unit: "records/s",
    read: Sample::rate,
};

/// Writers, and how many times a peer's rate is aimed at.
const CASES: [(usize, Option<f64>); 5] = [
    (1, None),
    (4, None),
    (16, None),
    (64, Some(1.5)),
    (256, Some(2.0)),
];

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Report> {
    let (mut report, mut measured) = (Report::default(), Vec::new());
    for (writers, aim) in CASES {
        let plural = if writers == 1 { "" } else { "s" };
        let case = format!("durable, {writers} writer{plural}");
        if settings.wants(&case) {
            eprintln!("storage: {case}");
            let (figures, points) = one(settings, &case, writers, aim)?;
            report.add(figures);
            measured.push(points);
        }
    }
    report.plots = plots(&measured);
    Ok(report)
}

fn one(
    settings: &Settings,
    case: &str,
    writers: usize,
    aim: Option<f64>,
) -> Result<(Vec<Figure>, Case)> {
    let peers = Peers::start(settings)?;
    let size = settings.scaled(SEGMENT_SIZE as usize) as u64;
    let options = LogOptions::new(size, STAGED, PAYLOAD_SIZE_MAX);
    let engine = Engine::start_with(&settings.directory, options, Policy::Sync)?;
    let used_again = Engine::start_used_again(&settings.directory, options, Policy::Sync)?;
    let stream = engine.stream(0);
    let stream_used_again = used_again.stream(0);
    let payload = [0x5a; RECORD_SIZE];
    let mut written = BareSync::new(&settings.directory, Blocks::Written, RECORD_SIZE)?;
    let mut fresh = BareSync::new(&settings.directory, Blocks::Fresh, RECORD_SIZE)?;
    let length = settings.round;
    let mut records = 0;
    let mut contenders = vec![
        Contender::new(PAGELOG, || {
            let sample = round(writers, length, RECORD_SIZE, |_| {
                engine.append_durably(&stream, &payload)
            })?;
            records += sample.operations;
            Ok(sample)
        }),
        Contender::new(USED_AGAIN, || {
            round(writers, length, RECORD_SIZE, |_| {
                used_again.append_durably(&stream_used_again, &payload)
            })
        }),
        Contender::new(FDATASYNC, || written.run(length / 4)),
        Contender::new(FRESH, || fresh.run(length / 4)),
    ];
    peers.compete(&mut contenders, writers, length, &payload);
    let rounds = Rounds::run(settings.rounds, contenders)?;
    let report = engine.stop()?;
    used_again.stop()?;

    let mut figures = Vec::new();
    let used_again = format!("{case}, {USED_AGAIN}");
    for (own, case) in [(PAGELOG, case), (USED_AGAIN, &used_again)] {
        let figure = |metric: &Metric| -> Result<Figure> {
            let spread = rounds.spread(own, metric)?;
            Ok(Figure::new(
                BENCH,
                format!("{case}: {}", metric.name),
                metric.unit,
                spread,
            ))
        };
        for limit in [FDATASYNC, FRESH] {
            let ratio = (writers == 1 && limit == FDATASYNC).then_some(Aim::RatioAtMost(1.3));
            figures.push(Figure {
                limit: rounds.pair(own, limit, &Metric::P50),
                aim: ratio,
                ..figure(&Metric::P50)?
            });
        }
        figures.push(figure(&Metric::P99)?);
        for limit in peers.names().into_iter().chain([FDATASYNC]) {
            let is_peer = limit != FDATASYNC;
            figures.push(Figure {
                limit: rounds.pair(own, limit, &RATE),
                aim: aim.filter(|_| is_peer).map(Aim::RatioAtLeast),
                ..figure(&RATE)?
            });
        }
    }
    let syncs = report.counters.syncs as f64 * 1e3 / records as f64;
    figures.extend(Spread::of(vec![syncs]).map(|value| {
        Figure::new(
            BENCH,
            format!("{case}: syncs a thousand records"),
            "fdatasync",
            value,
        )
    }));
    let beside = peers.names().into_iter().chain([FDATASYNC]);
    Ok((
        figures,
        Case::of(writers, &rounds, USED_AGAIN, beside.collect(), &RATE),
    ))
}

/// The other logs, where this program was built with them.
struct Peers {
    #[cfg(feature = "peers")]
    all: Vec<super::peers::Peer>,
}

#[cfg(feature = "peers")]
impl Peers {
    fn start(settings: &Settings) -> Result<Peers> {
        Ok(Peers {
            all: super::peers::all(&settings.directory)?,
        })
    }

    fn names(&self) -> Vec<&'static str> {
        self.all.iter().map(|peer| peer.name).collect()
    }

    fn compete<'a>(
        &'a self,
        contenders: &mut Vec<Contender<'a>>,
        writers: usize,
        length: Duration,
        payload: &'a [u8],
    ) {
        contenders.extend(self.all.iter().map(|peer| {
            Contender::new(peer.name, move || {
                round(writers, length, payload.len(), |number| {
                    peer.append(number, payload)
                })
            })
        }));
    }
}

#[cfg(not(feature = "peers"))]
impl Peers {
    fn start(_: &Settings) -> Result<Peers> {
        Ok(Peers {})
    }

    fn names(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn compete<'a>(&'a self, _: &mut Vec<Contender<'a>>, _: usize, _: Duration, _: &'a [u8]) {}
}
