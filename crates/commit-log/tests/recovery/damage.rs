//! Damage below what was durable is refused with its position. What nothing in the log proves is the tail.

use std::collections::BTreeSet;

use pagelog_commit_log::{Header, OpenError, Position};
use pagelog_testing::{MemoryStorage, Random};

use crate::fixture::{FIRST_SEGMENT, Fixture, Found, ROUTES, SEGMENT_SIZE, STAGED, fill, open};

struct Sample {
    storage: MemoryStorage,
    entries: Vec<Found>,
    headers: Vec<Header>,
    end: Position,
}

/// A log of three segments and two lives, synced in small groups, and stopped cleanly or by a crash.
fn sample(clean: bool) -> Sample {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, 20, 3);
    drop(fixture);
    let mut fixture = Fixture::new(&storage, ROUTES[1]);
    fill(&mut fixture, 25, 4);
    let end = if clean {
        fixture.sync.close().unwrap()
    } else {
        fixture.log.durable().get()
    };
    let entries = fixture.entries();
    drop(fixture);
    // Opened once more, on a copy, only to learn where everything lies.
    let headers = Fixture::new(&storage.freeze().process_death(), ROUTES[0]).headers;
    Sample {
        storage,
        entries,
        headers,
        end,
    }
}

fn segment_of(position: u64) -> (String, u64) {
    let base = position / SEGMENT_SIZE * SEGMENT_SIZE;
    (format!("{base:020}.log"), position - base)
}

impl Sample {
    /// The entry that holds the byte, if one does.
    fn entry_at(&self, position: u64) -> Option<&Header> {
        let inside = |header: &&Header| {
            header.position <= position && position < header.position + header.entry_size()
        };
        self.headers.iter().find(inside)
    }

    /// Whether a later entry names a durable position above the one with this header.
    fn is_proven(&self, entry: &Header) -> bool {
        let later = self
            .headers
            .iter()
            .filter(|header| header.position > entry.position);
        later
            .into_iter()
            .any(|header| header.durable > entry.position)
    }

    /// The log with one bit of the byte at `position` turned.
    fn with_flip(&self, position: u64, bit: usize) -> MemoryStorage {
        let copy = self.storage.freeze().power_cut_losing_all();
        let (name, at) = segment_of(position);
        let byte = copy.content(&name)[at as usize];
        copy.overwrite(&name, at, &[byte ^ 1 << bit]);
        copy
    }

