//! Signals: a clean stop, and what the next start finds.

use std::net::{SocketAddr, TcpStream};

use rustix::process::Signal;

use crate::broker::{Broker, at};
use crate::client::Client;

/// Waits until nobody listens any more: the broker has begun to stop.
fn wait_until_refused(address: SocketAddr) {
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
}

#[test]
fn a_signal_stops_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = tempfile::tempdir().unwrap();
        let arguments = at(directory.path());
        let ended = Broker::start(&arguments).stop(signal);
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        let again = Broker::start(&arguments).stop(signal);
        assert_eq!(again.code, Some(0), "{}", again.log);
        assert!(again.log.contains("closed cleanly"), "{}", again.log);
    }
}

#[test]
fn a_killed_broker_starts_again_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = at(directory.path());
    let killed = Broker::start(&arguments).stop(Signal::KILL);
    assert_eq!(killed.code, None);
    let again = Broker::start(&arguments).stop(Signal::TERM);
    assert_eq!(again.code, Some(0), "{}", again.log);
    assert!(again.log.contains("not closed cleanly"), "{}", again.log);
}

/// A full segment leaves a checkpoint, and so does a stop: a start reads what follows it, and with or without it has everything.
#[test]
fn a_start_begins_at_a_checkpoint_and_does_without() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = at(directory.path());
    let checkpoints = || {
        let files = std::fs::read_dir(directory.path()).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let is_one =
            |path: &std::path::PathBuf| path.extension().is_some_and(|it| it == "checkpoint");
        paths.filter(is_one).collect::<Vec<_>>()
    };
    let mut next = 0;
    let mut life = |ending: Signal| {
        let broker = Broker::start(&arguments);
        let mut client = Client::connect(broker.address("kafka"));
        client.metadata("kept");
        // More than one segment of 4 MiB.
        for _ in 0..50 {
            assert_eq!(client.produce("kept", &[7; 100_000]).unwrap(), 0);
            next += 1;
        }
        assert_eq!(client.list_offset("kept", -1), next);
        while checkpoints().is_empty() {
            std::thread::yield_now();
        }
        broker.stop(ending).log
    };
    life(Signal::KILL);
    let log = life(Signal::KILL);
    assert!(log.contains("from_checkpoint=true"), "{log}");
    assert!(log.contains("not closed cleanly"), "{log}");
    life(Signal::TERM);
    let log = life(Signal::TERM);
    assert!(log.contains("from_checkpoint=true"), "{log}");
    assert!(log.contains("entries=1 "), "{log}");
    assert!(log.contains("the log was closed cleanly"), "{log}");
    for checkpoint in checkpoints() {
        std::fs::remove_file(checkpoint).unwrap();
    }
    let log = life(Signal::KILL);
    assert!(log.contains("from_checkpoint=false"), "{log}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let directory = tempfile::tempdir().unwrap();
        let arguments = at(directory.path());
        let broker = Broker::start(&arguments);
        let mut client = Client::connect(broker.address("kafka"));
        client.metadata("empty");
        client.poll_for_long("empty");
        // Requests of a connection are taken up in order: once this topic is there, the poll waits.
        client.ask_for_metadata("later", true);
        let mut other = Client::connect(broker.address("kafka"));
        while !other.knows("later") {}
        let address = broker.address("kafka");
        broker.signal(signal);
        wait_until_refused(address);
        assert_eq!(broker.stop(signal).code, Some(code));
    }
}

#[test]
fn a_stop_answers_what_was_acknowledged_and_the_next_start_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = at(directory.path());
    let broker = Broker::start(&arguments);
    let mut client = Client::connect(broker.address("kafka"));
    client.metadata("kept");
    assert_eq!(client.produce("kept", b"value").unwrap(), 0);
    let ended = broker.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(client.is_closed());
}

/// Each route with each policy: what was acknowledged is there after a clean stop, and offsets go on behind it.
#[test]
fn every_route_goes_with_every_policy() {
    for policy in ["sync", "interval"] {
        for route in ["log.route=staged", "log.route=mapped"] {
            let directory = tempfile::tempdir().unwrap();
            let arguments = [
                "--data-dir",
                directory.path().to_str().unwrap(),
                "--kafka",
                "127.0.0.1:0",
                "--flush",
                policy,
                "--set",
                route,
                "--set",
                "warm.ahead=whole",
            ];
            for life in 0..2 {
                let broker = Broker::start(&arguments);
                let mut client = Client::connect(broker.address("kafka"));
                client.metadata("kept");
                for offset in 0..10 {
                    let produced = client.produce("kept", &[7; 100_000]).unwrap();
                    assert_eq!(
                        produced, 0,
                        "{policy}, {route}, life {life}, record {offset}"
                    );
                }
                let ended = broker.stop(Signal::TERM);
                assert_eq!(ended.code, Some(0), "{}", ended.log);
            }
        }
    }
}

/// Under the mapped route a file that is cut short beneath the broker takes its pages away: the store into them fails, and
/// that is final, whether it is copied there or received into its place.
#[test]
fn a_log_that_fails_ends_it_with_its_own_code() {
    fail_by_a_value_of(8 << 10);
    fail_by_a_value_of(256 << 10);
}

fn fail_by_a_value_of(size: usize) {
    let directory = tempfile::tempdir().unwrap();
    let route = ["--flush", "interval", "--set", "log.route=mapped"];
    let arguments = at(directory.path());
    let broker = Broker::start(&[&arguments[..], &route].concat());
    let mut client = Client::connect(broker.address("kafka"));
    client.metadata("topic");
    let segment = directory.path().join("00000000000000000000.log");
    std::fs::OpenOptions::new()
        .write(true)
        .open(segment)
        .unwrap()
        .set_len(0)
        .unwrap();
    assert_ne!(
        client.produce("topic", &vec![7; size]).unwrap_or(-1),
        0,
        "nothing is acknowledged"
    );
    let ended = broker.wait();
    assert_eq!(ended.code, Some(7), "{ended:?}");
    assert!(
        ended.log.contains("ERROR") && ended.log.contains("00000000000000000000.log"),
        "{}",
        ended.log
    );
}
