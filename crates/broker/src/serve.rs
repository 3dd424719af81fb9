//! The wiring: starts every layer from the bottom up, waits, and stops them from the top down.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::Context;
use pagelog_commit_log::{Log, Position, Subscription};
use pagelog_flush::Flush;
use pagelog_kafka::{Advertised, Kafka};
use pagelog_net::{Accepted, Counters as ServerCounters, Marks, Open, Server, ServerOptions};
use pagelog_store::answer::Handler;
use pagelog_store::{Housekeeping, Indexer, Store};
use pagelog_transfer::{Counters, Path};

use crate::configuration::Configuration;
use crate::data;
use crate::doctor;
use crate::exit::Failure;
use crate::limits;
use crate::listen::{Bound, Listen};
use crate::signals::Event;
use crate::sweeper::Sweeper;

/// How long answers that wait may take at a stop; a long poll is cut, since its client asks again.
const DRAIN: Duration = Duration::from_secs(3);

/// Serves until an event says otherwise; `events` is where the log reports its failure, `waited` where this waits.
///
/// # Errors
/// What kept it from serving, or made it stop.
pub(crate) fn serve(
    mut configuration: Configuration,
    events: &Sender<Event>,
    waited: &Receiver<Event>,
) -> Result<(), Failure> {
    limits::raise_open_files(configuration.net.connections_max);
    let directory = data::lock(&configuration.data_directory)?;
    configuration.suit(data::overwrite(&configuration.data_directory)?)?;
    let listeners = bind(&configuration.kafka_listeners)?;
    let started = Instant::now();
    let opened = Store::open(directory, &configuration.store)
        .map_err(|error| data::refused(&configuration.data_directory, &error))?;
    let (store, log) = (opened.store, Arc::clone(opened.sync.log()));
    data::describe(
        &opened.recovery,
        log.epoch().0,
        started.elapsed().as_millis(),
    );
    let flush =
        Flush::start(opened.sync, configuration.policy).context("cannot start the flush thread")?;
    let indexer = Indexer::start(Arc::clone(&store)).context("cannot start the indexer")?;
    let _watch = watch(&log, events);
    let housekeeping = Housekeeping::start(Arc::clone(&store), configuration.housekeeping)
        .context("cannot start the housekeeping thread")?;
    let kafka = Kafka::new(store, configuration.kafka);
    let _sweeper = Sweeper::start(kafka.clone(), configuration.groups_sweep_interval)
        .context("cannot start the thread that sweeps the groups")?;
    let ready = ready_line(&listeners);
    let server = start(configuration.net, listeners, kafka, &log).context("cannot serve")?;
    announce(&ready);
    if configuration.measures_paths {
        doctor::measure_meanwhile(&configuration.data_directory, server.chooser());
    }
    let event = waited.recv().context("nobody is left to say stop")?;
    stop(&event, server, housekeeping, flush, indexer, &log)
}

/// Opens the sockets, with a word about those that clients may not find.
fn bind(listeners: &[Listen]) -> Result<Vec<(Bound, TcpListener)>, Failure> {
    if listeners.is_empty() {
        tracing::warn!("--kafka off: no client can connect");
    }
    for listen in listeners
        .iter()
        .filter(|listen| listen.is_silent_wildcard())
    {
        tracing::warn!(
            "{} is every address of this machine: clients are told the one they came by; \
             --kafka {}@HOST says which name they are to use",
            listen.address,
            listen.address,
        );
    }
    listeners
        .iter()
        .map(|listen| Ok(listen.clone().bind()?))
        .collect()
}

/// Has the log report its failure as an event.
fn watch(log: &Arc<Log>, events: &Sender<Event>) -> Subscription {
    let (events, watched) = (events.clone(), Arc::clone(log));
    let watch = log.durable().subscribe(Arc::new(move || {
        if watched.failure().is_some() {
            // Nobody listens any more when the process is about to end anyway.
            let _ = events.send(Event::LogFailed);
        }
    }));
    // No log grows so far: what is left to be called for is its failure.
    watch.want(Position(u64::MAX - 1));
    watch
}

