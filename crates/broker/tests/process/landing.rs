//! Large batches go from the socket straight into the log, or do not: the same bytes are read either way, and nobody waits for a slow one.

use pagelog_kafka::batch::{BatchBuilder, NewRecord};
use rustix::process::Signal;

use crate::broker::{Broker, Ended, pagelog, run};
use crate::client::{Client, produce_request};

/// The versions before and after tags came to be, which stand behind the records.
const VERSIONS: [i16; 2] = [7, 9];

const BATCHES: usize = 8;

/// What is received of a frame before it is known where the rest goes.
const FRONT_SIZE: u64 = 512;

/// A batch of two records and about 256 KiB, unlike all others.
fn batch(number: usize) -> Vec<u8> {
    let value: Vec<u8> = (0..(256 << 10) + number * 7)
        .map(|at| (at * 31 + at / 251 + number) as u8)
        .collect();
    let mut batch = BatchBuilder::new();
    for part in value.chunks(200 << 10) {
        batch.push(&NewRecord {
            value: Some(part),
            ..Default::default()
        });
    }
    batch.build()
}

fn start(data: &str, policy: &str, landing: &str) -> Broker {
    let (policy, landing) = (
        format!("flush.policy={policy}"),
        format!("transfer.landing={landing}"),
    );
    let mut arguments = vec!["serve", "--data-dir", data, "--kafka", "127.0.0.1:0"];
    arguments.extend(["--set", &policy, "--set", &landing]);
    Broker::start(&arguments)
}

fn connect(broker: &Broker) -> Client {
    let mut client = Client::connect(broker.address("kafka"));
    client.metadata("topic");
    client
}

/// All records, and the offset behind them.
fn read(broker: &Broker) -> (Vec<u8>, i64) {
    let mut client = connect(broker);
    let end = client.list_offset("topic", -1);
    let mut all = Vec::new();
    let mut at = 0;
    while at < end {
        let (error, records) = client.fetch("topic", at);
        assert_eq!(error, 0);
        for batch in pagelog_kafka::batch::batches(&records) {
            let (header, bytes) = batch.unwrap();
            at = header.base_offset + i64::from(header.record_count);
            all.extend_from_slice(bytes);
        }
    }
    (all, end)
}

