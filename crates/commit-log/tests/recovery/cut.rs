//! Cutting a log by hand: wherever it is cut, what lies before is there and can be gone on with, and what lies behind is kept aside.

use std::collections::BTreeMap;
use std::sync::Arc;

use pagelog_commit_log::{Cut, CutError, Header, Kind, OpenError, Position, Replayer, StreamId};
use pagelog_segment::Storage;
use pagelog_testing::{Errno, Fault, Marks, MemoryStorage, Operation, Random};

use crate::fixture::{Fixture, Found, ROUTES, SEGMENT_SIZE, fill, open};

struct Sample {
    storage: MemoryStorage,
    entries: Vec<Found>,
    headers: Vec<Header>,
    end: Position,
}

/// A log of three segments and two lives, all of it synced. Where one segment ends there is no room for a header, where the next one ends there is
/// room for a header and not for a cut.
fn sample() -> Sample {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, 12, 3);
    fill_up(&mut fixture, 40);
    fill(&mut fixture, 8, 3);
    drop(fixture);
    let mut fixture = Fixture::new(&storage, ROUTES[1]);
    fill(&mut fixture, 7, 3);
    fill_up(&mut fixture, 88);
    fill(&mut fixture, 9, 4);
    drop(fixture);
    Sample::of(storage)
}

/// Leaves so many bytes of the segment.
fn fill_up(fixture: &mut Fixture, left: u64) {
    let room = |fixture: &Fixture| SEGMENT_SIZE - fixture.log.appended().0 % SEGMENT_SIZE;
    while room(fixture) > 2048 {
        fixture.append(1, &[7; 600]);
    }
    let size = room(fixture) - left - 80;
    fixture.append(1, &vec![7; size as usize]);
    fixture.flush();
    assert_eq!(room(fixture), left);
}

impl Sample {
    /// Learns where everything lies, from a copy.
    fn of(storage: MemoryStorage) -> Sample {
        let mut headers = Vec::new();
        let replayer = Replayer::open(&storage).unwrap();
        let found = replayer.replay(&mut |entry| {
            headers.push(*entry.header);
            Ok(())
        });
        let entries = Fixture::new(&storage.freeze().process_death(), ROUTES[0]).entries();
        Sample {
            entries,
            headers,
            end: found.unwrap().end,
            storage,
        }
    }

    fn copy(&self) -> MemoryStorage {
        self.storage.freeze().power_cut_losing_all()
    }

    /// Every place between two entries, the begin included and the end not.
    fn borders(&self) -> Vec<Position> {
        let ends = self
            .headers
            .iter()
            .map(|header| header.position + header.entry_size());
        let begins = self.headers.iter().map(|header| header.position);
        let mut borders: Vec<_> = begins.chain(ends).map(Position).collect();
        borders.sort();
        borders.dedup();
        borders.retain(|border| *border < self.end);
        borders
    }

    fn below(&self, to: Position) -> &[Found] {
        let count = self.entries.partition_point(|entry| entry.end <= to.0);
        &self.entries[..count]
    }
}

fn plan(storage: &MemoryStorage, to: Position) -> Result<Cut, CutError> {
    Cut::plan(Arc::new(storage.clone()), to, &mut |_| {})
}

fn cut(storage: &MemoryStorage, to: Position) {
    plan(storage, to).unwrap().make().unwrap();
}

fn segments(storage: &MemoryStorage) -> BTreeMap<String, Vec<u8>> {
    let names = storage.list().unwrap().into_iter();
    let names = names.filter(|name| name.ends_with(".log"));
    names
        .map(|name| (name.clone(), storage.content(&name)))
        .collect()
}

/// The log holds what lies below `to`, and takes more; what was cut lies aside as it was.
fn assert_cut(sample: &Sample, before: &MemoryStorage, storage: &MemoryStorage, to: Position) {
    let found = Replayer::open(storage).unwrap();
    let found = found.replay(&mut |_| Ok(())).unwrap();
    assert_eq!(found.cut, None, "cut at {to}: nothing torn is left");
    let aside = format!("cut-{to}/");
    for (name, content) in segments(before) {
        let moved = format!("{aside}{name}");
        let now = segments(storage);
        match now.get(&moved) {
            Some(moved) => assert!(*moved == content, "{name} is not as it was"),
            None => assert!(now.get(&name) == Some(&content), "{name} was changed"),
        }
    }
    assert!(
        !storage
            .list()
            .unwrap()
            .iter()
            .any(|name| name.ends_with(".new"))
    );

    let mut fixture = Fixture::new(storage, ROUTES[0]);
    assert_eq!(fixture.entries(), sample.below(to), "cut at {to}");
    let last_epoch = sample.headers.iter().map(|header| header.epoch).max();
    assert!(
        Some(fixture.log.epoch()) > last_epoch,
        "an epoch came again"
    );
    fixture.append(2, b"goes on");
    fixture.flush();
    let entries = fixture.entries();
    drop(fixture);
    let after = storage.freeze().power_cut_losing_all();
    assert_eq!(Fixture::new(&after, ROUTES[1]).entries(), entries);
    assert_eq!(entries.len(), sample.below(to).len() + 1);
}

