//! The front of the log: what counts is carried, what does not goes, and no crash in between loses anything or shows it twice.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use pagelog_commit_log::{
    AppendError, Carry, CarryError, Counting, Log, LogOptions, Offset, Position, RemoveFrontError,
    Route, StreamId,
};
use pagelog_testing::{Errno, Fault, Marks, MemoryStorage, Operation};
use proptest::prelude::*;

use crate::fixture::{
    FIRST_SEGMENT, Fixture, ROUTES, SEGMENT_SIZE, index_again, payload, retry, spoil,
};

const SLOW: u32 = 1;
const BUSY: u32 = 2;

/// A stream's entries as readers find them from its start on: base offset and payload.
type Entries = Vec<(i64, Vec<u8>)>;

fn entries(log: &Log, stream: u32) -> Entries {
    let stream = log.stream(StreamId(stream));
    let until = log.durable().get();
    let start = stream.bounds(until).start;
    let payloads = retry(log, |log| log.read(&stream, start, until, u64::MAX, true));
    let found = payloads.into_iter().map(|entry| {
        let mut payload = vec![0; entry.size as usize];
        let read = pagelog_os::file::read_exact_at(entry.file.file(), entry.at, &mut payload);
        read.expect("the file is there as long as somebody holds it");
        (entry.base_offset.0, payload)
    });
    found.collect()
}

/// Carries in small steps, writing and waiting as the flush thread would.
fn carry(fixture: &mut Fixture, until: Position) -> Position {
    let mut carry = Carry::new(&fixture.log, until);
    loop {
        match carry.step(1_000) {
            Ok(true) => break,
            Ok(false) => fixture.flush(),
            Err(CarryError::Append(AppendError::Busy(busy))) => {
                fixture.sync.write().unwrap();
                let wait = std::time::Duration::from_millis(1);
                fixture.log.wait_room(busy, wait);
            }
            Err(CarryError::LookUp(_)) => index_again(&fixture.log),
            Err(error) => panic!("{error}"),
        }
    }
    fixture.flush();
    carry.end()
}

/// Removes what was carried; if a damaged index is in the way, again when it has been built again.
fn remove(log: &Log, front: &Range<Position>) {
    while let Err(error) = log.remove_front(front) {
        assert!(matches!(error, RemoveFrontError::LookUp(_)), "{error}");
        index_again(log);
    }
}

fn front(fixture: &Fixture) -> Range<Position> {
    fixture.log.front().expect("there is more than one segment")
}

fn carry_front(fixture: &mut Fixture) {
    let front = front(fixture);
    carry(fixture, front.end);
    remove(&fixture.log, &front);
}

/// Five segments: of the slow stream there is an entry here and there; the busy one is deleted up to the last segment.
fn sample(fixture: &mut Fixture) {
    for number in 0..100 {
        let stream = if number % 10 == 0 { SLOW } else { BUSY };
        fixture.append(stream, &payload(number));
    }
    fixture.flush();
    let busy = fixture.log.stream(StreamId(BUSY));
    fixture.log.set_start(&busy, Offset(80));
}

#[test]
fn what_counts_is_carried_and_found_at_its_offset() {
    for (route, other) in [(ROUTES[0], ROUTES[1]), (ROUTES[1], ROUTES[0])] {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        sample(&mut fixture);
        let (slow, busy) = (entries(&fixture.log, SLOW), entries(&fixture.log, BUSY));
        assert_eq!((slow.len(), busy.len()), (10, 10));
        for _ in 0..2 {
            carry_front(&mut fixture);
            assert_eq!(entries(&fixture.log, SLOW), slow);
            assert_eq!(entries(&fixture.log, BUSY), busy);
        }
        assert_eq!(front(&fixture).start.0, 2 * SEGMENT_SIZE);
        assert!(
            !fixture
                .log
                .read(
                    &fixture.log.stream(StreamId(SLOW)),
                    Offset(4),
                    fixture.log.durable().get(),
                    0,
                    true,
                )
                .unwrap()
                .is_empty()
        );
        let next = fixture.log.stream(StreamId(SLOW)).next_offset();
        drop(fixture);
        // Everything is derived from what is left.
        let mut fixture = Fixture::new(&storage, other);
        assert_eq!(entries(&fixture.log, SLOW), slow);
        assert_eq!(fixture.append(SLOW, b"next").base_offset, next);
        fixture.flush();
        // What was moved is moved again.
        for _ in 0..3 {
            let front = front(&fixture);
            carry(&mut fixture, front.end);
            remove(&fixture.log, &front);
            for number in 0..30 {
                fixture.append(3, &payload(number));
            }
            fixture.flush();
        }
        let found = entries(&fixture.log, SLOW);
        assert_eq!(found[..10], slow);
        assert_eq!(found[10].1, b"next");
    }
}