    fn check_flip(&self, position: u64, bit: usize) -> Verdict {
        match open(&self.with_flip(position, bit), ROUTES[0]) {
            Ok(fixture) if fixture.entries() == self.entries => Verdict::Same,
            Ok(fixture) => {
                let found = fixture.entries();
                assert!(
                    self.entries.starts_with(&found),
                    "not a beginning of what was there"
                );
                let hit = self
                    .entry_at(position)
                    .expect("only an entry's bytes can change what is found");
                assert!(
                    !self.is_proven(hit),
                    "byte {position}, bit {bit}: durable entries were lost in silence"
                );
                Verdict::Cut
            }
            Err(OpenError::Damaged {
                position: named,
                file,
                at,
                ..
            }) => {
                let hit = self
                    .entry_at(position)
                    .expect("only an entry's bytes can be damaged");
                assert_eq!(
                    named.0, hit.position,
                    "the position names the damaged entry"
                );
                assert_eq!((file, at), segment_of(hit.position));
                assert!(self.is_proven(hit));
                Verdict::Refused
            }
            Err(other) => panic!("byte {position}, bit {bit}: {other}"),
        }
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Same,
    Cut,
    Refused,
}

/// One bit of every byte, in a log that crashed after a sync and in one that was stopped.
#[test]
fn a_single_wrong_bit_loses_nothing_durable_in_silence() {
    for clean in [false, true] {
        let sample = sample(clean);
        let mut random = Random::new(pagelog_testing::seed(1));
        let mut verdicts = BTreeSet::new();
        let mut cut_from = u64::MAX;
        for position in 0..sample.end.0 {
            let verdict = sample.check_flip(position, random.below(8));
            if verdict == Verdict::Cut {
                cut_from = cut_from.min(position);
            }
            verdicts.insert(verdict);
        }
        assert!(verdicts.contains(&Verdict::Refused) && verdicts.contains(&Verdict::Same));
        // A clean stop proves all but its own last entry.
        let data_end = sample.entries.last().expect("there are entries").end;
        assert!(
            !clean || cut_from >= data_end,
            "cut at {cut_from} below {data_end} after a clean stop"
        );
        println!(
            "clean stop: {clean}; what cannot be told apart begins at {cut_from} of {}",
            sample.end
        );
    }
}

/// Every bit of one entry's header that lies below the proven durable position.
#[test]
fn every_bit_of_a_durable_header_counts() {
    let sample = sample(false);
    let header = &sample.headers[4];
    for position in header.position..header.position + 80 {
        for bit in 0..8 {
            assert_eq!(
                sample.check_flip(position, bit),
                Verdict::Refused,
                "byte {position}, bit {bit}"
            );
        }
    }
}

#[test]
fn the_refusal_says_where_and_why() {
    let sample = sample(false);
    let hit = &sample.headers[5];
    let Err(error) = open(&sample.with_flip(hit.position + 80, 0), ROUTES[0]) else {
        panic!("it must be refused")
    };
    let text = error.to_string();
    for expected in [
        format!("position {}", hit.position),
        segment_of(hit.position).0,
        "synced".to_owned(),
    ] {
        assert!(
            text.contains(&expected),
            "{text:?} does not say {expected:?}"
        );
    }
}

/// A page of zeros or of noise in the middle, as a failing device gives.
#[test]
fn a_lost_page_below_the_durable_position_is_refused() {
    let sample = sample(false);
    let mut random = Random::new(pagelog_testing::seed(2));
    for noise in [false, true] {
        let copy = sample.storage.freeze().power_cut_losing_all();
        let mut page = vec![0; 4096];
        if noise {
            random.fill(&mut page);
        }
        copy.overwrite(FIRST_SEGMENT, 0, &page);
        let refused = open(&copy, ROUTES[0]);
        assert!(matches!(
            refused,
            Err(OpenError::Damaged {
                position: Position(0),
                ..
            })
        ));
    }
}

/// Refusing changes nothing: with the right bytes put back, the log opens as it was.
#[test]
fn a_refused_log_is_left_as_it_was() {
    let sample = sample(false);
    let hit = sample.headers[6].position + 3;
    let copy = sample.with_flip(hit, 2);
    assert!(open(&copy, ROUTES[0]).is_err());
    let (name, at) = segment_of(hit);
    let right = sample.storage.content(&name)[at as usize];
    copy.overwrite(&name, at, &[right]);
    assert_eq!(copy.content(&name), sample.storage.content(&name));
    assert_eq!(Fixture::new(&copy, ROUTES[0]).entries(), sample.entries);
}

/// Whatever lies behind the tail, opening ends with an answer, and with all that was durable.
#[test]
fn noise_behind_the_tail_is_cut() {
    let sample = sample(false);
    let mut random = Random::new(pagelog_testing::seed(3));
    let (name, at) = segment_of(sample.end.0);
    for _ in 0..200 {
        let copy = sample.storage.freeze().power_cut_losing_all();
        let mut noise = vec![0; (SEGMENT_SIZE - at) as usize];
        random.fill(&mut noise);
        if random.one_in(2) {
            // As if an entry began there.
            noise[..4].copy_from_slice(b"PLE1");
            noise[4] = 1 + random.below(3) as u8;
            noise[5] = 0;
            noise[16..24].copy_from_slice(&sample.end.0.to_le_bytes());
        }
        copy.overwrite(&name, at, &noise);
        let fixture = Fixture::new(&copy, ROUTES[0]);
        assert_eq!(fixture.entries(), sample.entries);
        assert_eq!(fixture.recovery.end, sample.end);
    }
}

#[test]
fn an_index_proves_what_had_been_durable() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, STAGED);
    let first = fixture.append(1, b"first");
    fixture.append(1, b"second");
    fixture.flush();
    fixture.log.index_all().unwrap();
    drop(fixture);
    let before = storage.freeze().process_death();
    storage.overwrite(FIRST_SEGMENT, first.position.0 + 80, b"F");
    // What comes behind was written when the first was not durable, so no entry proves that it was.
    match open(&storage, STAGED) {
        Err(OpenError::Lost {
            position, proof, ..
        }) => {
            assert_eq!(position, first.position);
            assert!(proof.ends_with(".index"), "{proof}");
        }
        other => panic!("{:?}", other.map(|fixture| fixture.recovery)),
    }
    assert_eq!(Fixture::new(&before, STAGED).entries().len(), 2);
}
