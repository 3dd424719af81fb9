//! Fetch: ranges of the log's files with a few bytes around them, now or when there is enough to read.
//!
//! Nothing of a record is read here. A request becomes a [`Plan`]; an attempt to carry it out costs look-ups in the index. If it gives
//! too little, the plan waits on its partitions until one of them grows, or until the client's time is over. An attempt at many partitions
//! takes milliseconds, so a worker makes it, and the reactor's other connections do not wait for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_store::answer::{Answer, Context, Pending, Wait, Work};
use pagelog_store::{Epoch, Offset, Partition, ReadError, ReadLimits, Waiter, Watch};
use pagelog_transfer::Rope;
use uuid::Uuid;

use super::broker::MANY_PARTITIONS;
use super::connection::{Call, Refusal};
use super::fetch_rope::weave;
use super::quotas::{Throttle, in_ms};
use crate::codec::ErrorCode;
use crate::codec::fetch::{EpochEndOffset, FetchPartition, FetchRequest, FetchTopic};
use crate::codec::fetch_answer::{FetchAnswer, FetchAnswerPartition, FetchAnswerTopic};

/// No answer is planned larger than this, whatever `fetch.max.bytes` says: a frame holds less than 2 GiB.
const BYTES_MAX: i32 = 1 << 30;

/// What to read.
struct Plan {
    call: Call,
    topics: Vec<PlanTopic>,
    bytes_min: u64,
    bytes_max: u64,
    only_committed: bool,
}

struct PlanTopic {
    name: String,
    topic_id: Uuid,
    partitions: Vec<PlanPartition>,
}

struct PlanPartition {
    asked: FetchPartition,
    partition: Result<Arc<Partition>, ErrorCode>,
}

/// What an attempt found.
struct Attempt {
    /// In the order of the plan.
    parts: Vec<Part>,
    size: u64,
    /// Something is to be said at once: an error, or a limit that more records will not change.
    is_final: bool,
}

struct Part {
    answer: FetchAnswerPartition,
    rope: Rope,
}

pub(super) fn handle(
    call: Call,
    request: &FetchRequest<'_>,
    context: &Context<'_>,
) -> Result<Answer, Refusal> {
    if names_unknown_session(request) {
        let answer = FetchAnswer {
            error: ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
            ..Default::default()
        };
        return Ok(Answer::Now(weave(&call, &answer, Vec::new())));
    }
    let plan = Plan::new(call, request);
    let attempt = plan.attempt();
    let wait = Duration::from_millis(u64::try_from(request.wait_max_ms).unwrap_or(0));
    if wait.is_zero() || plan.is_enough(&attempt) {
        return Ok(Answer::Now(plan.answer(attempt)));
    }
    let waiting = Waiting {
        watch: Watch::new(Waiter::new(context), plan.partitions()),
        plan,
        deadline: context.now + wait,
    };
    Ok(if waiting.watch.count() < MANY_PARTITIONS {
        Answer::Later(Box::new(waiting))
    } else {
        waiting.look()
    })
}

/// Sessions are declined: every full request is answered with session 0, after which clients go on sending full ones (KIP-227). An
/// incremental one means a session of another broker, or of another life of this one.
fn names_unknown_session(request: &FetchRequest<'_>) -> bool {
    request.session_epoch > 0
}

impl Plan {
    fn new(call: Call, request: &FetchRequest<'_>) -> Plan {
        let bytes_max = request
            .bytes_max
            .min(call.broker.options.fetch_max_bytes)
            .min(BYTES_MAX);
        let quota = call
            .throttle
            .as_ref()
            .map_or(u64::MAX, Throttle::fetch_bytes_max);
        let bytes_max = u64::try_from(bytes_max).unwrap_or(0).min(quota);
        let topics = request
            .topics
            .iter()
            .map(|topic| PlanTopic::new(&call, topic))
            .collect();
        Plan {
            topics,
            bytes_min: u64::try_from(request.bytes_min).unwrap_or(0).min(bytes_max),
            bytes_max,
            only_committed: request.isolation_level == 1,
            call,
        }
    }

