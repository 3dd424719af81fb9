//! Opening at a checkpoint: only what follows it is read, and what is found is what would have been found without it.

use std::sync::Arc;

use pagelog_commit_log::{
    Carry, CheckpointWriteError, Epoch, IndexWork, Log, LogOptions, NotWhole, Offset, OpenError,
    Position, Recovery, StreamId,
};
use pagelog_segment::Storage;
use pagelog_testing::{Errno, Fault, Marks, MemoryStorage, Operation};

use crate::fixture::{
    FIRST_SEGMENT, Fixture, Found, ROUTES, SEGMENT_SIZE, STAGED, fill, open, payload,
};

fn checkpoints(storage: &MemoryStorage) -> Vec<String> {
    let mut names = storage.list().unwrap();
    names.retain(|name| name.ends_with(".checkpoint"));
    names
}

fn remove_all(storage: &MemoryStorage, ending: &str) {
    for name in storage.list().unwrap() {
        if name.ends_with(ending) {
            storage.remove(&name).unwrap();
        }
    }
}

/// Two checkpoints, and entries behind the second.
struct Sample {
    storage: MemoryStorage,
    positions: [Position; 2],
    entries: Vec<Found>,
}

impl Sample {
    fn new() -> Sample {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, STAGED);
        fill(&mut fixture, 40, 4);
        let first = fixture.checkpoint();
        fill(&mut fixture, 40, 4);
        let second = fixture.checkpoint();
        fill(&mut fixture, 20, 4);
        let entries = fixture.entries();
        assert!(first < second && second.0 > 3 * SEGMENT_SIZE);
        assert_eq!(entries.len(), 100);
        Sample {
            storage,
            positions: [first, second],
            entries,
        }
    }

    fn copy(&self) -> MemoryStorage {
        self.storage.freeze().process_death()
    }

    /// Opens it, finds everything, and says where reading began if that was a checkpoint.
    fn open(&self, storage: &MemoryStorage) -> Option<Position> {
        let fixture = Fixture::new(storage, ROUTES[1]);
        let Recovery {
            begin,
            from_checkpoint,
            ..
        } = fixture.recovery;
        assert!(fixture.entries() == self.entries, "opened at {begin}");
        assert_eq!(fixture.owned.len(), self.entries.len());
        let next = fixture.log.stream(StreamId(1)).next_offset().0;
        let of_stream = self.entries.iter().filter(|found| found.stream == 1);
        assert_eq!(next, of_stream.count() as i64);
        from_checkpoint.then_some(begin)
    }
}

#[test]
fn only_what_follows_a_checkpoint_is_read() {
    for route in ROUTES {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        fill(&mut fixture, 60, 4);
        let position = fixture.checkpoint();
        assert!(position.0 > 2 * SEGMENT_SIZE && !position.0.is_multiple_of(SEGMENT_SIZE));
        let behind = fixture.append(2, b"behind");
        fixture.flush();
        let (entries, epoch) = (fixture.entries(), fixture.log.epoch());
        drop(fixture);
        let fixture = Fixture::new(&storage, route);
        let recovery = &fixture.recovery;
        assert!(recovery.from_checkpoint && !recovery.clean);
        assert_eq!((recovery.begin, recovery.segments), (position, 1));
        assert_eq!((recovery.entries, recovery.epoch), (1, epoch));
        assert_eq!(fixture.headers[0].position, behind.position.0);
        assert!(fixture.entries() == entries);
    }
}

#[test]
fn behind_a_clean_stop_one_entry_is_read() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, STAGED);
    fill(&mut fixture, 60, 4);
    fixture.sync.close().unwrap();
    fixture.checkpoint();
    let entries = fixture.entries();
    drop(fixture);
    for _ in 0..3 {
        let mut fixture = Fixture::new(&storage, STAGED);
        let recovery = &fixture.recovery;
        assert!(recovery.clean && recovery.from_checkpoint);
        assert_eq!(recovery.entries, 1);
        assert!(fixture.entries() == entries);
        fixture.sync.close().unwrap();
        fixture.checkpoint();
        assert_eq!(checkpoints(&storage).len(), 2);
    }
}

