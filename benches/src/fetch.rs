//! How fast do stored batches leave, and how far is that from the kernel's own calls on the same shape?

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kafka_protocol::messages::FetchResponse;
use pagelog_os::file;

use crate::batch;
use crate::client::{Client, Topic, fetch_frame, produce_error_at, produce_frame};
use crate::figure::{Aim, Figure};
use crate::load::{ClosedLoop, Exchange, Expect, Receive, Until};
use crate::pagelog::Flush;
use crate::peer::Kafka;
use crate::process::{self, Server};
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;
use crate::shape::Shape;

const BENCH: &str = "fetch";
/// Connections with one Fetch in flight each.
const CONNECTIONS: usize = 4;
/// Bytes of records of each shape: more than the processor's caches hold.
const LOG_SIZE: usize = 128 << 20;
/// Bytes of a Produce that fills a topic.
const REQUEST_SIZE_MAX: usize = 4 << 20;
/// Connections that fill a topic of one partition.
const FILL_CONNECTIONS: usize = 64;
const SENDFILE: &str = "sendfile";
const UNPACED: &str = "sendfile, unpaced";
const GATHER: &str = "gathered send";
const KAFKA: &str = "Kafka";
/// How long the peer's compiler is given with each shape before the rounds.
const PEER_WARM_UP: Duration = Duration::from_secs(2);

const SPEED: Metric = Metric {
    name: "speed",
    unit: "GB/s",
    read: Sample::gigabytes_a_second,
};
const COST: Metric = Metric {
    name: "processor",
    unit: "s/GB",
    read: Sample::processor_a_gigabyte,
};

/// Runs the bench.
///
/// # Errors
/// The first thing that fails.
pub(crate) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let kafka = settings.kafka()?;
    let mut figures = Vec::new();
    for partitions in [1, 100] {
        for batch_kibibytes in [1, 16, 1024] {
            let plural = if partitions == 1 { "" } else { "s" };
            let name =
                format!("1 MiB of {batch_kibibytes} KiB batches, {partitions} partition{plural}");
            if settings.wants(&name) {
                eprintln!("fetch: {name}");
                let log_size = settings.scaled(LOG_SIZE);
                let shape = Shape::of_mebibyte(batch_kibibytes << 10, partitions, log_size);
                let rows = one_shape(settings, &name, &shape, kafka.as_ref());
                figures.extend(rows.with_context(|| name.clone())?);
            }
        }
    }
    Ok(figures)
}

fn one_shape(
    settings: &Settings,
    name: &str,
    shape: &Shape,
    kafka: Option<&Kafka>,
) -> Result<Vec<Figure>> {
    let topic = Topic {
        name: format!("fetch-{}-{}", shape.batch_size, shape.partitions).leak(),
        partitions: i32::try_from(shape.partitions)?,
        settings: Vec::new(),
    };
    let pagelog = settings.pagelog(Flush::Sync)?;
    let file = bare_file(&settings.directory, shape)?;
    let bare = |path: &str| bare_server(settings, path, &file.path, shape);
    let bare_servers = [
        (SENDFILE, bare("sendfile")?),
        (UNPACED, bare("unpaced")?),
        (GATHER, bare("gather")?),
    ];
    let own_script = prepare(pagelog.address, &topic, shape)?;
    let bare_script = bare_exchanges(shape)?;
    let peer_script = kafka
        .map(|kafka| prepare(kafka.address, &topic, shape))
        .transpose()?;
    let mut figures = Vec::new();
    for (receiver, receive) in [("discards", Receive::Discard), ("copies", Receive::Copy)] {
        let contender = |name, address, script: &[Exchange], id| {
            contender(settings, name, address, script, receive, id)
        };
        let mut contenders = vec![contender(
            PAGELOG,
            pagelog.address,
            &own_script,
            pagelog.server.id(),
        )?];
        for (name, server) in &bare_servers {
            let address = process::address(&server.ready)?;
            contenders.push(contender(name, address, &bare_script, server.id())?);
        }
        if let (Some(kafka), Some(script)) = (kafka, &peer_script) {
            warm_up(kafka.address, script, receive)?;
            contenders.push(contender(KAFKA, kafka.address, script, kafka.id())?);
        }
        let rounds = Rounds::run(settings.rounds, contenders)?;
        figures.extend(rows(
            &format!("{name}, receiver {receiver}"),
            shape,
            &rounds,
        )?);
    }
    pagelog.stop()?;
    Ok(figures)
}

