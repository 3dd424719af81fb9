//! Random histories against a plain list: append, write, sync, read, stop, kill and power cut in any order, on both routes.

use pagelog_commit_log::{
    CheckpointWriteError, Draft, IndexWork, NewEntry, Offset, Position, Recovery, Route, StreamId,
};
use pagelog_segment::Storage;
use pagelog_testing::{Image, MemoryStorage};
use proptest::prelude::*;

use crate::fixture::{Fixture, Found, ROUTES, payload, retry, spoil};
use crate::landing::{self, Course};

#[derive(Clone, Debug)]
enum Step {
    Append {
        stream: u32,
        number: usize,
        count: u32,
        time_ms: i64,
    },
    /// Lands an entry, while others are appended to another stream.
    Land {
        stream: u32,
        number: usize,
        course: Course,
    },
    Write,
    Sync,
    /// Work on the index, as long as there is some.
    Index,
    /// An index of all that is durable.
    IndexAll,
    /// A checkpoint is taken: it tells of what is not durable yet.
    TakeCheckpoint,
    /// It is written, if everything that it tells is durable.
    WriteCheckpoint,
    /// Before the next opening some indexes and checkpoints vanish, are cut, or change in one byte.
    Spoil {
        seed: u64,
    },
    Read {
        stream: u32,
        from: u32,
        size_max: u64,
    },
    FindTime {
        stream: u32,
        time_ms: i64,
    },
    Stop,
    Kill,
    PowerCut {
        seed: u64,
    },
    ChangeRoute,
}

fn any_step() -> impl Strategy<Value = Step> {
    let stream = 1..=3_u32;
    prop_oneof![
        12 => (stream.clone(), any::<u8>(), 1..5_u32, 0..50_i64).prop_map(|(stream, number, count, time_ms)| {
            Step::Append { stream, number: usize::from(number), count, time_ms }
        }),
        2 => (stream.clone(), any::<u8>(), landing::any_course()).prop_map(|(stream, number, course)| {
            Step::Land { stream, number: usize::from(number), course }
        }),
        3 => Just(Step::Write),
        3 => Just(Step::Sync),
        3 => Just(Step::Index),
        1 => Just(Step::IndexAll),
        3 => Just(Step::TakeCheckpoint),
        3 => Just(Step::WriteCheckpoint),
        1 => any::<u64>().prop_map(|seed| Step::Spoil { seed }),
        3 => (stream.clone(), 0..40_u32, 0..3_000_u64)
            .prop_map(|(stream, from, size_max)| Step::Read { stream, from, size_max }),
        2 => (stream, 0..50_i64).prop_map(|(stream, time_ms)| Step::FindTime { stream, time_ms }),
        1 => Just(Step::Stop),
        1 => Just(Step::Kill),
        1 => any::<u64>().prop_map(|seed| Step::PowerCut { seed }),
        1 => Just(Step::ChangeRoute),
    ]
}

/// An entry as the model knows it.
#[derive(Clone, Debug)]
struct Known {
    found: Found,
    count: u32,
    time_ms: i64,
}

struct Machine {
    storage: MemoryStorage,
    route: Route,
    fixture: Option<Fixture>,
    model: Vec<Known>,
    draft: Option<Draft>,
    spoil: Option<u64>,
}

impl Machine {
    fn new() -> Machine {
        let storage = MemoryStorage::new(1);
        let fixture = Some(Fixture::new(&storage, ROUTES[0]));
        Machine {
            storage,
            route: ROUTES[0],
            fixture,
            model: Vec::new(),
            draft: None,
            spoil: None,
        }
    }

