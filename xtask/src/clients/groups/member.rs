//! The members of a group: programs of `tests/clients` that say what they read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::kind::{Kind, Manner};
use super::{PARTITIONS, PATIENCE};
use crate::command;

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
    manner: Manner,
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

    /// The type that the broker lists it as.
    pub(super) fn group_type(&self) -> &'static str {
        match self.kind.by_broker {
            true => "consumer",
            false => "classic",
        }
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
        let mut command = program.command(&self.address, self.kind.name, index);
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
        let manner = program.manner;
        thread::spawn(move || read.take_lines(index, manner, BufReader::new(output)));
        self.members.push(Some(Member {
            process,
            input,
            manner,
        }));
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
        if member.manner == Manner::Verifiable {
            command::terminate(&member.process)?;
        }
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

    /// Takes what a member says until it ends. A member that is killed may have begun a line; what that would have told it had not committed.
    fn take_lines(&self, member: usize, manner: Manner, mut output: impl BufRead) {
        let mut line = String::new();
        while output.read_line(&mut line).is_ok() && line.ends_with('\n') {
            self.take(member, manner, line.trim_end());
            line.clear();
        }
    }

    fn take(&self, member: usize, manner: Manner, line: &str) {
        let mut state = self.lock();
        match manner.records(line) {
            Some(records) if records.iter().all(|(partition, _)| *partition < PARTITIONS) => {
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
