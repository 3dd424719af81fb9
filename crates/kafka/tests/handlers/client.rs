//! A client without a socket: hands frames to a connection and waits for answers as the broker's own threads would.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use pagelog_kafka::Connection;
use pagelog_kafka::batch::{BatchBuilder, NewRecord};
use pagelog_kafka::codec::fetch::{FetchPartition, FetchTopic};
use pagelog_kafka::codec::frame::SIZE_PREFIX;
use pagelog_kafka::codec::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use pagelog_kafka::codec::produce::{
    ProducePartition, ProducePartitionResponse, ProduceRequest, ProduceResponse, ProduceTopic,
};
use pagelog_kafka::codec::{FetchRequest, Request, Response, decode_response, encode_request};
use pagelog_store::Store;
use pagelog_store::answer::{Answer, Context, Handler, Mark, Notify, Pending, Position};
use pagelog_transfer::Rope;
use uuid::Uuid;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Client {
    connection: Connection,
    store: Arc<Store>,
    told: Arc<Told>,
    correlation_id: i32,
}

/// Notices, by token.
#[derive(Default)]
struct Told {
    notices: Mutex<Vec<(u64, Mark, Position)>>,
    changed: Condvar,
}

impl Notify for Told {
    fn notify(&self, token: u64, mark: Mark, at: Position) {
        self.notices
            .lock()
            .expect("nobody panics with it")
            .push((token, mark, at));
        self.changed.notify_all();
    }
}

/// What became of a request.
pub(crate) enum Got {
    Bytes(Vec<u8>),
    Waits(Waits),
    Silence,
    Closed(String),
}

/// A request that waits for its answer.
pub(crate) struct Waits {
    pending: Box<dyn Pending>,
    token: u64,
    store: Arc<Store>,
    told: Arc<Told>,
}

impl Client {
    pub(crate) fn new(connection: Connection, store: Arc<Store>) -> Client {
        Client {
            connection,
            store,
            told: Arc::default(),
            correlation_id: 0,
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Hands over a frame without its size, and does the work that it asks for.
    pub(crate) fn frame(&mut self, frame: &[u8]) -> Got {
        let answer = self.answer(frame);
        self.settle(answer)
    }

    /// What the connection says first, on a thread that may not block.
    pub(crate) fn answer(&mut self, frame: &[u8]) -> Answer {
        self.correlation_id += 1;
        let notify = Arc::clone(&self.told) as Arc<dyn Notify>;
        let context = Context {
            now: Instant::now(),
            notify: &notify,
            token: self.correlation_id as u64,
        };
        self.connection.frame(frame, &context)
    }

    pub(crate) fn settle(&self, answer: Answer) -> Got {
        match answer {
            Answer::Now(rope) => Got::Bytes(rope.read_all().expect("the files are there")),
            Answer::Silent => Got::Silence,
            Answer::Close(reason) => Got::Closed(reason.to_string()),
            Answer::Work(work) => {
                let done = std::thread::spawn(work)
                    .join()
                    .expect("the work does not panic");
                self.settle(done)
            }
            Answer::Later(pending) => {
                let mut waits = Waits {
                    pending,
                    token: self.correlation_id as u64,
                    store: Arc::clone(&self.store),
                    told: Arc::clone(&self.told),
                };
                // Polled once when it comes, as the contract says, and from then on only when it asks for it.
                match waits.poll() {
                    Some(bytes) => Got::Bytes(bytes),
                    None => Got::Waits(waits),
                }
            }
        }
    }

    pub(crate) fn send<'a, R: Request<'a>>(&mut self, version: i16, request: &R) -> Got {
        let frame = encode_request(version, self.correlation_id + 1, Some("test"), request);
        self.frame(&frame[SIZE_PREFIX..])
    }

    /// The bytes of the answer, its size in front.
    pub(crate) fn call<'a, R: Request<'a>>(&mut self, version: i16, request: &R) -> Vec<u8> {
        match self.send(version, request) {
            Got::Bytes(bytes) => bytes,
            Got::Waits(waits) => waits.wait(),
            Got::Silence => panic!("no answer"),
            Got::Closed(reason) => panic!("closed: {reason}"),
        }
    }

    /// Calls and decodes; for answers that borrow nothing.
    pub(crate) fn ask<'a, A>(&mut self, version: i16, request: &impl Request<'a>) -> A
    where
        A: for<'b> Response<'b>,
    {
        let bytes = self.call(version, request);
        decode(&bytes, version)
    }

    /// Makes a topic by asking for it, and gives its id.
    pub(crate) fn topic(&mut self, name: &str) -> Uuid {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(name.to_owned()),
                ..Default::default()
            }]),
            ..Default::default()
        };
        let response: MetadataResponse = self.ask(12, &request);
        response.topics[0].topic_id
    }

    /// Produces one batch to partition 0 with acks=all.
    pub(crate) fn produce(&mut self, topic: &str, records: &[u8]) -> ProducePartitionResponse {
        let response: ProduceResponse = self.ask(9, &produce(topic, -1, records));
        response.topics[0].partitions[0].clone()
    }
}

