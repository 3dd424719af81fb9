//! The end of the log after a crash: what is torn is cut, and what an earlier life left behind it is not taken for new.

use pagelog_commit_log::{Epoch, NotWhole, Position};
use pagelog_testing::MemoryStorage;

use crate::fixture::{FIRST_SEGMENT, Fixture, ROUTES, payload};

/// Wherever the last entry is cut, the entries before it stay, and the log goes on in its place.
#[test]
fn a_torn_last_entry_is_cut() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fixture.append(1, b"kept");
    fixture.flush();
    let last = fixture.append(1, &[0xaa; 100]);
    fixture.sync.write().unwrap();
    drop(fixture);

    for cut in (last.position.0..last.end.0 - 4).step_by(3) {
        let torn = storage.freeze().process_death();
        torn.overwrite(FIRST_SEGMENT, cut, &vec![0; (last.end.0 - cut) as usize]);
        let mut fixture = Fixture::new(&torn, ROUTES[0]);
        let payloads: Vec<_> = fixture
            .entries()
            .into_iter()
            .map(|found| found.payload)
            .collect();
        assert_eq!(payloads, [b"kept"], "cut at {cut}");
        assert_eq!(fixture.recovery.end, last.position);
        let next = fixture.append(1, b"goes on");
        assert_eq!(next.base_offset.0, 1);
        fixture.flush();
        drop(fixture);
        assert_eq!(Fixture::new(&torn, ROUTES[0]).entries().len(), 2);
    }
}

#[test]
fn a_whole_log_is_not_cut() {
    for route in ROUTES {
        let storage = MemoryStorage::new(2);
        let mut fixture = Fixture::new(&storage, route);
        let last = fixture.append(1, b"the last one");
        fixture.flush();
        drop(fixture);
        let fixture = Fixture::new(&storage, route);
        assert_eq!(fixture.recovery.end, last.end);
        assert_eq!(fixture.recovery.cut, None);
        assert!(!fixture.recovery.clean);
    }
}

/// A crash leaves an entry whole behind a hole. The next life fills the hole exactly, so the old entry follows its last one without a gap,
/// in the place its header names, with a valid checksum. Only its epoch tells.
#[test]
fn an_entry_of_an_earlier_life_right_behind_the_tail_is_not_read() {
    for route in ROUTES {
        let storage = MemoryStorage::new(3);
        let mut fixture = Fixture::new(&storage, route);
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

        let mut fixture = Fixture::new(&storage, route);
        let opened = fixture.log.durable().get();
        let filling = left_over.position.0 - opened.0 - 80;
        let second = fixture.append(1, &vec![2; filling as usize]);
        assert_eq!(second.end, left_over.position);
        fixture.flush();
        drop(fixture);
        // A staged write covers the rest of its page with zeros, but the old entry may as well begin the next page.
        storage.overwrite(FIRST_SEGMENT, left_over.position.0, left_over_bytes);

        let fixture = Fixture::new(&storage, route);
        let found = fixture.entries();
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[1].payload, vec![2; filling as usize]);
        assert_eq!(fixture.recovery.cut, Some(NotWhole::Epoch(Epoch(1))));
        assert_eq!(fixture.log.epoch(), Epoch(3));
    }
}

/// A recycled file brings whole entries of this very log, sealed with its secret, in places that are not theirs.
#[test]
fn an_entry_of_another_place_is_not_read() {
    let storage = MemoryStorage::new(4);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    let first = fixture.append(1, b"here and nowhere else");
    fixture.flush();
    drop(fixture);
    let content = storage.content(FIRST_SEGMENT);
    let copied = &content[first.position.0 as usize..first.end.0 as usize];
    storage.overwrite(FIRST_SEGMENT, first.end.0, copied);

    let fixture = Fixture::new(&storage, ROUTES[0]);
    assert_eq!(fixture.entries().len(), 1);
    assert_eq!(
        fixture.recovery.cut,
        Some(NotWhole::Position(first.position))
    );
    assert_eq!(fixture.recovery.end, first.end);
}