/// A number that the broker tells at its end.
fn told(ended: &Ended, name: &str) -> u64 {
    let received = ended.log.lines().find(|line| line.contains("received"));
    let line = received.unwrap_or_else(|| panic!("nothing was told: {}", ended.log));
    let value = line.split_once(&format!(" {name}="));
    let (_, value) = value.unwrap_or_else(|| panic!("{name} is not in {line}"));
    let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// What is read, after batches were produced and the broker was killed, and what it told of another life that was stopped.
fn produce(policy: &str, landing: &str) -> (Vec<u8>, Ended) {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let broker = start(data, policy, landing);
    let mut client = connect(&broker);
    for number in 0..BATCHES {
        let version = VERSIONS[number % VERSIONS.len()];
        client.send_bytes(&produce_request(version, "topic", &batch(number)));
        assert_eq!(client.produced(version).unwrap(), 0);
    }
    let (records, end) = read(&broker);
    assert_eq!(end, 2 * BATCHES as i64);
    let ended = broker.stop(Signal::TERM);
    assert_eq!(run(&mut pagelog(&["check", data])).code, Some(0));
    let again = start(data, policy, landing);
    assert_eq!(read(&again).0, records);
    (records, ended)
}

#[test]
fn landed_and_copied_batches_are_the_same_and_each_byte_is_copied_once_or_not_at_all() {
    let payload: u64 = (0..BATCHES).map(|number| batch(number).len() as u64).sum();
    for policy in ["sync", "interval"] {
        let (copied, ended) = produce(policy, "never");
        assert_eq!((told(&ended, "landed"), told(&ended, "given_up")), (0, 0));
        assert_eq!(told(&ended, "copied_bytes"), payload);

        let (landed, ended) = produce(policy, "always");
        assert_eq!(
            told(&ended, "landed_bytes") + told(&ended, "copied_bytes"),
            payload
        );
        let count = told(&ended, "landed");
        println!("{policy}: {count} of {BATCHES} landed");
        assert!(count > 0, "not one has landed: {}", ended.log);
        let gathered = (BATCHES as u64 - count) * batch(BATCHES).len() as u64;
        assert!(told(&ended, "copied_bytes") <= gathered + BATCHES as u64 * FRONT_SIZE);
        assert_eq!(told(&ended, "given_up"), 0);
        assert!(landed == copied, "{policy}: they differ");
    }
}

#[test]
fn a_bad_batch_that_has_landed_is_refused_and_seen_by_nobody() {
    for policy in ["sync", "interval"] {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().to_str().unwrap();
        let broker = start(data, policy, "always");
        let mut client = connect(&broker);
        let mut bad = batch(1);
        let last = bad.len() - 1;
        bad[last] ^= 1;
        for (batch, error) in [(&batch(0), 0), (&bad, 2), (&batch(2), 0)] {
            client.send_bytes(&produce_request(9, "topic", batch));
            assert_eq!(client.produced(9).unwrap(), error, "{policy}");
        }
        let (records, end) = read(&broker);
        assert_eq!(end, 4, "the bad one has no offsets");
        let ended = broker.stop(Signal::KILL);
        assert_eq!(ended.code, None);
        let again = start(data, policy, "never");
        assert_eq!(read(&again), (records, 4));
        again.stop(Signal::TERM);
        let check = run(&mut pagelog(&["check", data]));
        assert_eq!(check.code, Some(0), "{} {}", check.output, check.log);
    }
}

#[test]
fn who_sends_half_a_batch_holds_up_nobody() {
    for landing in ["auto", "always"] {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().to_str().unwrap();
        let broker = start(data, "sync", landing);
        let request = produce_request(9, "topic", &batch(0));
        let mut slow: Vec<_> = [1, 100, 600, request.len() / 2, request.len() - 1]
            .into_iter()
            .map(|sent| {
                let mut client = connect(&broker);
                client.send_bytes(&request[..sent]);
                (client, sent)
            })
            .collect();
        // Of these, one goes away.
        drop(slow.remove(3));
        let mut other = connect(&broker);
        for number in 0..BATCHES {
            assert_eq!(other.produce("topic", b"small").unwrap(), 0);
            other.send_bytes(&produce_request(9, "topic", &batch(number)));
            assert_eq!(other.produced(9).unwrap(), 0);
        }
        for (client, sent) in &mut slow {
            client.send_bytes(&request[*sent..]);
            assert_eq!(client.produced(9).unwrap(), 0, "{landing}, {sent}");
        }
        let (_, end) = read(&broker);
        assert_eq!(end, 3 * BATCHES as i64 + 2 * slow.len() as i64);
        broker.stop(Signal::TERM);
    }
}

/// One behind the other without waiting for an answer, of all sizes: the answers come in their order.
#[test]
fn pipelined_batches_of_all_sizes_are_taken_in_their_order() {
    for landing in ["auto", "always", "never"] {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().to_str().unwrap();
        let broker = start(data, "sync", landing);
        let mut client = connect(&broker);
        let mut expected = Vec::new();
        let mut requests = Vec::new();
        for (number, size) in [10, 300_000, 500, 70_000, 600, 64_000, 1, 400_000, 200]
            .into_iter()
            .enumerate()
        {
            let value = vec![number as u8; size];
            let mut batch = BatchBuilder::new();
            batch.push(&NewRecord {
                value: Some(&value),
                ..Default::default()
            });
            requests.extend(produce_request(9, "topic", &batch.build()));
            expected.push(value);
        }
        let count = expected.len();
        client.send_bytes(&requests);
        for _ in 0..count {
            assert_eq!(client.produced(9).unwrap(), 0);
        }
        let (records, end) = read(&broker);
        assert_eq!(end, count as i64);
        let values: Vec<_> = pagelog_kafka::batch::batches(&records)
            .flat_map(|batch| {
                let (_, bytes) = batch.unwrap();
                pagelog_kafka::batch::records(bytes).unwrap()
            })
            .map(|record| record.value.unwrap())
            .collect();
        assert!(values == expected, "{landing}");
        broker.stop(Signal::TERM);
    }
}