fn contender<'a>(
    settings: &Settings,
    name: &'static str,
    address: SocketAddr,
    script: &[Exchange],
    receive: Receive,
    id: u32,
) -> Result<Contender<'a>> {
    let mut load = ClosedLoop::connect(address, staggered(script))?;
    let round = settings.round;
    Ok(Contender::new(name, move || {
        let before = process::processor_time(id)?;
        let mut sample = load.run(Until::Elapsed(round), receive)?;
        sample.processor = process::processor_time(id)? - before;
        Ok(sample)
    }))
}

fn warm_up(address: SocketAddr, script: &[Exchange], receive: Receive) -> Result<()> {
    ClosedLoop::connect(address, staggered(script))?.run(Until::Elapsed(PEER_WARM_UP), receive)?;
    Ok(())
}

/// Every connection reads the whole log, each from another place.
fn staggered(script: &[Exchange]) -> Vec<Vec<Exchange>> {
    let from = |connection: usize| {
        let mut turned = script.to_vec();
        turned.rotate_left(connection * script.len() / CONNECTIONS);
        turned
    };
    (0..CONNECTIONS).map(from).collect()
}

/// Fills a topic and walks it once, checking every batch; what comes back are the frames of that
/// walk, with the sizes of their answers.
fn prepare(address: SocketAddr, topic: &Topic, shape: &Shape) -> Result<Vec<Exchange>> {
    Client::connect(address)?.create(topic)?;
    fill(address, topic, shape)?;
    walk(address, topic, shape)
}

/// Writes so that partitions lie in the log in turn: a request has a batch for each of them, unless
/// that would be a very large request, and one connection sends them. A single partition needs no
/// order between connections, so many write it. All is visible when this returns.
fn fill(address: SocketAddr, topic: &Topic, shape: &Shape) -> Result<()> {
    let batch = batch::of_size(shape.batch_size);
    let all: Vec<i32> = (0..topic.partitions).collect();
    let together = all.len().min((REQUEST_SIZE_MAX / shape.batch_size).max(1));
    let exchange = |partitions: &[i32]| {
        Ok(Exchange {
            frame: produce_frame(topic.name, partitions, &batch, -1)?.into(),
            expect: Expect::NoErrorAt(produce_error_at(topic.name)),
            bytes: (partitions.len() * batch.len()) as u64,
        })
    };
    let script = all
        .chunks(together)
        .map(exchange)
        .collect::<Result<Vec<_>>>()?;
    let connections = if all.len() == 1 { FILL_CONNECTIONS } else { 1 };
    let requests = shape.batches / all.len() * script.len();
    let mut load = ClosedLoop::connect(address, vec![script; connections])?;
    load.run(Until::Count(requests as u64), Receive::Copy)?;
    Ok(())
}

fn walk(address: SocketAddr, topic: &Topic, shape: &Shape) -> Result<Vec<Exchange>> {
    let mut client = Client::connect(address)?;
    let mut places: Vec<(i32, i64)> = (0..topic.partitions).map(|index| (index, 0)).collect();
    let partition_max = i32::try_from(shape.run_batches * shape.batch_size)?;
    let bytes_max = i32::try_from(shape.records_size())?;
    let mut exchanges = Vec::with_capacity(shape.answers());
    while exchanges.len() < shape.answers() {
        let frame = fetch_frame(topic.name, &places, partition_max, bytes_max)?;
        let (size, response) = client.fetch(&frame)?;
        let records = advance(&mut places, &response)?;
        ensure!(
            records > 0,
            "nothing to read after {} answers",
            exchanges.len()
        );
        exchanges.push(Exchange {
            frame: frame.into(),
            expect: Expect::Size(size),
            bytes: records as u64,
        });
    }
    let mean =
        exchanges.iter().map(|exchange| exchange.bytes).sum::<u64>() / exchanges.len() as u64;
    ensure!(
        mean as f64 > 0.95 * shape.records_size() as f64,
        "answers of {mean} bytes of records, not {}",
        shape.records_size()
    );
    Ok(exchanges)
}