#[test]
fn a_log_can_be_cut_between_any_two_entries() {
    let sample = sample();
    for to in sample.borders() {
        let storage = sample.copy();
        let planned = plan(&storage, to).unwrap();
        let loss = planned.loss().expect("it is not begun yet");
        let lost: Vec<_> = sample
            .headers
            .iter()
            .filter(|header| header.position >= to.0)
            .collect();
        assert_eq!(loss.entries, lost.len() as u64);
        assert_eq!(loss.kept, (sample.headers.len() - lost.len()) as u64);
        assert_eq!(loss.end, sample.end);
        assert!(loss.refusal.is_none() && !loss.unread);
        let of_one = lost.iter().filter(|header| header.stream == StreamId(1));
        let of_one = of_one.filter(|header| header.kind == Kind::Data).count() as u64;
        assert_eq!(
            loss.streams
                .get(&StreamId(1))
                .map_or(0, |lost| lost.entries),
            of_one
        );
        planned.make().unwrap();
        assert_cut(&sample, &sample.storage, &storage, to);
    }
}

#[test]
fn between_the_bytes_of_an_entry_it_cannot_be_cut() {
    let sample = sample();
    let before = segments(&sample.storage);
    let borders = sample.borders();
    for at in (0..sample.end.0).step_by(8).map(Position) {
        if borders.contains(&at) {
            continue;
        }
        match plan(&sample.storage, at) {
            Err(CutError::NoBorder {
                position,
                before,
                after,
            }) => {
                assert!(
                    before < position && position < after,
                    "{before} {position} {after}"
                );
                assert!(
                    borders.contains(&before) && (borders.contains(&after) || after == sample.end)
                );
            }
            other => panic!("{at}: {:?}", other.err()),
        }
    }
    for outside in [sample.end.0 + 8, u64::MAX] {
        let refused = plan(&sample.storage, Position(outside));
        assert!(matches!(refused, Err(CutError::Outside { .. })));
    }
    assert!(matches!(
        plan(&sample.storage, sample.end),
        Err(CutError::Nothing { .. })
    ));
    assert_eq!(
        segments(&sample.storage),
        before,
        "planning changes nothing"
    );
}

/// Entries that no damage has touched, at and below the place that an opening names.
#[test]
fn a_damaged_log_can_be_cut_where_it_is_refused() {
    let sample = sample();
    let mut random = Random::new(pagelog_testing::seed(5));
    let mut cuts = 0;
    for _ in 0..60 {
        let storage = sample.copy();
        let hit = sample.headers[random.below(sample.headers.len())];
        let (name, at) = (
            hit.position / SEGMENT_SIZE * SEGMENT_SIZE,
            hit.position % SEGMENT_SIZE,
        );
        storage.overwrite(&format!("{name:020}.log"), at + 8, &[0; 4]);
        let damaged = segments(&storage);
        let Err(OpenError::Damaged { position, .. }) = open(&storage, ROUTES[0]) else {
            continue;
        };
        assert_eq!(position.0, hit.position);
        let planned = plan(&storage, position).unwrap();
        let loss = planned.loss().expect("it is not begun yet");
        assert!(matches!(loss.refusal, Some(OpenError::Damaged { .. })));
        // All but the damaged one, and what a damaged filler covers.
        let behind = sample
            .headers
            .iter()
            .filter(|header| header.position > hit.position);
        assert_eq!(loss.entries, behind.count() as u64);
        planned.make().unwrap();
        let before = MemoryStorage::new(1);
        for (name, content) in damaged {
            before.create(&name, content.len() as u64).unwrap();
            before.overwrite(&name, 0, &content);
        }
        assert_cut(&sample, &before, &storage, position);
        cuts += 1;
    }
    assert!(cuts > 20, "only {cuts} were refused");
}

