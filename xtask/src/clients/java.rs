//! The tools that come with Apache Kafka, of two versions: what people type at a shell, against the broker.
//!
//! Each is a Java program of its own and takes its time to start, so one of each kind is run and not a matrix of them, and both releases at once.

mod groups;

use std::io::Write;
use std::process::Stdio;
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use super::jvm::{CONSOLE_CONSUMER, Jvm, PRODUCER_PERFORMANCE, VERIFIABLE_PRODUCER};
use crate::report::Report;
use crate::setup::JavaClients;

/// Records that the console producer and the verifiable producer send.
const COUNT: usize = 1000;

/// Records that the performance test sends.
const PERFORMANCE_COUNT: usize = 50_000;

/// One release of the tools.
#[derive(Clone, Copy)]
pub(super) struct Release<'a> {
    jvm: &'a Jvm,
    bootstrap: &'a str,
}

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";
const DELETE_RECORDS: &str = "org.apache.kafka.tools.DeleteRecordsCommand";
const LOG_DIRS: &str = "org.apache.kafka.tools.LogDirsCommand";
const QUORUM: &str = "org.apache.kafka.tools.MetadataQuorumCommand";

/// Runs the tools of every release that is there.
pub(super) fn run(clients: &JavaClients, bootstrap: &str, prefix: &str, report: &mut Report) {
    let reports = thread::scope(|scope| {
        let started = clients.releases.each_ref().map(|jvm| {
            scope.spawn(move || {
                let mut report = Report::new();
                let release = Release { jvm, bootstrap };
                release.run(&format!("{prefix}-java-{}", jvm.version), &mut report);
                report
            })
        });
        started.map(|thread| thread.join())
    });
    for of_release in reports {
        match of_release {
            Ok(of_release) => report.absorb(of_release),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Release<'_> {
    fn run(&self, topic: &str, report: &mut Report) {
        let case = |what: &str| format!("Apache Kafka {} tools: {what}", self.jvm.version);
        report.case(&case("topics are made, grown, described"), || {
            self.topics(topic)
        });
        report.case(&case("configurations are set and shown"), || {
            self.configs(topic)
        });
        report.case(&case("quotas are set and shown"), || self.quotas(topic));
        report.case(&case("console producer and consumer"), || {
            self.console(topic)
        });
        report.case(&case("verifiable producer"), || self.verifiable(topic));
        report.case(&case("producer performance"), || self.performance(topic));
        report.case(&case("consumer performance, in a group"), || {
            self.consumer_performance(topic)
        });
        report.case(&case("verifiable consumer, in a group of KIP-848"), || {
            self.verifiable_consumer(topic)
        });
        report.case(&case("a group is described, set back, deleted"), || {
            self.group(topic)
        });
        report.case(&case("offsets, deleted records, log directories"), || {
            self.log(topic)
        });
        report.case(&case("the quorum is described"), || self.describe());
    }

    fn topics(&self, topic: &str) -> Result<()> {
        let named = ["--topic", topic];
        self.tool(
            TOPICS,
            &[
                &named[..],
                &[
                    "--create",
                    "--partitions",
                    "1",
                    "--config",
                    "retention.ms=7200000",
                ],
            ]
            .concat(),
        )?;
        self.tool(
            TOPICS,
            &[&named[..], &["--alter", "--partitions", "3"]].concat(),
        )?;
        let described = self.tool(TOPICS, &[&named[..], &["--describe"]].concat())?;
        for wanted in ["PartitionCount: 3", "retention.ms=7200000"] {
            ensure!(described.contains(wanted), "no {wanted} in: {described}");
        }
        let listed = self.tool(TOPICS, &["--list"])?;
        ensure!(
            listed.lines().any(|line| line == topic),
            "not listed: {listed}"
        );
        Ok(())
    }

    fn configs(&self, topic: &str) -> Result<()> {
        let of_topic = ["--entity-type", "topics", "--entity-name", topic];
        let add = [
            "--alter",
            "--add-config",
            "max.message.bytes=500000,cleanup.policy=[compact,delete]",
        ];
        self.tool(CONFIGS, &[&of_topic[..], &add].concat())?;
        let remove = ["--alter", "--delete-config", "cleanup.policy"];
        self.tool(CONFIGS, &[&of_topic[..], &remove].concat())?;
        let shown = self.tool(CONFIGS, &[&of_topic[..], &["--describe"]].concat())?;
        ensure!(shown.contains("max.message.bytes=500000"), "{shown}");
        ensure!(!shown.contains("cleanup.policy"), "{shown}");
        let broker = [
            "--entity-type",
            "brokers",
            "--entity-name",
            "1",
            "--describe",
            "--all",
        ];
        let shown = self.tool(CONFIGS, &broker)?;
        for wanted in ["log.retention.hours=168", "num.partitions=1"] {
            ensure!(shown.contains(wanted), "no {wanted} in: {shown}");
        }
        Ok(())
    }

    fn quotas(&self, name: &str) -> Result<()> {
        let client = ["--entity-type", "clients", "--entity-name", name];
        let add = ["--alter", "--add-config", "producer_byte_rate=1048576"];
        self.tool(CONFIGS, &[&client[..], &add].concat())?;
        let shown = self.tool(CONFIGS, &[&client[..], &["--describe"]].concat())?;
        ensure!(shown.contains("producer_byte_rate=1048576"), "{shown}");
        Ok(())
    }

    fn console(&self, topic: &str) -> Result<()> {
        let lines: String = (0..COUNT)
            .map(|number| format!("line {number}\n"))
            .collect();
        let single = format!("{topic}-lines");
        self.tool(
            TOPICS,
            &["--create", "--topic", &single, "--partitions", "1"],
        )?;
        self.tool_with(self.console_producer(), &["--topic", &single], &lines)?;
        let count = COUNT.to_string();
        let assigned = [
            "--topic",
            &single,
            "--partition",
            "0",
            "--offset",
            "earliest",
        ];
        let until = ["--max-messages", &count, "--timeout-ms", "30000"];
        let read = self.tool(CONSOLE_CONSUMER, &[&assigned[..], &until].concat())?;
        ensure!(
            read == lines,
            "{} bytes were sent and {} read",
            lines.len(),
            read.len()
        );
        let in_group = ["--topic", &single, "--from-beginning", "--group", &single];
        let read = self.tool(CONSOLE_CONSUMER, &[&in_group[..], &until].concat())?;
        ensure!(read == lines, "in a group {} bytes were read", read.len());
        Ok(())
    }

    /// Where the console producer is: it has moved.
    fn console_producer(&self) -> &'static str {
        match self.jvm.version {
            "3.9" => "kafka.tools.ConsoleProducer",
            _ => "org.apache.kafka.tools.ConsoleProducer",
        }
    }

    fn verifiable(&self, topic: &str) -> Result<()> {
        let count = COUNT.to_string();
        let sent = self.run_java(
            VERIFIABLE_PRODUCER,
            &[
                "--bootstrap-server",
                self.bootstrap,
                "--topic",
                topic,
                "--max-messages",
                &count,
            ],
            "",
        )?;
        let acknowledged = sent.matches("producer_send_success").count();
        ensure!(
            acknowledged == COUNT,
            "{acknowledged} of {COUNT} were acknowledged"
        );
        Ok(())
    }

    fn performance(&self, topic: &str) -> Result<()> {
        let count = PERFORMANCE_COUNT.to_string();
        let servers = format!("bootstrap.servers={}", self.bootstrap);
        let done = self.run_java(
            PRODUCER_PERFORMANCE,
            &[
                "--topic",
                topic,
                "--num-records",
                &count,
                "--record-size",
                "100",
                "--throughput",
                "-1",
                "--producer-props",
                &servers,
            ],
            "",
        )?;
        ensure!(done.contains(&format!("{count} records sent")), "{done}");
        Ok(())
    }

    fn log(&self, topic: &str) -> Result<()> {
        let latest = self.tool(OFFSETS, &["--topic", topic, "--time", "-1"])?;
        let end_of = |line: &str| line.rsplit(':').next()?.trim().parse::<usize>().ok();
        let total: usize = latest.lines().filter_map(end_of).sum();
        let expected = COUNT + PERFORMANCE_COUNT;
        ensure!(
            total == expected,
            "{total} records are there, not {expected}"
        );
        let mut wanted = tempfile::NamedTempFile::new()?;
        write!(
            wanted,
            r#"{{"partitions": [{{"topic": "{topic}", "partition": 0, "offset": 5}}], "version": 1}}"#
        )?;
        let path = wanted.path().to_string_lossy().into_owned();
        let deleted = self.tool(DELETE_RECORDS, &["--offset-json-file", &path])?;
        ensure!(deleted.contains("low_watermark: 5"), "{deleted}");
        let sizes = self.tool(LOG_DIRS, &["--describe", "--topic-list", topic])?;
        ensure!(sizes.contains("\"size\":"), "{sizes}");
        Ok(())
    }

    fn describe(&self) -> Result<()> {
        let quorum = self.run_java(
            QUORUM,
            &["--bootstrap-server", self.bootstrap, "describe", "--status"],
            "",
        )?;
        ensure!(quorum.contains("LeaderId:"), "{quorum}");
        Ok(())
    }

    /// Runs a tool that is told the broker first, and gives what it prints.
    fn tool(&self, class: &str, arguments: &[&str]) -> Result<String> {
        self.tool_with(class, arguments, "")
    }

    fn tool_with(&self, class: &str, arguments: &[&str], input: &str) -> Result<String> {
        let broker = ["--bootstrap-server", self.bootstrap];
        self.run_java(class, &[&broker[..], arguments].concat(), input)
    }

    fn run_java(&self, class: &str, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = self.jvm.command(class);
        command.args(arguments);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start java")?;
        let mut pipe = child.stdin.take().context("no input")?;
        let input = input.to_owned();
        let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
        let output = child.wait_with_output()?;
        // A tool that has heard enough ends without reading everything.
        let _ = writer.join();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let complained = String::from_utf8_lossy(&output.stderr);
            bail!("{class} {}: {printed}{complained}", arguments.join(" "));
        }
        Ok(printed)
    }
}