    fn fixture(&mut self) -> &mut Fixture {
        self.fixture
            .as_mut()
            .expect("the log is open between steps")
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append {
                stream,
                number,
                count,
                time_ms,
            } => self.append(stream, number, count, time_ms),
            Step::Land {
                stream,
                number,
                course,
            } => self.land(stream, number, course),
            Step::Write => drop(self.fixture().sync.write().unwrap()),
            Step::Sync => self.fixture().flush(),
            Step::Index => self.index(),
            Step::IndexAll => self.fixture().log.index_all().unwrap(),
            Step::TakeCheckpoint => {
                self.draft = self.fixture().take_checkpoint().or(self.draft.take())
            }
            Step::WriteCheckpoint => self.write_checkpoint(),
            Step::Spoil { seed } => self.spoil = Some(seed),
            Step::Read {
                stream,
                from,
                size_max,
            } => self.read(stream, i64::from(from), size_max),
            Step::FindTime { stream, time_ms } => self.find_time(stream, time_ms),
            Step::Stop => self.stop(),
            Step::Kill => self.kill(),
            Step::PowerCut { seed } => self.power_cut(seed),
            Step::ChangeRoute => {
                self.route = if self.route == ROUTES[0] {
                    ROUTES[1]
                } else {
                    ROUTES[0]
                };
            }
        }
    }

    fn append(&mut self, stream: u32, number: usize, count: u32, time_ms: i64) {
        let payload = payload(number);
        let (head, body) = payload.split_at(8);
        let entry = NewEntry {
            count,
            append_time_ms: time_ms,
            record_time_max_ms: time_ms,
            head,
            ..NewEntry::record(body)
        };
        let appended = self.fixture().append_entry(stream, &entry);
        let found = Found {
            end: appended.end.0,
            stream,
            base_offset: appended.base_offset.0,
            payload,
        };
        let same = self
            .model
            .iter()
            .filter(|known| known.found.stream == stream);
        let expected: i64 = same.map(|known| i64::from(known.count)).sum();
        assert_eq!(found.base_offset, expected, "offsets of a stream are dense");
        self.model.push(Known {
            found,
            count,
            time_ms,
        });
    }

    fn write_checkpoint(&mut self) {
        let Some(draft) = self.draft.take() else {
            return;
        };
        let log = self.fixture().log.clone();
        let (needs, durable) = (draft.needs(), log.durable().get());
        match log.write_checkpoint(draft) {
            Ok(_) => assert!(needs <= durable),
            Err(CheckpointWriteError::NotDurable { .. }) => assert!(needs > durable),
            Err(error) => panic!("{error}"),
        }
    }

    /// An image of the midst of it holds what had been acknowledged, and no part of the landing.
    fn land(&mut self, stream: u32, number: usize, course: Course) {
        let mut images: Vec<(Image, u64, u64)> = Vec::new();
        let storage = self.storage.clone();
        let payload = payload(number);
        let log = self.fixture().log.clone();
        let landed = landing::land(self.fixture(), stream, &payload, course, &mut || {
            let (written, durable) = (log.written().get().0, log.durable().get().0);
            images = vec![(storage.freeze(), written, durable)];
        });
        self.learn(landed.behind);
        if let Some(landed) = landed.landed {
            self.learn(Some(landed));
        }
        self.model.sort_by_key(|known| known.found.end);
        for (image, written, durable) in images {
            let below = |mark: u64| {
                let before = |known: &&Known| known.found.end <= mark;
                let found = self.model.iter().filter(before);
                found.map(|known| known.found.clone()).collect::<Vec<_>>()
            };
            if number.is_multiple_of(2) {
                let died = Fixture::new(&image.process_death(), self.route);
                assert_eq!(died.entries(), below(written));
            } else {
                let cut = Fixture::new(&image.power_cut(durable), self.route);
                let found = cut.entries();
                assert!(found.len() >= below(durable).len());
                assert_eq!(found, below(written)[..found.len()]);
            }
        }
    }

    fn learn(&mut self, found: Option<Found>) {
        self.model.extend(found.map(|found| Known {
            found,
            count: 1,
            time_ms: 0,
        }));
    }

    fn visible(&self, stream: u32, until: Position) -> impl Iterator<Item = &Known> {
        let visible =
            move |known: &&Known| known.found.stream == stream && known.found.end <= until.0;
        self.model.iter().filter(visible)
    }

    fn read(&mut self, stream: u32, from: i64, size_max: u64) {
        let log = self.fixture().log.clone();
        let until = log.durable().get();
        for first_whole in [false, true] {
            let found = retry(&log, |log| {
                log.read(
                    &log.stream(StreamId(stream)),
                    Offset(from),
                    until,
                    size_max,
                    first_whole,
                )
            });
            let mut left = size_max;
            let mut first = first_whole;
            let holds = |known: &&Known| known.found.base_offset + i64::from(known.count) > from;
            let fits = |known: &&Known| {
                let size = known.found.payload.len() as u64;
                let fits = size <= left || std::mem::take(&mut first);
                first = false;
                left = left.saturating_sub(size);
                fits
            };
            let expected: Vec<_> = self
                .visible(stream, until)
                .filter(holds)
                .take_while(fits)
                .collect();
            let ends = |end: Position| end.0;
            assert_eq!(
                found
                    .iter()
                    .map(|payload| ends(payload.end))
                    .collect::<Vec<_>>(),
                expected
                    .iter()
                    .map(|known| known.found.end)
                    .collect::<Vec<_>>(),
            );
        }
    }

    fn find_time(&mut self, stream: u32, time_ms: i64) {
        let log = self.fixture().log.clone();
        let until = log.durable().get();
        let found = retry(&log, |log| {
            log.first_at_or_after(&log.stream(StreamId(stream)), time_ms, until)
        });
        let expected = self
            .visible(stream, until)
            .find(|known| known.time_ms >= time_ms);
        assert_eq!(
            found.map(|found| found.end.0),
            expected.map(|known| known.found.end)
        );
    }

    /// A clean stop keeps everything.
    fn stop(&mut self) {
        self.fixture().sync.close().unwrap();
        if self.model.len().is_multiple_of(2) {
            self.index();
            self.fixture().log.index_all().unwrap();
            if let Some(draft) = self.fixture().take_checkpoint() {
                self.fixture().log.write_checkpoint(draft).unwrap();
            }
        }
        self.reopen(self.storage.clone());
        assert!(self.fixture().recovery.clean);
        self.check(self.model.len());
    }

    /// The death of the process keeps exactly what is in the file.
    fn kill(&mut self) {
        let written = self.fixture().log.written().get().0;
        self.reopen(self.storage.clone());
        self.check(
            self.model
                .iter()
                .filter(|known| known.found.end <= written)
                .count(),
        );
    }

    /// A power cut keeps at least what was synced, and of the rest a beginning.
    fn power_cut(&mut self, seed: u64) {
        let durable = self.fixture().log.durable().get().0;
        self.reopen(self.storage.crash(seed));
        let found = self.fixture().entries().len();
        assert!(
            found
                >= self
                    .model
                    .iter()
                    .filter(|known| known.found.end <= durable)
                    .count()
        );
        self.check(found);
    }

    fn reopen(&mut self, storage: MemoryStorage) {
        self.fixture = None;
        self.draft = None;
        self.storage = storage;
        if let Some(seed) = self.spoil.take() {
            spoil(&self.storage, seed);
        }
        let without = self.storage.freeze().process_death();
        self.fixture = Some(Fixture::new(&self.storage, self.route));
        if self.fixture().recovery.from_checkpoint {
            self.compare_without(&without);
        }
    }

    /// An opening that reads every entry finds the same.
    fn compare_without(&mut self, storage: &MemoryStorage) {
        for name in storage.list().unwrap() {
            if name.ends_with(".index") || name.ends_with(".checkpoint") {
                storage.remove(&name).unwrap();
            }
        }
        let (with, without) = (self.fixture(), Fixture::new(storage, ROUTES[0]));
        assert!(!without.recovery.from_checkpoint);
        let found = |fixture: &Fixture| {
            let Recovery {
                end,
                epoch,
                clean,
                cut,
                ..
            } = fixture.recovery.clone();
            (end, epoch, clean, cut, fixture.log.epoch())
        };
        assert_eq!(found(with), found(&without));
        assert_eq!(with.owned, without.owned);
        let durable = with.log.durable().get();
        for stream in (1..=3).map(StreamId) {
            let (one, other) = (with.log.stream(stream), without.log.stream(stream));
            assert_eq!(one.next_offset(), other.next_offset());
            assert_eq!(one.bounds(durable), other.bounds(durable));
        }
        assert!(with.entries() == without.entries());
    }

    fn index(&mut self) {
        let log = self.fixture().log.clone();
        while log.index_next().unwrap() != IndexWork::Nothing {}
    }

    /// The log holds the first `count` entries of the model and no others, and so does the model from now on.
    fn check(&mut self, count: usize) {
        self.model.truncate(count);
        let expected: Vec<_> = self.model.iter().map(|known| known.found.clone()).collect();
        assert_eq!(self.fixture().entries(), expected);
        let owned = self.fixture().owned.values();
        let mut owned: Vec<_> = owned.copied().collect();
        owned.sort_unstable();
        let mut known: Vec<_> = expected
            .iter()
            .map(|one| (one.stream, one.base_offset))
            .collect();
        known.sort_unstable();
        assert_eq!(owned, known);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_that_of_a_list(steps in prop::collection::vec(any_step(), 1..120)) {
        let mut machine = Machine::new();
        for step in &steps {
            machine.step(step);
        }
        machine.stop();
    }
}