/// A checkpoint that ends with a segment: the log may not have gone on, or just have.
#[test]
fn a_checkpoint_may_end_with_a_segment() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, STAGED);
    let mut number = 0;
    while fixture.log.appended().0 <= SEGMENT_SIZE {
        fixture.append(1, &payload(number));
        number += 1;
        fixture.flush();
    }
    while fixture.log.index_next().unwrap() != IndexWork::Nothing {}
    let sealed = fixture.log.indexed();
    assert_eq!(sealed, Position(SEGMENT_SIZE));
    let draft = fixture.take_checkpoint().unwrap();
    fixture.log.write_checkpoint(draft).unwrap();
    let entries = fixture.entries();
    drop(fixture);
    let fixture = Fixture::new(&storage, STAGED);
    assert_eq!(fixture.recovery.begin, sealed);
    assert!(fixture.entries() == entries);
}

#[test]
fn what_cannot_be_used_is_passed_over_for_the_one_before_and_then_for_every_entry() {
    let sample = Sample::new();
    let [first, second] = sample.positions;
    let names = checkpoints(&sample.storage);
    assert_eq!(names.len(), 2);
    assert_eq!(sample.open(&sample.copy()), Some(second));
    let newest = sample.storage.content(&names[1]);
    for at in (0..newest.len()).step_by(7) {
        let copy = sample.copy();
        copy.overwrite(&names[1], at as u64, &[newest[at] ^ 1]);
        assert_eq!(sample.open(&copy), Some(first), "byte {at}");
        assert_eq!(checkpoints(&copy), names[..1], "it is removed");
        let copy = sample.copy();
        copy.truncate(&names[1], at as u64);
        assert_eq!(sample.open(&copy), Some(first), "cut at {at}");
    }
    let copy = sample.copy();
    copy.remove(&names[1]).unwrap();
    assert_eq!(sample.open(&copy), Some(first));
    copy.overwrite(&names[0], 100, b"?!");
    assert_eq!(sample.open(&copy), None);
    let copy = sample.copy();
    remove_all(&copy, ".checkpoint");
    assert_eq!(sample.open(&copy), None);
    remove_all(&copy, ".index");
    assert_eq!(sample.open(&copy), None);
    // One of another log, and one under another's name.
    let other = Sample::new();
    let copy = sample.copy();
    copy.overwrite(&names[1], 0, &other.storage.content(&names[1]));
    assert_eq!(sample.open(&copy), Some(first));
    let copy = sample.copy();
    copy.rename(&names[0], &names[1]).unwrap();
    assert_eq!(sample.open(&copy), None);
}

#[test]
fn a_checkpoint_counts_only_with_the_indexes_of_what_lies_before() {
    let sample = Sample::new();
    let [first, second] = sample.positions;
    let mut indexes = sample.storage.list().unwrap();
    indexes.retain(|name| name.ends_with(".index"));
    assert_eq!(indexes.len(), 1 + second.0 as usize / SEGMENT_SIZE as usize);
    for (number, name) in indexes.iter().enumerate() {
        let copy = sample.copy();
        copy.remove(name).unwrap();
        let begins_before = first.0 > number as u64 * SEGMENT_SIZE;
        let expected = (!begins_before).then_some(first);
        assert_eq!(sample.open(&copy), expected, "{name}");
        assert_eq!(checkpoints(&copy).len(), 2, "nothing is wrong with it");
    }
}

#[test]
fn an_owner_may_refuse_what_it_is_told() {
    let sample = Sample::new();
    let storage = sample.copy();
    let fixture = Fixture::new(&storage, STAGED);
    fixture.log.index_all().unwrap();
    let draft = fixture
        .log
        .take_checkpoint(|| b"of a later version".to_vec());
    let third = fixture.log.write_checkpoint(draft.unwrap()).unwrap();
    drop(fixture);
    assert!(third > sample.positions[1]);
    assert_eq!(sample.open(&storage), Some(sample.positions[1]));
}