/// A producer's payload may hold the bytes of a whole entry for the very place it comes to lie in; it cannot know the log's secret.
#[test]
fn a_payload_that_imitates_an_entry_is_not_read_as_one() {
    use pagelog_record::{Header, Kind, Offset, Producer, Seed, StreamId};
    let storage = MemoryStorage::new(5);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    let end = fixture.log.durable().get().0;
    // Its own header, then the imitation, whose position is where it lies.
    let header = Header {
        kind: Kind::Data,
        moved: false,
        payload_size: 0,
        position: end + 80,
        durable: u64::MAX,
        base_offset: Offset(0),
        append_time_ms: 0,
        record_time_max_ms: 0,
        stream: StreamId(1),
        count: 1,
        epoch: Epoch(1),
        producer: Producer::NONE,
    };
    let imitation = Seed::from_secret(&[0; 16]).seal(&header, &[]);
    let real = fixture.append(1, &imitation);
    fixture.sync.write().unwrap();
    drop(fixture);
    // The real header is lost in a crash: the imitation must be neither an entry nor a proof of damage.
    storage.overwrite(FIRST_SEGMENT, real.position.0, &[0; 80]);
    let fixture = Fixture::new(&storage, ROUTES[0]);
    assert_eq!(fixture.entries(), []);
    assert_eq!(fixture.recovery.end, real.position);
}

#[test]
fn a_log_that_ends_with_its_segment_goes_on_in_the_next() {
    for route in ROUTES {
        let storage = MemoryStorage::new(6);
        let mut fixture = Fixture::new(&storage, route);
        let mut number = 0;
        // Up to the last byte of the first segment: what is left is covered by one entry.
        let end = loop {
            let left = 8192 - fixture.append(1, &payload(number)).end.0;
            number += 1;
            if left < 1_500 {
                break fixture.append(1, &vec![9; left as usize - 80]).end;
            }
        };
        assert_eq!(end, Position(8192));
        fixture.flush();
        let before = fixture.entries();
        drop(fixture);
        let mut fixture = Fixture::new(&storage, route);
        assert_eq!(fixture.entries(), before);
        assert_eq!(
            fixture.append(1, b"next").base_offset.0,
            before.len() as i64
        );
        fixture.flush();
        drop(fixture);
        assert_eq!(
            Fixture::new(&storage, route).entries().len(),
            before.len() + 1
        );
    }
}

#[test]
fn every_opening_raises_the_epoch() {
    let storage = MemoryStorage::new(7);
    for epoch in 1..=5 {
        let mut fixture = Fixture::new(&storage, ROUTES[epoch as usize % 2]);
        assert_eq!(fixture.log.epoch(), Epoch(epoch));
        assert_eq!(fixture.recovery.clean, epoch > 1);
        fixture.sync.close().unwrap();
    }
}

/// No writer names a durable position within an entry. A log that was put together by a stranger who knows its secret is opened all the same.
#[test]
fn a_durable_position_within_an_entry_is_no_reason_to_refuse() {
    use pagelog_record::{Seed, StreamId};
    let storage = MemoryStorage::new(6);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    let first = fixture.append(1, &[1; 100]);
    let second = fixture.append(1, &[2; 100]);
    fixture.sync.write().unwrap();
    drop(fixture);
    let mut header = Fixture::new(&storage.freeze().process_death(), ROUTES[0]).headers[3];
    assert_eq!(
        (header.position, header.stream),
        (second.position.0, StreamId(1))
    );
    header.durable = first.position.0 + 8;
    let secret = storage.content("log.meta")[24..40].try_into().unwrap();
    let sealed = Seed::from_secret(&secret).seal(&header, &[&[2; 100]]);
    storage.overwrite(FIRST_SEGMENT, second.position.0, &sealed);

    let fixture = Fixture::new(&storage, ROUTES[0]);
    assert_eq!(fixture.recovery.proven_durable.0, first.position.0 + 8);
    assert_eq!(fixture.entries().len(), 2);
    drop(fixture);
    assert_eq!(Fixture::new(&storage, ROUTES[0]).entries().len(), 2);
}
