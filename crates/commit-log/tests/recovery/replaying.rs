//! Reading a log without opening it says what an opening would say, and changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use pagelog_commit_log::{
    Header, Log, LogOptions, NotWhole, OpenError, Position, Recovery, Replayer, Route,
};
use pagelog_segment::Storage;
use pagelog_testing::{MemoryStorage, Random};

use crate::fixture::{FIRST_SEGMENT, Fixture, ROUTES, SEGMENT_SIZE, fill};

/// A log of two lives over several segments, stopped cleanly or by a crash.
fn sample(clean: bool) -> MemoryStorage {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, 20, 3);
    drop(fixture);
    let mut fixture = Fixture::new(&storage, ROUTES[1]);
    fill(&mut fixture, 25, 4);
    if clean {
        fixture.sync.close().unwrap();
    }
    // So that what is durable at the end is told of by other files, too.
    fixture.checkpoint();
    storage
}

fn replay(storage: &MemoryStorage) -> Result<(Recovery, Vec<Header>), OpenError> {
    let mut headers = Vec::new();
    let recovery = Replayer::open(storage)?.replay(&mut |entry| {
        headers.push(*entry.header);
        Ok(())
    })?;
    Ok((recovery, headers))
}

/// Opens it by reading every entry, as a look does.
fn open_all(storage: &MemoryStorage, route: Route) -> Result<(Recovery, Vec<Header>), OpenError> {
    let mut headers = Vec::new();
    let options = LogOptions::new(SEGMENT_SIZE, route, 2048);
    let opened = Log::open(Arc::new(storage.clone()), options, &mut |entry| {
        headers.push(*entry.header);
        Ok(())
    })?;
    Ok((opened.recovery, headers))
}

fn contents(storage: &MemoryStorage) -> BTreeMap<String, Vec<u8>> {
    let names = storage.list().unwrap();
    names
        .into_iter()
        .map(|name| (name.clone(), storage.content(&name)))
        .collect()
}

/// Changes something that a failing device, a crash or a stray hand may change.
fn damage(storage: &MemoryStorage, random: &mut Random) {
    let mut names = storage.list().unwrap();
    names.sort();
    let name = &names[random.below(names.len())];
    let content = storage.content(name);
    if content.is_empty() {
        return;
    }
    let at = random.below(content.len());
    match random.below(8) {
        0 => storage.truncate(name, at as u64),
        1 => storage.truncate(name, (content.len() + 4096) as u64),
        2 => storage.remove(name).unwrap(),
        3 => {
            let size = (content.len() - at).min(4096);
            let mut bytes = vec![0; size];
            if random.one_in(2) {
                random.fill(&mut bytes);
            }
            storage.overwrite(name, at as u64, &bytes);
        }
        _ => storage.overwrite(name, at as u64, &[content[at] ^ 1 << random.below(8)]),
    }
}

#[test]
fn over_random_damage_it_says_what_an_opening_says() {
    let mut random = Random::new(pagelog_testing::seed(4));
    let samples = [sample(false), sample(true)];
    let (mut whole, mut refused) = (0, 0);
    for round in 0..400 {
        let storage = samples[round % 2].freeze().power_cut_losing_all();
        for _ in 0..random.below(3) {
            damage(&storage, &mut random);
        }
        let before = contents(&storage);
        let replayed = replay(&storage);
        assert_eq!(contents(&storage), before, "round {round}");
        match (replayed, open_all(&storage, ROUTES[round / 2 % 2])) {
            (Ok(replayed), Ok(opened)) => {
                assert_eq!(replayed, opened, "round {round}");
                whole += 1;
            }
            (Err(replayed), Err(opened)) => {
                assert_eq!(replayed.to_string(), opened.to_string(), "round {round}");
                refused += 1;
            }
            (replayed, opened) => panic!("round {round}: {replayed:?}, {opened:?}"),
        }
    }
    assert!(
        whole > 50 && refused > 50,
        "{whole} whole, {refused} refused"
    );
}

/// A log that grows while it is read: what is met half-written is read a second time, and is no damage.
#[test]
fn a_log_in_use_is_not_taken_for_damaged() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, 6, 2);
    let replayer = Replayer::open(&storage).unwrap();
    let mut entries = 0;
    let found = replayer.replay(&mut |_| {
        entries += 1;
        // The window over the first segment is read by now: what is appended from here on, it shows as never written.
        if entries == 1 {
            fill(&mut fixture, 8, 1);
        }
        Ok(())
    });
    let found = found.unwrap();
    assert_eq!(found.end, fixture.log.durable().get());
    assert_eq!(found.entries, entries);
}

#[test]
fn nothing_there_is_said_so() {
    let storage = MemoryStorage::new(1);
    assert!(matches!(Replayer::open(&storage), Err(OpenError::NoLog)));
    assert!(storage.list().unwrap().is_empty());
}

#[test]
fn a_place_is_shown_whether_or_not_an_entry_begins_there() {
    let storage = sample(true);
    let (recovery, headers) = replay(&storage).unwrap();
    let replayer = Replayer::open(&storage).unwrap();
    let content = storage.content(FIRST_SEGMENT);
    for header in headers
        .iter()
        .filter(|header| header.position < SEGMENT_SIZE)
    {
        let at = header.position as usize;
        let place = replayer.place(Position(header.position), 10).unwrap();
        let place = place.expect("a segment holds it");
        assert_eq!(place.entry, Ok(*header));
        assert_eq!((place.file.as_str(), place.at), (FIRST_SEGMENT, at as u64));
        assert_eq!(place.header, content[at..at + 80]);
        let size = 10.min(header.payload_size as usize);
        assert_eq!(place.payload, content[at + 80..at + 80 + size]);
        let next = replayer.next_whole(Position(header.position)).unwrap();
        assert_eq!(next, Some(*header));
    }
    let within = replayer.place(Position(4), 10).unwrap().expect("held");
    assert!(matches!(within.entry, Err(NotWhole::Header(_))));
    let last = replayer
        .segments()
        .last()
        .expect("there are segments")
        .end();
    assert_eq!(replayer.place(last, 10).unwrap(), None);
    let near = Position(last.0 - 8);
    let near = replayer.place(near, 10).unwrap().expect("held");
    assert_eq!((near.header.len(), near.payload.len()), (8, 0));
    assert_eq!(replayer.next_whole(recovery.end).unwrap(), None);
}

#[test]
fn progress_goes_on_to_the_end() {
    let storage = sample(true);
    let (sender, told) = std::sync::mpsc::channel();
    let replayer = Replayer::open(&storage).unwrap();
    let replayer = replayer.with_progress(move |position| sender.send(position).unwrap());
    let found = replayer.replay(&mut |_| Ok(())).unwrap();
    let told: Vec<_> = told.try_iter().collect();
    assert!(
        told.is_sorted() && told.last() >= Some(&found.end),
        "{told:?}"
    );
}