/// The log had been durable beyond what is left of it: a checkpoint says so, whatever it is that cannot be read any more.
#[test]
fn a_log_that_ends_before_what_was_durable_is_refused() {
    let sample = Sample::new();
    let [_, second] = sample.positions;
    let (base, name) = (second.0 / SEGMENT_SIZE * SEGMENT_SIZE, |base: u64| {
        format!("{base:020}.log")
    });
    let damaged = |position: u64| {
        let copy = sample.copy();
        let size = (SEGMENT_SIZE - position % SEGMENT_SIZE) as usize;
        copy.overwrite(
            &name(position / SEGMENT_SIZE * SEGMENT_SIZE),
            position % SEGMENT_SIZE,
            &vec![0; size],
        );
        // What was written behind it is gone too, and all that the indexes prove.
        for later in copy.list().unwrap() {
            let number = later
                .split('.')
                .next()
                .and_then(|digits| digits.parse::<u64>().ok());
            let gone =
                !later.ends_with(".checkpoint") && number.is_some_and(|base| base > position);
            if gone || later.ends_with(".index") {
                copy.remove(&later).unwrap();
            }
        }
        open(&copy, STAGED).map(|fixture| fixture.recovery)
    };
    let before = sample
        .entries
        .iter()
        .rfind(|found| found.end <= second.0 && found.end > base);
    let before = before.expect("one of the segment").end;
    let inside = sample
        .entries
        .iter()
        .rfind(|found| found.end < before)
        .unwrap()
        .end;
    match damaged(inside) {
        Err(OpenError::Lost {
            position,
            proof,
            durable,
            ..
        }) => {
            assert_eq!((position.0, durable), (inside, second));
            assert_eq!(proof, checkpoints(&sample.storage)[1]);
        }
        other => panic!("{other:?}"),
    }
    // Whole files are gone, from the one that holds its position on.
    let copy = sample.copy();
    for later in copy.list().unwrap() {
        let is_segment = later
            .strip_suffix(".log")
            .and_then(|digits| digits.parse::<u64>().ok());
        if is_segment.is_some_and(|found| found >= base) {
            copy.remove(&later).unwrap();
        }
    }
    match open(&copy, STAGED).map(|fixture| fixture.recovery) {
        Err(OpenError::Ended { end, durable, .. }) => {
            assert_eq!((end.0, durable), (base, second));
        }
        other => panic!("{other:?}"),
    }
    remove_all(&copy, ".checkpoint");
    match open(&copy, STAGED).map(|fixture| fixture.recovery) {
        Err(OpenError::Ended { end, proof, .. }) => {
            assert!(end.0 == base && proof.ends_with(".index"), "{proof}");
        }
        other => panic!("{other:?}"),
    }
    remove_all(&copy, ".index");
    assert!(open(&copy, STAGED).is_ok());
}

/// Behind the checkpoint everything is verified as ever; before it, nothing is read. Whoever reads every entry finds what is wrong there.
#[test]
fn damage_behind_a_checkpoint_is_refused_and_before_it_is_found_by_reading_everything() {
    let sample = Sample::new();
    let [_, second] = sample.positions;
    let flip = |end: u64| {
        let copy = sample.copy();
        let name = format!("{:020}.log", (end - 1) / SEGMENT_SIZE * SEGMENT_SIZE);
        let at = (end - 1) % SEGMENT_SIZE / 8 * 8;
        let byte = copy.content(&name)[at as usize] ^ 1;
        copy.overwrite(&name, at, &[byte]);
        copy
    };
    let behind = sample
        .entries
        .iter()
        .find(|found| found.end > second.0 + 2000)
        .unwrap();
    let copy = flip(behind.end);
    assert!(matches!(
        open(&copy, STAGED).map(drop),
        Err(OpenError::Damaged { .. })
    ));
    let before = sample
        .entries
        .iter()
        .find(|found| found.end > 3000)
        .unwrap();
    let copy = flip(before.end);
    assert!(open(&copy, STAGED).is_ok());
    let options = LogOptions::new(SEGMENT_SIZE, STAGED, 2048);
    let every = Log::open(Arc::new(copy), options, &mut |_| Ok(()));
    assert!(matches!(every.map(drop), Err(OpenError::Damaged { .. })));
}

