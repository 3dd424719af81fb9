//! A member of a group: says what it has read, commits it, and leaves when its input ends.

use std::io::{Read, stdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

use crate::Result;

pub fn run(bootstrap: &str, group: &str, topic: &str, kind: &str, instance: &str) -> Result<()> {
    let ended = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&ended);
    thread::spawn(move || {
        let _ = stdin().read_to_end(&mut Vec::new());
        own.store(true, Ordering::Relaxed);
    });
    let consumer: BaseConsumer = config(bootstrap, group, kind, instance).create()?;
    consumer.subscribe(&[topic])?;
    while !ended.load(Ordering::Relaxed) {
        let mut read = Vec::new();
        // What waits is taken at once, a hundred at most; only the first is waited for.
        let mut wait = Duration::from_millis(200);
        while let Some(Ok(message)) = consumer.poll(wait) {
            read.push((message.partition(), message.offset()));
            if read.len() == 100 {
                break;
            }
            wait = Duration::ZERO;
        }
        if read.is_empty() {
            continue;
        }
        println!("{}", serde_json::to_string(&read)?);
        // A commit that a rebalance or a dead broker has overtaken: what it stood for is read again by whoever has the partition.
        if let Err(error) = consumer.commit_consumer_state(CommitMode::Sync) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

fn config(bootstrap: &str, group: &str, kind: &str, instance: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config.set("group.id", group);
    config.set("auto.offset.reset", "earliest");
    config.set("enable.auto.commit", "false");
    config.set("fetch.wait.max.ms", "100");
    config.set("reconnect.backoff.max.ms", "500");
    if kind == "consumer" {
        config.set("group.protocol", kind);
    } else {
        config.set("session.timeout.ms", "3000");
        config.set("heartbeat.interval.ms", "300");
        config.set("partition.assignment.strategy", kind);
    }
    if !instance.is_empty() {
        config.set("group.instance.id", instance);
    }
    config
}
