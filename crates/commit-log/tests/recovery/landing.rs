//! Entries that are received into their place: whole, short, given up, and killed in the midst of it.

use std::io::BufRead;
use std::sync::Arc;

use pagelog_commit_log::{AppendError, Cut, Kind, LandingSize, Log, NewEntry, Replayer, StreamId};
use pagelog_record::crc32c;
use pagelog_testing::{Arriving, MemoryStorage};
use proptest::prelude::*;

use crate::fixture::{Fixture, Found, ROUTES, fill, payload};

/// What becomes of a landing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Course {
    /// So many bytes of the body come with its front.
    early: usize,
    /// So many at a time.
    at_once: usize,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is committed.
    Committed,
    /// All but the last byte comes.
    Short,
    /// It is whole, and nobody wants it.
    Refused,
    /// Nothing comes.
    Nothing,
}

/// What it left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) landed: Option<Found>,
    /// What was appended to another stream meanwhile.
    pub(crate) behind: Option<Found>,
}

pub(crate) fn any_course() -> impl Strategy<Value = Course> {
    let end = prop_oneof![
        3 => Just(End::Committed),
        1 => Just(End::Short),
        1 => Just(End::Refused),
        1 => Just(End::Nothing),
    ];
    (0..40_usize, 1..700_usize, end).prop_map(|(early, at_once, end)| Course {
        early,
        at_once,
        end,
    })
}

fn entry(head: &[u8]) -> NewEntry<'_> {
    NewEntry {
        head,
        record_time_max_ms: 0,
        ..NewEntry::record(&[])
    }
}

