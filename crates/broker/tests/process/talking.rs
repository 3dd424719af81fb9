//! What clients of the whole program see: addresses, the cluster's identity, and that one bad client is alone with it.

use rustix::process::Signal;

use crate::broker::{Broker, at};
use crate::client::Client;

/// The address that the first broker of the answer gives.
fn told(broker: &Broker, listener: &str) -> String {
    let metadata = Client::connect(broker.address(listener)).metadata("topic");
    let [one] = &metadata.brokers[..] else {
        panic!("{:?}", metadata.brokers)
    };
    assert_eq!(one.node_id, 1);
    format!("{}:{}", one.host, one.port)
}

#[test]
fn each_listener_tells_its_own_address() {
    let directory = tempfile::tempdir().unwrap();
    let listeners = [
        "127.0.0.1:0",
        "OUT=127.0.0.1:0@b.example:7",
        "PORT=127.0.0.1:0@b.example",
        "ANY=0.0.0.0:0",
    ];
    let mut arguments = vec!["--data-dir", directory.path().to_str().unwrap()];
    arguments.extend(listeners.iter().flat_map(|listener| ["--kafka", listener]));
    let broker = Broker::start(&arguments);
    assert_eq!(told(&broker, "kafka"), broker.address("kafka").to_string());
    assert_eq!(told(&broker, "kafka.OUT"), "b.example:7");
    assert_eq!(
        told(&broker, "kafka.PORT"),
        format!("b.example:{}", broker.address("kafka.PORT").port())
    );
    assert_eq!(
        told(&broker, "kafka.ANY"),
        format!("127.0.0.1:{}", broker.address("kafka.ANY").port())
    );
}

#[test]
fn the_cluster_and_its_topics_are_the_same_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = at(directory.path());
    let cluster = || {
        let broker = Broker::start(&arguments);
        let mut client = Client::connect(broker.address("kafka"));
        let metadata = client.metadata("kept");
        assert_eq!(client.produce("kept", b"value").unwrap(), 0);
        broker.stop(Signal::KILL);
        metadata.cluster_id.unwrap()
    };
    let first = cluster();
    assert_eq!(first.len(), 22, "a base64 id as Kafka's own: {first}");
    assert_eq!(cluster(), first);
}

#[test]
fn settings_reach_the_protocol() {
    let directory = tempfile::tempdir().unwrap();
    let partitions = ["--set", "kafka.num.partitions=3"];
    let arguments = at(directory.path());
    let broker = Broker::start(&[&arguments[..], &partitions].concat());
    let metadata = Client::connect(broker.address("kafka")).metadata("made");
    assert_eq!(metadata.topics[0].partitions.len(), 3);
    drop(broker);
    let broker = Broker::start(
        &[
            &arguments[..],
            &["--set", "kafka.auto.create.topics.enable=false"],
        ]
        .concat(),
    );
    let metadata = Client::connect(broker.address("kafka")).metadata("not made");
    assert_ne!(metadata.topics[0].error.0, 0);
}

#[test]
fn garbage_ends_its_own_connection_with_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = at(directory.path());
    let broker = Broker::start(&arguments);
    let mut other = Client::connect(broker.address("kafka"));
    other.metadata("topic");
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 64],
        &[0, 0, 0, 4, 0, 99, 0, 0],
    ] {
        let mut client = Client::connect(broker.address("kafka"));
        client.send_bytes(garbage);
        assert!(client.is_closed());
    }
    assert_eq!(other.produce("topic", b"unmoved").unwrap(), 0);
    let log = broker.stop(Signal::TERM).log;
    assert!(
        log.lines()
            .any(|line| line.contains("WARN") && line.contains("connection closed")),
        "{log}"
    );
    assert!(!log.contains("panicked"), "{log}");
}
