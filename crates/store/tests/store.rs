//! What a store keeps through closing and opening, and what its readers see.

mod harness;

use std::sync::Arc;

use harness::{ALL, Home, New, Told, context, read};
use pagelog_commit_log::Replayer;
use pagelog_store::answer::{Mark, Notify, Position};
use pagelog_store::{
    AppendError, Catalog, ConfigKey, ConfigKind, ConfigValues, CreateTopicError, DeleteTopicError,
    Epoch, GrowTopicError, Offset, ReadError, ReadLimits, SequenceError, TopicName, Waiter, Watch,
};

#[test]
fn topics_and_records_survive_a_stop() {
    let home = Home::new();
    let running = home.open();
    let made = running.create("orders", 3);
    let end = running
        .append(&made.partitions()[1], &New::plain(b"first"))
        .expect("appended")
        .end;
    running.wait_settled(end);
    let id = made.id();
    drop(made);
    running.stop();

    let running = home.open();
    let topics = running.store.topics();
    let found = topics.by_name("orders").expect("it is there");
    assert_eq!(found.id(), id);
    assert_eq!(
        topics.by_id(id).expect("by id too").name().as_str(),
        "orders"
    );
    let lengths: Vec<i64> = found
        .partitions()
        .iter()
        .map(|one| one.high_watermark().0)
        .collect();
    assert_eq!(lengths, [0, 1, 0]);
    assert_eq!(read(&found.partitions()[1], 0, ALL), b"first");
    running.stop();
}

#[test]
fn topics_that_were_carried_are_there_once() {
    let home = Home::new();
    let running = home.open();
    let (first, second) = (running.create("a", 2), running.create("b", 1));
    running.delete(&first);
    let until = running.store.log().appended();
    let mut steps = 0;
    loop {
        let carried = running.store.carry_values(until, 1).expect("there is room");
        assert!(carried.end > until);
        steps += 1;
        if carried.all {
            break;
        }
    }
    assert_eq!(
        steps, 3,
        "a topic, how many streams were given, a partition"
    );
    let again = running.store.carry_values(until, 1).expect("nothing to do");
    assert_eq!((again.all, again.end), (true, Position(0)));
    let id = second.id();
    drop((first, second));
    running.stop();

    let running = home.open();
    let topics = running.store.topics();
    assert_eq!((topics.len(), topics.by_id(id).is_some()), (1, true));
    let third = running.create("a", 1);
    assert_eq!(third.partitions()[0].stream().0, 4);
    running.stop();
}

#[test]
fn a_deleted_topic_stays_deleted_and_its_name_is_free() {
    let home = Home::new();
    let running = home.open();
    let first = running.create("a", 2);
    running
        .append(&first.partitions()[0], &New::plain(b"old"))
        .expect("appended");
    running.delete(&first);
    assert!(running.store.topics().is_empty());
    let refused = running.append(&first.partitions()[0], &New::plain(b"late"));
    assert!(matches!(refused, Err(AppendError::Deleted)));
    assert!(matches!(
        first.partitions()[0].read(Offset(0), ALL),
        Err(ReadError::Deleted)
    ));
    assert!(matches!(
        running.store.delete_topic(first.id()),
        Err(DeleteTopicError::Unknown { .. })
    ));

    let second = running.create("a", 1);
    assert_ne!(second.id(), first.id());
    let streams: Vec<u32> = second
        .partitions()
        .iter()
        .map(|one| one.stream().0)
        .collect();
    assert_eq!(streams, [3], "streams 1 and 2 were the first topic's");
    let id = second.id();
    drop((first, second));
    running.stop();

    let running = home.open();
    let topics = running.store.topics();
    let found = topics.by_name("a").expect("the second one");
    assert_eq!((found.id(), found.partitions().len()), (id, 1));
    assert_eq!(found.partitions()[0].next_offset(), Offset(0));
    running.stop();
}