    fn partitions(&self) -> Vec<Arc<Partition>> {
        let all = self.topics.iter().flat_map(|topic| &topic.partitions);
        all.filter_map(|one| one.partition.as_ref().ok())
            .cloned()
            .collect()
    }

    fn attempt(&self) -> Attempt {
        let mut attempt = Attempt {
            parts: Vec::new(),
            size: 0,
            is_final: self.topics.iter().all(|topic| topic.partitions.is_empty()),
        };
        for topic in &self.topics {
            for partition in &topic.partitions {
                self.attempt_partition(partition, &mut attempt);
            }
        }
        attempt
    }

    fn attempt_partition(&self, planned: &PlanPartition, attempt: &mut Attempt) {
        let left = self.bytes_max.saturating_sub(attempt.size);
        let own = u64::try_from(planned.asked.bytes_max).unwrap_or(0);
        let limits = ReadLimits {
            size_max: left.min(own),
            first_whole: attempt.size == 0,
        };
        let (part, is_final) = match self.read(planned, limits) {
            Ok(read) => read,
            Err((error, log_start_offset)) => {
                let answer = FetchAnswerPartition {
                    error,
                    log_start_offset,
                    ..Default::default()
                };
                (
                    Part {
                        answer,
                        rope: Rope::new(),
                    },
                    true,
                )
            }
        };
        let mut part = part;
        part.answer.index = planned.asked.index;
        if self.only_committed && part.answer.error == ErrorCode::NONE {
            // There are no transactions, so none was aborted.
            part.answer.aborted_transactions = Some(Vec::new());
        }
        attempt.size += part.rope.len();
        attempt.is_final |= is_final;
        attempt.parts.push(part);
    }

    /// A partition's part, and whether waiting would not make it larger; else the error and the partition's first offset.
    fn read(
        &self,
        planned: &PlanPartition,
        limits: ReadLimits,
    ) -> Result<(Part, bool), (ErrorCode, i64)> {
        let plain = |error| (error, -1);
        let asked = &planned.asked;
        let partition = planned.partition.as_ref().map_err(|error| plain(*error))?;
        let broker = &self.call.broker;
        broker
            .check_leader_epoch(asked.current_leader_epoch)
            .map_err(plain)?;
        if let Some(diverging_epoch) = diverging(partition, asked) {
            let mut part = Part {
                answer: FetchAnswerPartition {
                    high_watermark: partition.high_watermark().0,
                    ..Default::default()
                },
                rope: Rope::new(),
            };
            part.answer.last_stable_offset = part.answer.high_watermark;
            part.answer.log_start_offset = partition.start_offset().0;
            part.answer.diverging_epoch = diverging_epoch;
            return Ok((part, true));
        }
        let records = partition
            .read(Offset(asked.fetch_offset), limits)
            .map_err(|error| match error {
                ReadError::Deleted => plain(self.unknown_topic()),
                ReadError::OutOfRange { start, .. } => (ErrorCode::OFFSET_OUT_OF_RANGE, start.0),
                ReadError::LookUp(error) => {
                    tracing::error!("{error}");
                    plain(ErrorCode::KAFKA_STORAGE_ERROR)
                }
            })?;
        let answer = FetchAnswerPartition {
            high_watermark: records.high_watermark.0,
            last_stable_offset: records.high_watermark.0,
            log_start_offset: records.start.0,
            records_size: records.rope.len() as usize,
            ..Default::default()
        };
        let rope = records.rope;
        Ok((Part { answer, rope }, !records.reaches_end))
    }

    /// What to say of a topic that is gone: it was asked for by name, or by id.
    fn unknown_topic(&self) -> ErrorCode {
        unknown_topic(&self.call)
    }

    fn is_enough(&self, attempt: &Attempt) -> bool {
        attempt.is_final || attempt.size >= self.bytes_min
    }

