//! What does a durable append cost, alone and in company, and how far is it from the disk's own limit?

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::batch;
use crate::client::{Client, Topic, produce_error_at, produce_frame};
use crate::figure::{Aim, Beside, Figure};
use crate::limit::memcpy::{self, WarmMapping};
use crate::limit::sync::{BareSync, Blocks};
use crate::load::{ClosedLoop, Exchange, Expect, OpenLoop, Receive, Until};
use crate::pagelog::Flush;
use crate::peer::Kafka;
use crate::process;
use crate::rounds::{Contender, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;
use crate::statistics::Spread;

const BENCH: &str = "append";
/// Requests a second of the open loop, over [`OPEN_CONNECTIONS`] connections.
const OPEN_RATE: f64 = 20_000.0;
const OPEN_CONNECTIONS: usize = 64;
/// How long the peer's compiler is given with each load before the rounds.
const PEER_WARM_UP: Duration = Duration::from_secs(4);

/// One load.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    connections: usize,
    partitions: i32,
    acks: i16,
    /// Records of a batch, and the bytes of each one's value.
    records: u32,
    value_size: usize,
    flush: Flush,
    /// What stands beside it.
    limit: Limit,
}

/// The limit of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// One `fdatasync` after each write of this many bytes.
    Sync(usize),
    /// Request and answer over loopback, and nothing else.
    Echo,
}

const KIBIBYTE: usize = 1024;

const ONE: Case = Case {
    name: "1 client, 1 KiB, acks=all",
    connections: 1,
    partitions: 1,
    acks: -1,
    records: 1,
    value_size: KIBIBYTE,
    flush: Flush::Sync,
    limit: Limit::Sync(KIBIBYTE),
};
const MANY: Case = Case {
    name: "64 clients, 1 KiB, acks=all",
    connections: 64,
    ..ONE
};

const CASES: [Case; 8] = [
    ONE,
    MANY,
    Case {
        name: "256 clients, 1 KiB, acks=all",
        connections: 256,
        ..ONE
    },
    Case {
        name: "64 clients, 1 KiB, 100 partitions, acks=all",
        partitions: 100,
        ..MANY
    },
    Case {
        name: "16 clients, batch of 16 x 1 KiB, acks=all",
        connections: 16,
        records: 16,
        limit: Limit::Sync(16 * KIBIBYTE),
        ..ONE
    },
    Case {
        name: "4 clients, batch of 1,000 x 1 KiB, acks=all",
        connections: 4,
        records: 1000,
        limit: Limit::Sync(1 << 20),
        ..ONE
    },
    Case {
        name: "64 clients, 1 KiB, acks=1",
        acks: 1,
        limit: Limit::Echo,
        ..MANY
    },
    Case {
        name: "64 clients, 1 KiB, acks=all, interval flush",
        flush: Flush::Interval,
        limit: Limit::Echo,
        ..MANY
    },
];

/// Runs the bench.
///
/// # Errors
/// The first thing that fails.
pub(crate) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let kafka = settings
        .peer
        .as_ref()
        .map(|jars| Kafka::start(jars, &settings.directory));
    let kafka = kafka.transpose()?;
    let mut figures = Vec::new();
    for case in CASES.iter().filter(|case| settings.wants(case.name)) {
        eprintln!("append: {}", case.name);
        figures.extend(closed(settings, case, kafka.as_ref()).context(case.name)?);
    }
    drop(kafka);
    for (name, bench) in [
        (
            "records a sync",
            records_a_sync as fn(&Settings) -> Result<Vec<Figure>>,
        ),
        ("open loop", open),
        ("memcpy", copies),
        ("generator", generator),
    ] {
        if settings.wants(name) {
            eprintln!("append: {name}");
            figures.extend(bench(settings).context(name)?);
        }
    }
    Ok(figures)
}

fn topic(case: &Case) -> Topic {
    Topic {
        name: "bench",
        partitions: case.partitions,
        settings: Vec::new(),
    }
}

/// The frame of each connection: its own partition, in turn.
fn exchanges(case: &Case, topic: &str) -> Result<Vec<Exchange>> {
    let batch = batch::of_values(case.records, case.value_size);
    (0..case.connections)
        .map(|index| {
            let partition = i32::try_from(index)? % case.partitions;
            Ok(Exchange {
                frame: produce_frame(topic, &[partition], &batch, case.acks)?.into(),
                expect: Expect::NoErrorAt(produce_error_at(topic)),
                bytes: batch.len() as u64,
            })
        })
        .collect()
}

