//! The client that must notice nothing: it produces and reads all the while, and judges every answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pagelog_kafka::codec::{ErrorCode, FetchRequest, FetchResponse, fetch};

use crate::wire::Connection;
use crate::wire::batch::{self, Sender};

/// Its topic, of one partition.
const TOPIC: &str = "undisturbed";

/// Far longer than any answer should take, for a machine that does other things, too.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// A good client on a thread of its own.
pub(crate) struct GoodClient {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Service>>,
}

/// What the good client got.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Service {
    pub(crate) count: i64,
    pub(crate) slowest: Duration,
}

impl GoodClient {
    /// Starts to work.
    ///
    /// # Errors
    /// The broker does not take its connection or its topic.
    pub(crate) fn start(address: &str) -> Result<GoodClient> {
        let mut connection = Connection::open(address)?;
        let error = connection.create_topic(TOPIC, 1)?;
        ensure!(
            error == ErrorCode::NONE,
            "the topic is not created: {error}"
        );
        wait_settled(&mut connection)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || work(&mut connection, &stopped));
        Ok(GoodClient { stop, thread })
    }

    /// Whether it has given up already.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends it, and says how it was served.
    ///
    /// # Errors
    /// It was disturbed.
    pub(crate) fn stop(self) -> Result<Service> {
        self.stop.store(true, Ordering::Relaxed);
        let outcome = self
            .thread
            .join()
            .map_err(|_| anyhow::anyhow!("the good client panicked"))?;
        outcome.context("the good client was disturbed")
    }
}

/// Waits until the new topic can be read: Kafka names a leader before it serves.
fn wait_settled(connection: &mut Connection) -> Result<()> {
    let begun = Instant::now();
    while connection.fetch(TOPIC, 0, 0, 0).is_err() {
        ensure!(
            begun.elapsed() < ANSWER_PATIENCE,
            "the topic does not come up"
        );
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Sends a record, has it confirmed, reads it back; again and again over one connection.
fn work(connection: &mut Connection, stop: &AtomicBool) -> Result<Service> {
    let mut service = Service::default();
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let value = format!("record {}", service.count).into_bytes();
        let batch = batch::encode(
            Sender::ANONYMOUS,
            1_700_000_000_000,
            std::slice::from_ref(&value),
        );
        let id = connection.send_batch(TOPIC, 0, -1, &batch)?;
        let offset = connection
            .receive_batch_answer(id)?
            .map_err(|error| anyhow::anyhow!("refused: {error}"))?;
        ensure!(
            offset == service.count,
            "confirmed at {offset}, not at {}",
            service.count
        );
        ensure!(
            read_one(connection, offset)? == value,
            "another record than was sent"
        );
        service.slowest = service.slowest.max(begun.elapsed());
        ensure!(
            service.slowest < ANSWER_PATIENCE,
            "an answer took {:?}",
            service.slowest
        );
        service.count += 1;
        thread::sleep(Duration::from_millis(1));
    }
    Ok(service)
}

fn read_one(connection: &mut Connection, offset: i64) -> Result<Vec<u8>> {
    let partition = fetch::FetchPartition {
        fetch_offset: offset,
        bytes_max: 1 << 16,
        ..Default::default()
    };
    let topic = fetch::FetchTopic {
        name: TOPIC,
        partitions: vec![partition],
        ..Default::default()
    };
    let request = FetchRequest {
        wait_max_ms: 5_000,
        bytes_min: 1,
        bytes_max: 1 << 20,
        topics: vec![topic],
        ..Default::default()
    };
    let id = connection.send(12, &request)?;
    let mut frame = Vec::new();
    let answer: FetchResponse<'_> = connection.receive(12, id, &mut frame)?;
    let partition = answer
        .topics
        .first()
        .and_then(|topic| topic.partitions.first())
        .context("no partition")?;
    let records = batch::decode_all(partition.records.unwrap_or_default())?;
    let found = records
        .iter()
        .find(|(found, _)| *found == offset)
        .context("the record is not there")?;
    Ok(found.1.to_vec())
}
