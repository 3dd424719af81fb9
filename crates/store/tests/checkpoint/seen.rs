//! Everything that a store can be asked, so that two stores can be compared.

use std::collections::BTreeMap;

use pagelog_commit_log::IndexWork;
use pagelog_store::{Commit, ConfigKind, ConfigValues, Epoch, Offset, Partition, ReadError, Store};

use crate::harness::ALL;

/// Everything that a store can be asked.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    topics: BTreeMap<String, Vec<SeenPartition>>,
    configs: Vec<(String, ConfigValues)>,
    groups: BTreeMap<String, (Vec<Commit>, Option<Vec<u8>>)>,
    /// Of a topic made now, the first stream.
    next_stream: u32,
}

#[derive(Debug, PartialEq)]
pub(crate) struct SeenPartition {
    stream: u32,
    config: Vec<(String, String)>,
    bounds: [i64; 3],
    records: Vec<u8>,
    producers: Vec<(i64, i16, i32)>,
    /// The epoch in which each offset was written.
    epochs: Vec<Option<u32>>,
}

pub(crate) fn seen(store: &Store) -> Seen {
    let mut seen = Seen::default();
    for topic in store.topics().iter() {
        let values = topic.config().values().clone();
        let config: Vec<_> = values.into_iter().collect();
        let partitions = topic.partitions().iter();
        let partitions = partitions.map(|one| seen_partition(store, one, config.clone()));
        seen.topics
            .insert(topic.name().as_str().to_owned(), partitions.collect());
    }
    seen.configs = store.configs(ConfigKind::Client);
    for name in store.groups().names() {
        let (groups, name) = (store.groups(), name.as_str());
        let kept = groups.kept(name).map(|state| state.to_vec());
        let committed = groups.all_committed(name);
        seen.groups.insert(name.to_owned(), (committed, kept));
    }
    seen
}

/// If a spoilt index is in the way, again when it has been built again.
pub(crate) fn retry<T, E: std::fmt::Display>(
    store: &Store,
    attempt: impl Fn() -> Result<T, E>,
) -> T {
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => {
                let worked = store.log().index_next();
                assert!(matches!(worked, Ok(IndexWork::Rebuilt(_))), "{error}");
            }
        }
    }
}

fn seen_partition(
    store: &Store,
    partition: &Partition,
    config: Vec<(String, String)>,
) -> SeenPartition {
    let (start, end) = (partition.start_offset(), partition.high_watermark());
    let producers = partition.producers().into_iter();
    SeenPartition {
        stream: partition.stream().0,
        config,
        bounds: [start.0, end.0, partition.next_offset().0],
        records: retry(store, || {
            let records = partition.read(start, ALL)?;
            Ok::<_, ReadError>(records.rope.read_all().expect("the files are there"))
        }),
        producers: producers
            .map(|known| (known.id, known.epoch, known.last_sequence))
            .collect(),
        epochs: (start.0..end.0)
            .map(|offset| partition.epoch_at(Offset(offset)).map(|Epoch(epoch)| epoch))
            .collect(),
    }
}

/// Which epoch is the current one changes at every opening.
pub(crate) fn without_epochs(mut seen: Seen) -> Seen {
    let partitions = seen.topics.values_mut().flatten();
    partitions.for_each(|partition| partition.epochs.clear());
    seen
}
