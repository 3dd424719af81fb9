//! Does to a store what happens to it, and compares it with what reading every entry gives whenever it is opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use pagelog_commit_log::{CheckpointWriteError, Draft, IndexWork};
use pagelog_segment::Storage;
use pagelog_store::{
    Commit, ConfigKey, ConfigKind, ConfigValues, GroupName, Indexer, Offset, Partition, Place,
};
use pagelog_testing::{MemoryStorage, Random};
use proptest::prelude::*;

use crate::harness::{New, Running};
use crate::open;
use crate::operation::{GROUPS, NAMES, Operation, operation};
use crate::seen::{retry, seen, without_epochs};

struct Machine {
    storage: MemoryStorage,
    running: Option<Running>,
    draft: Option<(Draft, usize)>,
    sequences: BTreeMap<(u32, i64), i32>,
    salt: u8,
    /// How many openings began at a checkpoint.
    begun: usize,
}

impl Machine {
    fn new() -> Machine {
        let storage = MemoryStorage::new(1);
        let running = Some(open(&storage));
        Machine {
            storage,
            running,
            draft: None,
            sequences: BTreeMap::new(),
            salt: 0,
            begun: 0,
        }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("open between operations")
    }

    fn settle(&self) {
        let running = self.running();
        running.wait_settled(running.store.log().appended());
    }

    fn partition(&self, name: usize, partition: usize) -> Option<Arc<Partition>> {
        let topics = self.running().store.topics();
        topics
            .by_name(NAMES[name])?
            .partitions()
            .get(partition)
            .cloned()
    }

    fn place(&self, name: usize) -> Option<Place> {
        let topics = self.running().store.topics();
        let topic = topics.by_name(NAMES[name])?.id();
        Some(Place {
            topic,
            partition: 0,
        })
    }

    fn apply(&mut self, operation: &Operation) {
        let store = Arc::clone(&self.running().store);
        let topic = |name: usize| store.topics().by_name(NAMES[name]).cloned();
        let group = |group: usize| GroupName::new(GROUPS[group]).expect("a valid name");
        let values =
            |value: u8| ConfigValues::from([("retention.ms".to_owned(), value.to_string())]);
        self.salt = self.salt.wrapping_add(1);
        match *operation {
            Operation::Create { name, partitions } if topic(name).is_none() => {
                self.running().create(NAMES[name], partitions);
            }
            Operation::Grow { name } => {
                if let Some(topic) = topic(name).filter(|topic| topic.partitions().len() < 3) {
                    let count = topic.partitions().len() as u32 + 1;
                    store.grow_topic(topic.id(), count).expect("there is room");
                }
            }
            Operation::Configure { name, value } => {
                if let Some(topic) = topic(name) {
                    // Long enough that nothing goes by age.
                    let values = values(value % 2).into_iter();
                    let values = values.map(|(key, value)| (key, format!("{value}000000000000")));
                    let set = store.configure_topic(topic.id(), &values.collect());
                    set.expect("there is room");
                }
            }
            Operation::ConfigureClient { value } => {
                let key = ConfigKey {
                    kind: ConfigKind::Client,
                    name: "me".to_owned(),
                };
                let values = match value % 3 {
                    0 => ConfigValues::new(),
                    value => values(value),
                };
                store.configure(&key, &values).expect("there is room");
            }
            Operation::Delete { name } => {
                if let Some(topic) = topic(name) {
                    self.running().delete(&topic);
                }
            }
            Operation::Append {
                name,
                partition,
                size,
            } => {
                if let Some(partition) = self.partition(name, partition) {
                    let payload = vec![self.salt; size];
                    let appended = self.running().append(&partition, &New::plain(&payload));
                    appended.expect("it is new");
                }
            }
            Operation::Numbered {
                name,
                partition,
                producer,
            } => self.numbered(name, partition, producer),
            Operation::DeleteRecords {
                name,
                partition,
                keep,
            } => {
                if let Some(partition) = self.partition(name, partition) {
                    self.settle();
                    let to = (partition.high_watermark().0 - keep).max(0);
                    partition.delete_records(Offset(to)).expect("there is room");
                }
            }
            Operation::Commit {
                group: number,
                name,
                offset,
            } => {
                if let Some(place) = self.place(name) {
                    let commit = Commit {
                        place,
                        offset,
                        leader_epoch: -1,
                        time_ms: 5,
                        expires_ms: None,
                        note: "".into(),
                    };
                    let commits = store.groups().commit(&group(number), &[commit]);
                    commits.expect("there is room");
                }
            }
            Operation::Uncommit {
                group: number,
                name,
            } => {
                if let Some(place) = self.place(name) {
                    let gone = store.groups().uncommit(&group(number), &[place]);
                    gone.expect("there is room");
                }
            }
            Operation::Keep {
                group: number,
                value,
            } => {
                let state = vec![value; 3].into();
                let kept = store.groups().keep(&group(number), &state);
                kept.expect("there is room");
            }
            Operation::DeleteGroup { group: number } => {
                store
                    .groups()
                    .delete(&group(number))
                    .expect("there is room");
            }
            Operation::RemoveOld => drop(retry(&store, || store.remove_old())),
            Operation::Index => {
                self.settle();
                while store.log().index_next().expect("files are written") != IndexWork::Nothing {}
            }
            Operation::Checkpoint { after } => {
                if let Some(draft) = store.take_checkpoint() {
                    self.draft = Some((draft, after));
                }
            }
            Operation::Create { .. } => {}
            Operation::Kill
            | Operation::PowerCut { .. }
            | Operation::Stop
            | Operation::Spoil { .. } => {
                drop(store);
                self.reopen(operation);
            }
        }
        self.write_checkpoint();
    }

