//! A store opened at a checkpoint is the store that reading every entry gives, whatever happened before, and whatever happens after.

mod harness;

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::{ALL, New, PAYLOAD_SIZE_MAX, Running, SEGMENT_SIZE};
use pagelog_commit_log::{CheckpointWriteError, Draft, IndexWork};
use pagelog_segment::Storage;
use pagelog_store::{
    Commit, ConfigKey, ConfigKind, ConfigValues, Epoch, GroupName, Indexer, LogOptions, Offset,
    Partition, Place, Producer, ReadError, Route, Store, StoreOptions,
};
use pagelog_testing::{Marks, MemoryStorage, Random};
use proptest::prelude::*;

const NAMES: [&str; 3] = ["a", "b", "c"];
const GROUPS: [&str; 2] = ["one", "other"];

fn open(storage: &MemoryStorage) -> Running {
    let route = Route::Staged {
        ring_size: 64 << 10,
    };
    let log = LogOptions::new(SEGMENT_SIZE, route, PAYLOAD_SIZE_MAX);
    Running::open(Arc::new(storage.clone()), &StoreOptions::new(log))
}

/// Everything that a store can be asked.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    topics: BTreeMap<String, Vec<SeenPartition>>,
    configs: Vec<(String, ConfigValues)>,
    groups: BTreeMap<String, (Vec<Commit>, Option<Vec<u8>>)>,
    /// Of a topic made now, the first stream.
    next_stream: u32,
}

#[derive(Debug, PartialEq)]
struct SeenPartition {
    stream: u32,
    config: Vec<(String, String)>,
    bounds: [i64; 3],
    records: Vec<u8>,
    producers: Vec<(i64, i16, i32)>,
    /// The epoch in which each offset was written.
    epochs: Vec<Option<u32>>,
}

