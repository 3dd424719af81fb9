//! Produce: each partition's batch is checked and appended in the order of the request; the answer waits for what `acks` asks.
//!
//! Plain batches are checked where they lie in the frame. At the first compressed one, or when the log has no room, what is left of the
//! request goes to a worker with a copy of the frame, and goes on there where it stopped.

use std::time::Instant;

use pagelog_store::answer::{Answer, CloseReason, Context, Mark, Position};
use pagelog_store::{
    AppendError, Appended, Assigned, Batch, LogError, Partition, Producer, SequenceError,
    TimestampType, TopicConfig, now_ms,
};
use pagelog_transfer::Rope;

use super::awaiting::{Awaited, Outcome};
use super::changes::deadline;
use super::connection::{Call, Refusal};
use super::quotas::in_ms;
use super::room::{room_deadline, with_room};
use crate::batch::{BatchHeader, Codec, HEADER_SIZE, Limits, ValidBatch, Validation, patch};
use crate::codec::produce::{
    ProducePartition, ProducePartitionResponse, ProduceRequest, ProduceResponse, ProduceTopic,
    ProduceTopicResponse, RecordError,
};
use crate::codec::{ErrorCode, Field, RequestHeader};

/// The log's epoch and the record's offset go where no checksum covers them.
fn patch_batch(assigned: Assigned, head: &mut [u8]) {
    let leader_epoch = i32::try_from(assigned.epoch.0).unwrap_or(i32::MAX);
    patch(head, assigned.base_offset.0, leader_epoch);
}

/// When a producer wants to hear of its batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acks {
    /// `acks=0`: never.
    None,
    /// `acks=1`: when they are in the file.
    Written,
    /// `acks=-1`: when they cannot be taken back.
    Settled,
}

/// A request that is being worked off.
pub(super) struct Run {
    call: Call,
    acks: Acks,
    deadline: Instant,
    now_ms: i64,
    validation: Validation,
    /// One per partition, in the order of the request.
    pub(super) done: Vec<Result<Taken, Refused>>,
    /// Bytes of records that the request no longer holds, since they landed.
    pub(super) landed_size: u64,
}

/// A batch that is in the log.
pub(super) struct Taken {
    base_offset: i64,
    /// The time of the append, where the topic gives it to the records.
    log_append_time_ms: Option<i64>,
    log_start_offset: i64,
    end: Position,
}

/// Why a batch was not taken.
pub(super) struct Refused {
    error: ErrorCode,
    message: Option<String>,
    record_index: Option<u32>,
}

/// What stops a reactor in the middle of a request.
struct NeedsWorker;

pub(super) fn handle(call: Call, frame: &[u8], context: &Context<'_>) -> Result<Answer, Refusal> {
    let request = decode(frame)?;
    let Some(acks) = acks(request.acks) else {
        return Ok(invalid_acks(&call, &request));
    };
    let mut run = Run::new(call, acks, now_ms(), request.timeout_ms, context.now);
    if run.on_reactor(&request).is_ok() {
        return Ok(run.answer(&request));
    }
    let frame = frame.to_vec();
    Ok(Answer::Work(Box::new(move || match decode(&frame) {
        Ok(request) => {
            run.on_worker(&request);
            run.answer(&request)
        }
        Err(refusal) => Answer::Close(refusal.into()),
    })))
}

fn decode(frame: &[u8]) -> Result<ProduceRequest<'_>, Refusal> {
    let (header, mut body) = RequestHeader::decode(frame)?;
    Ok(Field::decode(&mut body, header.version)?)
}

/// What the topic's configuration, else the broker's settings, and the request's version allow.
pub(super) fn limits(call: &Call, config: &TopicConfig) -> Limits {
    let options = &call.broker.options;
    let size_max = config
        .message_size_max
        .unwrap_or(u32::try_from(options.message_max_bytes).unwrap_or(0));
    Limits {
        size_max: size_max as usize,
        timestamp_before_max_ms: config
            .timestamp_before_max_ms
            .unwrap_or(options.log_message_timestamp_before_max_ms),
        timestamp_after_max_ms: config
            .timestamp_after_max_ms
            .unwrap_or(options.log_message_timestamp_after_max_ms),
        zstd_allowed: call.version >= 7,
        log_append_time: config.timestamp_type == TimestampType::Append,
        keys_required: config.cleanup.compact,
    }
}

