//! What the connections of one reactor use in turn: its scratch buffer, paths, timers, marks, and the right to read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_store::answer::{Notify, Position};
use pagelog_transfer::{Choices, Paths};

use crate::counters::Counters;
use crate::fetchers::{ColdReads, Fetchers};
use crate::mailbox::Mailbox;
use crate::marks::MarkWaits;
use crate::server::{Marks, Shared};
use crate::slots::Key;
use crate::timers::Timers;
use crate::workers::Workers;

/// What is received at a time: a few round trips' worth of small frames, and it stays in the processor's second-level cache.
const SCRATCH_SIZE: usize = 128 * 1024;

/// How long the one connection that may read past the budget may take for [`STALL_SIZE_MIN`] bytes.
const STALL_TIME_MAX: Duration = Duration::from_secs(10);

/// What it has to send in that time; less than a modem does.
const STALL_SIZE_MIN: usize = 64 * 1024;

/// For so long after a sync the next one is expected.
const SYNCS_EXPECTED: Duration = Duration::from_millis(100);

fn paths(cold_reads: ColdReads, choices: Choices) -> Paths {
    let paths = Paths::choosing(choices);
    match cold_reads {
        ColdReads::LetGo | ColdReads::Keep => paths.look_first(),
        ColdReads::Wait => paths,
    }
}

/// One reactor's own.
pub(crate) struct Local {
    pub(crate) shared: Arc<Shared>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) notify: Arc<dyn Notify>,
    pub(crate) workers: Workers,
    pub(crate) fetchers: Fetchers,
    pub(crate) marks: MarkWaits,
    pub(crate) timers: Timers,
    pub(crate) paths: Paths,
    pub(crate) scratch: Vec<u8>,
    pub(crate) counts: Counters,
    /// How far the log was durable when somebody last looked, and when it was first seen there.
    durable: (Position, Option<Instant>),
    /// Connections that would read if there were room in the budget.
    paused: Vec<Key>,
    privilege: Option<Privilege>,
    /// The privilege was given back since the paused were last let go.
    privilege_ended: bool,
}

/// The right of one connection to read past the budget, to the end of its frame.
///
/// If partial frames have used the budget up, none could ever be finished and nothing given back. So one per reactor is,
/// and one that keeps the others waiting for nothing is closed.
#[derive(Debug)]
struct Privilege {
    key: Key,
    until: Instant,
    received: usize,
}

impl Local {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        index: usize,
        marks: &Marks,
        (workers, fetchers): (Workers, Fetchers),
    ) -> Local {
        let mailbox = Arc::clone(&shared.mailboxes[index]);
        Local {
            shared: Arc::clone(shared),
            notify: Arc::clone(&mailbox) as Arc<dyn Notify>,
            marks: MarkWaits::new(marks, &mailbox),
            mailbox,
            workers,
            fetchers,
            timers: Timers::default(),
            paths: paths(shared.limits.cold_reads, shared.limits.choices),
            scratch: vec![0; SCRATCH_SIZE],
            counts: Counters::default(),
            durable: (marks.durable.get(), None),
            paused: Vec::new(),
            privilege: None,
            privilege_ended: false,
        }
    }

    /// Whether others wait for syncs: there was one not long ago.
    pub(crate) fn is_beside_syncs(&mut self, now: Instant) -> bool {
        let durable = self.marks.durable_at();
        if durable != self.durable.0 {
            self.durable = (durable, Some(now));
        }
        let synced = self.durable.1;
        synced.is_some_and(|at| now.saturating_duration_since(at) < SYNCS_EXPECTED)
    }

    /// Whether `key` may receive now. If not, it is to be put among the paused.
    pub(crate) fn may_receive(&mut self, key: Key, mid_frame: bool, now: Instant) -> bool {
        if !self.shared.budget.is_over() {
            return true;
        }
        match &self.privilege {
            Some(privilege) => privilege.key == key,
            None if mid_frame => {
                let until = now + STALL_TIME_MAX.min(self.shared.limits.idle_timeout);
                self.privilege = Some(Privilege {
                    key,
                    until,
                    received: 0,
                });
                true
            }
            None => false,
        }
    }

    /// Tells that `key` has received `size` bytes.
    pub(crate) fn received(&mut self, key: Key, size: usize, now: Instant) {
        if let Some(privilege) = self
            .privilege
            .as_mut()
            .filter(|privilege| privilege.key == key)
        {
            privilege.received += size;
            if privilege.received >= STALL_SIZE_MIN {
                privilege.received = 0;
                privilege.until = now + STALL_TIME_MAX.min(self.shared.limits.idle_timeout);
            }
        }
    }

    /// Takes the privilege back from `key`, if it has it: its frame is whole, or it is gone.
    pub(crate) fn end_privilege(&mut self, key: Key) {
        if self
            .privilege
            .as_ref()
            .is_some_and(|privilege| privilege.key == key)
        {
            self.privilege = None;
            self.privilege_ended = true;
        }
    }

    /// Who holds the privilege and has not used it.
    pub(crate) fn stalled(&self, now: Instant) -> Option<Key> {
        self.privilege
            .as_ref()
            .filter(|privilege| privilege.until <= now)
            .map(|privilege| privilege.key)
    }

    /// Puts a connection among those that read when there is room again.
    pub(crate) fn pause(&mut self, key: Key) {
        self.paused.push(key);
        self.shared.budget.await_room();
    }

    /// Whether the paused may try again. To be asked before sleeping.
    pub(crate) fn may_resume(&self) -> bool {
        !self.paused.is_empty() && (self.privilege_ended || !self.shared.budget.is_over())
    }

    /// Who was paused, if they may try again.
    pub(crate) fn take_paused(&mut self) -> Vec<Key> {
        if !self.may_resume() {
            return Vec::new();
        }
        self.privilege_ended = false;
        std::mem::take(&mut self.paused)
    }

    /// The next time at which something is to be done although nothing happens.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        let stall = self.privilege.as_ref().map(|privilege| privilege.until);
        self.timers.next().into_iter().chain(stall).min()
    }

    /// Replaces what a connection uses of the budget.
    pub(crate) fn charge(&self, charged: &mut u64, used: u64) {
        if self.shared.budget.replace(*charged, used) {
            self.shared.wake_all();
        }
        *charged = used;
    }
}
