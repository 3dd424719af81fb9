//! What checkpoints and index files tell of how far the log was durable: an opening, a look and a cut go by the same.

use std::sync::Arc;

use pagelog_commit_log::{Cut, OpenError, Position, Replayer, StreamId};
use pagelog_segment::Storage;
use pagelog_testing::MemoryStorage;

use crate::fixture::{Fixture, Found, ROUTES, SEGMENT_SIZE, fill, open};

/// A log of several segments, all of it durable and told of by the files whose names end so.
fn sample(endings: &[&str]) -> (MemoryStorage, Vec<Found>) {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, 70, 4);
    fixture.checkpoint();
    let entries = fixture.entries();
    drop(fixture);
    for name in names(&storage) {
        let derived = name.ends_with(".index") || name.ends_with(".checkpoint");
        if derived && !endings.iter().any(|ending| name.ends_with(ending)) {
            storage.remove(&name).unwrap();
        }
    }
    (storage, entries)
}

fn names(storage: &MemoryStorage) -> Vec<String> {
    let mut names = storage.list().unwrap();
    names.sort();
    names
}

/// Where the file of a segment begins in the log.
fn base(name: &str) -> Option<u64> {
    name.strip_suffix(".log")?.parse().ok()
}

/// Takes everything from `position` on out of the segments, as if it had never been written; `gone`: and the files behind, too.
fn lose(storage: &MemoryStorage, position: u64, gone: bool) {
    for name in names(storage) {
        let Some(base) = base(&name) else { continue };
        let from = position.saturating_sub(base);
        if base >= position && gone {
            storage.remove(&name).unwrap();
        } else if from < SEGMENT_SIZE {
            let zeros = vec![0; (SEGMENT_SIZE - from) as usize];
            storage.overwrite(&name, from, &zeros);
        }
    }
}

fn look(storage: &MemoryStorage) -> Result<Position, OpenError> {
    let replayer = Replayer::open(storage)?;
    replayer.replay(&mut |_| Ok(())).map(|found| found.end)
}

/// It is refused in the same words by all, at every time; a cut at the place makes of it the log that it still is.
fn assert_refused_and_cut(storage: &MemoryStorage, proof: &str, left: &[Found]) {
    let before = names(storage);
    let refused = open(storage, ROUTES[1]).map(drop).unwrap_err();
    let (position, named) = match &refused {
        OpenError::Lost {
            position, proof, ..
        } => (*position, proof),
        OpenError::Ended { end, proof, .. } => (*end, proof),
        other => panic!("{other}"),
    };
    assert!(named.ends_with(proof), "{named}");
    assert_eq!(look(storage).unwrap_err().to_string(), refused.to_string());
    let again = open(storage, ROUTES[0]).map(drop).unwrap_err();
    assert_eq!(again.to_string(), refused.to_string());
    assert_eq!(names(storage), before);

    let cut = Cut::plan(Arc::new(storage.clone()), position, &mut |_| {}).unwrap();
    let said = cut.loss().unwrap().refusal.as_ref().unwrap().to_string();
    assert_eq!(said, refused.to_string());
    cut.make().unwrap();
    let mut fixture = Fixture::new(storage, ROUTES[0]);
    assert_eq!(fixture.entries(), left);
    fill(&mut fixture, 30, 4);
    fixture.log.index_all().unwrap();
    let entries = fixture.entries();
    assert!(entries.starts_with(left));
    drop(fixture);
    assert_eq!(Fixture::new(storage, ROUTES[1]).entries(), entries);
}

#[test]
fn what_is_missing_at_the_end_is_missed_by_whoever_looks() {
    for (endings, proof) in [
        (&[".checkpoint"][..], ".checkpoint"),
        (&[".index"], ".index"),
        // The last index ends where the checkpoint does.
        (&[".index", ".checkpoint"], ".checkpoint"),
    ] {
        let (storage, entries) = sample(endings);
        let places = [
            entries[10].end,
            2 * SEGMENT_SIZE,
            entries[entries.len() - 2].end,
        ];
        for place in places {
            for gone in [false, true] {
                let copy = storage.freeze().process_death();
                lose(&copy, place, gone);
                let left = entries.partition_point(|entry| entry.end <= place);
                assert_refused_and_cut(&copy, proof, &entries[..left]);
            }
        }
    }
}

/// Where no file tells more, the same loss looks like a crash.
#[test]
fn without_evidence_a_log_ends_where_it_breaks_off() {
    let (storage, entries) = sample(&[]);
    for gone in [false, true] {
        let copy = storage.freeze().process_death();
        lose(&copy, 2 * SEGMENT_SIZE, gone);
        let left = entries.partition_point(|entry| entry.end <= 2 * SEGMENT_SIZE);
        assert_eq!(Fixture::new(&copy, ROUTES[0]).entries(), entries[..left]);
    }
}

/// Puts a file back, or changes it.
fn write(storage: &MemoryStorage, name: &str, content: &[u8]) {
    if !storage.list().unwrap().contains(&name.to_owned()) {
        let file = storage.create(name, content.len() as u64).unwrap();
        file.sync_data().unwrap();
    }
    storage.overwrite(name, 0, content);
}

/// A crash between the removal of the first segment and that of its index leaves the index: it tells of what has gone for good.
#[test]
fn the_index_of_a_removed_front_proves_nothing() {
    let (storage, _) = sample(&[".index"]);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    for stream in 1..=3 {
        let stream = fixture.log.stream(StreamId(stream));
        fixture.log.set_start(&stream, stream.next_offset());
    }
    fill(&mut fixture, 3, 3);
    let entries = fixture.entries().split_off(70);
    let front = fixture.log.front().unwrap();
    let index = format!("{:020}.index", front.start.0);
    let content = storage.content(&index);
    fixture.log.remove_front(&front).unwrap();
    drop(fixture);
    write(&storage, &index, &content);
    assert!(look(&storage).is_ok());
    let fixture = Fixture::new(&storage, ROUTES[1]);
    assert!(fixture.entries().ends_with(&entries));
    assert!(!names(&storage).contains(&index));
}

/// An index behind the end that is not whole, or of another log, is removed like any other that is of no use.
#[test]
fn what_is_not_this_log_s_proves_nothing() {
    let (storage, entries) = sample(&[".index"]);
    let of_this = names(&storage);
    let last = of_this.iter().rfind(|name| name.ends_with(".index"));
    let last = last.unwrap();
    // The same history under another identity.
    let (other, _) = sample(&[".index"]);
    let mut damaged = storage.content(last);
    damaged[60] ^= 1;
    for content in [damaged, other.content(last)] {
        let copy = storage.freeze().process_death();
        lose(&copy, 2 * SEGMENT_SIZE, true);
        for name in &of_this {
            let behind = name
                .strip_suffix(".index")
                .map(|digits| digits.parse::<u64>());
            if behind.is_some_and(|base| base.unwrap() >= 2 * SEGMENT_SIZE) {
                copy.remove(name).unwrap();
            }
        }
        write(&copy, last, &content);
        let left = entries.partition_point(|entry| entry.end <= 2 * SEGMENT_SIZE);
        assert!(look(&copy).is_ok());
        assert_eq!(Fixture::new(&copy, ROUTES[0]).entries(), entries[..left]);
        assert!(!names(&copy).contains(last));
    }
}