#[test]
fn a_topic_grows_and_keeps_what_it_had() {
    let home = Home::new();
    let running = home.open();
    let small = running.create("a", 1);
    running.create("b", 1);
    running
        .append(&small.partitions()[0], &New::plain(b"old"))
        .expect("appended");
    let held = running.store.grow_topic(small.id(), 1);
    assert!(matches!(held, Err(GrowTopicError::NotMore { held: 1, .. })));
    let grown = running.store.grow_topic(small.id(), 3).expect("grown");
    assert_eq!((grown.id(), grown.partitions().len()), (small.id(), 3));
    assert!(Arc::ptr_eq(&grown.partitions()[0], &small.partitions()[0]));
    let end = running
        .append(&grown.partitions()[2], &New::plain(b"new"))
        .expect("appended")
        .end;
    running.wait_settled(end);
    drop((small, grown));
    running.stop();

    let running = home.open();
    let topics = running.store.topics();
    let found = topics.by_name("a").expect("it is there");
    let streams: Vec<u32> = found
        .partitions()
        .iter()
        .map(|one| one.stream().0)
        .collect();
    assert_eq!(streams, [1, 3, 4], "stream 2 is the other topic's");
    assert_eq!(read(&found.partitions()[0], 0, ALL), b"old");
    assert_eq!(read(&found.partitions()[2], 0, ALL), b"new");
    assert_eq!(running.create("c", 1).partitions()[0].stream().0, 5);
    running.stop();
}

#[test]
fn configurations_survive_a_stop_and_the_topics_is_stronger() {
    let home = Home::new();
    let running = home.open();
    let own = ConfigValues::from([("retention.ms".to_owned(), "5".to_owned())]);
    let name = TopicName::new("own").expect("valid");
    let store = &running.store;
    let topic = store
        .create_configured_topic(&name, 1, &own)
        .expect("created");
    let plain = running.create("plain", 1);
    assert_eq!(topic.config().retention_ms, Some(5));
    assert_eq!(plain.config().retention_ms, None);

    let key = ConfigKey {
        kind: ConfigKind::Broker,
        name: String::new(),
    };
    let broker = ConfigValues::from([
        ("log.retention.ms".to_owned(), "7".to_owned()),
        ("message.max.bytes".to_owned(), "9".to_owned()),
    ]);
    let end = store.configure(&key, &broker).expect("configured");
    running.wait_settled(end);
    let retention = |name: &str| {
        let topics = running.store.topics();
        let config = Arc::clone(topics.by_name(name).expect("it is there").config());
        (config.retention_ms, config.message_size_max)
    };
    assert_eq!(retention("own"), (Some(5), Some(9)));
    assert_eq!(retention("plain"), (Some(7), Some(9)));
    let end = store.configure_topic(plain.id(), &own).expect("configured");
    running.wait_settled(end);
    drop((topic, plain));
    running.stop();

    let running = home.open();
    let topics = running.store.topics();
    for name in ["own", "plain"] {
        let config = topics.by_name(name).expect("it is there").config();
        assert_eq!(config.retention_ms, Some(5), "{name}");
        assert_eq!(config.values(), &own, "{name}");
    }
    assert_eq!(running.store.config(&key), broker);
    let until = running.store.log().appended();
    let carried = running.store.carry_values(until, u64::MAX).expect("room");
    running.wait_settled(carried.end);
    drop(topics);
    running.stop();

    let running = home.open();
    assert_eq!(running.store.config(&key), broker, "carried");
    let topics = running.store.topics();
    let config = topics.by_name("own").expect("carried").config();
    assert_eq!(config.retention_ms, Some(5));
    let end = running
        .store
        .configure(&key, &ConfigValues::new())
        .expect("configured");
    running.wait_settled(end);
    assert!(running.store.configs(ConfigKind::Broker).is_empty());
    running.stop();
}

#[test]
fn a_catalog_lists_the_topics_of_a_log_that_is_not_opened() {
    let home = Home::new();
    let running = home.open();
    let kept = running.create("kept", 3);
    let gone = running.create("gone", 2);
    running.delete(&gone);
    let last = running.create("last", 1);
    let expected = [kept.id(), last.id()];
    drop((kept, gone, last));
    running.stop();

    let mut catalog = Catalog::default();
    let replayer = Replayer::open(&home.looked_at()).expect("a log");
    let found = replayer.replay(&mut |entry| Ok(catalog.take(entry)?));
    assert!(found.expect("a whole log").clean);
    let topics = catalog.topics();
    assert_eq!(
        topics.iter().map(|topic| topic.id).collect::<Vec<_>>(),
        expected
    );
    let found: Vec<_> = topics
        .iter()
        .map(|topic| (topic.name.as_str(), topic.streams[0].clone()))
        .collect();
    assert_eq!(found, [("kept", 1..4), ("last", 6..7)]);
}

