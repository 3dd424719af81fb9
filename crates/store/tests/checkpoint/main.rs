//! A store opened at a checkpoint is the store that reading every entry gives, whatever happened before, and whatever happens after.

#[path = "../harness/mod.rs"]
mod harness;
mod machine;
mod operation;
mod seen;

use std::sync::Arc;

use harness::{New, PAYLOAD_SIZE_MAX, Running, SEGMENT_SIZE};
use pagelog_segment::Storage;
use pagelog_store::{Indexer, LogOptions, Partition, Producer, Route, StoreOptions};
use pagelog_testing::{Marks, MemoryStorage};
use seen::{seen, without_epochs};

fn open(storage: &MemoryStorage) -> Running {
    let route = Route::Staged {
        ring_size: 64 << 10,
    };
    let log = LogOptions::new(SEGMENT_SIZE, route, PAYLOAD_SIZE_MAX);
    Running::open(Arc::new(storage.clone()), &StoreOptions::new(log))
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