fn seen(store: &Store) -> Seen {
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
fn retry<T, E: std::fmt::Display>(store: &Store, attempt: impl Fn() -> Result<T, E>) -> T {
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

#[derive(Clone, Debug)]
enum Operation {
    Create {
        name: usize,
        partitions: u32,
    },
    Grow {
        name: usize,
    },
    Configure {
        name: usize,
        value: u8,
    },
    ConfigureClient {
        value: u8,
    },
    Delete {
        name: usize,
    },
    Append {
        name: usize,
        partition: usize,
        size: usize,
    },
    Numbered {
        name: usize,
        partition: usize,
        producer: i64,
    },
    DeleteRecords {
        name: usize,
        partition: usize,
        keep: i64,
    },
    Commit {
        group: usize,
        name: usize,
        offset: i64,
    },
    Uncommit {
        group: usize,
        name: usize,
    },
    Keep {
        group: usize,
        value: u8,
    },
    DeleteGroup {
        group: usize,
    },
    RemoveOld,
    Index,
    /// Takes a checkpoint, which is written when so many operations have followed.
    Checkpoint {
        after: usize,
    },
    Kill,
    PowerCut {
        seed: u64,
    },
    Stop,
    /// As a kill, and some of the indexes and checkpoints are gone or changed.
    Spoil {
        seed: u64,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let name = 0..NAMES.len();
    let group = 0..GROUPS.len();
    let partition = 0_usize..3;
    prop_oneof![
        3 => (name.clone(), 1_u32..3).prop_map(|(name, partitions)| Create { name, partitions }),
        1 => name.clone().prop_map(|name| Grow { name }),
        1 => (name.clone(), any::<u8>()).prop_map(|(name, value)| Configure { name, value }),
        1 => any::<u8>().prop_map(|value| ConfigureClient { value }),
        1 => name.clone().prop_map(|name| Delete { name }),
        8 => (name.clone(), partition.clone(), 0_usize..3000)
            .prop_map(|(name, partition, size)| Append { name, partition, size }),
        8 => (name.clone(), partition.clone(), 0_i64..3)
            .prop_map(|(name, partition, producer)| Numbered { name, partition, producer }),
        3 => (name.clone(), partition, 0_i64..4)
            .prop_map(|(name, partition, keep)| DeleteRecords { name, partition, keep }),
        3 => (group.clone(), name.clone(), 0_i64..9)
            .prop_map(|(group, name, offset)| Commit { group, name, offset }),
        1 => (group.clone(), name).prop_map(|(group, name)| Uncommit { group, name }),
        1 => (group.clone(), any::<u8>()).prop_map(|(group, value)| Keep { group, value }),
        1 => group.prop_map(|group| DeleteGroup { group }),
        2 => Just(RemoveOld),
        4 => Just(Index),
        6 => (0_usize..6).prop_map(|after| Checkpoint { after }),
        1 => Just(Kill),
        1 => any::<u64>().prop_map(|seed| PowerCut { seed }),
        1 => Just(Stop),
        1 => any::<u64>().prop_map(|seed| Spoil { seed }),
    ]
}

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

/// Which epoch is the current one changes at every opening.
fn without_epochs(mut seen: Seen) -> Seen {
    let partitions = seen.topics.values_mut().flatten();
    partitions.for_each(|partition| partition.epochs.clear());
    seen
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

/// Others go on while a checkpoint is taken and before it is written: what it tells of them is not taken twice.
#[test]
fn what_a_checkpoint_tells_already_is_passed_over() {
    let storage = MemoryStorage::new(1);
    let running = open(&storage);
    let numbered = |running: &Running, partition: &Partition, sequence| {
        let producer = Producer {
            id: 7,
            epoch: 0,
            sequence,
        };
        let new = New {
            producer,
            ..New::plain(b"numbered")
        };
        running
            .append(partition, &new)
            .expect("it comes next or is known")
    };
    let partition = |running: &Running| {
        let topics = running.store.topics();
        Arc::clone(&topics.by_name("a").expect("it is there").partitions()[0])
    };
    running.create("a", 1);
    let first = partition(&running);
    for sequence in 0..3 {
        numbered(&running, &first, sequence);
    }
    running.wait_settled(running.store.log().appended());
    running.store.log().index_all().expect("files are written");
    // Behind the position, and told: batches, a topic that was made, deleted and made again, a carried producer.
    for sequence in 3..8 {
        numbered(&running, &first, sequence);
    }
    let again = running.create("b", 1);
    running.delete(&again);
    running.create("b", 2);
    let until = running.store.log().reserved();
    let carried = running.store.carry_values(until, u64::MAX);
    assert!(carried.expect("there is room").all);
    numbered(&running, &first, 8);
    let draft = running.store.take_checkpoint().expect("the first one");
    // Behind it, and not told.
    numbered(&running, &first, 9);
    running.wait_settled(running.store.log().appended());
    let log = Arc::clone(running.store.log());
    log.write_checkpoint(draft).expect("all of it is durable");
    let before = without_epochs(seen(&running.store));
    let after = storage.freeze().process_death();
    running.stop();
    let running = open(&after);
    assert!(running.recovery.from_checkpoint && running.recovery.entries > 8);
    assert_eq!(without_epochs(seen(&running.store)), before);
    for sequence in 5..10 {
        let again = numbered(&running, &partition(&running), sequence);
        assert_eq!(
            (again.base_offset.0, again.duplicate),
            (i64::from(sequence), true)
        );
    }
    running.stop();
}

/// The thread writes one when a segment is full, and the stop another; a crash before any of its steps loses nothing.
#[test]
fn the_indexer_writes_checkpoints_and_a_crash_at_any_step_of_it_loses_nothing() {
    let storage = MemoryStorage::new(1);
    let running = open(&storage);
    running.create("a", 1);
    let topics = running.store.topics();
    let partition = &topics.by_name("a").expect("it is there").partitions()[0];
    for number in 0..40_u8 {
        let appended = running.append(partition, &New::plain(&[number; 1000]));
        appended.expect("there is room");
    }
    running.wait_settled(running.store.log().appended());
    let before = without_epochs(seen(&running.store));
    let first = storage.operations() + 1;
    storage.freeze_at((first..first + 200).collect(), Arc::new(Marks::default));
    let indexer = Indexer::start(Arc::clone(&running.store)).expect("a thread");
    let written = |storage: &MemoryStorage| {
        let names = storage.list().expect("memory has names");
        names
            .iter()
            .filter(|name| name.ends_with(".checkpoint"))
            .count()
    };
    while written(&storage) == 0 {
        std::thread::yield_now();
    }
    running.stop();
    indexer.finish().expect("files are written");
    let frozen = storage.take_frozen();
    let mut begun = 0;
    for step in &frozen {
        for after in [
            step.image.power_cut(step.operation),
            step.image.process_death(),
        ] {
            let running = open(&after);
            begun += usize::from(running.recovery.from_checkpoint);
            assert_eq!(without_epochs(seen(&running.store)), before);
            running.stop();
        }
    }
    assert!(begun > 0, "{} steps", frozen.len());
    let running = open(&storage);
    assert!(running.recovery.clean && running.recovery.from_checkpoint);
    assert_eq!(running.recovery.entries, 1);
    assert_eq!(without_epochs(seen(&running.store)), before);
    running.stop();
}
