//! OffsetFetch: how far groups have come, said when it cannot be taken back.

use std::time::Instant;

use pagelog_store::answer::{Answer, Position};
use pagelog_store::{Commit, Store, Topics};

use super::commit::place;
use crate::codec::offset_fetch::{
    OffsetFetchGroup, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponseTopic, OffsetFetchTopic,
};
use crate::codec::{ErrorCode, OffsetFetchRequest, OffsetFetchResponse};
use crate::groups::Group;
use crate::handlers::awaiting::{Awaited, Outcome};
use crate::handlers::connection::{Call, Refusal};

pub(in crate::handlers) fn handle(
    call: Call,
    request: OffsetFetchRequest<'_>,
    now: Instant,
) -> Result<Answer, Refusal> {
    let groups = if call.version >= 8 {
        request.groups
    } else {
        vec![OffsetFetchGroup {
            group_id: request.group_id,
            topics: request.topics,
            ..Default::default()
        }]
    };
    let fetched: Vec<_> = groups
        .iter()
        .map(|group| fetch(&call, group, now))
        .collect();
    // What was committed a moment ago is in these answers, and may still be taken back: they wait until it cannot.
    let store = call.broker.store.clone();
    let ends = groups
        .iter()
        .map(|group| store.groups().end(group.group_id));
    let awaited = Awaited {
        mark: store.settles_at(),
        at: ends.max().unwrap_or(Position(0)),
        store,
        deadline: None,
    };
    Ok(awaited.then(move |outcome| {
        let failed = (outcome != Outcome::Reached).then_some(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        call.respond(&response(&call, fetched, failed))
    }))
}

fn response(
    call: &Call,
    mut groups: Vec<OffsetFetchResponseGroup>,
    failed: Option<ErrorCode>,
) -> OffsetFetchResponse {
    if let Some(error) = failed {
        for group in &mut groups {
            group.error = error;
            group.topics.clear();
        }
    }
    if call.version >= 8 {
        return OffsetFetchResponse {
            groups,
            ..Default::default()
        };
    }
    let only = groups.pop().unwrap_or_default();
    OffsetFetchResponse {
        topics: only.topics,
        error: only.error,
        ..Default::default()
    }
}

fn fetch(call: &Call, asked: &OffsetFetchGroup<'_>, now: Instant) -> OffsetFetchResponseGroup {
    let group_id = asked.group_id.to_owned();
    if let Err(error) = allowed(call, asked, now) {
        // Before version 2 there is no place for an error but beside each offset.
        let topics = if call.version < 2 {
            asked
                .topics
                .iter()
                .flatten()
                .map(|topic| unknown(topic, error))
                .collect()
        } else {
            Vec::new()
        };
        return OffsetFetchResponseGroup {
            group_id,
            topics,
            error,
        };
    }
    let store = &call.broker.store;
    let topics = store.topics();
    let topics = match &asked.topics {
        None => everything(store, &topics, asked.group_id),
        Some(asked_topics) => asked_topics
            .iter()
            .map(|topic| one(store, &topics, asked.group_id, topic))
            .collect(),
    };
    OffsetFetchResponseGroup {
        group_id,
        topics,
        ..Default::default()
    }
}

/// Whether the one who asks may: a member of the consumer protocol has to be at its epoch.
fn allowed(call: &Call, asked: &OffsetFetchGroup<'_>, now: Instant) -> Result<(), ErrorCode> {
    let name = super::name(asked.group_id)?;
    let Some(member_id) = asked.member_id.filter(|_| asked.member_epoch >= 0) else {
        return Ok(());
    };
    let checked = call
        .broker
        .groups
        .with(&name, now, |group, turn| match group {
            Group::Consumer(group) => group.check_epoch(asked.member_epoch, member_id, turn),
            Group::Classic(_) | Group::Gone => Ok(()),
        });
    checked.unwrap_or(Ok(()))
}

fn everything(store: &Store, topics: &Topics, group: &str) -> Vec<OffsetFetchResponseTopic> {
    let mut found: Vec<OffsetFetchResponseTopic> = Vec::new();
    for commit in store.groups().all_committed(group) {
        let Some(topic) = topics.by_id(commit.place.topic) else {
            continue;
        };
        let name = topic.name().as_str();
        // They come ordered by topic.
        if found.last().is_none_or(|last| last.name != name) {
            found.push(OffsetFetchResponseTopic {
                name: name.to_owned(),
                partitions: Vec::new(),
            });
        }
        let index = i32::try_from(commit.place.partition).unwrap_or(i32::MAX);
        if let Some(last) = found.last_mut() {
            last.partitions.push(committed(index, Some(commit)));
        }
    }
    found
}

fn one(
    store: &Store,
    topics: &Topics,
    group: &str,
    asked: &OffsetFetchTopic<'_>,
) -> OffsetFetchResponseTopic {
    let find = |index: i32| {
        let place = place(topics, asked.name, index).ok()?;
        store.groups().committed(group, place)
    };
    OffsetFetchResponseTopic {
        name: asked.name.to_owned(),
        partitions: asked
            .partition_indexes
            .iter()
            .map(|index| committed(*index, find(*index)))
            .collect(),
    }
}

fn committed(index: i32, commit: Option<Commit>) -> OffsetFetchResponsePartition {
    match commit {
        Some(commit) => OffsetFetchResponsePartition {
            index,
            offset: commit.offset,
            leader_epoch: commit.leader_epoch,
            metadata: Some(commit.note.into()),
            ..Default::default()
        },
        None => OffsetFetchResponsePartition {
            index,
            offset: -1,
            ..Default::default()
        },
    }
}

fn unknown(topic: &OffsetFetchTopic<'_>, error: ErrorCode) -> OffsetFetchResponseTopic {
    let partition = |index: &i32| OffsetFetchResponsePartition {
        index: *index,
        offset: -1,
        error,
        ..Default::default()
    };
    OffsetFetchResponseTopic {
        name: topic.name.to_owned(),
        partitions: topic.partition_indexes.iter().map(partition).collect(),
    }
}