impl Waits {
    /// Polls once, and has a worker do what it asks for.
    pub(crate) fn poll(&mut self) -> Option<Vec<u8>> {
        let bytes = |rope: Rope| rope.read_all().expect("the files are there");
        if let Some(rope) = self.pending.poll(Instant::now()) {
            return Some(bytes(rope));
        }
        let work = self.pending.hand_over()?;
        let done = std::thread::spawn(work).join();
        match done.expect("the work does not panic") {
            Answer::Now(rope) => Some(bytes(rope)),
            Answer::Later(pending) => {
                self.pending = pending;
                self.poll()
            }
            other => panic!("{other:?} of what has waited"),
        }
    }

    /// Polls only when it asked for it: at a mark, a notice, or its deadline.
    pub(crate) fn wait(mut self) -> Vec<u8> {
        let begun = Instant::now();
        loop {
            while !self.is_due() {
                assert!(begun.elapsed() < PATIENCE, "no answer after {PATIENCE:?}");
                let notices = self.told.notices.lock().expect("nobody panics with it");
                let short = Duration::from_millis(2);
                drop(
                    self.told
                        .changed
                        .wait_timeout(notices, short)
                        .expect("nobody panics with it"),
                );
            }
            if let Some(bytes) = self.poll() {
                return bytes;
            }
        }
    }

    fn is_due(&self) -> bool {
        let wait = self.pending.wait();
        let mut notices = self.told.notices.lock().expect("nobody panics with it");
        let mine = notices.iter().position(|(token, mark, at)| {
            *token == self.token && self.store.has_reached(*mark, *at)
        });
        if let Some(mine) = mine {
            notices.remove(mine);
            return true;
        }
        let reached = wait
            .mark
            .is_some_and(|(mark, at)| self.store.has_reached(mark, at));
        let is_late = wait
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now());
        reached || is_late || self.store.failure().is_some()
    }
}

impl Got {
    pub(crate) fn waits(self) -> Waits {
        match self {
            Got::Waits(waits) => waits,
            Got::Bytes(_) => panic!("answered at once"),
            Got::Silence => panic!("no answer"),
            Got::Closed(reason) => panic!("closed: {reason}"),
        }
    }

    pub(crate) fn closed(self) -> String {
        match self {
            Got::Closed(reason) => reason,
            _ => panic!("the connection stays open"),
        }
    }
}

/// Takes an answer apart; for answers that borrow nothing.
pub(crate) fn decode<A: for<'b> Response<'b>>(bytes: &[u8], version: i16) -> A {
    let (size, frame) = bytes.split_at(SIZE_PREFIX);
    let size = i32::from_be_bytes(size.try_into().expect("four bytes"));
    assert_eq!(size as usize, frame.len(), "the size in front");
    decode_response(frame, version).expect("a valid answer").1
}

/// One batch for partition 0.
pub(crate) fn produce<'a>(topic: &'a str, acks: i16, records: &'a [u8]) -> ProduceRequest<'a> {
    ProduceRequest {
        acks,
        timeout_ms: 30_000,
        topics: vec![ProduceTopic {
            name: topic,
            partitions: vec![ProducePartition {
                index: 0,
                records: Some(records),
            }],
        }],
        ..Default::default()
    }
}

/// Partition 0 from an offset on, without waiting.
pub(crate) fn fetch(topic: &str, topic_id: Uuid, offset: i64) -> FetchRequest<'_> {
    FetchRequest {
        bytes_min: 1,
        bytes_max: 1 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic {
            name: topic,
            topic_id,
            partitions: vec![FetchPartition {
                index: 0,
                fetch_offset: offset,
                bytes_max: 1 << 20,
                ..Default::default()
            }],
        }],
        ..Default::default()
    }
}

/// A plain batch of one record per value, with the times 1000, 1001, ….
pub(crate) fn batch(values: &[&[u8]]) -> Vec<u8> {
    filled(BatchBuilder::new(), values)
}

/// The records of [`batch`] in a batch that somebody else has begun.
pub(crate) fn filled(mut builder: BatchBuilder, values: &[&[u8]]) -> Vec<u8> {
    for (index, value) in values.iter().enumerate() {
        builder.push(&NewRecord {
            timestamp: 1000 + index as i64,
            value: Some(value),
            ..Default::default()
        });
    }
    builder.build()
}