/// There is one copy, so a topic that asks for more of them takes nothing that waits for all.
pub(super) fn check_insync(acks: Acks, config: &TopicConfig) -> Result<(), Refused> {
    let asked = config.insync_replicas_min;
    if acks != Acks::Settled || asked <= 1 {
        return Ok(());
    }
    Err(Refused::plain(
        ErrorCode::NOT_ENOUGH_REPLICAS,
        &format!("min.insync.replicas is {asked}, and there is one copy"),
    ))
}

pub(super) fn acks(acks: i16) -> Option<Acks> {
    match acks {
        0 => Some(Acks::None),
        1 => Some(Acks::Written),
        -1 => Some(Acks::Settled),
        _ => None,
    }
}

/// All partitions of the request, in its order.
fn partitions<'r, 'a>(
    request: &'r ProduceRequest<'a>,
) -> impl Iterator<Item = (&'r ProduceTopic<'a>, &'r ProducePartition<'a>)> {
    let of_topic =
        |topic: &'r ProduceTopic<'a>| topic.partitions.iter().map(move |one| (topic, one));
    request.topics.iter().flat_map(of_topic)
}

fn invalid_acks(call: &Call, request: &ProduceRequest<'_>) -> Answer {
    let refused = || {
        Err(Refused::plain(
            ErrorCode::INVALID_REQUIRED_ACKS,
            "acks is -1, 0 or 1",
        ))
    };
    let done: Vec<_> = partitions(request).map(|_| refused()).collect();
    Answer::Now(call.respond(&response(request, &done)))
}

impl Run {
    pub(super) fn new(call: Call, acks: Acks, now_ms: i64, timeout_ms: i32, now: Instant) -> Run {
        Run {
            deadline: deadline(now, timeout_ms),
            validation: Validation::new(now_ms),
            call,
            acks,
            now_ms,
            done: Vec::new(),
            landed_size: 0,
        }
    }

    /// Does what can be done without waiting and without decompressing.
    fn on_reactor(&mut self, request: &ProduceRequest<'_>) -> Result<(), NeedsWorker> {
        for (topic, partition) in partitions(request) {
            if is_compressed(partition) {
                return Err(NeedsWorker);
            }
            let appended = self.append(request, topic.name, partition, |found, batch| {
                found.append(batch)
            });
            let appended = match appended {
                Err(NotAppended::Append(error)) if error.busy().is_some() => {
                    return Err(NeedsWorker);
                }
                other => other.map_err(Refused::from),
            };
            self.done.push(appended);
        }
        Ok(())
    }

    /// Does the rest, on a thread that may block.
    fn on_worker(&mut self, request: &ProduceRequest<'_>) {
        let until = room_deadline(request.timeout_ms);
        let store = self.call.broker.store.clone();
        for (topic, partition) in partitions(request).skip(self.done.len()) {
            let appended = self.append(request, topic.name, partition, |found, batch| {
                with_room(&store, until, AppendError::busy, || found.append(batch))
            });
            self.done.push(appended.map_err(Refused::from));
        }
    }

    fn append(
        &mut self,
        request: &ProduceRequest<'_>,
        topic: &str,
        asked: &ProducePartition<'_>,
        append: impl FnOnce(&Partition, &Batch<'_>) -> Result<Appended, AppendError>,
    ) -> Result<Taken, NotAppended> {
        let found = self.call.broker.topic(topic);
        let partition = found
            .as_ref()
            .and_then(|topic| topic.partition(asked.index));
        let (Some(topic), Some(partition)) = (&found, partition) else {
            return Err(Refused::code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION).into());
        };
        let config = topic.config();
        check_insync(self.acks, config)?;
        let records = asked.records.unwrap_or_default();
        let limits = limits(&self.call, config);
        let valid = self
            .validation
            .batch(records, &limits)
            .map_err(|error| Refused {
                error: error.code(),
                record_index: error.record_index(),
                message: Some(error.to_string()),
            })?;
        check_no_transaction(request, &valid.header)?;
        let (head, body) = records.split_at(HEADER_SIZE);
        let head = valid.corrected.as_ref().map_or(head, |corrected| corrected);
        let batch = batch(&valid, self.now_ms, head, body);
        let appended = append(partition, &batch)?;
        Ok(Taken::of(&appended, partition, &limits))
    }