/// A crash leaves an entry whole behind a hole, the next life fills the hole exactly, and a checkpoint ends where the old entry begins. Only its
/// epoch tells.
#[test]
fn an_entry_of_an_earlier_life_right_behind_a_checkpoint_is_not_read() {
    let storage = MemoryStorage::new(3);
    let mut fixture = Fixture::new(&storage, STAGED);
    fixture.append(1, b"kept");
    fixture.flush();
    let hole = fixture.append(1, &[1; 200]);
    let left_over = fixture.append(1, b"of the first life");
    fixture.sync.write().unwrap();
    drop(fixture);
    let content = storage.content(FIRST_SEGMENT);
    let left_over_bytes = &content[left_over.position.0 as usize..left_over.end.0 as usize];
    let size = hole.end.0 - hole.position.0;
    storage.overwrite(FIRST_SEGMENT, hole.position.0, &vec![0; size as usize]);

    let mut fixture = Fixture::new(&storage, STAGED);
    let filling = left_over.position.0 - fixture.log.durable().get().0 - 80;
    fixture.append(1, &vec![2; filling as usize]);
    fixture.flush();
    assert_eq!(fixture.checkpoint(), left_over.position);
    let entries = fixture.entries();
    drop(fixture);
    // A staged write covers the rest of its page with zeros, but the old entry may as well begin the next page.
    storage.overwrite(FIRST_SEGMENT, left_over.position.0, left_over_bytes);
    let fixture = Fixture::new(&storage, STAGED);
    assert_eq!(fixture.recovery.begin, left_over.position);
    assert_eq!(fixture.recovery.cut, Some(NotWhole::Epoch(Epoch(1))));
    assert!(fixture.entries() == entries);
    assert_eq!(fixture.log.epoch(), Epoch(3));
}

/// Segments of an earlier life get their indexes in a later one: the checkpoint behind them is of the earlier epoch.
#[test]
fn a_checkpoint_of_what_an_earlier_life_wrote_names_its_epoch() {
    let storage = MemoryStorage::new(3);
    let mut fixture = Fixture::new(&storage, STAGED);
    fill(&mut fixture, 60, 4);
    drop(fixture);
    let fixture = Fixture::new(&storage, STAGED);
    fixture.log.index_next().unwrap();
    let draft = fixture.take_checkpoint().unwrap();
    assert_eq!(draft.position(), Position(SEGMENT_SIZE));
    fixture.log.write_checkpoint(draft).unwrap();
    let entries = fixture.entries();
    drop(fixture);
    let fixture = Fixture::new(&storage, STAGED);
    assert!(fixture.recovery.from_checkpoint);
    assert!(fixture.entries() == entries);
    assert_eq!(fixture.log.epoch(), Epoch(3));
}

#[test]
fn a_checkpoint_waits_for_all_that_it_tells() {
    let storage = MemoryStorage::new(3);
    let mut fixture = Fixture::new(&storage, STAGED);
    fill(&mut fixture, 30, 4);
    fixture.log.index_all().unwrap();
    let late = fixture.append(1, b"not durable yet");
    let take = |fixture: &Fixture| fixture.take_checkpoint().unwrap();
    let draft = take(&fixture);
    assert_eq!(draft.needs(), late.end);
    let refused = fixture.log.write_checkpoint(draft);
    assert!(matches!(
        refused,
        Err(CheckpointWriteError::NotDurable { .. })
    ));
    assert!(checkpoints(&storage).is_empty());
    let draft = take(&fixture);
    fixture.flush();
    fixture.log.write_checkpoint(draft).unwrap();
    assert!(fixture.take_checkpoint().is_none(), "nothing is new");
    let entries = fixture.entries();
    drop(fixture);
    let fixture = Fixture::new(&storage, STAGED);
    assert_eq!(fixture.recovery.entries, 1, "it is taken up once more");
    assert!(fixture.entries() == entries);
    assert_eq!(fixture.owned.len(), entries.len());
    let next = fixture.log.stream(StreamId(1)).next_offset();
    assert_eq!(next, Offset(11));
}