    fn numbered(&mut self, name: usize, partition: usize, producer: i64) {
        let Some(partition) = self.partition(name, partition) else {
            return;
        };
        let key = (partition.stream().0, producer);
        let sequence = self.sequences.get(&key).copied().unwrap_or(0);
        let new = New::numbered(b"numbered", producer, sequence, 1);
        let appended = self.running().append(&partition, &new);
        assert!(!appended.expect("it comes next").duplicate);
        self.sequences.insert(key, sequence + 1);
    }

    fn write_checkpoint(&mut self) {
        match self.draft.take() {
            Some((draft, 0)) => {
                let log = Arc::clone(self.running().store.log());
                match log.write_checkpoint(draft) {
                    Ok(_) | Err(CheckpointWriteError::NotDurable { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Some((draft, left)) => self.draft = Some((draft, left - 1)),
            None => {}
        }
    }

    /// Everything acknowledged is there; two openings, with the checkpoints and without, come to the same.
    fn reopen(&mut self, how: &Operation) {
        self.settle();
        self.draft = None;
        let before = seen(&self.running().store);
        let running = self.running.take().expect("open between operations");
        let image = self.storage.freeze();
        match how {
            Operation::Stop => {
                let indexer = Indexer::start(Arc::clone(&running.store)).expect("a thread");
                running.stop();
                indexer.finish().expect("files are written");
            }
            Operation::PowerCut { seed } => {
                running.stop();
                self.storage = image.power_cut(*seed);
            }
            _ => {
                running.stop();
                self.storage = image.process_death();
            }
        }
        if let Operation::Spoil { seed } = how {
            spoil(&self.storage, *seed);
        }
        let without = self.storage.freeze().process_death();
        remove_all(&without, ".checkpoint");
        let running = open(&self.storage);
        self.begun += usize::from(running.recovery.from_checkpoint);
        assert_eq!(without_epochs(seen(&running.store)), without_epochs(before));
        let other = open(&without);
        assert!(!other.recovery.from_checkpoint);
        assert_eq!(seen(&running.store), seen(&other.store));
        assert_eq!(running.recovery.end, other.recovery.end);
        self.check_duplicates(&running, &other);
        other.stop();
        self.running = Some(running);
    }

    /// The last batches of each producer are known again, by their offsets.
    fn check_duplicates(&self, running: &Running, other: &Running) {
        for ((stream, producer), sequence) in &self.sequences {
            for back in 1..=5.min(*sequence) {
                let again = |running: &Running| {
                    let topics = running.store.topics();
                    let mut all = topics.iter().flat_map(|topic| topic.partitions());
                    let partition = all.find(|one| one.stream().0 == *stream)?;
                    let new = New::numbered(b"numbered", *producer, sequence - back, 1);
                    let appended = running.append(partition, &new).expect("it is known");
                    assert!(appended.duplicate);
                    Some(appended.base_offset)
                };
                assert_eq!(again(running), again(other));
            }
        }
    }
}

fn remove_all(storage: &MemoryStorage, ending: &str) {
    for name in storage.list().expect("memory has names") {
        if name.ends_with(ending) {
            storage.remove(&name).expect("it is there");
        }
    }
}

fn spoil(storage: &MemoryStorage, seed: u64) {
    let mut random = Random::new(seed);
    for name in storage.list().expect("memory has names") {
        let derived = name.ends_with(".index") || name.ends_with(".checkpoint");
        if derived && random.one_in(2) {
            let size = storage.content(&name).len();
            match random.below(3) {
                0 => storage.remove(&name).expect("it is there"),
                1 => {
                    let at = random.below(size);
                    let byte = storage.content(&name)[at] ^ 1;
                    storage.overwrite(&name, at as u64, &[byte]);
                }
                _ => storage.truncate(&name, random.below(size) as u64),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_the_same_with_checkpoints_and_without(operations in prop::collection::vec(operation(), 1..80)) {
        let mut machine = Machine::new();
        for operation in &operations {
            machine.apply(operation);
        }
        machine.apply(&Operation::Kill);
        machine.apply(&Operation::Stop);
        machine.apply(&Operation::Kill);
        let begun = machine.begun;
        machine.running.take().expect("it is open").stop();
        prop_assert!(begun > 0, "a stop leaves a checkpoint");
    }
}