    /// What the client is told, and when.
    pub(super) fn answer(self, request: &ProduceRequest<'_>) -> Answer {
        let throttle_ms = self.throttle(request);
        let mark = match self.acks {
            Acks::None => return self.silence(),
            Acks::Written => Mark::Written,
            Acks::Settled => self.call.broker.store.settles_at(),
        };
        let end_of =
            |done: &Result<Taken, Refused>| done.as_ref().map_or(Position(0), |taken| taken.end);
        let ends: Vec<Position> = self.done.iter().map(end_of).collect();
        let mut response = response(request, &self.done);
        response.throttle_ms = throttle_ms;
        let store = self.call.broker.store.clone();
        let last = match store.acknowledges_appended() {
            true => None,
            false => ends.iter().copied().max(),
        };
        let awaited = Awaited {
            store,
            mark,
            at: last.unwrap_or(Position(0)),
            deadline: Some(self.deadline),
        };
        let call = self.call;
        awaited.then(move |outcome| finish(&call, response, &ends, mark, outcome))
    }

    /// Holds the request against the client's quota. How long the client has to hold back.
    fn throttle(&self, request: &ProduceRequest<'_>) -> i32 {
        let Some(throttle) = &self.call.throttle else {
            return 0;
        };
        let size = |one: &ProducePartition<'_>| one.records.map_or(0, <[u8]>::len) as u64;
        let sent: u64 = partitions(request).map(|(_, one)| size(one)).sum();
        in_ms(throttle.produced(sent + self.landed_size, Instant::now()))
    }

    /// Who asked for no answer gets none, and learns of an error by the end of the connection, as with Kafka.
    fn silence(self) -> Answer {
        let refused = self.done.into_iter().find_map(Result::err);
        match refused {
            None => Answer::Silent,
            Some(Refused { error, message, .. }) => {
                let message = message.unwrap_or_default();
                Answer::Close(CloseReason::new(format!(
                    "a batch sent with acks=0 was refused: {error} {message}"
                )))
            }
        }
    }
}

/// A valid batch as the log takes it, its header in `head` and its records in `body`.
pub(super) fn batch<'a>(
    valid: &ValidBatch,
    now_ms: i64,
    head: &'a [u8],
    body: &'a [u8],
) -> Batch<'a> {
    Batch {
        count: valid.count,
        append_time_ms: now_ms,
        record_time_max_ms: valid.max_timestamp,
        producer: producer(&valid.header),
        head,
        body,
        patch: patch_batch,
    }
}

/// Who says that he wrote the batch.
pub(super) fn producer(header: &BatchHeader) -> Producer {
    if !header.has_producer() {
        return Producer::NONE;
    }
    Producer {
        id: header.producer_id,
        epoch: header.producer_epoch,
        sequence: header.base_sequence,
    }
}

/// What of the request of a landed batch shows in its answer.
pub(super) fn request_for(topic: &str, partition: i32) -> ProduceRequest<'_> {
    let partition = ProducePartition {
        index: partition,
        records: None,
    };
    let topic = ProduceTopic {
        name: topic,
        partitions: vec![partition],
    };
    ProduceRequest {
        transactional_id: None,
        acks: 0,
        timeout_ms: 0,
        topics: vec![topic],
    }
}

/// Transactions do not exist yet, so nobody is authorised for one.
fn check_no_transaction(request: &ProduceRequest<'_>, header: &BatchHeader) -> Result<(), Refused> {
    if request.transactional_id.is_none() && !header.is_transactional() {
        return Ok(());
    }
    Err(Refused::plain(
        ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        "this broker has no transactions yet",
    ))
}

