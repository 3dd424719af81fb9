//! The answers that a connection owes, in the order of their frames, ready or not.

use std::collections::VecDeque;
use std::time::Instant;

use pagelog_store::answer::{Mark, Pending, Position, Work};
use pagelog_transfer::{Rope, Sender};

use crate::contain::contain;
use crate::marks::MarkWaits;

/// How many slots' room an empty queue keeps.
const KEPT_COUNT_MAX: usize = 16;

/// One owed answer.
pub(crate) enum Slot {
    /// Its turn has not come yet.
    Ready(Rope),
    /// To be polled.
    Waiting(Waiting),
    /// A worker has it.
    AtWork {
        /// Somebody has asked meanwhile that it be polled.
        noticed: bool,
    },
    /// For a worker, when the one that has another answer of this connection is back.
    Queued(Work),
}

/// A pending answer and what it was registered for.
pub(crate) struct Waiting {
    pending: Box<dyn Pending>,
    registered: Option<(Mark, Position)>,
    deadline: Option<Instant>,
}

/// The owed answers of one connection.
pub(crate) struct Answers {
    slots: VecDeque<Slot>,
    /// The number of the first slot; numbers wrap.
    first: u32,
    /// Bytes in memory of what is ready.
    owned_size: u64,
}

/// What a poll found out.
pub(crate) enum Polled {
    Answered,
    /// Still waiting, until this time at the latest.
    Waits(Option<Instant>),
    /// A worker has to go on with it.
    Work(Work),
    /// It panicked.
    Broken,
    /// Nothing waits under this number.
    Gone,
}

impl Answers {
    pub(crate) fn new(first: u32) -> Answers {
        Answers {
            slots: VecDeque::new(),
            first,
            owned_size: 0,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn owned_size(&self) -> u64 {
        self.owned_size
    }

    /// The number that the next slot will have.
    pub(crate) fn next_sequence(&self) -> u32 {
        self.first.wrapping_add(self.slots.len() as u32)
    }

    pub(crate) fn push(&mut self, slot: Slot) {
        if let Slot::Ready(rope) = &slot {
            self.owned_size += rope.owned_size();
        }
        self.slots.push_back(slot);
    }

    /// Fills the slot of number `sequence`, which had no answer yet.
    pub(crate) fn set(&mut self, sequence: u32, slot: Slot) {
        if let Slot::Ready(rope) = &slot {
            self.owned_size += rope.owned_size();
        }
        if let Some(old) = self.get_mut(sequence) {
            *old = slot;
        }
    }

    /// Whether somebody has asked for a poll while a worker had the frame of this number; `None` if no worker has it.
    pub(crate) fn noticed_at_work(&mut self, sequence: u32) -> Option<bool> {
        match self.get_mut(sequence) {
            Some(Slot::AtWork { noticed }) => Some(*noticed),
            _ => None,
        }
    }

    /// Takes the oldest answer that waits for a worker, which has it now.
    pub(crate) fn next_work(&mut self) -> Option<(u32, Work)> {
        let is_queued = |slot: &Slot| matches!(slot, Slot::Queued(_));
        let index = self.slots.iter().position(is_queued)?;
        let sequence = self.first.wrapping_add(index as u32);
        match std::mem::replace(&mut self.slots[index], Slot::at_work()) {
            Slot::Queued(work) => Some((sequence, work)),
            _ => None,
        }
    }

    /// Polls what waits under `sequence`, and registers what it goes on waiting for under `token`.
    pub(crate) fn poll(
        &mut self,
        sequence: u32,
        token: u64,
        marks: &mut MarkWaits,
        now: Instant,
    ) -> Polled {
        let waiting = match self.get_mut(sequence) {
            Some(Slot::Waiting(waiting)) => waiting,
            Some(Slot::AtWork { noticed }) => {
                *noticed = true;
                return Polled::Gone;
            }
            _ => return Polled::Gone,
        };
        match contain(|| waiting.poll(token, marks, now)) {
            Some(Step::Answer(rope)) => {
                self.set(sequence, Slot::Ready(rope));
                Polled::Answered
            }
            Some(Step::Work(work)) => Polled::Work(work),
            Some(Step::None) => Polled::Waits(waiting.deadline),
            None => Polled::Broken,
        }
    }

    /// The numbers of what is due at `now`.
    pub(crate) fn due(&self, now: Instant) -> Vec<u32> {
        let waiting = (0..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.deadline().is_some_and(|at| at <= now));
        waiting
            .map(|(index, _)| self.first.wrapping_add(index))
            .collect()
    }

    /// The earliest time at which anything is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.slots.iter().filter_map(Slot::deadline).min()
    }

    /// Moves what is ready, up to the first that is not, to the sender.
    pub(crate) fn release(&mut self, sender: &mut Sender) {
        while let Some(Slot::Ready(_)) = self.slots.front()
            && let Some(Slot::Ready(rope)) = self.slots.pop_front()
        {
            self.first = self.first.wrapping_add(1);
            self.owned_size -= rope.owned_size();
            sender.push(rope);
        }
        if self.slots.is_empty() && self.slots.capacity() > KEPT_COUNT_MAX {
            self.slots = VecDeque::new();
        }
    }

    fn get_mut(&mut self, sequence: u32) -> Option<&mut Slot> {
        self.slots
            .get_mut(sequence.wrapping_sub(self.first) as usize)
    }
}

/// What a look at a pending answer gives.
enum Step {
    Answer(Rope),
    Work(Work),
    None,
}

impl Slot {
    pub(crate) fn at_work() -> Slot {
        Slot::AtWork { noticed: false }
    }

    pub(crate) fn waiting(pending: Box<dyn Pending>) -> Slot {
        Slot::Waiting(Waiting {
            pending,
            registered: None,
            deadline: None,
        })
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Slot::Waiting(waiting) => waiting.deadline,
            Slot::Ready(_) | Slot::AtWork { .. } | Slot::Queued(_) => None,
        }
    }
}

impl Waiting {
    fn poll(&mut self, token: u64, marks: &mut MarkWaits, now: Instant) -> Step {
        // A mark can pass the position between the poll and the look at it, so what is reached is polled once more. If that gives
        // nothing either, the mark is not what it waits for, and asking again would never end.
        for _ in 0..2 {
            if let Some(rope) = self.pending.poll(now) {
                return Step::Answer(rope);
            }
            if let Some(work) = self.pending.hand_over() {
                return Step::Work(work);
            }
            let wait = self.pending.wait();
            self.deadline = wait.deadline;
            let Some((mark, at)) = wait.mark.filter(|_| wait.mark != self.registered) else {
                break;
            };
            if !marks.is_reached(mark, at) {
                marks.add(mark, at, token);
                self.registered = wait.mark;
                break;
            }
        }
        Step::None
    }
}