#[test]
fn a_log_with_a_gap_can_be_cut_before_it() {
    let sample = sample();
    let second = format!("{SEGMENT_SIZE:020}.log");
    for way in 0..4 {
        let storage = sample.copy();
        match way {
            0 => storage.remove(&second).unwrap(),
            1 => storage.truncate(&second, 0),
            2 => storage.truncate(&second, 100),
            _ => storage.truncate(&second, 4096),
        }
        let before = storage.freeze().process_death();
        assert!(open(&storage, ROUTES[0]).is_err());
        let end = sample
            .headers
            .iter()
            .map(|header| header.position + header.entry_size());
        let end = end
            .filter(|end| *end <= SEGMENT_SIZE)
            .max()
            .expect("there are entries");
        let planned = plan(&storage, Position(end)).unwrap();
        assert!(planned.loss().expect("not begun").refusal.is_some());
        planned.make().unwrap();
        assert_cut(&sample, &before, &storage, Position(end));
    }
}

#[test]
fn with_the_identity_of_another_log_nothing_is_cut() {
    let sample = sample();
    let other = MemoryStorage::new(2);
    drop(Fixture::new(&other, ROUTES[0]));
    let storage = sample.copy();
    storage.overwrite("log.meta", 0, &other.content("log.meta"));
    let refused = plan(&storage, Position(0));
    assert!(matches!(
        refused,
        Err(CutError::Open(OpenError::Foreign { .. }))
    ));
}

#[test]
fn what_an_earlier_cut_kept_is_not_written_over() {
    let sample = sample();
    let storage = sample.copy();
    let to = Position(sample.headers[9].position);
    cut(&storage, to);
    let refused = plan(&storage, to);
    assert!(
        matches!(refused, Err(CutError::Taken { directory }) if directory == format!("cut-{to}"))
    );
}

/// The log as it was, refused until the cut is finished, or cut: nothing else, wherever the power goes.
#[test]
fn a_crash_at_any_step_leaves_the_log_or_the_cut() {
    let sample = sample();
    let places = [0, 96, 3000, 8152, 8192, 16_296, 16_384, 20_000];
    for near in places {
        let to = *sample
            .borders()
            .iter()
            .rfind(|border| border.0 <= near)
            .expect("a border");
        let storage = sample.copy();
        storage.freeze_at((1..400).collect(), Arc::new(Marks::default));
        cut(&storage, to);
        let frozen = storage.take_frozen();
        assert!(frozen.len() > 10, "{} steps", frozen.len());
        let mut states = BTreeMap::new();
        for step in &frozen {
            let cuts = (0..3).map(|seed| step.image.power_cut(seed));
            for after in cuts.chain([
                step.image.process_death(),
                step.image.power_cut_losing_all(),
            ]) {
                *states.entry(after_crash(&sample, &after, to)).or_insert(0) += 1;
            }
        }
        let expected = ["as it was", "cut", "to be finished"];
        assert!(states.keys().eq(&expected), "cut at {to}: {states:?}");
    }
}

fn after_crash(sample: &Sample, after: &MemoryStorage, to: Position) -> &'static str {
    let again = after.freeze().process_death();
    let state = match open(&again, ROUTES[0]) {
        Ok(fixture) if fixture.entries() == sample.entries => "as it was",
        Ok(fixture) => {
            assert_eq!(fixture.entries(), sample.below(to));
            "cut"
        }
        Err(OpenError::CutUnfinished { position }) => {
            assert_eq!(position, to);
            "to be finished"
        }
        Err(other) => panic!("cut at {to}: {other}"),
    };
    match state {
        "cut" => {}
        "to be finished" => {
            let elsewhere = plan(after, Position(to.0 + 96));
            assert!(matches!(elsewhere, Err(CutError::Unfinished { begun }) if begun == to));
            assert!(plan(after, to).unwrap().loss().is_none());
            cut(after, to);
        }
        _ => cut(after, to),
    }
    assert_cut(sample, &sample.storage, after, to);
    state
}

#[test]
fn a_cut_may_fail_at_any_call_and_be_gone_on_with() {
    use Operation::{Create, List, Map, Open, Read, Remove, Rename, Sync, SyncDirectory, Write};
    let sample = sample();
    let to = Position(sample.headers[30].position);
    for operation in [
        Create,
        List,
        Map,
        Open,
        Read,
        Remove,
        Rename,
        Sync,
        SyncDirectory,
        Write,
    ] {
        for after in 0..10 {
            let storage = sample.copy();
            storage.inject(Fault::once(operation, after, Errno::IO));
            let cut_once = plan(&storage, to).and_then(Cut::make);
            storage.clear_faults();
            if let Err(error) = cut_once {
                assert!(!error.to_string().is_empty());
                let state = after_crash(&sample, &storage, to);
                assert!(["as it was", "to be finished", "cut"].contains(&state));
            } else {
                assert_cut(&sample, &sample.storage, &storage, to);
            }
        }
    }
}
