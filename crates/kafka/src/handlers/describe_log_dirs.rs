//! DescribeLogDirs: one directory, and what of each partition is in it.
//!
//! Runs on a worker: the sizes of partitions are added up from the index.

use std::collections::BTreeMap;

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
        let directory = DescribeLogDirsResult {
            log_dir: path.cloned().unwrap_or_default(),
            topics,
            ..Default::default()
        };
        Answer::Now(call.respond(&DescribeLogDirsResponse {
            results: vec![directory],
            ..Default::default()
        }))
    })))
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
