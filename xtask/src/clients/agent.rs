//! A client in another language, behind its agent of `tests/clients`: JSON lines through a pipe.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::client::{Client, Codec, Confirmation, Offsets, Partition, Start};
use super::record::{Received, Record};
use crate::setup::{self, Tools};

/// Longer than an agent itself waits for anything, so that its own error is the one that is seen.
const PATIENCE: Duration = Duration::from_secs(45);

/// What is particular to a client behind an agent.
struct Character {
    name: &'static str,
    /// The script in `tests/clients`; a compiled agent is told what to be.
    file: &'static str,
    reads: bool,
    /// Whether a header's value may be null.
    null_header_values: bool,
    /// Whether it reads snappy in Java's framing.
    framed_snappy: bool,
    /// Whether it says that a configuration was refused.
    tells_refusals: bool,
}

/// A client that does all of it.
const COMPLETE: Character = Character {
    name: "",
    file: "",
    reads: true,
    null_header_values: true,
    framed_snappy: true,
    tells_refusals: true,
};

const PYTHON: [Character; 3] = [
    Character {
        name: "confluent-kafka",
        file: "agent_confluent.py",
        ..COMPLETE
    },
    Character {
        name: "kafka-python",
        file: "agent_kafka_python.py",
        null_header_values: false,
        ..COMPLETE
    },
    Character {
        name: "aiokafka",
        file: "agent_aiokafka.py",
        ..COMPLETE
    },
];

const KAFKAJS: Character = Character {
    name: "kafkajs",
    file: "agent_kafkajs.js",
    reads: false,
    null_header_values: false,
    ..COMPLETE
};

const PLATFORMATIC: Character = Character {
    name: "platformatic",
    file: "agent_platformatic.js",
    framed_snappy: false,
    ..COMPLETE
};

const RDKAFKA: Character = Character {
    name: "rdkafka",
    tells_refusals: false,
    ..COMPLETE
};

/// A running agent; dropping it ends it.
pub(crate) struct Agent {
    character: &'static Character,
    version: String,
    process: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<String>,
}

/// Starts the agent of every client that is installed. What they say on standard error goes to files in `logs`.
pub(crate) fn start_all(tools: &Tools, bootstrap: &str, logs: &Path) -> Result<Vec<Agent>> {
    let mut agents = Vec::new();
    let mut start = |character: &'static Character, command: Command| {
        agents.push(Agent::start(character, command, bootstrap, logs)?);
        anyhow::Ok(())
    };
    if let Some(python) = &tools.python {
        for character in &PYTHON {
            start(character, script(python, character))?;
        }
    }
    for (node, character) in [
        (&tools.node, &KAFKAJS),
        (&tools.platformatic, &PLATFORMATIC),
    ] {
        if let Some(node) = node {
            let mut command = script(&node.node, character);
            command.env("NODE_PATH", &node.modules);
            start(character, command)?;
        }
    }
    if let Some(program) = &tools.rdkafka {
        let mut command = Command::new(program);
        command.arg("agent");
        start(&RDKAFKA, command)?;
    }
    Ok(agents)
}

fn script(interpreter: &Path, character: &Character) -> Command {
    let mut command = Command::new(interpreter);
    command.arg(setup::agents().join(character.file));
    command
}

impl Agent {
    fn start(
        character: &'static Character,
        mut command: Command,
        bootstrap: &str,
        logs: &Path,
    ) -> Result<Agent> {
        let log = File::create(logs.join(format!("{}.log", character.name)))?;
        command.arg(bootstrap);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut process = command
            .spawn()
            .with_context(|| format!("cannot start the agent of {}", character.name))?;
        let output = process
            .stdout
            .take()
            .context("the agent has no standard output")?;
        let commands = process.stdin.take();
        let (sender, answers) = channel();
        thread::spawn(move || {
            BufReader::new(output)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|l| sender.send(l))
        });
        let mut agent = Agent {
            character,
            version: String::new(),
            process,
            commands,
            answers,
        };
        agent.version = agent.ask(&json!({ "do": "hello" }))?["version"]
            .as_str()
            .unwrap_or("?")
            .to_owned();
        Ok(agent)
    }

    /// Sends one command and waits for its answer.
    fn ask(&mut self, command: &Value) -> Result<Value> {
        let pipe = self.commands.as_mut().context("the agent was ended")?;
        writeln!(pipe, "{command}")
            .with_context(|| format!("the agent of {} is gone", self.character.name))?;
        let answer = self.answers.recv_timeout(PATIENCE);
        let line = answer
            .with_context(|| format!("the agent of {} does not answer", self.character.name))?;
        let answer: Value =
            serde_json::from_str(&line).with_context(|| format!("not an answer: {line}"))?;
        match answer["error"].as_str() {
            Some(error) => bail!("{error}"),
            None => Ok(answer),
        }
    }
}