/// Starts the reactors; each connection is a Kafka connection of the listener that it came by.
fn start(
    mut options: ServerOptions,
    listeners: Vec<(Bound, TcpListener)>,
    kafka: Kafka,
    log: &Log,
) -> anyhow::Result<Server> {
    let (listeners, sockets): (Vec<Bound>, Vec<TcpListener>) = listeners.into_iter().unzip();
    let names = listeners.iter().map(|bound| bound.label("kafka"));
    options.listeners = names.zip(sockets).collect();
    let open: Open = Arc::new(move |accepted: &Accepted| {
        let told = listeners[accepted.listener].told(accepted.local);
        let advertised = Advertised {
            host: told.host,
            port: told.port,
        };
        Box::new(kafka.open(Arc::new(advertised), accepted.peer.ip())) as Box<dyn Handler>
    });
    let marks = Marks {
        written: Arc::clone(log.written()),
        durable: Arc::clone(log.durable()),
    };
    Ok(Server::start(options, open, marks)?)
}

/// `ready`, and the real address of every listener.
fn ready_line(kafka: &[(Bound, TcpListener)]) -> String {
    let address =
        |(bound, _): &(Bound, TcpListener)| format!(" {}={}", bound.label("kafka"), bound.local);
    let addresses: String = kafka.iter().map(address).collect();
    format!("ready{addresses}")
}

/// Writes the one line on standard output.
fn announce(ready: &str) {
    let mut output = std::io::stdout().lock();
    // Whoever started the broker may have closed its output; clients are served all the same.
    if let Err(error) = writeln!(output, "{ready}").and_then(|()| output.flush()) {
        tracing::warn!("cannot write to standard output: {error}");
    }
}

/// What went which way, and why: a line for each path that was taken.
fn describe_transfer(counters: &Counters) {
    for path in Path::ALL {
        let count = counters[path];
        if count.bytes > 0 {
            let why = (
                count.forced,
                count.measured,
                count.by_default,
                count.taken_over,
            );
            let (forced, measured, by_default, taken_over) = why;
            tracing::info!(
                bytes = count.bytes,
                calls = count.calls,
                forced,
                measured,
                by_default,
                taken_over,
                "sent by {path}"
            );
        }
    }
}

/// What came which way.
fn describe_receiving(counters: &ServerCounters, log: &Log) {
    let landings = log.landings();
    tracing::info!(
        landed = landings.landed,
        landed_bytes = landings.landed_bytes,
        given_up = landings.given_up,
        copied_bytes = landings.copied_bytes,
        carried_bytes = counters.carried_bytes,
        "received"
    );
}

/// Stops from the top down: sockets, then the log.
fn stop(
    event: &Event,
    server: Server,
    housekeeping: Housekeeping,
    flush: Flush,
    indexer: Indexer,
    log: &Log,
) -> Result<(), Failure> {
    match event {
        Event::Stop(signal) => tracing::info!("{signal}: stopping; a second one stops at once"),
        Event::LogFailed => {
            let reason = log.failure().map(|failure| failure.to_string());
            tracing::error!(
                "nothing is acknowledged any more: {}",
                reason.unwrap_or_default()
            );
        }
    }
    let counters = server.counters();
    describe_transfer(&counters.transfer);
    describe_receiving(&counters, log);
    server.stop(DRAIN);
    housekeeping.stop();
    let report = flush.stop().map_err(|failure| data::failed(&failure))?;
    if let Err(error) = indexer.finish() {
        tracing::warn!("{error}: the next start reads the entries instead");
    }
    tracing::info!(
        durable = report.durable.0,
        syncs = report.counters.syncs,
        "stopped"
    );
    Ok(())
}