/// Each step of writing one fails, and a crash comes before each: what was there is used.
#[test]
fn a_failure_or_a_crash_at_any_step_leaves_the_one_before() {
    let ways = [
        (Operation::Create, Errno::NOSPC),
        (Operation::Write, Errno::NOSPC),
        (Operation::Write, Errno::IO),
        (Operation::Sync, Errno::IO),
        (Operation::Rename, Errno::IO),
        (Operation::Rename, Errno::ROFS),
        (Operation::SyncDirectory, Errno::IO),
    ];
    let sample = Sample::new();
    for (operation, errno) in ways {
        let storage = sample.copy();
        let fixture = Fixture::new(&storage, STAGED);
        fixture.log.index_all().unwrap();
        let draft = fixture.take_checkpoint().unwrap();
        storage.inject(Fault::once(operation, 0, errno));
        match fixture.log.write_checkpoint(draft) {
            Err(CheckpointWriteError::Io { source, .. }) => {
                assert_eq!(source.raw_os_error(), Some(errno.raw_os_error()));
            }
            other => panic!("{operation:?}: {other:?}"),
        }
        assert!(fixture.log.failure().is_none());
        storage.clear_faults();
        assert!(sample.open(&storage.freeze().process_death()).is_some());
        assert!(sample.open(&storage.crash(3)) >= Some(sample.positions[1]));
        // The next try is as good as the first.
        let draft = fixture.take_checkpoint().unwrap();
        let third = fixture.log.write_checkpoint(draft).unwrap();
        drop(fixture);
        assert_eq!(sample.open(&storage), Some(third));
        let left = storage.list().unwrap();
        assert!(left.iter().all(|name| !name.ends_with(".new")), "{left:?}");
    }
    let storage = sample.copy();
    let fixture = Fixture::new(&storage, STAGED);
    fixture.log.index_all().unwrap();
    let draft = fixture.take_checkpoint().unwrap();
    let first = storage.operations() + 1;
    storage.freeze_at((first..first + 100).collect(), Arc::new(Marks::default));
    let third = fixture.log.write_checkpoint(draft).unwrap();
    let frozen = storage.take_frozen();
    assert!(frozen.len() >= 6, "{} steps", frozen.len());
    drop(fixture);
    let mut used = std::collections::BTreeSet::new();
    for step in &frozen {
        for seed in 0..4 {
            used.insert(sample.open(&step.image.power_cut(seed)));
        }
        used.insert(sample.open(&step.image.process_death()));
        used.insert(sample.open(&step.image.power_cut_losing_all()));
    }
    used.insert(sample.open(&storage));
    assert_eq!(used, [sample.positions[1], third].map(Some).into());
}

/// When the log begins behind a checkpoint, that one cannot be begun with.
#[test]
fn a_checkpoint_before_the_front_is_of_no_use() {
    let sample = Sample::new();
    let storage = sample.copy();
    let mut fixture = Fixture::new(&storage, STAGED);
    let end = fixture.log.durable().get();
    let until = Position(end.0 / SEGMENT_SIZE * SEGMENT_SIZE);
    let mut carry = Carry::new(&fixture.log, until);
    while !matches!(carry.step(1_000), Ok(true)) {
        fixture.flush();
    }
    fixture.flush();
    while let Some(front) = fixture.log.front().filter(|front| front.start < until) {
        fixture.log.remove_front(&front).unwrap();
    }
    let found = |fixture: &Fixture| {
        let entries = fixture.entries().into_iter();
        let mut entries: Vec<_> = entries
            .map(|one| (one.stream, one.base_offset, one.payload))
            .collect();
        entries.sort();
        entries
    };
    let entries = found(&fixture);
    assert_eq!(entries.len(), sample.entries.len());
    drop(fixture);
    let fixture = Fixture::new(&storage, STAGED);
    assert!(!fixture.recovery.from_checkpoint);
    assert!(found(&fixture) == entries);
    let position = fixture.checkpoint();
    drop(fixture);
    let fixture = Fixture::new(&storage, STAGED);
    assert_eq!(
        (fixture.recovery.from_checkpoint, fixture.recovery.begin),
        (true, position)
    );
    assert!(found(&fixture) == entries);
}

#[test]
fn a_cut_takes_the_checkpoints_with_it() {
    let sample = Sample::new();
    let to = Position(sample.entries[20].end);
    let storage = sample.copy();
    let cut = pagelog_commit_log::Cut::plan(Arc::new(storage.clone()), to, &mut |_| {});
    cut.unwrap().make().unwrap();
    assert!(checkpoints(&storage).is_empty());
    let fixture = Fixture::new(&storage, STAGED);
    assert_eq!(fixture.entries().len(), 21);
}
