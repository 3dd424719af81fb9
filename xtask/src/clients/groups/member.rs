//! The members of a group: programs of `tests/clients` that say what they read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::{PARTITIONS, PATIENCE, TOPIC};
use crate::setup::{self, Tools};

/// A kind of group: what its members are, in turn.
pub(super) struct Kind {
    name: &'static str,
    programs: Vec<Program>,
}

/// How one member is started.
#[derive(Clone)]
struct Program {
    /// The program and what comes before the arguments that all have.
    command: Vec<PathBuf>,
    /// The value of `NODE_PATH`, for Node.
    modules: Option<PathBuf>,
    /// How the group is shared out, in the client's words.
    kind: &'static str,
    /// Whether its members have instance ids.
    owned: bool,
}

impl Kind {
    /// Every kind that the tools allow.
    pub(super) fn all(tools: &Tools) -> Vec<Kind> {
        let mut kinds = Vec::new();
        let one = |name, program: Program| Kind {
            name,
            programs: vec![program],
        };
        if let Some(python) = &tools.python {
            let member = |file: &str, kind| Program {
                command: vec![python.clone(), setup::agents().join(file)],
                modules: None,
                kind,
                owned: false,
            };
            let confluent = |kind| member("member_confluent.py", kind);
            kinds.push(one("confluent-range", confluent("range")));
            kinds.push(one(
                "confluent-cooperative",
                confluent("cooperative-sticky"),
            ));
            kinds.push(one("confluent-consumer", confluent("consumer")));
            kinds.push(one(
                "confluent-static",
                Program {
                    owned: true,
                    ..confluent("range")
                },
            ));
            kinds.push(one(
                "kafka-python",
                member("member_kafka_python.py", "range"),
            ));
            kinds.push(one("aiokafka", member("member_aiokafka.py", "range")));
            kinds.push(Kind {
                name: "mixed",
                programs: vec![
                    member("member_kafka_python.py", "range"),
                    confluent("range"),
                    member("member_aiokafka.py", "range"),
                ],
            });
        }
        if let Some(node) = &tools.node {
            kinds.push(one(
                "kafkajs",
                Program {
                    command: vec![node.node.clone(), setup::agents().join("member_kafkajs.js")],
                    modules: Some(node.modules.clone()),
                    kind: "",
                    owned: false,
                },
            ));
        }
        if let Some(franz) = &tools.franz {
            let member = |kind| Program {
                command: vec![franz.clone()],
                modules: None,
                kind,
                owned: false,
            };
            kinds.push(one("franz-go", member("cooperative")));
        }
        kinds
    }
}

/// A group, and the members that it has at the moment.
pub(super) struct Group {
    kind: Kind,
    address: String,
    logs: PathBuf,
    members: Vec<Option<Member>>,
    read: Arc<Read>,
    /// What went wrong in a step, to be told in its case.
    pub(super) failed: Option<anyhow::Error>,
    given_up: bool,
}

/// What a group has read.
#[derive(Default)]
struct Read {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The offsets, by partition.
    offsets: Vec<BTreeSet<i64>>,
    /// How many records each member has read.
    counts: Vec<u64>,
    /// The first line of a member that could not be read.
    garbage: Option<String>,
}

/// A running member; dropping it kills it.
struct Member {
    process: Child,
    input: Option<ChildStdin>,
}