fn scripts(case: &Case, topic: &str) -> Result<Vec<Vec<Exchange>>> {
    let partitions = case.partitions;
    let mut exchanges = exchanges(case, topic)?;
    if partitions as usize > exchanges.len() {
        // Fewer connections than partitions: every connection goes through all of them.
        let wide = Case {
            connections: partitions as usize,
            ..*case
        };
        exchanges = self::exchanges(&wide, topic)?;
        let turned = |index: usize| {
            let mut script = exchanges.clone();
            script.rotate_left(index * exchanges.len() / case.connections);
            script
        };
        return Ok((0..case.connections).map(turned).collect());
    }
    Ok(exchanges
        .into_iter()
        .map(|exchange| vec![exchange])
        .collect())
}

fn connect(address: SocketAddr, case: &Case, topic: &Topic) -> Result<ClosedLoop> {
    Client::connect(address)?.create(topic)?;
    ClosedLoop::connect(address, scripts(case, topic.name)?)
}

/// A round against a server, with its processor time.
fn measured(
    load: &mut ClosedLoop,
    round: Duration,
    processor_time: impl Fn() -> Result<Duration>,
) -> Result<Sample> {
    let before = processor_time()?;
    let mut sample = load.run(Until::Elapsed(round), Receive::Copy)?;
    sample.processor = processor_time()? - before;
    Ok(sample)
}

fn closed(settings: &Settings, case: &Case, kafka: Option<&Kafka>) -> Result<Vec<Figure>> {
    let round = settings.round;
    let pagelog = settings.pagelog(case.flush)?;
    let mut load = connect(pagelog.address, case, &topic(case))?;
    let own = Contender::new("pagelog", || {
        measured(&mut load, round, || pagelog.processor_time())
    });
    let mut contenders = vec![own];
    contenders.extend(limits(settings, case)?);
    if let Some(kafka) = kafka {
        contenders.extend(peers(case, kafka, round)?);
    }
    let rounds = Rounds::run(settings.rounds, contenders)?;
    drop(load);
    pagelog.stop()?;
    figures(case, &rounds)
}

fn limits<'a>(settings: &'a Settings, case: &Case) -> Result<Vec<Contender<'a>>> {
    let round = settings.round;
    let bare = |name, blocks, size| -> Result<Contender<'a>> {
        let mut bare = BareSync::new(&settings.directory, blocks, size)?;
        Ok(Contender::new(name, move || bare.run(round)))
    };
    Ok(match case.limit {
        Limit::Sync(size) if case.name == ONE.name => vec![
            bare(FRESH, Blocks::Fresh, size)?,
            bare(WRITTEN, Blocks::Written, size)?,
        ],
        Limit::Sync(size) => vec![bare(FRESH, Blocks::Fresh, size)?],
        Limit::Echo => {
            let server = settings.bare(&["echo".into(), ECHO_ANSWER_SIZE.to_string()])?;
            let address = process::address(&server.ready)?;
            let mut load = ClosedLoop::connect(address, scripts(case, "bench")?)?;
            vec![Contender::new(ECHO, move || {
                measured(&mut load, round, || server.processor_time())
            })]
        }
    })
}

const FRESH: &str = "fdatasync";
const WRITTEN: &str = "fdatasync, written blocks";
const ECHO: &str = "echo";
/// About the size of the answer to a Produce of one partition.
const ECHO_ANSWER_SIZE: usize = 64;
const KAFKA_SYNC: &str = "Kafka, flush.messages=1";
const KAFKA: &str = "Kafka's default";

/// Kafka with a sync for each batch, where the case promises one, and Kafka as it comes.
fn peers<'a>(case: &Case, kafka: &'a Kafka, round: Duration) -> Result<Vec<Contender<'a>>> {
    let mut contenders = Vec::new();
    if case.acks == -1 && case.flush == Flush::Sync {
        contenders.push((KAFKA_SYNC, vec![("flush.messages", "1")]));
    }
    contenders.push((KAFKA, Vec::new()));
    let contender = |(name, settings): (&'static str, Vec<_>)| {
        // A topic of its own for each case, since Kafka lives through all of them.
        let number = CASES
            .iter()
            .position(|other| other.name == case.name)
            .unwrap_or(0);
        let kind = if settings.is_empty() {
            "default"
        } else {
            "sync"
        };
        let name_of_topic: &'static str = format!("bench-{number}-{kind}").leak();
        let topic = Topic {
            name: name_of_topic,
            partitions: case.partitions,
            settings,
        };
        let mut load = connect(kafka.address, case, &topic)?;
        load.run(Until::Elapsed(PEER_WARM_UP), Receive::Copy)?;
        Ok(Contender::new(name, move || {
            measured(&mut load, round, || kafka.processor_time())
        }))
    };
    contenders.into_iter().map(contender).collect()
}

