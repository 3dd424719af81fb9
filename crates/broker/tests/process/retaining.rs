//! The log is kept small while a broker serves, and what is kept is there after a kill.

use std::path::Path;
use std::time::{Duration, Instant};

use pagelog_kafka::codec::list_offsets::{EARLIEST, LATEST};
use rustix::process::Signal;

use crate::broker::{Broker, pagelog};
use crate::client::Client;

const OFFSET_OUT_OF_RANGE: i16 = 1;

fn start(directory: &Path) -> Broker {
    Broker::spawn(&mut pagelog(&[
        "--data-dir",
        directory.to_str().unwrap(),
        "--kafka",
        "127.0.0.1:0",
        "--set",
        "segment.bytes=64KiB",
        "--set",
        "kafka.message.max.bytes=16KiB",
        "--set",
        "kafka.log.retention.check.interval.ms=20",
        "--set",
        "kafka.log.retention.bytes=20000",
        "--set",
        "disk.refuse.percent=101",
        // The records of this client are of 1970.
        "--set",
        "kafka.log.retention.ms=-1",
    ]))
}

fn segments(directory: &Path) -> usize {
    let files = std::fs::read_dir(directory).unwrap();
    let names = files.map(|file| file.unwrap().path());
    names
        .filter(|path| path.extension().is_some_and(|kind| kind == "log"))
        .count()
}

#[test]
fn disk_use_follows_what_is_kept_and_old_offsets_are_out_of_range() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path());
    let mut client = Client::connect(broker.address("kafka"));
    client.metadata("rare");
    client.metadata("busy");
    assert_eq!(client.produce("rare", b"kept for ever").unwrap(), 0);
    for _ in 0..300 {
        assert_eq!(client.produce("busy", &[1; 4096]).unwrap(), 0);
    }
    // Of some 20 segments few are left: those that are made ahead and what is kept, which is the least of batches that are 20,000 bytes.
    let begun = Instant::now();
    let mut earliest = 0;
    while segments(directory.path()) > 6 || earliest < 295 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nothing is removed"
        );
        std::thread::sleep(Duration::from_millis(5));
        earliest = client.list_offset("busy", EARLIEST);
    }
    assert_eq!(earliest, 295);
    assert_eq!(client.fetch("busy", 0).0, OFFSET_OUT_OF_RANGE);
    let (error, records) = client.fetch("busy", earliest);
    assert_eq!((error, records.len() > 20_000), (0, true));
    let (error, rare) = client.fetch("rare", 0);
    assert!(error == 0 && rare.ends_with(b"kept for ever\0"), "{rare:?}");
    // Once this is acknowledged, where the streams start is in the log too.
    assert_eq!(client.produce("busy", &[1; 4096]).unwrap(), 0);
    broker.stop(Signal::KILL);

    let broker = start(directory.path());
    let mut client = Client::connect(broker.address("kafka"));
    assert_eq!(client.list_offset("busy", LATEST), 301);
    assert!(client.list_offset("busy", EARLIEST) >= earliest);
    assert_eq!(client.fetch("rare", 0), (0, rare));
    assert_eq!(client.list_offset("rare", LATEST), 1);
    let ended = broker.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
}

#[test]
fn past_its_limit_a_disk_refuses_records_with_an_error_that_clients_retry() {
    const KAFKA_STORAGE_ERROR: i16 = 56;
    let directory = tempfile::tempdir().unwrap();
    let arguments = [
        "--data-dir",
        directory.path().to_str().unwrap(),
        "--kafka",
        "127.0.0.1:0",
        "--set",
        "segment.bytes=4MiB",
        // Every disk is that full.
        "--set",
        "disk.refuse.percent=1",
        "--set",
        "disk.warn.percent=1",
    ];
    let used = pagelog_os::Space::of(directory.path()).unwrap();
    if used.used_percent() < 1 {
        eprintln!("skipped: the disk is empty");
        return;
    }
    let broker = Broker::spawn(&mut pagelog(&arguments));
    let mut client = Client::connect(broker.address("kafka"));
    client.metadata("a");
    let begun = Instant::now();
    while client.produce("a", b"x").unwrap() != KAFKA_STORAGE_ERROR {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is taken");
    }
    let ended = broker.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0));
    assert!(ended.log.contains("records are refused"), "{}", ended.log);
}