impl Group {
    pub(super) fn new(kind: Kind, address: &str, logs: &Path) -> Group {
        let read = Read::default();
        read.lock().offsets = vec![BTreeSet::new(); PARTITIONS];
        Group {
            kind,
            address: address.to_owned(),
            logs: logs.to_path_buf(),
            members: Vec::new(),
            read: Arc::new(read),
            failed: None,
            given_up: false,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.kind.name
    }

    /// Starts the member of this number, the next one.
    pub(super) fn add(&mut self, index: usize) -> Result<()> {
        if self.given_up {
            return Ok(());
        }
        let program = &self.kind.programs[index % self.kind.programs.len()];
        let log = self
            .logs
            .join(format!("group-{}-{index}.log", self.kind.name));
        let mut command = Command::new(&program.command[0]);
        command.args(&program.command[1..]);
        command.args([&self.address, self.kind.name, TOPIC, program.kind]);
        command.arg(match program.owned {
            true => format!("{}-{index}", self.kind.name),
            false => String::new(),
        });
        if let Some(modules) = &program.modules {
            command.env("NODE_PATH", modules);
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?);
        let mut process = command
            .spawn()
            .with_context(|| format!("cannot start a member of {}", self.kind.name))?;
        let output = process.stdout.take().context("no standard output")?;
        let input = process.stdin.take();
        self.read.lock().counts.push(0);
        let read = Arc::clone(&self.read);
        thread::spawn(move || {
            for line in BufReader::new(output)
                .lines()
                .map_while(std::result::Result::ok)
            {
                read.take(index, &line);
            }
        });
        self.members.push(Some(Member { process, input }));
        Ok(())
    }

    /// Kills a member: it says nothing to anybody.
    pub(super) fn kill(&mut self, index: usize) -> Result<()> {
        drop(self.members.get_mut(index).and_then(Option::take));
        Ok(())
    }

    /// Has a member leave, and waits until its program has ended by itself.
    pub(super) fn leave(&mut self, index: usize) -> Result<()> {
        let Some(mut member) = self.members.get_mut(index).and_then(Option::take) else {
            return Ok(());
        };
        drop(member.input.take());
        let deadline = Instant::now() + PATIENCE;
        while member.process.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "member {index} does not leave");
            thread::sleep(std::time::Duration::from_millis(5));
        }
        Ok(())
    }

    /// Has all members leave.
    pub(super) fn leave_all(&mut self) -> Result<()> {
        (0..self.members.len()).try_for_each(|index| self.leave(index))
    }

    /// Kills all members: what comes after would fail, too.
    pub(super) fn give_up(&mut self) {
        self.given_up = true;
        self.members.clear();
    }

    /// Waits until every partition has been read to `ends`, and every member that is there has read something since now.
    pub(super) fn wait_read_on(&self, ends: &[i64], deadline: Instant) -> Result<()> {
        let before = self.read.lock().counts.clone();
        let here: Vec<usize> = (0..self.members.len())
            .filter(|index| self.members[*index].is_some())
            .collect();
        self.wait(deadline, |state| {
            let has_read = |index: &usize| state.counts[*index] > before[*index];
            state.is_at(ends) && here.iter().all(has_read)
        })
    }

    /// Waits until every record up to `ends` has been read.
    pub(super) fn wait_all(&self, ends: &[i64], deadline: Instant) -> Result<()> {
        self.wait(deadline, |state| {
            let is_whole = |(offsets, end): (&BTreeSet<i64>, &i64)| {
                offsets.range(..=*end).count() as i64 == end + 1
            };
            state.offsets.iter().zip(ends).all(is_whole)
        })
    }

    fn wait(&self, deadline: Instant, is_done: impl Fn(&State) -> bool) -> Result<()> {
        ensure!(!self.given_up, "given up after an earlier step");
        let mut state = self.read.lock();
        loop {
            if let Some(line) = &state.garbage {
                bail!("a member says {line}");
            }
            if is_done(&state) {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "{}", state.describe());
            let woken = self.read.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Read {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, member: usize, line: &str) {
        let mut state = self.lock();
        match serde_json::from_str::<Vec<(usize, i64)>>(line) {
            Ok(records) if records.iter().all(|(partition, _)| *partition < PARTITIONS) => {
                state.counts[member] += records.len() as u64;
                for (partition, offset) in records {
                    state.offsets[partition].insert(offset);
                }
            }
            _ => {
                state.garbage.get_or_insert_with(|| line.to_owned());
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    fn is_at(&self, ends: &[i64]) -> bool {
        let is_at =
            |(offsets, end): (&BTreeSet<i64>, &i64)| offsets.last().is_some_and(|last| last >= end);
        self.offsets.iter().zip(ends).all(is_at)
    }

    fn describe(&self) -> String {
        let last: Vec<i64> = self
            .offsets
            .iter()
            .map(|offsets| offsets.last().copied().unwrap_or(-1))
            .collect();
        format!("read to {last:?}, by member {:?}", self.counts)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