#[test]
fn a_segment_that_counts_is_not_removed() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    sample(&mut fixture);
    let front = front(&fixture);
    let refused = fixture.log.remove_front(&front);
    assert!(matches!(
        refused,
        Err(RemoveFrontError::Counts {
            counting: Counting { entries: 3, .. },
            ..
        })
    ));
    let streams = [SLOW, BUSY].map(|stream| fixture.log.stream(StreamId(stream)));
    for stream in streams {
        fixture.log.set_start(&stream, Offset(i64::MAX));
    }
    assert_eq!(
        fixture.log.counting_below(Position(u64::MAX)).unwrap(),
        Counting::default()
    );
    remove(&fixture.log, &front);
}

#[test]
fn a_reader_keeps_what_it_found_of_a_segment_that_goes() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    sample(&mut fixture);
    let slow = fixture.log.stream(StreamId(SLOW));
    let until = fixture.log.durable().get();
    let found = fixture.log.read(&slow, Offset(0), until, 1, true).unwrap();
    carry_front(&mut fixture);
    drop(fixture);
    let mut first = vec![0; found[0].size as usize];
    pagelog_os::file::read_exact_at(found[0].file.file(), found[0].at, &mut first).unwrap();
    assert_eq!(first, payload(0));
}

#[test]
fn an_entry_that_is_not_whole_is_not_carried_and_its_segment_stays() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    let first = fixture.append(SLOW, b"to be damaged");
    sample(&mut fixture);
    storage.overwrite(FIRST_SEGMENT, first.position.0 + 80, b"T");
    let front = front(&fixture);
    let mut carry = Carry::new(&fixture.log, front.end);
    let refused = loop {
        match carry.step(1) {
            Ok(all) => assert!(!all, "the damaged entry was carried"),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, CarryError::Damaged { position, .. } if position == first.position));
    storage.clear_faults();
    storage.fail_reads(FIRST_SEGMENT, first.position.0..first.position.0 + 80);
    let mut carry = Carry::new(&fixture.log, front.end);
    let refused = loop {
        match carry.step(1) {
            Ok(all) => assert!(!all, "the damaged entry was carried"),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, CarryError::Read { .. }));
    assert!(fixture.log.remove_front(&front).is_err());
    assert!(fixture.log.failure().is_none());
}

/// An entry for which there is no room under new options must not be waited for: its segment stays, and the reason is told.
#[test]
fn an_entry_that_has_become_too_large_is_named() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[1]);
    fixture.append(SLOW, &[1; 2048]);
    sample(&mut fixture);
    drop(fixture);
    for (ring_size, segment_size, fits) in [(2048, 8192, false), (8192, 8192, true)] {
        let route = Route::Staged { ring_size };
        let options = LogOptions::new(segment_size, route, 512);
        let copy = storage.freeze().process_death();
        let opened = Log::open(Arc::new(copy), options, &mut |_| Ok(())).unwrap();
        let (log, mut sync) = (opened.log, opened.sync);
        let mut carry = Carry::new(&log, log.front().unwrap().end);
        let outcome = loop {
            match carry.step(100) {
                Ok(true) => break Ok(()),
                Ok(false) => {}
                Err(CarryError::Append(AppendError::Busy(busy))) => {
                    sync.write().unwrap();
                    log.wait_room(busy, std::time::Duration::from_millis(1));
                }
                Err(error) => break Err(error),
            }
        };
        let too_large = matches!(
            outcome,
            Err(CarryError::Append(AppendError::TooLarge { size: 2048, .. }))
        );
        assert_eq!(too_large, !fits, "{outcome:?}");
    }
}

