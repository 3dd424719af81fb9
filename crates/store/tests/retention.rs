//! The log is kept small: what is old goes, what counts stays, and disk use follows what is alive.

mod harness;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use harness::{ALL, Home, New, Running, SEGMENT_SIZE, read};
use pagelog_os::Space;
use pagelog_store::{
    AppendError, Appended, ConfigValues, DeleteRecordsError, DiskLimits, Epoch, EpochEnd,
    Housekeeping, HousekeepingOptions, Offset, Partition, ReadError, Topic, TopicName,
};

fn values(pairs: &[(&str, &str)]) -> ConfigValues {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn create(running: &Running, name: &str, config: &[(&str, &str)]) -> Arc<Topic> {
    let name = TopicName::new(name).expect("a valid name");
    let topic = running
        .store
        .create_configured_topic(&name, 1, &values(config))
        .expect("the topic is made");
    running.wait_settled(topic.created());
    topic
}

fn partition(running: &Running, name: &str) -> Arc<Partition> {
    let topics = running.store.topics();
    Arc::clone(&topics.by_name(name).expect("it is there").partitions()[0])
}

/// The sizes of the files that hold entries, or will.
fn segments(home: &Home) -> BTreeMap<String, u64> {
    let files = std::fs::read_dir(home.path()).expect("it is there");
    let files = files.map(|file| file.expect("readable"));
    let segment = |name: &String| {
        Path::new(name)
            .extension()
            .is_some_and(|kind| kind == "log")
    };
    files
        .map(|file| (file.file_name().into_string().expect("text"), file))
        .filter(|(name, _)| segment(name))
        .map(|(name, file)| (name, file.metadata().map_or(0, |found| found.len())))
        .collect()
}

fn append(running: &Running, partition: &Partition, new: &New<'_>) -> Appended {
    running.append(partition, new).expect("appended")
}

fn settle(running: &Running) {
    running.wait_settled(running.store.log().appended());
}

/// Everything from the start on.
fn content(partition: &Partition) -> Vec<u8> {
    read(partition, partition.start_offset().0, ALL)
}

/// Fills about so many segments.
fn fill(running: &Running, partition: &Partition, segments: u64) {
    for _ in 0..segments * SEGMENT_SIZE / 1104 {
        append(running, partition, &New::plain(&[7; 1024]));
    }
    settle(running);
}

#[test]
fn a_slow_stream_beside_a_busy_one_keeps_disk_use_bounded_and_loses_nothing() {
    let home = Home::new();
    let mut running = home.open();
    create(&running, "slow", &[("retention.ms", "-1")]);
    create(&running, "busy", &[("retention.bytes", "20000")]);
    let mut expected = Vec::new();
    let mut most = 0;
    for round in 0..40_i32 {
        let (slow, busy) = (partition(&running, "slow"), partition(&running, "busy"));
        let payload = format!("slow record {round};").into_bytes();
        let appended = append(&running, &slow, &New::numbered(&payload, 5, round, 1));
        assert_eq!(appended.base_offset, Offset(i64::from(round)));
        expected.extend(payload);
        fill(&running, &busy, 1);
        running.store.remove_old().expect("there is room");
        most = most.max(running.store.log().size() / SEGMENT_SIZE);
        assert_eq!(content(&slow), expected, "round {round}");
        assert!(round < 3 || content(&busy).len() >= 20_000);
        if round % 10 == 9 {
            drop((slow, busy));
            running.stop();
            running = home.open();
        }
    }
    assert!(most <= 6, "{most} segments for what fills two");
    // What is derived is derived from what is left, and nothing else is needed.
    let next = partition(&running, "busy").next_offset();
    running.stop();
    for file in std::fs::read_dir(home.path()).expect("it is there") {
        let path = file.expect("readable").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        if !name.ends_with(".log") && name != "log.meta" {
            std::fs::remove_file(&path).expect("a file");
        }
    }
    let running = home.open();
    let (slow, busy) = (partition(&running, "slow"), partition(&running, "busy"));
    assert_eq!(content(&slow), expected);
    assert_eq!(
        (slow.start_offset(), slow.next_offset()),
        (Offset(0), Offset(40))
    );
    assert_eq!(busy.next_offset(), next);
    // The producer's last batches are known, though they were moved, and the one after them is new.
    for (sequence, duplicate) in [(39, true), (36, true), (40, false)] {
        let again = append(&running, &slow, &New::numbered(b"again", 5, sequence, 1));
        assert_eq!(
            (again.base_offset.0, again.duplicate),
            (i64::from(sequence), duplicate)
        );
    }
    let gap = running.append(&slow, &New::numbered(b"gap", 5, 50, 1));
    assert!(matches!(gap, Err(AppendError::Sequence(_))));
    running.stop();
}

#[test]
fn an_emptied_stream_keeps_its_next_offset_and_its_producers() {
    let home = Home::new();
    let running = home.open();
    create(&running, "gone", &[("retention.ms", "1000")]);
    create(&running, "other", &[("retention.bytes", "0")]);
    let gone = partition(&running, "gone");
    for sequence in 0..30 {
        append(&running, &gone, &New::numbered(&[1; 900], 9, sequence, 1));
    }
    let other = partition(&running, "other");
    fill(&running, &other, 4);
    let passed = running.store.remove_old().expect("there is room");
    assert_eq!(passed.starts_moved, 2);
    assert!(passed.segments_removed >= 4, "{passed:?}");
    assert_eq!(
        (gone.start_offset(), gone.high_watermark()),
        (Offset(30), Offset(30))
    );
    assert!(matches!(
        gone.read(Offset(29), ALL),
        Err(ReadError::OutOfRange {
            start: Offset(30),
            end: Offset(30),
            ..
        })
    ));
    drop((gone, other));
    running.stop();

    let running = home.open();
    assert!(
        running
            .store
            .log()
            .front()
            .is_none_or(|front| front.start.0 > 0)
    );
    let gone = partition(&running, "gone");
    assert_eq!(
        (gone.start_offset(), gone.high_watermark()),
        (Offset(30), Offset(30))
    );
    assert!(
        running
            .append(&gone, &New::numbered(b"x", 9, 28, 1))
            .expect("known")
            .duplicate
    );
    let next = append(&running, &gone, &New::numbered(b"next", 9, 30, 1));
    assert_eq!(next.base_offset, Offset(30));
    settle(&running);
    assert_eq!(read(&gone, 30, ALL), b"next");
    running.stop();
}

#[test]
fn by_age_a_batch_goes_when_its_latest_record_is_old_and_one_from_the_future_when_its_append_is() {
    let home = Home::new();
    let running = home.open();
    create(&running, "a", &[("retention.ms", "3600000")]);
    let a = partition(&running, "a");
    let now = pagelog_store::now_ms();
    let hour = 3_600_000;
    for time_ms in [now - 2 * hour, now - 3 * hour, now, now - 4 * hour] {
        append(
            &running,
            &a,
            &New {
                time_ms,
                ..New::plain(b"record")
            },
        );
    }
    settle(&running);
    running.store.remove_old().expect("there is room");
    assert_eq!(
        a.start_offset(),
        Offset(2),
        "the third is young, and holds the fourth"
    );
    running
        .store
        .configure_topic(topic(&running, "a").id(), &values(&[("retention.ms", "0")]))
        .expect("there is room");
    append(
        &running,
        &a,
        &New {
            time_ms: now + 1000 * hour,
            ..New::plain(b"future")
        },
    );
    append(
        &running,
        &a,
        &New {
            time_ms: -1,
            ..New::plain(b"timeless")
        },
    );
    settle(&running);
    // Appends count by the clock of the machine: they are old once it has moved on.
    let until = pagelog_store::now_ms() + 1;
    while pagelog_store::now_ms() <= until {
        std::thread::yield_now();
    }
    running.store.remove_old().expect("there is room");
    assert_eq!(a.start_offset(), Offset(6));
    running.stop();
}

fn topic(running: &Running, name: &str) -> Arc<Topic> {
    Arc::clone(running.store.topics().by_name(name).expect("it is there"))
}

#[test]
fn compacted_topics_keep_everything_unless_they_delete_too() {
    let home = Home::new();
    let running = home.open();
    let tight = [("retention.bytes", "0"), ("retention.ms", "1")];
    let with = |policy| [tight[0], tight[1], ("cleanup.policy", policy)];
    create(&running, "compact", &with("compact"));
    create(&running, "both", &with("compact,delete"));
    for name in ["compact", "both"] {
        fill(&running, &partition(&running, name), 2);
    }
    running.store.remove_old().expect("there is room");
    let start = |name| partition(&running, name).start_offset().0;
    assert_eq!(start("compact"), 0);
    assert_eq!(
        partition(&running, "both").high_watermark().0,
        start("both")
    );
    running.stop();
}

#[test]
fn deleted_records_stay_deleted() {
    let home = Home::new();
    let running = home.open();
    create(&running, "a", &[]);
    let a = partition(&running, "a");
    for _ in 0..10 {
        append(&running, &a, &New::plain(b"0123456789"));
    }
    settle(&running);
    let past = a.delete_records(Offset(11));
    assert!(matches!(
        past,
        Err(DeleteRecordsError::OutOfRange {
            end: Offset(10),
            ..
        })
    ));
    assert!(a.delete_records(Offset(-1)).is_err());
    let moved = a.delete_records(Offset(4)).expect("there is room");
    assert_eq!((moved.start, a.start_offset()), (Offset(4), Offset(4)));
    let back = a.delete_records(Offset(2)).expect("nothing to do");
    assert_eq!((back.start, back.end.0), (Offset(4), 0));
    running.wait_settled(moved.end);
    assert_eq!(content(&a).len(), 60);
    drop(a);
    running.stop();
    let running = home.open();
    let a = partition(&running, "a");
    assert_eq!(
        (a.start_offset(), a.high_watermark()),
        (Offset(4), Offset(10))
    );
    assert_eq!(content(&a).len(), 60);
    running.delete(&topic(&running, "a"));
    assert!(matches!(
        a.delete_records(Offset(5)),
        Err(DeleteRecordsError::Deleted)
    ));
    running.stop();
}

#[test]
fn a_deleted_topics_segments_go_and_its_streams_do_not_come_back() {
    let home = Home::new();
    let running = home.open();
    create(&running, "a", &[]);
    fill(&running, &partition(&running, "a"), 6);
    assert!(segments(&home).len() >= 6);
    let stream = partition(&running, "a").stream();
    running.delete(&topic(&running, "a"));
    running.store.remove_old().expect("there is room");
    assert!(running.store.log().size() <= 2 * SEGMENT_SIZE);
    running.stop();
    // Nothing is left that names the topic.
    let running = home.open();
    assert!(running.store.topics().is_empty());
    create(&running, "a", &[]);
    let again = partition(&running, "a");
    assert!(again.stream() > stream);
    assert_eq!(again.next_offset(), Offset(0));
    running.stop();
}

#[test]
fn epochs_are_known_when_the_entries_that_told_them_are_gone() {
    let home = Home::new();
    let mut first_of = Vec::new();
    for _ in 0..3 {
        let running = home.open();
        if first_of.is_empty() {
            create(&running, "a", &[]);
            create(&running, "busy", &[("retention.bytes", "0")]);
        }
        let a = partition(&running, "a");
        first_of.push((running.store.epoch(), a.next_offset()));
        append(&running, &a, &New::plain(b"one"));
        append(&running, &a, &New::plain(b"two"));
        fill(&running, &partition(&running, "busy"), 2);
        let passed = running.store.remove_old().expect("there is room");
        assert!(passed.segments_removed > 0);
        drop(a);
        running.stop();
    }
    let running = home.open();
    let a = partition(&running, "a");
    for (number, (epoch, first)) in first_of.iter().enumerate() {
        let end = first_of
            .get(number + 1)
            .map_or(Offset(6), |(_, next)| *next);
        assert_eq!(a.epoch_end(*epoch), Some(EpochEnd { epoch: *epoch, end }));
        assert_eq!(a.epoch_at(*first), Some(*epoch));
    }
    // What the deleted records told goes with them.
    a.delete_records(Offset(4)).expect("there is room");
    fill(&running, &partition(&running, "busy"), 3);
    running.store.remove_old().expect("there is room");
    drop(a);
    running.stop();
    let running = home.open();
    let a = partition(&running, "a");
    assert_eq!(a.epoch_at(Offset(4)), Some(Epoch(3)));
    assert_eq!(a.epoch_at(Offset(1)), None);
    running.stop();
}

#[test]
fn many_producers_are_carried_in_parts() {
    let home = Home::new();
    let running = home.open();
    create(&running, "a", &[("retention.bytes", "0")]);
    let a = partition(&running, "a");
    for id in 0..100 {
        append(&running, &a, &New::numbered(b"first", id, 0, 1));
        append(&running, &a, &New::numbered(b"second", id, 1, 1));
    }
    fill(&running, &a, 2);
    running.store.remove_old().expect("there is room");
    fill(&running, &a, 3);
    let passed = running.store.remove_old().expect("there is room");
    assert!(passed.segments_removed > 1);
    drop(a);
    running.stop();
    let running = home.open();
    let a = partition(&running, "a");
    for id in 0..100 {
        let numbered = |sequence| running.append(&a, &New::numbered(b"again", id, sequence, 1));
        let again = numbered(1).expect("known");
        assert_eq!((again.base_offset.0, again.duplicate), (2 * id + 1, true));
        assert!(numbered(5).is_err());
        assert!(!numbered(2).expect("the next one").duplicate);
    }
    running.stop();
}

/// Waits until `condition` holds.
fn wait_until(condition: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never comes");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn options(available: &Arc<AtomicU64>, disk: DiskLimits) -> HousekeepingOptions {
    let available = Arc::clone(available);
    HousekeepingOptions {
        retention_interval: Duration::from_millis(10),
        carry_bytes_per_second: 1 << 30,
        disk,
        measure: Arc::new(move || {
            Ok(Space {
                used: 100 - available.load(SeqCst),
                available: available.load(SeqCst),
            })
        }),
    }
}

#[test]
fn past_its_limit_a_disk_takes_no_records_and_everything_that_frees_it() {
    let home = Home::new();
    let running = home.open();
    create(&running, "a", &[]);
    let a = partition(&running, "a");
    fill(&running, &a, 3);
    let available = Arc::new(AtomicU64::new(20));
    let options = options(&available, DiskLimits::default());
    let housekeeping = Housekeeping::start(Arc::clone(&running.store), options).expect("a thread");
    let refused = || {
        let appended = running.append(&a, &New::plain(b"x"));
        matches!(appended, Err(AppendError::DiskFull))
    };
    assert!(!refused());
    available.store(5, SeqCst);
    wait_until(refused);
    let kept = a.start_offset();
    assert_eq!(kept, Offset(0), "nothing goes before its time");
    let high_watermark = a.high_watermark();
    a.delete_records(high_watermark).expect("it is taken");
    wait_until(|| running.store.log().size() <= 2 * SEGMENT_SIZE);
    available.store(30, SeqCst);
    wait_until(|| !refused());
    housekeeping.stop();
    running.stop();
}

#[test]
fn where_it_is_asked_for_a_full_disk_costs_the_oldest_records_but_none_of_a_compacted_topic() {
    let home = Home::new();
    let running = home.open();
    create(&running, "kept", &[("cleanup.policy", "compact")]);
    create(&running, "a", &[]);
    let (kept, a) = (partition(&running, "kept"), partition(&running, "a"));
    append(&running, &kept, &New::plain(b"kept"));
    fill(&running, &a, 5);
    let available = Arc::new(AtomicU64::new(20));
    let disk = DiskLimits {
        clean_percent: Some(90),
        ..DiskLimits::default()
    };
    let options = options(&available, disk);
    let housekeeping = Housekeeping::start(Arc::clone(&running.store), options).expect("a thread");
    available.store(9, SeqCst);
    wait_until(|| running.store.log().size() <= 2 * SEGMENT_SIZE);
    assert!(a.start_offset() > Offset(0));
    assert_eq!(content(&kept), b"kept");
    housekeeping.stop();
    running.stop();
}

#[test]
fn housekeeping_beside_appenders_and_readers() {
    let home = Home::new();
    let running = home.open();
    create(&running, "slow", &[]);
    create(&running, "busy", &[("retention.bytes", "8000")]);
    let (slow, busy) = (partition(&running, "slow"), partition(&running, "busy"));
    let available = Arc::new(AtomicU64::new(50));
    let options = options(&available, DiskLimits::default());
    let housekeeping = Housekeeping::start(Arc::clone(&running.store), options).expect("a thread");
    let mut expected = Vec::new();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            // Whatever is moved while it reads, nothing is missing or doubled.
            let (mut found, mut from) = (Vec::new(), 0);
            while from < 120 {
                let records = slow.read(Offset(from), ALL).expect("it is not deleted");
                let bytes = records.rope.read_all().expect("held as long as it is read");
                from += bytes.len() as i64 / 8;
                found.extend(bytes);
            }
            found
        });
        for number in 0..120_u64 {
            let payload = number.to_be_bytes();
            expected.extend(payload);
            append(&running, &slow, &New::plain(&payload));
            for _ in 0..4 {
                append(&running, &busy, &New::plain(&[3; 1024]));
            }
        }
        settle(&running);
        assert_eq!(reader.join().expect("no panic"), expected);
    });
    wait_until(|| running.store.log().size() <= 4 * SEGMENT_SIZE);
    assert_eq!(content(&slow), expected);
    housekeeping.stop();
    running.stop();
}
