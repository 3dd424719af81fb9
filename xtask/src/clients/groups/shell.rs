//! What people start at a shell, while the groups live and the broker is killed: Kafka's producers go on, and its consumers read all of it, in groups.
//!
//! ```text
//!  verifiable producer 3.9 ─┐            ┌─ console consumer 3.9 ┐
//!  verifiable producer 4.3 ─┴▶ a topic ─▶┴─ console consumer 4.3 ┴ one group
//!  producer performance 4.3 ─▶ another ─▶   consumer performance 3.9
//! ```

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::super::jvm::{
    CONSOLE_CONSUMER, CONSUMER_PERFORMANCE, Jvm, PRODUCER_PERFORMANCE, VERIFIABLE_PRODUCER,
};
use super::{PARTITIONS, PATIENCE, committed};
use crate::command::terminate;
use crate::report::Report;
use crate::setup::JavaClients;
use crate::wire::Connection;

/// The topic and the group of what is numbered.
const NUMBERED: &str = "numbered";

/// The topic and the group of what is measured.
const MEASURED: &str = "measured";

/// How many records are measured, and how many of them a second: enough to be at it when the broker is killed. That they are is not needed for the test to pass.
const MEASURED_COUNT: &str = "3000";
const MEASURED_RATE: &str = "250";

/// The programs.
pub(super) struct Shell {
    producers: [Tool; 2],
    consumers: [Tool; 2],
    measuring: [Tool; 2],
}

/// A running program; dropping it kills it.
struct Tool {
    name: String,
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Shell {
    /// Makes the topics and starts the programs.
    pub(super) fn start(java: &JavaClients, address: &str, logs: &Path) -> Result<Shell> {
        let mut connection = Connection::open(address)?;
        connection.create_topic(NUMBERED, PARTITIONS as i32)?;
        connection.create_topic(MEASURED, PARTITIONS as i32)?;
        let servers = ["--bootstrap-server", address];
        let start = |jvm: &Jvm, class: &str, arguments: &[&str]| {
            let told_by_property = class == PRODUCER_PERFORMANCE;
            let servers = if told_by_property { &[][..] } else { &servers };
            Tool::start(jvm, class, &[servers, arguments].concat(), logs)
        };
        let [old, new] = &java.releases;
        let produce = ["--topic", NUMBERED, "--throughput", "50", "--value-prefix"];
        let consume = ["--topic", NUMBERED, "--group", NUMBERED, "--from-beginning"];
        let count = ["--topic", MEASURED, "--num-records", MEASURED_COUNT];
        let rate = ["--record-size", "100", "--throughput", MEASURED_RATE];
        let property = format!("bootstrap.servers={address}");
        let measure = ["--topic", MEASURED, "--group", MEASURED, "--messages"];
        Ok(Shell {
            producers: [
                start(old, VERIFIABLE_PRODUCER, &[&produce[..], &["1"]].concat())?,
                start(new, VERIFIABLE_PRODUCER, &[&produce[..], &["2"]].concat())?,
            ],
            consumers: [
                start(old, CONSOLE_CONSUMER, &consume)?,
                start(new, CONSOLE_CONSUMER, &consume)?,
            ],
            measuring: [
                start(
                    new,
                    PRODUCER_PERFORMANCE,
                    &[&count[..], &rate, &["--producer-props", &property]].concat(),
                )?,
                start(
                    old,
                    CONSUMER_PERFORMANCE,
                    &[&measure[..], &[MEASURED_COUNT, "--timeout", "60000"]].concat(),
                )?,
            ],
        })
    }

    /// Waits until every numbering producer has been acknowledged something since now. Who reads it is not asked: a group of two may have given all to one.
    pub(super) fn go_on(&self, step: &str, report: &mut Report) {
        for producer in &self.producers {
            report.case(&format!("{}: {step}", producer.name), || {
                let before = producer.acknowledged().len();
                wait(|| match producer.acknowledged().len() > before {
                    true => Ok(()),
                    false => bail!("nothing is acknowledged any more, after {before}"),
                })
            });
        }
    }

    /// Ends the producers. What was acknowledged has been read by the group, is stored once, and is committed; the measuring ones have ended by themselves.
    pub(super) fn finish(mut self, connection: &mut Connection, report: &mut Report) {
        report.case(
            "verifiable producers, console consumers: all is there, once",
            || self.numbered(connection),
        );
        for tool in &mut self.measuring {
            let name = format!("{}: it has come to its end", tool.name);
            report.case(&name, || tool.wait_end(true));
        }
    }

    fn numbered(&mut self, connection: &mut Connection) -> Result<()> {
        let mut sent = BTreeSet::new();
        for producer in &mut self.producers {
            producer.end()?;
            sent.extend(producer.acknowledged());
        }
        let consumers = &self.consumers;
        wait(|| match sent.difference(&read_by(consumers)).next() {
            None => Ok(()),
            Some(value) => bail!("{value}, which was acknowledged, is not read"),
        })?;
        for consumer in &mut self.consumers {
            consumer.end()?;
        }
        // A record that was stored twice has two offsets.
        let read = read_by(&self.consumers).len();
        let committed: i64 = committed(connection, NUMBERED, NUMBERED)?.iter().sum();
        ensure!(
            committed == read as i64,
            "{committed} are committed, {read} were read"
        );
        Ok(())
    }
}

/// What consumers have printed: numbers behind the number of a producer.
fn read_by(consumers: &[Tool]) -> BTreeSet<String> {
    let mut read = BTreeSet::new();
    for consumer in consumers {
        let lines = consumer
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_value = |line: &&String| {
            line.bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        read.extend(lines.iter().filter(is_value).cloned());
    }
    read
}

fn wait(mut is_done: impl FnMut() -> Result<()>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match is_done() {
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(20)),
            Ok(()) => return Ok(()),
        }
    }
}

impl Tool {
    fn start(jvm: &Jvm, class: &str, arguments: &[&str], logs: &Path) -> Result<Tool> {
        let name = format!(
            "{} {}",
            class.rsplit('.').next().unwrap_or(class),
            jvm.version
        );
        let log = logs.join(format!("shell-{}.log", name.replace(' ', "-")));
        let mut command = jvm.command(class);
        command.args(arguments);
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(File::create(log)?);
        let mut process = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let output = process.stdout.take().context("no standard output")?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                own.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
        });
        Ok(Tool {
            name,
            process,
            lines,
            reader: Some(reader),
        })
    }

    /// The values that a verifiable producer was told are stored.
    fn acknowledged(&self) -> BTreeSet<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter_map(|line| acknowledged(line)).collect()
    }

    /// Ends it with SIGTERM, upon which these programs finish what they are at.
    fn end(&mut self) -> Result<()> {
        terminate(&self.process)?;
        self.wait_end(false)
    }

    /// Waits until it has ended and all that it printed is here; a Java program that was terminated does not say success.
    fn wait_end(&mut self, must_succeed: bool) -> Result<()> {
        let process = &mut self.process;
        let name = &self.name;
        wait(|| match process.try_wait()? {
            Some(status) => {
                ensure!(
                    !must_succeed || status.success(),
                    "{name} ended with {status}"
                );
                Ok(())
            }
            None => bail!("{name} does not end"),
        })?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ok(())
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The value that this event of the verifiable producer says is stored, if that is what it says.
fn acknowledged(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    match event["name"].as_str()? {
        "producer_send_success" => Some(event["value"].as_str()?.to_owned()),
        _ => None,
    }
}