    fn answer(&self, attempt: Attempt) -> Rope {
        let mut ropes = Vec::with_capacity(attempt.parts.len());
        let mut parts = attempt.parts.into_iter();
        let topics = self.topics.iter().map(|topic| FetchAnswerTopic {
            name: &topic.name,
            topic_id: topic.topic_id,
            partitions: parts
                .by_ref()
                .take(topic.partitions.len())
                .map(|part| {
                    ropes.push(part.rope);
                    part.answer
                })
                .collect(),
        });
        let throttle = self.call.throttle.as_ref();
        let wait = throttle.map(|throttle| throttle.fetched(attempt.size, Instant::now()));
        let answer = FetchAnswer {
            topics: topics.collect(),
            throttle_ms: wait.map_or(0, in_ms),
            ..Default::default()
        };
        weave(&self.call, &answer, ropes)
    }
}

fn unknown_topic(call: &Call) -> ErrorCode {
    if call.version >= 13 {
        ErrorCode::UNKNOWN_TOPIC_ID
    } else {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    }
}

/// Where the client's records and the partition's part, if they do: its last record is of an epoch that ended before it (KIP-595).
fn diverging(partition: &Partition, asked: &FetchPartition) -> Option<EpochEndOffset> {
    let fetched = u32::try_from(asked.last_fetched_epoch).ok()?;
    let end = partition.epoch_end(Epoch(fetched))?;
    let parts = end.epoch.0 < fetched || end.end.0 < asked.fetch_offset;
    parts.then(|| EpochEndOffset {
        epoch: i32::try_from(end.epoch.0).unwrap_or(i32::MAX),
        end_offset: end.end.0,
    })
}

impl PlanTopic {
    fn new(call: &Call, asked: &FetchTopic<'_>) -> PlanTopic {
        let topics = call.broker.store.topics();
        let topic = if call.version >= 13 {
            topics.by_id(asked.topic_id)
        } else {
            topics.by_name(asked.name)
        };
        let find = |one: &FetchPartition| match topic {
            None => Err(unknown_topic(call)),
            Some(topic) => topic
                .partition(one.index)
                .cloned()
                .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        };
        let partitions = asked.partitions.iter().map(|one| PlanPartition {
            partition: find(one),
            asked: one.clone(),
        });
        PlanTopic {
            name: asked.name.to_owned(),
            topic_id: asked.topic_id,
            partitions: partitions.collect(),
        }
    }
}

/// A Fetch that waits for more.
struct Waiting {
    plan: Plan,
    watch: Watch,
    deadline: Instant,
}

impl Pending for Waiting {
    fn poll(&mut self, now: Instant) -> Option<Rope> {
        // Registered before it looks: what is appended after the look is told.
        self.watch.renew();
        let attempt = self.plan.attempt();
        let is_over = self.deadline <= now;
        (is_over || self.plan.is_enough(&attempt)).then(|| self.plan.answer(attempt))
    }

    fn wait(&self) -> Wait {
        Wait {
            mark: None,
            deadline: Some(self.deadline),
        }
    }
}

impl Waiting {
    /// On a worker: the answer, or what waits for it.
    fn look(mut self) -> Answer {
        match self.poll(Instant::now()) {
            Some(rope) => Answer::Now(rope),
            None => Answer::Later(Box::new(LongWaiting {
                deadline: self.deadline,
                waiting: Some(Box::new(self)),
                has_looked: true,
            })),
        }
    }
}

/// A Fetch of many partitions that waits for more: a worker looks whether there is.
struct LongWaiting {
    /// `None` when a worker has it.
    waiting: Option<Box<Waiting>>,
    deadline: Instant,
    /// A worker has just looked: the first poll need not.
    has_looked: bool,
}

impl Pending for LongWaiting {
    fn poll(&mut self, _now: Instant) -> Option<Rope> {
        None
    }

    fn wait(&self) -> Wait {
        Wait {
            mark: None,
            deadline: Some(self.deadline),
        }
    }

    fn hand_over(&mut self) -> Option<Work> {
        if std::mem::take(&mut self.has_looked) {
            return None;
        }
        let waiting = self.waiting.take()?;
        Some(Box::new(move || waiting.look()))
    }
}