impl Client for Agent {
    fn title(&self) -> String {
        format!("{} {}", self.character.name, self.version)
    }

    fn name(&self) -> &'static str {
        self.character.name
    }

    fn reads(&self) -> bool {
        self.character.reads
    }

    fn tells_refusals(&self) -> bool {
        self.character.tells_refusals
    }

    fn reads_framed_snappy(&self) -> bool {
        self.character.framed_snappy
    }

    fn sends(&self, mut record: Record) -> Record {
        if !self.character.null_header_values {
            record.headers.retain(|(_, value)| value.is_some());
        }
        record
    }

    fn produce(
        &mut self,
        to: &Partition,
        codec: Codec,
        confirmation: Confirmation,
        records: &[Record],
    ) -> Result<Option<Vec<i64>>> {
        let answer = self.ask(&json!({
            "do": "produce",
            "topic": to.topic,
            "partition": to.index,
            "codec": codec.name(),
            "acks": confirmation.acks(),
            "idempotent": confirmation == Confirmation::Idempotent,
            "records": records.iter().map(Record::to_json).collect::<Vec<_>>(),
        }))?;
        let offsets = answer["offsets"].as_array();
        Ok(offsets.map(|offsets| {
            offsets
                .iter()
                .map(|offset| offset.as_i64().unwrap_or(-1))
                .collect()
        }))
    }

    fn open(&mut self, partition: &Partition, start: Start) -> Result<()> {
        let (topic, index, start) = (&partition.topic, partition.index, start.to_json());
        self.ask(&json!({ "do": "open", "topic": topic, "partition": index, "start": start }))?;
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<Vec<Received>> {
        let answer = self.ask(&json!({ "do": "take", "count": count }))?;
        answer["records"]
            .as_array()
            .context("no records")?
            .iter()
            .map(Received::from_json)
            .collect()
    }

    fn close(&mut self) -> Result<()> {
        self.ask(&json!({ "do": "close" }))?;
        Ok(())
    }

    fn offsets(&mut self, partition: &Partition, timestamp: i64) -> Result<Offsets> {
        let (topic, index) = (&partition.topic, partition.index);
        let command =
            json!({ "do": "offsets", "topic": topic, "partition": index, "timestamp": timestamp });
        let answer = self.ask(&command)?;
        Ok(Offsets {
            beginning: answer["beginning"].as_i64().context("no beginning")?,
            end: answer["end"].as_i64().context("no end")?,
            at: answer["at"].as_i64(),
        })
    }

    fn create(&mut self, topic: &str, partitions: usize) -> Result<()> {
        self.ask(&json!({ "do": "create", "topic": topic, "partitions": partitions }))?;
        Ok(())
    }

    fn delete(&mut self, topic: &str) -> Result<()> {
        self.ask(&json!({ "do": "delete", "topic": topic }))?;
        Ok(())
    }

    fn grow(&mut self, topic: &str, partitions: usize) -> Result<()> {
        self.ask(&json!({ "do": "grow", "topic": topic, "partitions": partitions }))?;
        Ok(())
    }

    fn configure(&mut self, topic: &str, configs: &[(&str, &str)]) -> Result<()> {
        let configs: BTreeMap<&str, &str> = configs.iter().copied().collect();
        self.ask(&json!({ "do": "configure", "topic": topic, "configs": configs }))?;
        Ok(())
    }

    fn configured(&mut self, topic: &str) -> Result<BTreeMap<String, Option<String>>> {
        let mut answer = self.ask(&json!({ "do": "configured", "topic": topic }))?;
        serde_json::from_value(answer["configs"].take()).context("configs have another form")
    }

    fn shorten(&mut self, from: &Partition, offset: i64) -> Result<i64> {
        let (topic, index) = (&from.topic, from.index);
        let command =
            json!({ "do": "shorten", "topic": topic, "partition": index, "offset": offset });
        let answer = self.ask(&command)?;
        answer["beginning"].as_i64().context("no beginning")
    }

    fn topics(&mut self) -> Result<BTreeMap<String, usize>> {
        let mut answer = self.ask(&json!({ "do": "topics" }))?;
        serde_json::from_value(answer["topics"].take()).context("topics have another form")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // The end of its input ends an agent that still listens.
        drop(self.commands.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
