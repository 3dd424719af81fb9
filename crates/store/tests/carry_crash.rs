//! A crash between any two storage operations of a pass that deletes, carries and removes: nothing is lost, and nothing is there twice.

mod harness;

use std::sync::Arc;

use harness::{ALL, New, PAYLOAD_SIZE_MAX, Running, SEGMENT_SIZE, read};
use pagelog_store::{ConfigValues, LogOptions, Offset, Partition, Route, StoreOptions, TopicName};
use pagelog_testing::{Errno, Fault, Marks, MemoryStorage, Operation};

const PRODUCER: i64 = 77;

fn open(storage: &MemoryStorage, route: Route) -> Running {
    let log = LogOptions::new(SEGMENT_SIZE, route, PAYLOAD_SIZE_MAX);
    Running::open(Arc::new(storage.clone()), &StoreOptions::new(log))
}

const ROUTES: [Route; 2] = [
    Route::Staged {
        ring_size: 64 << 10,
    },
    Route::Mapped,
];

fn partition(running: &Running, name: &str) -> Arc<Partition> {
    let topics = running.store.topics();
    Arc::clone(&topics.by_name(name).expect("it is there").partitions()[0])
}

fn create(running: &Running, name: &str, retention_bytes: &str) -> Arc<Partition> {
    let named = TopicName::new(name).expect("a valid name");
    let config = ("retention.bytes".to_owned(), retention_bytes.to_owned());
    let config = ConfigValues::from([config]);
    let made = running.store.create_configured_topic(&named, 1, &config);
    made.expect("there is room");
    partition(running, name)
}

/// What a reader of the slow topic finds, and of the busy one from offset 0 on.
struct Sample {
    slow: Vec<u8>,
    busy: Vec<u8>,
}

/// Six segments, in which little counts once the busy topic is cut to its size.
fn fill(running: &Running) -> Sample {
    let (slow, busy) = (
        create(running, "slow", "-1"),
        create(running, "busy", "9000"),
    );
    for number in 0..80_i32 {
        let payload = number.to_be_bytes().repeat(250);
        running
            .append(&busy, &New::plain(&payload))
            .expect("appended");
        if number % 4 == 0 {
            let new = New::numbered(&payload[..40], PRODUCER, number / 4, 1);
            running.append(&slow, &new).expect("appended");
        }
    }
    running.wait_settled(running.store.log().appended());
    Sample {
        slow: read(&slow, 0, ALL),
        busy: read(&busy, 0, ALL),
    }
}

fn check(running: &Running, sample: &Sample) {
    let (slow, busy) = (partition(running, "slow"), partition(running, "busy"));
    assert_eq!(
        (slow.start_offset(), slow.high_watermark()),
        (Offset(0), Offset(20))
    );
    assert_eq!(read(&slow, 0, ALL), sample.slow);
    assert_eq!(busy.high_watermark(), Offset(80));
    let start = busy.start_offset();
    assert_eq!(
        read(&busy, start.0, ALL),
        sample.busy[start.0 as usize * 1000..]
    );
    for (sequence, duplicate) in [(15, true), (19, true)] {
        let again = New::numbered(b"again", PRODUCER, sequence, 1);
        let again = running.append(&slow, &again).expect("it is known");
        assert_eq!(
            (again.base_offset.0, again.duplicate),
            (i64::from(sequence), duplicate)
        );
    }
    let gap = New::numbered(b"gap", PRODUCER, 21, 1);
    assert!(running.append(&slow, &gap).is_err());
}

#[test]
fn a_crash_at_any_step_of_a_pass_neither_loses_nor_doubles() {
    for route in ROUTES {
        let storage = MemoryStorage::new(1);
        let running = open(&storage, route);
        let sample = fill(&running);
        let first = storage.operations() + 1;
        storage.freeze_at((first..first + 1_000).collect(), Arc::new(Marks::default));
        let passed = running.store.remove_old().expect("there is room");
        assert!(passed.segments_removed >= 4, "{passed:?}");
        let frozen = storage.take_frozen();
        running.stop();
        assert!(frozen.len() > 12, "{} steps", frozen.len());
        let mut fronts = std::collections::BTreeSet::new();
        for step in &frozen {
            let image = &step.image;
            for after in [
                image.power_cut(step.operation),
                image.process_death(),
                image.power_cut_losing_all(),
            ] {
                let running = open(&after, ROUTES[0]);
                fronts.insert(running.store.log().front().map(|front| front.start));
                check(&running, &sample);
                running.store.remove_old().expect("it goes on");
                check(&running, &sample);
                running.stop();
            }
        }
        assert!(fronts.len() >= 4, "segments went one by one: {fronts:?}");
    }
}

#[test]
fn a_disk_that_is_full_while_a_pass_carries_ends_it_and_the_next_goes_on() {
    let storage = MemoryStorage::new(2);
    let running = open(&storage, ROUTES[0]);
    let sample = fill(&running);
    storage.inject(Fault::always(Operation::Create, 0, Errno::NOSPC));
    let busy = partition(&running, "busy");
    // Until what was allocated ahead is used up.
    let full = loop {
        match running.append(&busy, &New::plain(&[0; 1000])) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(full.busy().is_none(), "{full}");
    running.wait_settled(running.store.log().appended());
    let slow = partition(&running, "slow");
    assert_eq!(read(&slow, 0, ALL), sample.slow);
    // Whatever it comes to without room: nothing is lost by it.
    let passed = running.store.remove_old();
    assert_eq!(read(&slow, 0, ALL), sample.slow, "{passed:?}");
    storage.clear_faults();
    // Allocation is tried again by itself.
    while let Err(error) = running.store.remove_old() {
        assert!(error.to_string().contains("no room"), "{error}");
        std::thread::yield_now();
    }
    assert_eq!(read(&slow, 0, ALL), sample.slow);
    assert!(running.store.log().size() <= 4 * SEGMENT_SIZE);
    let (start, end) = (busy.start_offset(), busy.high_watermark());
    running.stop();
    let running = open(&storage.freeze().power_cut_losing_all(), ROUTES[1]);
    assert_eq!(read(&partition(&running, "slow"), 0, ALL), sample.slow);
    let busy = partition(&running, "busy");
    assert_eq!((busy.start_offset(), busy.high_watermark()), (start, end));
    running.stop();
}