#[test]
fn a_full_disk_while_carrying_loses_nothing() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    for number in 0..30 {
        fixture.append(SLOW, &payload(number));
    }
    fixture.flush();
    let slow = entries(&fixture.log, SLOW);
    let front = front(&fixture);
    storage.inject(Fault::always(Operation::Create, 0, Errno::NOSPC));
    let mut carrying = Carry::new(&fixture.log, front.end);
    // All that counts is carried once more and once more, until no segment is left.
    let refused = loop {
        match carrying.step(1_000) {
            Ok(true) => carrying = Carry::new(&fixture.log, fixture.log.durable().get()),
            Ok(false) => fixture.flush(),
            Err(CarryError::Append(AppendError::Busy(busy))) => {
                fixture.flush();
                fixture
                    .log
                    .wait_room(busy, std::time::Duration::from_millis(1));
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(
        refused,
        CarryError::Append(AppendError::NoSpace(_))
    ));
    fixture.flush();
    assert_eq!(entries(&fixture.log, SLOW), slow);
    storage.clear_faults();
    let reopened = Fixture::new(&storage.freeze().process_death(), ROUTES[1]);
    assert_eq!(entries(&reopened.log, SLOW), slow);
}

#[test]
fn a_crash_at_any_step_neither_loses_nor_doubles() {
    for route in ROUTES {
        let storage = MemoryStorage::new(3);
        let mut fixture = Fixture::new(&storage, route);
        sample(&mut fixture);
        let (slow, busy) = (entries(&fixture.log, SLOW), entries(&fixture.log, BUSY));
        let first = storage.operations() + 1;
        storage.freeze_at((first..first + 400).collect(), Arc::new(Marks::default));
        for _ in 0..2 {
            carry_front(&mut fixture);
        }
        drop(fixture);
        let frozen = storage.take_frozen();
        // Twice an entry is written and synced, and a file renamed; what the threads of the segments do may come or not.
        assert!(frozen.len() >= 8, "{} steps", frozen.len());
        let mut begins = BTreeMap::new();
        for step in &frozen {
            let cuts = (0..3).map(|seed| step.image.power_cut(seed));
            let others = [
                step.image.process_death(),
                step.image.power_cut_losing_all(),
            ];
            for after in cuts.chain(others) {
                let mut fixture = Fixture::new(&after, ROUTES[0]);
                let log = Arc::clone(&fixture.log);
                let stream = log.stream(StreamId(BUSY));
                log.restore(&stream, Offset(80), Offset(90));
                assert_eq!(entries(&log, SLOW), slow);
                assert_eq!(entries(&log, BUSY), busy);
                *begins
                    .entry(log.front().map(|front| front.start.0))
                    .or_insert(0) += 1;
                // It goes on from there.
                if log
                    .front()
                    .is_some_and(|front| front.start.0 < 2 * SEGMENT_SIZE)
                {
                    carry_front(&mut fixture);
                }
                assert_eq!(entries(&log, SLOW), slow);
                assert_eq!(entries(&log, BUSY), busy);
            }
        }
        assert!(begins.len() >= 3, "the front goes step by step: {begins:?}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append { stream: u32, number: usize },
    SetStart { stream: u32, keep: usize },
    CarryAndStop { size: u64 },
    RemoveFront,
    Index,
    IndexAll,
    Checkpoint,
    Spoil { seed: u64 },
    Stop,
    Kill,
    PowerCut { seed: u64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let stream = 1..=3_u32;
    prop_oneof![
        16 => (stream.clone(), any::<u8>())
            .prop_map(|(stream, number)| Step::Append { stream, number: usize::from(number) }),
        3 => (stream, 0..8_usize).prop_map(|(stream, keep)| Step::SetStart { stream, keep }),
        2 => (0..4_000_u64).prop_map(|size| Step::CarryAndStop { size }),
        3 => Just(Step::RemoveFront),
        4 => Just(Step::Index),
        1 => Just(Step::IndexAll),
        3 => Just(Step::Checkpoint),
        1 => any::<u64>().prop_map(|seed| Step::Spoil { seed }),
        1 => Just(Step::Stop),
        1 => Just(Step::Kill),
        1 => any::<u64>().prop_map(|seed| Step::PowerCut { seed }),
    ]
}

/// Streams as lists, of which the front is deleted.
#[derive(Default)]
struct Model {
    streams: BTreeMap<u32, Entries>,
    next: BTreeMap<u32, i64>,
}

impl Model {
    fn next(&self, stream: u32) -> i64 {
        self.next.get(&stream).copied().unwrap_or(0)
    }

    fn start(&self, stream: u32) -> i64 {
        let first = self.streams.get(&stream).and_then(|all| all.first());
        first.map_or(self.next(stream), |(base_offset, _)| *base_offset)
    }

    fn step(&mut self, step: &Step, storage: &mut MemoryStorage, fixture: &mut Option<Fixture>) {
        let open = fixture.as_mut().expect("open between steps");
        match *step {
            Step::Append { stream, number } => {
                let payload = payload(number);
                let appended = open.append(stream, &payload);
                open.flush();
                assert_eq!(appended.base_offset.0, self.next(stream));
                let all = self.streams.entry(stream).or_default();
                all.push((appended.base_offset.0, payload));
                self.next.insert(stream, appended.base_offset.0 + 1);
            }
            Step::SetStart { stream, keep } => {
                let all = self.streams.entry(stream).or_default();
                all.drain(..all.len().saturating_sub(keep));
                let to = Offset(self.start(stream));
                let stream = open.log.stream(StreamId(stream));
                assert_eq!(open.log.set_start(&stream, to), to);
            }
            Step::CarryAndStop { size } => {
                let durable = open.log.durable().get();
                // Whatever becomes of it: what is not carried counts where it was.
                let _ = Carry::new(&open.log, durable).step(size);
                open.flush();
            }
            Step::RemoveFront => {
                if let Some(front) = open.log.front() {
                    carry(open, front.end);
                    remove(&open.log, &front);
                }
            }
            Step::Index => drop(open.log.index_next().unwrap()),
            Step::IndexAll => open.log.index_all().unwrap(),
            Step::Checkpoint => {
                if let Some(draft) = open.take_checkpoint() {
                    open.log.write_checkpoint(draft).unwrap();
                }
            }
            Step::Spoil { seed } => {
                *fixture = None;
                spoil(storage, seed);
            }
            Step::Stop => drop(open.sync.close().unwrap()),
            Step::Kill => {}
            Step::PowerCut { seed } => *storage = storage.crash(seed),
        }
        if matches!(
            step,
            Step::Spoil { .. } | Step::Stop | Step::Kill | Step::PowerCut { .. }
        ) {
            *fixture = None;
            *fixture = Some(self.reopen(storage));
        }
    }

    /// The starts are not the log's to remember.
    fn reopen(&self, storage: &MemoryStorage) -> Fixture {
        let fixture = Fixture::new(storage, ROUTES[0]);
        for stream in self.next.keys() {
            let (start, next) = (Offset(self.start(*stream)), Offset(self.next(*stream)));
            let stream = fixture.log.stream(StreamId(*stream));
            fixture.log.restore(&stream, start, next);
        }
        fixture
    }

    fn check(&self, log: &Log) {
        for stream in 1..=3 {
            let expected = self.streams.get(&stream).cloned().unwrap_or_default();
            let found = entries(log, stream);
            let offsets = |all: &Entries| all.iter().map(|(offset, _)| *offset).collect::<Vec<_>>();
            assert_eq!(offsets(&found), offsets(&expected), "stream {stream}");
            assert_eq!(found, expected, "stream {stream}");
            let bounds = log.stream(StreamId(stream)).bounds(log.durable().get());
            assert_eq!(bounds.end.0, self.next(stream));
            for (index, (base_offset, _)) in expected.iter().enumerate() {
                let stream = log.stream(StreamId(stream));
                let until = log.durable().get();
                let from = Offset(*base_offset);
                let found = retry(log, |log| log.read(&stream, from, until, u64::MAX, true));
                assert_eq!(found.len(), expected.len() - index);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_of_a_log_that_is_shortened_is_that_of_lists(steps in prop::collection::vec(any_step(), 1..150)) {
        let mut storage = MemoryStorage::new(1);
        let mut model = Model::default();
        let mut fixture = Some(Fixture::new(&storage, ROUTES[0]));
        for step in &steps {
            model.step(step, &mut storage, &mut fixture);
            model.check(&fixture.as_ref().expect("open").log);
        }
    }
}