/// One metric of a case: its name behind the case's, its unit, how it is read, and its aim.
struct Metric {
    name: &'static str,
    unit: &'static str,
    read: fn(&Sample) -> f64,
    aim: Option<Aim>,
}

fn metrics(case: &Case) -> Vec<Metric> {
    let metric = |name, unit, read| Metric {
        name,
        unit,
        read,
        aim: None,
    };
    let mut metrics = vec![
        metric("p50", "us", |sample: &Sample| sample.microseconds_at(0.5)),
        metric("p99", "us", |sample| sample.microseconds_at(0.99)),
    ];
    if case.connections > 1 {
        metrics.push(metric("p99.9", "us", |sample| {
            sample.microseconds_at(0.999)
        }));
    }
    if case.records == 1 {
        metrics.push(metric("rate", "records/s", Sample::rate));
        let processor = metric("processor", "s/million", Sample::processor_a_million);
        metrics.push(processor);
    } else {
        metrics.push(metric("rate", "MB/s", Sample::megabytes_a_second));
        metrics.push(metric("processor", "s/GB", Sample::processor_a_gigabyte));
    }
    if case.name == ONE.name {
        metrics[0].aim = Some(Aim::RatioAtMost(2.0));
    }
    metrics
}

fn figures(case: &Case, rounds: &Rounds) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for metric in metrics(case) {
        let limits: &[&str] = match (case.limit, metric.name) {
            // The bare loop's latency is that of the sync alone, so it is no limit of a long write.
            (Limit::Sync(size), name) if name != "rate" && size > KIBIBYTE => &[],
            (Limit::Sync(_), "processor") => &[],
            (Limit::Sync(_), _) => &[FRESH, WRITTEN],
            (Limit::Echo, _) => &[ECHO],
        };
        let limits: Vec<_> = limits
            .iter()
            .copied()
            .filter(|name| rounds.has(name))
            .collect();
        let peers: Vec<_> = [KAFKA_SYNC, KAFKA]
            .into_iter()
            .filter(|name| rounds.has(name))
            .collect();
        // One line for each limit and each peer: a line has room for one of both.
        for row in 0..limits.len().max(peers.len()).max(1) {
            let beside = |names: &[&'static str]| {
                let name = *names
                    .get(row)
                    .or(if row == 0 { names.first() } else { None })?;
                beside(rounds, name, metric.read)
            };
            figures.push(Figure {
                bench: BENCH,
                case: format!("{}: {}", case.name, metric.name),
                unit: metric.unit,
                value: rounds.spread("pagelog", metric.read).context("no rounds")?,
                limit: beside(&limits),
                peer: beside(&peers),
                aim: metric.aim.filter(|_| row == 0),
            });
        }
    }
    Ok(figures)
}

fn beside(rounds: &Rounds, name: &'static str, metric: fn(&Sample) -> f64) -> Option<Beside> {
    let value = rounds.spread(name, metric)?.median;
    let ratio = rounds.ratio("pagelog", metric, name, metric)?;
    Some(Beside { name, value, ratio })
}

/// How many records one sync serves: a broker's whole life for each round, since the count of its
/// syncs is in what it logs when it stops.
fn records_a_sync(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (connections, aim) in [(64, Some(Aim::ValueAtLeast(25.0))), (256, None)] {
        let case = Case {
            connections,
            ..MANY
        };
        let lives = (0..settings.rounds).map(|_| life(settings, &case));
        let values = lives.collect::<Result<Option<Vec<_>>>>()?;
        let Some(value) = values.and_then(Spread::of) else {
            eprintln!("append: the broker logs no count of its syncs");
            return Ok(Vec::new());
        };
        figures.push(Figure {
            bench: BENCH,
            case: format!("{connections} clients, 1 KiB, acks=all: records a sync"),
            unit: "records",
            value,
            limit: None,
            peer: None,
            aim,
        });
    }
    Ok(figures)
}

