//! A case of the closed loop: Pagelog, its limit and its peers in the same rounds.

use std::time::Duration;

use anyhow::Result;

use super::BENCH;
use super::case::{Case, KIBIBYTE, Limit, ONE, measured};
use crate::client::Topic;
use crate::figure::{Aim, Figure};
use crate::limit::sync::{BareSync, Blocks};
use crate::load::{ClosedLoop, Receive, Until};
use crate::pagelog::Flush;
use crate::peer::Kafka;
use crate::process;
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;

/// One `fdatasync` after each write, into blocks that were allocated but never written.
pub(super) const FRESH: &str = "fdatasync";
const WRITTEN: &str = "fdatasync, written blocks";
/// A server that answers and does nothing else.
pub(super) const ECHO: &str = "echo";
const KAFKA_SYNC: &str = "Kafka, flush.messages=1";
const KAFKA: &str = "Kafka's default";

/// About the size of the answer to a Produce of one partition.
const ECHO_ANSWER_SIZE: usize = 64;
/// How long the peer's compiler is given with each load before the rounds.
const PEER_WARM_UP: Duration = Duration::from_secs(4);

/// Runs the rounds of a case.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings, case: &Case, kafka: Option<&Kafka>) -> Result<Vec<Figure>> {
    let pagelog = settings.pagelog(case.flush)?;
    let mut load = case.connect(pagelog.address, &case.topic())?;
    let mut contenders = vec![Contender::new(PAGELOG, || {
        measured(&mut load, settings.round, || pagelog.processor_time())
    })];
    contenders.extend(limits(settings, case)?);
    if let Some(kafka) = kafka {
        contenders.extend(peers(settings, case, kafka)?);
    }
    let rounds = Rounds::run(settings.rounds, contenders)?;
    drop(load);
    pagelog.stop()?;
    figures(case, &rounds)
}

/// The contenders that are a case's limit.
///
/// # Errors
/// A file or a server that cannot be made.
pub(super) fn limits<'a>(settings: &'a Settings, case: &Case) -> Result<Vec<Contender<'a>>> {
    match case.limit {
        Limit::Sync(size) if case.name == ONE.name => Ok(vec![
            bare_sync(settings, FRESH, Blocks::Fresh, size)?,
            bare_sync(settings, WRITTEN, Blocks::Written, size)?,
        ]),
        Limit::Sync(size) => Ok(vec![bare_sync(settings, FRESH, Blocks::Fresh, size)?]),
        Limit::Echo => Ok(vec![echo(settings, case)?]),
    }
}

fn bare_sync<'a>(
    settings: &Settings,
    name: &'static str,
    blocks: Blocks,
    size: usize,
) -> Result<Contender<'a>> {
    let round = settings.round;
    let mut bare = BareSync::new(&settings.directory, blocks, size)?;
    Ok(Contender::new(name, move || bare.run(round)))
}

fn echo<'a>(settings: &Settings, case: &Case) -> Result<Contender<'a>> {
    let round = settings.round;
    let server = settings.bare(&["echo".into(), ECHO_ANSWER_SIZE.to_string()])?;
    let address = process::address(&server.ready)?;
    let mut load = ClosedLoop::connect(address, case.scripts("bench")?)?;
    Ok(Contender::new(ECHO, move || {
        measured(&mut load, round, || server.processor_time())
    }))
}

/// Kafka with a sync for each batch, where the case promises one, and Kafka as it comes.
fn peers<'a>(settings: &Settings, case: &Case, kafka: &'a Kafka) -> Result<Vec<Contender<'a>>> {
    let mut contenders = Vec::new();
    if case.acks == -1 && case.flush == Flush::Sync {
        let sync = vec![("flush.messages", "1")];
        contenders.push(peer(settings, case, kafka, KAFKA_SYNC, sync)?);
    }
    contenders.push(peer(settings, case, kafka, KAFKA, Vec::new())?);
    Ok(contenders)
}

fn peer<'a>(
    settings: &Settings,
    case: &Case,
    kafka: &'a Kafka,
    name: &'static str,
    topic_settings: Vec<(&'static str, &'static str)>,
) -> Result<Contender<'a>> {
    let topic = Topic {
        name: kafka.new_topic_name(),
        settings: topic_settings,
        ..case.topic()
    };
    let mut load = case.connect(kafka.address, &topic)?;
    load.run(Until::Elapsed(PEER_WARM_UP), Receive::Copy)?;
    let round = settings.round;
    Ok(Contender::new(name, move || {
        measured(&mut load, round, || kafka.processor_time())
    }))
}

fn metrics(case: &Case) -> Vec<Metric> {
    let metric = |name, unit, read| Metric { name, unit, read };
    let mut metrics = vec![Metric::P50, Metric::P99];
    if case.connections > 1 {
        metrics.push(Metric::P999); // one client makes too few for it
    }
    if case.records == 1 {
        metrics.push(metric("rate", "records/s", Sample::rate));
        metrics.push(metric(
            "processor",
            "s/million",
            Sample::processor_a_million,
        ));
    } else {
        metrics.push(metric("rate", "MB/s", Sample::megabytes_a_second));
        metrics.push(metric("processor", "s/GB", Sample::processor_a_gigabyte));
    }
    metrics
}

/// The contenders that may stand beside a metric of a case, whether or not they took part.
fn limit_names(case: &Case, metric: &Metric) -> &'static [&'static str] {
    match (case.limit, metric.name) {
        // The bare loop's latency is that of the sync alone, so it is no limit of a long write.
        (Limit::Sync(size), name) if name != "rate" && size > KIBIBYTE => &[],
        (Limit::Sync(_), "processor") => &[],
        (Limit::Sync(_), _) => &[FRESH, WRITTEN],
        (Limit::Echo, _) => &[ECHO],
    }
}

/// One line for each metric and, since a line has room for one limit and one peer, for each further
/// limit and peer.
fn figures(case: &Case, rounds: &Rounds) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for metric in metrics(case) {
        let beside = |names: &[&'static str]| -> Vec<_> {
            let names = names.iter();
            names
                .filter_map(|&name| rounds.beside(name, &metric))
                .collect()
        };
        let limits = beside(limit_names(case, &metric));
        let peers = beside(&[KAFKA_SYNC, KAFKA]);
        let aims = case.name == ONE.name && metric.name == Metric::P50.name;
        for line in 0..limits.len().max(peers.len()).max(1) {
            let name = format!("{}: {}", case.name, metric.name);
            figures.push(Figure {
                limit: limits.get(line).cloned(),
                peer: peers.get(line).cloned(),
                aim: (aims && line == 0).then_some(Aim::RatioAtMost(2.0)),
                ..rounds.figure(BENCH, name, &metric)?
            });
        }
    }
    Ok(figures)
}