#[test]
fn there_is_one_topic_of_a_name_and_a_limit_to_all_partitions() {
    let mut home = Home::new();
    home.options.partitions_max = 5;
    let running = home.open();
    let topic = running.create("a", 3);
    let create = |name: &str, count| {
        running
            .store
            .create_topic(&TopicName::new(name).expect("valid"), count)
    };
    assert!(matches!(
        create("a", 1),
        Err(CreateTopicError::Exists { .. })
    ));
    assert!(matches!(
        create("b", 0),
        Err(CreateTopicError::NoPartitions)
    ));
    assert!(matches!(
        create("b", 3),
        Err(CreateTopicError::TooManyPartitions {
            asked: 3,
            held: 3,
            max: 5
        })
    ));
    running.create("b", 2);
    running.delete(&topic);
    running.create("c", 3);
    running.stop();
}

#[test]
fn a_repeated_batch_is_stored_once_through_a_restart() {
    let home = Home::new();
    let running = home.open();
    let topic = running.create("a", 1);
    let partition = &topic.partitions()[0];
    let mut ends = Vec::new();
    for index in 0..7 {
        let new = New::numbered(b"batch", 9, index * 2, 2);
        ends.push(running.append(partition, &new).expect("in order").end);
    }
    running.wait_settled(ends[6]);
    drop(topic);
    running.stop();

    let running = home.open();
    let topics = running.store.topics();
    let partition = &topics.by_name("a").expect("it is there").partitions()[0];
    for index in 2..7 {
        let new = New::numbered(b"batch", 9, index * 2, 2);
        let again = running.append(partition, &new).expect("a duplicate");
        assert!(again.duplicate);
        assert_eq!(again.base_offset.0, i64::from(index) * 2);
        assert_eq!(again.end, ends[index as usize]);
    }
    for wrong in [0, 2, 13, 15] {
        let refused = running.append(partition, &New::numbered(b"batch", 9, wrong, 2));
        let Err(AppendError::Sequence(SequenceError::OutOfOrder { expected: 14, .. })) = refused
        else {
            panic!("sequence {wrong}: {refused:?}");
        };
    }
    assert_eq!(partition.next_offset(), Offset(14));
    running.stop();
}

#[test]
fn readers_see_what_is_settled_and_no_more() {
    let home = Home::new();
    let opened = home.try_open().expect("the store opens");
    let (store, mut sync) = (opened.store, opened.sync);
    let topic = store
        .create_topic(&TopicName::new("a").expect("valid"), 1)
        .expect("made");
    let partition = &topic.partitions()[0];
    let batch = pagelog_store::Batch {
        count: 3,
        append_time_ms: 1,
        record_time_max_ms: 1,
        producer: pagelog_store::Producer::NONE,
        head: &[],
        body: b"three",
        patch: |_, _| {},
    };
    let end = partition.append(&batch).expect("appended").end;
    assert_eq!(
        (partition.next_offset(), partition.high_watermark()),
        (Offset(3), Offset(0))
    );
    let told = Arc::new(Told::default());
    let notify: Arc<dyn Notify> = Arc::clone(&told) as Arc<dyn Notify>;
    let watch = Watch::new(
        Waiter::new(&context(&notify, 5)),
        vec![Arc::clone(partition)],
    );
    assert_eq!(
        told.take(),
        [(5, Mark::Durable, end)],
        "what is on its way is waited for"
    );
    drop(watch);
    sync.write().expect("written");
    assert!(store.has_reached(Mark::Written, end) && !store.has_reached(Mark::Durable, end));
    assert!(read(partition, 0, ALL).is_empty());
    assert!(matches!(
        partition.read(Offset(1), ALL),
        Err(ReadError::OutOfRange {
            offset: Offset(1),
            start: Offset(0),
            end: Offset(0)
        })
    ));
    sync.sync().expect("synced");
    assert_eq!(partition.high_watermark(), Offset(3));
    assert_eq!(read(partition, 2, ALL), b"three");
    sync.close().expect("closed");
}

