//! OffsetCommit: answered when what was committed is settled.

use pagelog_store::answer::{Answer, Context, Position};
use pagelog_store::{Commit, GroupName, Place, Topics, now_ms};

use super::{Attempt, Client, NoRoom, Stop};
use crate::codec::offset_commit::{
    OffsetCommitPartition, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::codec::{ErrorCode, Field, OffsetCommitRequest, OffsetCommitResponse, RequestHeader};
use crate::groups::{Group, Turn};
use crate::handlers::awaiting::{Awaited, Outcome};
use crate::handlers::connection::{Call, Refusal};

pub(in crate::handlers) fn handle(
    call: Call,
    client: Client,
    frame: &[u8],
    context: &Context<'_>,
) -> Result<Answer, Refusal> {
    super::attempt(call, client, frame, context, attempt)
}

fn attempt(attempt: &Attempt<'_>) -> Result<Result<Answer, NoRoom>, Refusal> {
    let (header, mut body) = RequestHeader::decode(attempt.frame)?;
    let request: OffsetCommitRequest<'_> = Field::decode(&mut body, header.version)?;
    let call = attempt.call;
    let (commits, response) = sort(call, &request);
    let committed = super::name(request.group_id)
        .map_err(Stop::Refused)
        .and_then(|name| commit(attempt, &name, &request, &commits));
    Ok(match committed {
        Ok(at) => Ok(answer(call, response, at)),
        Err(stop) => stop.answer(ErrorCode::INVALID_COMMIT_OFFSET_SIZE, |error| {
            refuse(call, response, error)
        }),
    })
}

/// What can be committed, and an answer that says why the rest cannot.
fn sort(call: &Call, request: &OffsetCommitRequest<'_>) -> (Vec<Commit>, OffsetCommitResponse) {
    let (topics, now_ms) = (call.broker.store.topics(), now_ms());
    let expires_ms =
        (request.retention_ms >= 0).then(|| now_ms.saturating_add(request.retention_ms));
    let mut commits = Vec::new();
    let mut response = OffsetCommitResponse::default();
    for topic in &request.topics {
        let partitions = topic.partitions.iter().map(|partition| {
            let checked = check(call, &topics, topic.name, partition).map(|place| Commit {
                place,
                offset: partition.offset,
                leader_epoch: partition.leader_epoch,
                time_ms: now_ms,
                expires_ms,
                note: partition.metadata.unwrap_or_default().into(),
            });
            let error = match checked {
                Ok(commit) => {
                    commits.push(commit);
                    ErrorCode::NONE
                }
                Err(error) => error,
            };
            OffsetCommitResponsePartition {
                index: partition.index,
                error,
            }
        });
        let partitions = partitions.collect();
        response.topics.push(OffsetCommitResponseTopic {
            name: topic.name.to_owned(),
            partitions,
        });
    }
    (commits, response)
}

fn check(
    call: &Call,
    topics: &Topics,
    topic: &str,
    partition: &OffsetCommitPartition<'_>,
) -> Result<Place, ErrorCode> {
    let place = place(topics, topic, partition.index)?;
    let metadata_size = partition.metadata.map_or(0, str::len);
    if metadata_size > call.broker.groups.options().offset_metadata_max_bytes {
        return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
    }
    Ok(place)
}

/// Where the partition of this name and index is.
pub(super) fn place(topics: &Topics, topic: &str, index: i32) -> Result<Place, ErrorCode> {
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let topic = topics.by_name(topic).ok_or(unknown)?;
    topic.partition(index).ok_or(unknown)?;
    Ok(Place {
        topic: topic.id(),
        partition: u32::try_from(index).map_err(|_| unknown)?,
    })
}

/// The group's lock is held from the check of who commits until the log has it.
fn commit(
    attempt: &Attempt<'_>,
    name: &GroupName,
    request: &OffsetCommitRequest<'_>,
    commits: &[Commit],
) -> Result<Position, Stop> {
    let (broker, version) = (&attempt.call.broker, attempt.call.version);
    let act = |group: &mut Group, turn: &Turn<'_>| {
        allowed(group, request, version, turn).map_err(Stop::Refused)?;
        if commits.is_empty() {
            return Ok(Position(0));
        }
        let groups = broker.store.groups();
        groups.commit(name, commits).map_err(Stop::Log)
    };
    if request.generation_or_epoch < 0 {
        let committed = broker.groups.with_or_new(name, attempt.now, act);
        return committed.map_err(|_| Stop::Refused(ErrorCode::COORDINATOR_NOT_AVAILABLE))?;
    }
    let committed = broker.groups.with(name, attempt.now, act);
    committed.unwrap_or(Err(Stop::Refused(ErrorCode::ILLEGAL_GENERATION)))
}

fn allowed(
    group: &mut Group,
    request: &OffsetCommitRequest<'_>,
    version: i16,
    turn: &Turn<'_>,
) -> Result<(), ErrorCode> {
    match group {
        Group::Classic(group) => group.check_commit(
            request.generation_or_epoch,
            request.member_id,
            request.group_instance_id,
            turn,
        ),
        Group::Consumer(group) => {
            let (epoch, id) = (request.generation_or_epoch, request.member_id);
            group
                .check_epoch(epoch, id, turn)
                .map_err(|error| match error {
                    // Older clients do not know that there are epochs.
                    ErrorCode::STALE_MEMBER_EPOCH if version < 9 => ErrorCode::UNSUPPORTED_VERSION,
                    error => error,
                })
        }
        Group::Gone => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
    }
}

fn answer(call: &Call, response: OffsetCommitResponse, at: Position) -> Answer {
    let store = call.broker.store.clone();
    let awaited = Awaited {
        mark: store.settles_at(),
        store,
        at,
        deadline: None,
    };
    let call = call.clone();
    awaited.then(move |outcome| match outcome {
        Outcome::Reached => call.respond(&response),
        Outcome::TimedOut | Outcome::Failed => {
            let error = ErrorCode::COORDINATOR_NOT_AVAILABLE;
            call.respond(&with_error(response, error))
        }
    })
}

fn refuse(call: &Call, response: OffsetCommitResponse, error: ErrorCode) -> Answer {
    Answer::Now(call.respond(&with_error(response, error)))
}

/// The same with this error wherever there was none.
fn with_error(mut response: OffsetCommitResponse, error: ErrorCode) -> OffsetCommitResponse {
    let partitions = response
        .topics
        .iter_mut()
        .flat_map(|topic| &mut topic.partitions);
    for partition in partitions.filter(|partition| partition.error == ErrorCode::NONE) {
        partition.error = error;
    }
    response
}