fn life(settings: &Settings, case: &Case) -> Result<Option<f64>> {
    let pagelog = settings.pagelog(case.flush)?;
    let mut load = connect(pagelog.address, case, &topic(case))?;
    let sample = load.run(Until::Elapsed(settings.round), Receive::Copy)?;
    drop(load);
    let syncs = pagelog.stop()?.syncs;
    Ok(syncs.map(|syncs| sample.operations as f64 / syncs as f64))
}

/// Latency at a rate that the broker can bear, from when each request was due.
fn open(settings: &Settings) -> Result<Vec<Figure>> {
    let case = Case {
        connections: OPEN_CONNECTIONS,
        ..MANY
    };
    let pagelog = settings.pagelog(case.flush)?;
    Client::connect(pagelog.address)?.create(&topic(&case))?;
    let mut load = OpenLoop::connect(pagelog.address, exchanges(&case, "bench")?)?;
    let rate = if settings.quick {
        OPEN_RATE / 20.0
    } else {
        OPEN_RATE
    };
    let round = settings.round;
    let mut bare = BareSync::new(&settings.directory, Blocks::Fresh, KIBIBYTE)?;
    let own = Contender::new("pagelog", || load.run(rate, round));
    let sync = Contender::new(FRESH, || bare.run(round));
    let rounds = Rounds::run(settings.rounds, vec![own, sync])?;
    drop(load);
    pagelog.stop()?;
    let metric = |name, read| Metric {
        name,
        unit: "us",
        read,
        aim: None,
    };
    let shares = [
        metric("p50", |sample: &Sample| sample.microseconds_at(0.5)),
        metric("p99", |sample| sample.microseconds_at(0.99)),
        metric("p99.9", |sample| sample.microseconds_at(0.999)),
    ];
    let figure = |metric: Metric| {
        let Metric {
            name,
            unit,
            read,
            aim,
        } = metric;
        Ok(Figure {
            bench: BENCH,
            case: format!("open loop, {rate} records/s of 1 KiB, acks=all: {name} from when due"),
            unit,
            value: rounds.spread("pagelog", read).context("no rounds")?,
            limit: beside(&rounds, FRESH, read),
            peer: None,
            aim,
        })
    };
    shares.into_iter().map(figure).collect()
}

/// What a copy costs: the floor of an append that waits for nothing.
fn copies(settings: &Settings) -> Result<Vec<Figure>> {
    let round = settings.round / 4;
    let mapping = WarmMapping::new(&settings.directory)?;
    // Pagelog's own copy (of `pagelog-os`), and the plain one where plain memory allows it.
    let rounds = Rounds::run(
        settings.rounds,
        vec![
            Contender::new("pagelog", || mapping.run(round)),
            Contender::new("memcpy, anonymous", || Ok(memcpy::anonymous(round))),
        ],
    )?;
    let read: fn(&Sample) -> f64 = Sample::gigabytes_a_second;
    Ok(vec![Figure {
        bench: BENCH,
        case: "limit: copy of 1 KiB into a warm mapping of a file".into(),
        unit: "GB/s",
        value: rounds.spread("pagelog", read).context("no rounds")?,
        limit: beside(&rounds, "memcpy, anonymous", read),
        peer: None,
        aim: None,
    }])
}

/// What the load generator can do against a server that does nothing.
fn generator(settings: &Settings) -> Result<Vec<Figure>> {
    let mut contenders = limits(
        settings,
        &Case {
            limit: Limit::Echo,
            ..MANY
        },
    )?;
    let rounds = Rounds::run(settings.rounds, vec![contenders.remove(0)])?;
    let metric = |name, unit, read| Metric {
        name,
        unit,
        read,
        aim: None,
    };
    let readings = [
        metric("echoes", "requests/s", Sample::rate as fn(&Sample) -> f64),
        metric(
            "share of a processor that it uses",
            "of 1",
            Sample::generator_busy,
        ),
    ];
    let figure = |metric: Metric| {
        let Metric {
            name,
            unit,
            read,
            aim,
        } = metric;
        Ok(Figure {
            bench: BENCH,
            case: format!("generator, 64 clients, 1 KiB, echo: {name}"),
            unit,
            value: rounds.spread(ECHO, read).context("no rounds")?,
            limit: None,
            peer: None,
            aim,
        })
    };
    readings.into_iter().map(figure).collect()
}