/// Lands `payload` in `stream`, and appends to another stream between the reservation and the end; `midst` is called before and after
/// what has come is in its place, when everything else is written and synced.
pub(crate) fn land(
    fixture: &mut Fixture,
    stream: u32,
    payload: &[u8],
    course: Course,
    midst: &mut dyn FnMut(),
) -> Outcome {
    let log = fixture.log.clone();
    let (stream, other) = (
        log.stream(StreamId(stream)),
        log.stream(StreamId(1 + stream % 3)),
    );
    let (head, body) = payload.split_at(5);
    let size = LandingSize {
        head: head.len(),
        body: body.len(),
    };
    let mut landing = loop {
        match log.reserve(&stream, size) {
            Ok(landing) => break landing,
            Err(AppendError::Busy(busy)) => {
                fixture.sync.write().unwrap();
                log.wait_room(busy, std::time::Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    };
    let behind = log.append(&other, &entry(b"behind"));
    let behind = behind.ok().map(|appended| {
        fixture.own(&other, &appended);
        Found {
            end: appended.end.0,
            stream: other.id().0,
            base_offset: appended.base_offset.0,
            payload: b"behind".to_vec(),
        }
    });
    let mut flush = || {
        fixture.sync.write().unwrap();
        fixture.sync.sync().unwrap();
        midst();
    };
    flush();
    let (early, rest) = body.split_at(course.early.min(body.len()));
    landing.put(early).unwrap();
    let rest = match course.end {
        End::Committed | End::Refused => rest,
        End::Short => &rest[..rest.len().saturating_sub(1)],
        End::Nothing => &[],
    };
    let mut tail = [0; 3];
    let with_tail = [rest, b"end"].concat();
    let arriving = match course.end {
        End::Committed | End::Refused => &with_tail,
        End::Short | End::Nothing => rest,
    };
    let mut arriving = Arriving::new(arriving, course.at_once);
    let beyond = landing.receive(&mut arriving, &mut tail);
    flush();
    let landed = match course.end {
        End::Committed => {
            assert!(landing.is_whole());
            assert_eq!((beyond, &tail), (3, b"end"));
            let sum = crc32c::of(&[b"before", body].concat());
            assert_eq!(landing.body().crc_behind(b"before").unwrap(), sum);
            let appended = landing.commit(&entry(head)).unwrap();
            fixture.own(&stream, &appended);
            Some(Found {
                end: appended.end.0,
                stream: stream.id().0,
                base_offset: appended.base_offset.0,
                payload: payload.to_vec(),
            })
        }
        End::Refused => {
            let mut read = Vec::new();
            let mut body_read = landing.body();
            loop {
                for distance in [0, 5, 300, 9_000] {
                    let wanted = body.get(read.len() + distance..).unwrap_or_default();
                    let at_hand = body_read.ahead(distance).unwrap();
                    assert!(wanted.starts_with(at_hand));
                    assert_eq!(at_hand.is_empty(), wanted.is_empty());
                }
                let window = body_read.fill_buf().unwrap();
                if window.is_empty() {
                    break;
                }
                // In odd steps, so that windows are left in the middle.
                let size = window.len().min(77);
                read.extend_from_slice(&window[..size]);
                body_read.consume(size);
            }
            assert_eq!(read, body);
            assert_eq!(landing.take_back().unwrap(), rest);
            None
        }
        End::Short => {
            assert_eq!(landing.take_back().unwrap(), rest);
            None
        }
        End::Nothing => {
            drop(landing);
            None
        }
    };
    Outcome { landed, behind }
}

fn course(end: End) -> Course {
    Course {
        early: 7,
        at_once: 100,
        end,
    }
}

#[test]
fn a_place_that_was_given_up_is_a_filler_and_what_lies_behind_is_read() {
    for route in ROUTES {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        fixture.append(1, b"first");
        let outcome = land(
            &mut fixture,
            1,
            &payload(3),
            course(End::Refused),
            &mut || {},
        );
        let behind = outcome.behind.expect("there is room");
        let after = fixture.append(1, b"after");
        assert_eq!(after.base_offset.0, 1, "the filler takes no offset");
        fixture.flush();
        let traffic = fixture.log.landings();
        assert_eq!((traffic.landed, traffic.given_up), (0, 1));
        let before = fixture.entries();
        assert_eq!(before.len(), 3);
        assert!(before.contains(&behind));
        drop(fixture);
        let fixture = Fixture::new(&storage, route);
        assert_eq!(fixture.entries(), before);
        let fillers = |header: &&pagelog_commit_log::Header| header.kind == Kind::Filler;
        let filler = fixture
            .headers
            .iter()
            .find(fillers)
            .expect("one is replayed");
        assert_eq!(filler.payload_size as usize, payload(3).len());
    }
}

/// A log is also cut by hand where a filler lies, and before and behind it.
#[test]
fn a_log_is_cut_round_a_filler() {
    for route in ROUTES {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        fixture.append(1, b"first");
        land(&mut fixture, 1, &payload(3), course(End::Short), &mut || {});
        fixture.append(1, b"after");
        fixture.flush();
        let entries = fixture.entries();
        drop(fixture);
        let mut places = Vec::new();
        let replayer = Replayer::open(&storage).unwrap();
        let replayed = replayer.replay(&mut |entry| {
            places.push(entry.header.position);
            Ok(())
        });
        replayed.unwrap();
        for place in &places[2..] {
            let image = storage.freeze().process_death();
            let to = pagelog_commit_log::Position(*place);
            let cut = Cut::plan(Arc::new(image.clone()), to, &mut |_| {}).unwrap();
            cut.make().unwrap();
            let fixture = Fixture::new(&image, route);
            let kept = entries.iter().filter(|found| found.end <= *place);
            assert_eq!(fixture.entries(), kept.cloned().collect::<Vec<_>>());
        }
    }
}

/// Also where the replay does not begin with the log: what the checkpoint tells and what follows it is whole, and the log goes on where the
/// place was.
#[test]
fn killed_in_a_landing_above_a_checkpoint_the_log_ends_before_the_place() {
    for route in ROUTES {
        for end in [End::Committed, End::Refused] {
            let storage = MemoryStorage::new(1);
            let mut fixture = Fixture::new(&storage, route);
            fill(&mut fixture, 40, 4);
            let covered = fixture.checkpoint();
            let above = fixture.append(1, b"above it");
            fixture.flush();
            let before = fixture.entries();
            let mut images = Vec::new();
            let outcome = land(&mut fixture, 2, &payload(5), course(end), &mut || {
                images.push(storage.freeze());
            });
            let behind = outcome.behind.expect("there is room");
            assert_eq!(images.len(), 2);
            for image in images {
                for image in [image.process_death(), image.power_cut_losing_all()] {
                    let mut again = Fixture::new(&image, route);
                    assert!(again.recovery.from_checkpoint);
                    assert_eq!(again.recovery.begin, covered);
                    assert_eq!(
                        again.recovery.end, above.end,
                        "nothing of the landing is left"
                    );
                    assert!(again.entries() == before);
                    let after = again.append(2, b"after it");
                    again.flush();
                    let entries = again.entries();
                    assert_eq!(
                        (entries.len(), after.end > above.end),
                        (before.len() + 1, true)
                    );
                    drop(again);
                    assert!(Fixture::new(&image, route).entries() == entries);
                }
            }
            // And if nobody is killed, all of it is there.
            fixture.flush();
            let expected = outcome.landed.into_iter().chain([behind]);
            let expected: Vec<Found> = before.iter().cloned().chain(expected).collect();
            assert_eq!(fixture.entries().len(), expected.len());
            drop(fixture);
            let fixture = Fixture::new(&storage, route);
            assert_eq!(fixture.recovery.begin, covered);
            assert!(
                expected
                    .iter()
                    .all(|found| fixture.entries().contains(found))
            );
        }
    }
}

/// The payload of a filler is a stranger's, and may look like anything.
#[test]
fn nothing_within_a_filler_is_taken_for_an_entry() {
    for route in ROUTES {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        fixture.append(2, b"an entry that may be imitated");
        fixture.flush();
        let copied = storage.content("00000000000000000000.log")[..400].to_vec();
        let mut imitation = payload(1)[..5].to_vec();
        imitation.extend_from_slice(&[0; 3]);
        imitation.extend_from_slice(&copied);
        land(
            &mut fixture,
            1,
            &imitation,
            course(End::Refused),
            &mut || {},
        );
        fixture.append(1, b"after");
        fixture.flush();
        let entries = fixture.entries();
        drop(fixture);
        assert_eq!(Fixture::new(&storage, route).entries(), entries);
    }
}

#[test]
#[should_panic(expected = "appended to the stream")]
fn nothing_overtakes_a_landing_within_its_stream() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    let log = fixture.log.clone();
    let stream = log.stream(StreamId(1));
    let size = LandingSize { head: 0, body: 0 };
    let landing = log.reserve(&stream, size).unwrap();
    fixture.append(1, b"overtakes");
    drop(landing.commit(&entry(&[])));
}

/// What landed and what was copied is the same file, to the byte.
#[test]
fn landed_and_copied_are_the_same_bytes() {
    let content = |landed: bool, route| {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        for number in 0..20 {
            let payload = payload(number);
            let (head, body) = payload.split_at(5);
            let log: &Log = &fixture.log;
            let stream = log.stream(StreamId(1));
            let size = LandingSize {
                head: 5,
                body: body.len(),
            };
            let assigned = |assigned: pagelog_commit_log::Assigned, head: &mut [u8]| {
                head[0] = assigned.base_offset.0 as u8;
            };
            let new = NewEntry {
                patch: assigned,
                ..entry(head)
            };
            if landed {
                let mut landing = log.reserve(&stream, size).unwrap();
                let mut arriving = Arriving::new(body, 100);
                landing.receive(&mut arriving, &mut []);
                landing.commit(&new).unwrap();
            } else {
                log.append(&stream, &NewEntry { body, ..new }).unwrap();
            }
            fixture.flush();
        }
        let traffic = fixture.log.landings();
        assert_eq!(traffic.landed, if landed { 20 } else { 0 });
        storage
    };
    for route in ROUTES {
        let (landed, copied) = (content(true, route), content(false, route));
        let read = |storage: &MemoryStorage| Fixture::new(storage, route).entries();
        assert_eq!(read(&landed), read(&copied));
        let headers = |storage: &MemoryStorage| {
            let mut headers = Fixture::new(storage, route).headers;
            headers.truncate(20);
            headers
        };
        assert_eq!(headers(&landed), headers(&copied));
    }
}
