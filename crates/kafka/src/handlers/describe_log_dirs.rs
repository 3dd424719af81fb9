//! DescribeLogDirs: one directory, and what of each partition is in it.
//!
//! Runs on a worker: the sizes of partitions are added up from the index.

use std::collections::BTreeMap;
use std::path::Path;

use pagelog_os::Space;
use pagelog_store::answer::Answer;

use super::connection::{Call, Refusal};
use crate::codec::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};

pub(super) fn handle(call: Call, request: DescribeLogDirsRequest) -> Result<Answer, Refusal> {
    Ok(Answer::Work(Box::new(move || {
        let topics = match &request.topics {
            None => all(&call),
            Some(asked) => {
                let topics = asked.iter();
                let named = topics.map(|one| (one.topic.as_str(), Some(&one.partitions[..])));
                described(&call, named)
            }
        };
        let path = call.broker.options.static_values.get("log.dirs");
        let log_dir = path.cloned().unwrap_or_default();
        let (total_bytes, usable_bytes) = file_system(Path::new(&log_dir));
        let directory = DescribeLogDirsResult {
            log_dir,
            topics,
            total_bytes,
            usable_bytes,
            ..Default::default()
        };
        Answer::Now(call.respond(&DescribeLogDirsResponse {
            results: vec![directory],
            ..Default::default()
        }))
    })))
}

/// The size of the file system, and what of it is free (KIP-827); -1 where that cannot be found out.
fn file_system(directory: &Path) -> (i64, i64) {
    let bytes = |count| i64::try_from(count).unwrap_or(i64::MAX);
    match Space::of(directory) {
        Ok(space) => (
            bytes(space.used.saturating_add(space.available)),
            bytes(space.available),
        ),
        Err(error) => {
            tracing::warn!(directory = %directory.display(), "the file system cannot be measured: {error}");
            (-1, -1)
        }
    }
}

fn all(call: &Call) -> Vec<DescribeLogDirsTopic> {
    let topics = call.broker.store.topics();
    let named = topics.iter().map(|topic| (topic.name().as_str(), None));
    described(call, named)
}

/// The partitions that there are, of those that are asked for; `None`: all of a topic.
fn described<'a>(
    call: &Call,
    asked: impl Iterator<Item = (&'a str, Option<&'a [i32]>)>,
) -> Vec<DescribeLogDirsTopic> {
    let mut described: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for (name, indexes) in asked {
        let Some(topic) = call.broker.topic(name) else {
            continue;
        };
        let of_topic = described.entry(name).or_default();
        for (partition, index) in topic.partitions().iter().zip(0..) {
            if indexes.is_none_or(|indexes| indexes.contains(&index)) {
                of_topic.push(DescribeLogDirsPartition {
                    index,
                    size: i64::try_from(partition.size()).unwrap_or(i64::MAX),
                    ..Default::default()
                });
            }
        }
    }
    let topic = |(name, partitions): (&str, _)| DescribeLogDirsTopic {
        name: name.to_owned(),
        partitions,
    };
    described.into_iter().map(topic).collect()
}
