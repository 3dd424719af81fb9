//! The wiring: starts every layer from the bottom up, waits, and stops them from the top down.

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;

use anyhow::Context;
use pagelog_commit_log::{Log, Position, Subscription};
use pagelog_flush::Flush;

use crate::configuration::Configuration;
use crate::data;
use crate::exit::Failure;
use crate::limits;
use crate::listen::{Bound, Listen};
use crate::signals::Event;

/// Serves until an event says otherwise; `events` is where the log reports its failure, `waited` where this waits.
///
/// # Errors
/// What kept it from serving, or made it stop.
pub(crate) fn serve(
    configuration: &Configuration,
    events: &Sender<Event>,
    waited: &Receiver<Event>,
) -> Result<(), Failure> {
    limits::raise_open_files(configuration.connections_max);
    let directory = data::lock(&configuration.data_directory)?;
    let kafka = bind(&configuration.kafka_listeners)?;
    let started = Instant::now();
    let opened = Log::open(directory, configuration.log, &mut |_| Ok(()))
        .map_err(|error| data::refused(&configuration.data_directory, &error))?;
    data::describe(
        &opened.recovery,
        opened.log.epoch().0,
        started.elapsed().as_millis(),
    );
    let flush =
        Flush::start(opened.sync, configuration.policy).context("cannot start the flush thread")?;
    let _watch = watch(&opened.log, events);
    announce(&kafka);
    let event = waited.recv().context("nobody is left to say stop")?;
    stop(&event, &opened.log, flush)
}

/// Opens the sockets, with a word about those that clients may not find.
fn bind(listeners: &[Listen]) -> Result<Vec<Bound>, Failure> {
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

/// The one line on standard output.
fn announce(kafka: &[Bound]) {
    let mut line = "ready".to_owned();
    for bound in kafka {
        match &bound.listen.name {
            None => line += &format!(" kafka={}", bound.local),
            Some(name) => line += &format!(" kafka.{name}={}", bound.local),
        }
    }
    let mut output = std::io::stdout().lock();
    // Whoever started the broker may have closed its output; clients are served all the same.
    if let Err(error) = writeln!(output, "{line}").and_then(|()| output.flush()) {
        tracing::warn!("cannot write to standard output: {error}");
    }
}

/// Stops from the top down.
fn stop(event: &Event, log: &Log, flush: Flush) -> Result<(), Failure> {
    match event {
        Event::Stop(signal) => tracing::info!("{signal}: stopping; a second one stops at once"),
        Event::LogFailed => tracing::error!("the log has failed: nothing is acknowledged any more"),
    }
    match flush.stop() {
        Ok(report) => {
            tracing::info!(
                durable = report.durable.0,
                syncs = report.counters.syncs,
                "stopped"
            );
            Ok(())
        }
        Err(failure) => Err(data::failed(&log.failure().unwrap_or(failure))),
    }
}
