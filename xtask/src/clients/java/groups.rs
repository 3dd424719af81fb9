//! The tools of Kafka that read in groups, and the one that administers groups.

use anyhow::{Context, Result, ensure};

use super::super::jvm::{CONSOLE_CONSUMER, CONSUMER_PERFORMANCE, VERIFIABLE_CONSUMER};
use super::{COUNT, PERFORMANCE_COUNT, Release};

const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/// How many records are left to read when a group has been set back.
const LEFT: usize = 10;

impl Release<'_> {
    /// Reads, as fast as it can, what producer performance has sent.
    pub(super) fn consumer_performance(&self, topic: &str) -> Result<()> {
        let group = format!("{topic}-performance");
        let count = PERFORMANCE_COUNT.to_string();
        let told = ["--topic", topic, "--group", &group, "--messages", &count];
        let limits = ["--timeout", "30000", "--hide-header"];
        let done = self.tool(CONSUMER_PERFORMANCE, &[&told[..], &limits].concat())?;
        // start, end, megabytes, megabytes a second, records, …
        let line = done.lines().last().context("it says nothing")?;
        let read = line.split(',').nth(4).map(|field| field.trim().parse());
        let read: usize = read.with_context(|| format!("no count in {line}"))??;
        ensure!(read >= PERFORMANCE_COUNT, "{read} of {count} were read");
        Ok(())
    }

    /// Reads in a group that the broker shares out, and commits every round.
    pub(super) fn verifiable_consumer(&self, topic: &str) -> Result<()> {
        let group = format!("{topic}-verifiable");
        let count = COUNT.to_string();
        let told = ["--topic", topic, "--group-id", &group];
        let how = ["--group-protocol", "consumer", "--max-messages", &count];
        let events = self.tool(VERIFIABLE_CONSUMER, &[&told[..], &how].concat())?;
        let mut read = 0;
        for line in events.lines() {
            let event: serde_json::Value =
                serde_json::from_str(line).with_context(|| format!("not an event: {line}"))?;
            match event["name"].as_str() {
                Some("records_consumed") => read += event["count"].as_u64().unwrap_or(0),
                Some("offsets_committed") => ensure!(event["success"] == true, "{line}"),
                _ => {}
            }
        }
        ensure!(read == COUNT as u64, "{read} of {count} were read");
        let listed = self.tool(GROUPS, &["--list", "--type", "consumer"])?;
        let is_listed = listed
            .lines()
            .any(|line| line.split(' ').next() == Some(&group));
        ensure!(is_listed, "no group of KIP-848: {listed}");
        Ok(())
    }

    /// What the console consumer has read as a group, which is empty now.
    pub(super) fn group(&self, topic: &str) -> Result<()> {
        let topic = &format!("{topic}-lines");
        let group = ["--group", topic];
        self.expect_offset(topic, COUNT)?;
        let state = self.tool(GROUPS, &[&group[..], &["--describe", "--state"]].concat())?;
        ensure!(state.contains("Empty"), "{state}");
        let back = (COUNT - LEFT).to_string();
        let reset = ["--reset-offsets", "--to-offset", &back, "--topic", topic];
        self.tool(GROUPS, &[&group[..], &reset, &["--execute"]].concat())?;
        self.expect_offset(topic, COUNT - LEFT)?;
        let left = LEFT.to_string();
        let rest = [
            "--topic",
            topic,
            "--max-messages",
            &left,
            "--timeout-ms",
            "30000",
        ];
        let read = self.tool(CONSOLE_CONSUMER, &[&group[..], &rest].concat())?;
        let expected: String = (COUNT - LEFT..COUNT)
            .map(|number| format!("line {number}\n"))
            .collect();
        ensure!(read == expected, "after the group was set back: {read}");
        self.expect_offset(topic, COUNT)?;
        let deleted = self.tool(GROUPS, &[&group[..], &["--delete"]].concat())?;
        ensure!(deleted.contains("successful"), "{deleted}");
        let listed = self.tool(GROUPS, &["--list"])?;
        ensure!(
            !listed.lines().any(|line| line == topic),
            "still listed: {listed}"
        );
        Ok(())
    }

    /// Insists that the group of the topic's name has committed `offset` of [`COUNT`].
    fn expect_offset(&self, topic: &str, offset: usize) -> Result<()> {
        let described = self.tool(GROUPS, &["--group", topic, "--describe"])?;
        // group, topic, partition, committed, end, lag, …
        let line = described.lines().find(|line| line.starts_with(topic));
        let fields: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        let numbers = [offset, COUNT, COUNT - offset].map(|number| number.to_string());
        ensure!(
            fields.get(3..6) == Some(&numbers.each_ref().map(String::as_str)[..]),
            "{described}"
        );
        Ok(())
    }
}