#[test]
fn limits_cut_between_batches_and_never_the_first() {
    let home = Home::new();
    let running = home.open();
    let topic = running.create("a", 1);
    let partition = &topic.partitions()[0];
    let mut end = topic.created();
    for _ in 0..50 {
        end = running
            .append(partition, &New::plain(&[7; 1000]))
            .expect("appended")
            .end;
    }
    running.wait_settled(end);
    let size = |size_max, first_whole| {
        let limits = ReadLimits {
            size_max,
            first_whole,
        };
        let records = partition.read(Offset(1), limits).expect("readable");
        (records.rope.len(), records.reaches_end)
    };
    assert_eq!(size(0, true), (1000, false));
    assert_eq!(size(999, false), (0, false));
    assert_eq!(size(2500, false), (2000, false));
    assert_eq!(size(u64::MAX, false), (49_000, true));
    running.stop();
}

#[test]
fn whoever_waits_is_told_once_and_not_after_leaving() {
    let home = Home::new();
    let running = home.open();
    let topic = running.create("a", 1);
    let partition = &topic.partitions()[0];
    let told = Arc::new(Told::default());
    let notify: Arc<dyn Notify> = Arc::clone(&told) as Arc<dyn Notify>;
    let waiter = |token| Waiter::new(&context(&notify, token));

    let stays = Watch::new(waiter(1), vec![Arc::clone(partition)]);
    drop(Watch::new(waiter(2), vec![Arc::clone(partition)]));
    assert_eq!(partition.waiter_count(), 1);
    let end = running
        .append(partition, &New::plain(b"x"))
        .expect("appended")
        .end;
    assert_eq!(told.take(), [(1, Mark::Durable, end)]);
    running.wait_settled(end);
    running
        .append(partition, &New::plain(b"x"))
        .expect("appended");
    assert!(told.take().is_empty(), "it has to ask again");

    stays.renew();
    told.take();
    running.delete(&topic);
    assert_eq!(told.take().len(), 1);
    drop(stays);
    assert_eq!(partition.waiter_count(), 0);
    running.stop();
}

#[test]
fn every_opening_is_an_epoch_and_gives_other_producer_ids() {
    let home = Home::new();
    let mut ids = std::collections::HashSet::new();
    let mut next = 0;
    for opening in 1..=3 {
        let running = home.open();
        assert_eq!(running.store.epoch(), Epoch(opening));
        assert!(ids.insert(running.store.new_producer_id().expect("one is left")));
        assert!(ids.insert(running.store.new_producer_id().expect("one is left")));
        if opening == 1 {
            running.create("a", 1);
        }
        let topics = running.store.topics();
        let partition = &topics.by_name("a").expect("it is there").partitions()[0];
        let end = running
            .append(partition, &New::plain(b"x"))
            .expect("appended")
            .end;
        running.wait_settled(end);
        next += 1;
        let ended = |epoch| {
            partition
                .epoch_end(Epoch(epoch))
                .map(|end| (end.epoch.0, end.end.0))
        };
        assert_eq!(ended(opening), Some((opening, next)));
        assert_eq!(ended(opening + 1), None);
        if opening > 1 {
            assert_eq!(ended(opening - 1), Some((opening - 1, next - 1)));
        }
        drop(topics);
        running.stop();
    }
}

#[test]
fn time_finds_the_first_batch_that_reaches_it() {
    let home = Home::new();
    let running = home.open();
    let topic = running.create("a", 1);
    let partition = &topic.partitions()[0];
    let mut end = topic.created();
    for time_ms in [10, 30, 20, 30] {
        let new = New {
            time_ms,
            ..New::plain(b"x")
        };
        end = running.append(partition, &new).expect("appended").end;
    }
    running.wait_settled(end);
    let at = |time_ms| {
        let found = partition.find_time(time_ms).expect("not deleted");
        found.map(|found| found.base_offset.0)
    };
    assert_eq!(
        (at(0), at(11), at(30), at(31)),
        (Some(0), Some(1), Some(1), None)
    );
    let latest = partition.find_latest_time().expect("not deleted");
    assert_eq!(latest.map(|found| found.base_offset.0), Some(1));
    running.stop();
}