/// Whether a worker has to look into it. What has no proper header is refused without that.
fn is_compressed(partition: &ProducePartition<'_>) -> bool {
    let header = BatchHeader::parse(partition.records.unwrap_or_default());
    header.is_ok_and(|header| !matches!(header.codec(), Ok(Codec::None) | Err(_)))
}

fn finish(
    call: &Call,
    mut response: ProduceResponse,
    ends: &[Position],
    mark: Mark,
    outcome: Outcome,
) -> Rope {
    let error = match outcome {
        Outcome::Reached => return call.respond(&response),
        Outcome::TimedOut => ErrorCode::REQUEST_TIMED_OUT,
        Outcome::Failed => ErrorCode::KAFKA_STORAGE_ERROR,
    };
    let topics = response.topics.iter_mut();
    for (partition, end) in topics.flat_map(|topic| &mut topic.partitions).zip(ends) {
        if !call.broker.store.has_reached(mark, *end) {
            *partition = ProducePartitionResponse {
                index: partition.index,
                error,
                ..Default::default()
            };
        }
    }
    call.respond(&response)
}

fn response(request: &ProduceRequest<'_>, done: &[Result<Taken, Refused>]) -> ProduceResponse {
    let mut done = done.iter();
    let topics = request.topics.iter().map(|topic| ProduceTopicResponse {
        name: topic.name.to_owned(),
        partitions: topic
            .partitions
            .iter()
            .zip(&mut done)
            .map(|(partition, done)| partition_response(partition.index, done))
            .collect(),
    });
    ProduceResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn partition_response(index: i32, done: &Result<Taken, Refused>) -> ProducePartitionResponse {
    match done {
        Ok(taken) => ProducePartitionResponse {
            index,
            base_offset: taken.base_offset,
            log_append_time_ms: taken.log_append_time_ms.unwrap_or(-1),
            log_start_offset: taken.log_start_offset,
            ..Default::default()
        },
        Err(refused) => ProducePartitionResponse {
            index,
            error: refused.error,
            record_errors: refused.record_index.map(record_error).into_iter().collect(),
            error_message: refused.message.clone(),
            ..Default::default()
        },
    }
}

fn record_error(index: u32) -> RecordError {
    RecordError {
        batch_index: i32::try_from(index).unwrap_or(i32::MAX),
        ..Default::default()
    }
}

/// Why a partition's batch is not in the log.
enum NotAppended {
    Refused(Refused),
    Append(AppendError),
}

impl From<Refused> for NotAppended {
    fn from(refused: Refused) -> NotAppended {
        NotAppended::Refused(refused)
    }
}

impl From<AppendError> for NotAppended {
    fn from(error: AppendError) -> NotAppended {
        NotAppended::Append(error)
    }
}

impl From<NotAppended> for Refused {
    fn from(not_appended: NotAppended) -> Refused {
        match not_appended {
            NotAppended::Refused(refused) => refused,
            NotAppended::Append(error) => Refused::plain(append_code(&error), &error.to_string()),
        }
    }
}

impl Taken {
    pub(super) fn of(appended: &Appended, partition: &Partition, limits: &Limits) -> Taken {
        Taken {
            base_offset: appended.base_offset.0,
            log_append_time_ms: limits.log_append_time.then_some(appended.append_time_ms),
            log_start_offset: partition.start_offset().0,
            end: appended.end,
        }
    }
}

impl Refused {
    fn code(error: ErrorCode) -> Refused {
        Refused {
            error,
            message: None,
            record_index: None,
        }
    }

    pub(super) fn plain(error: ErrorCode, message: &str) -> Refused {
        Refused {
            message: Some(message.to_owned()),
            ..Refused::code(error)
        }
    }
}

fn append_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Deleted => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        AppendError::Sequence(SequenceError::OutOfOrder { .. }) => {
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        }
        AppendError::Sequence(SequenceError::EpochFenced { .. }) => {
            ErrorCode::INVALID_PRODUCER_EPOCH
        }
        AppendError::Log(LogError::Busy(_)) => ErrorCode::REQUEST_TIMED_OUT,
        AppendError::Log(LogError::TooLarge { .. }) => ErrorCode::RECORD_LIST_TOO_LARGE,
        AppendError::DiskFull | AppendError::Log(_) => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}