/// Checks the batches of an answer and moves the places on; those that were served go to the end,
/// as consumers do, so that all partitions get their turn. Returns the bytes of whole batches.
fn advance(places: &mut Vec<(i32, i64)>, response: &FetchResponse) -> Result<usize> {
    ensure!(
        response.error_code == 0,
        "error code {}",
        response.error_code
    );
    let mut total = 0;
    for partition in response
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions)
    {
        ensure!(
            partition.error_code == 0,
            "error code {}",
            partition.error_code
        );
        let Some(records) = partition
            .records
            .as_ref()
            .filter(|records| !records.is_empty())
        else {
            continue;
        };
        let index = places
            .iter()
            .position(|&(index, _)| index == partition.partition_index)
            .context("a partition that was not asked for")?;
        let (number, from) = places.remove(index);
        let (size, to) = check(records, from)?;
        places.push((number, to));
        total += size;
    }
    Ok(total)
}

/// The batches must be whole, follow each other, and have right checksums. Kafka may cut the last.
fn check(records: &[u8], from: i64) -> Result<(usize, i64)> {
    let (mut at, mut offset) = (0, from);
    while let Some(parsed) = batch::parse(&records[at..]) {
        ensure!(
            parsed.whole,
            "a batch with a wrong checksum at offset {offset}"
        );
        ensure!(
            parsed.base_offset == offset,
            "offset {} after {offset}",
            parsed.base_offset
        );
        at += parsed.size;
        offset += i64::from(parsed.count);
    }
    Ok((at, offset))
}

/// A file with the bytes that the bare servers send, removed when dropped.
struct BareFile {
    path: PathBuf,
}

impl Drop for BareFile {
    fn drop(&mut self) {
        // The next run replaces what is left.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Written through the page cache by writes of 1 MiB, as the broker's flush writes its own.
fn bare_file(directory: &Path, shape: &Shape) -> Result<BareFile> {
    let path = directory.join("bare-log");
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)?;
    let bytes = vec![0x5a; 1 << 20];
    let mut at = 0;
    while at < shape.file_size() as u64 {
        at += file::write_at(&opened, at, &bytes)? as u64;
    }
    Ok(BareFile { path })
}

fn bare_server(settings: &Settings, path: &str, file: &Path, shape: &Shape) -> Result<Server> {
    let file = file.to_str().context("a path in UTF-8")?;
    let mut arguments = vec!["send".to_owned(), path.to_owned(), file.to_owned()];
    arguments.extend(shape.arguments().map(|number| number.to_string()));
    settings.bare(&arguments)
}

/// A request of the size that the real ones have; the bare server counts answers by itself.
fn bare_exchanges(shape: &Shape) -> Result<Vec<Exchange>> {
    let places: Vec<(i32, i64)> = (0..i32::try_from(shape.partitions)?)
        .map(|index| (index, 0))
        .collect();
    Ok(vec![Exchange {
        frame: fetch_frame("bare", &places, 0, 0)?.into(),
        expect: Expect::Size(shape.answer_size()),
        bytes: shape.records_size() as u64,
    }])
}

/// Speed and processor time, each beside both bare loops.
fn rows(case: &str, shape: &Shape, rounds: &Rounds) -> Result<Vec<Figure>> {
    // Long runs are to come near `sendfile`; no aim is set for the others.
    let aim = (shape.batch_size >= 1 << 20).then_some(Aim::RatioAtLeast(0.95));
    let mut figures = Vec::new();
    for metric in [SPEED, COST] {
        for limit in [SENDFILE, UNPACED, GATHER] {
            let first = limit == SENDFILE;
            figures.push(Figure {
                limit: rounds.beside(limit, &metric),
                peer: rounds.beside(KAFKA, &metric).filter(|_| first),
                aim: aim.filter(|_| first && metric.name == SPEED.name),
                ..rounds.figure(BENCH, format!("{case}: {}", metric.name), &metric)?
            });
        }
    }
    Ok(figures)
}
