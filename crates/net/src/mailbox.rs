//! How other threads reach a reactor: a list of messages, two flags, and an eventfd that is written only if it sleeps.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pagelog_store::answer::{Answer, Mark, Notify, Position};
use pagelog_transfer::{Choices, SendError};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io;

use crate::acceptor::Arrival;
use crate::counters::Tally;
use crate::fetchers::By;
use crate::slots::Key;

/// What a reactor is told.
pub(crate) enum Message {
    /// A connection that is its own from now on.
    Open(Arrival),
    /// Something may have become ready for `token`, once `mark` has reached `at`.
    Notice {
        token: u64,
        mark: Mark,
        at: Position,
    },
    /// A worker is done with the frame of `token`.
    Worked { token: u64, answer: Answer },
    /// A fetcher is done for the connection of `key`; no outcome if it panicked.
    Fetched {
        key: Key,
        outcome: Option<Result<(), SendError>>,
        by: By,
    },
    /// Another table of paths.
    Choose(Choices),
    /// No more frames: finish what is unanswered until `deadline`, then end.
    Stop { deadline: Instant },
}

/// The mailbox of one reactor.
pub(crate) struct Mailbox {
    messages: Mutex<Vec<Message>>,
    fired: [AtomicBool; 2],
    /// The reactor is in, or about to go into, `epoll_wait`, and nobody has woken it since.
    asleep: AtomicBool,
    wake: OwnedFd,
    pub(crate) tally: Tally,
}

impl Mailbox {
    pub(crate) fn new() -> io::Result<Mailbox> {
        Ok(Mailbox {
            messages: Mutex::new(Vec::new()),
            fired: [const { AtomicBool::new(false) }; 2],
            asleep: AtomicBool::new(false),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            tally: Tally::default(),
        })
    }

    pub(crate) fn post(&self, message: Message) {
        self.messages().push(message);
        self.wake();
    }

    /// Says that a mark has come far enough for somebody here.
    pub(crate) fn fire(&self, mark: Mark) {
        self.fired[index(mark)].store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Makes the reactor go round once more.
    pub(crate) fn wake(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.tally.wakes.fetch_add(1, Ordering::Relaxed);
            // It is registered edge-triggered and never read: each write is an event of its own. Its sum cannot come near the limit
            // at which a write would fail.
            let _ = io::write(&self.wake, &1u64.to_le_bytes());
        }
    }

    /// To be called before sleeping; false if there is something to do instead.
    ///
    /// Whoever posts does so before looking at `asleep`, and this looks at what was posted after setting it: one of the two sees the
    /// other.
    pub(crate) fn may_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let may = self.messages().is_empty()
            && !self.fired.iter().any(|fired| fired.load(Ordering::SeqCst));
        if !may {
            self.awake();
        }
        may
    }

    /// To be called after sleeping.
    pub(crate) fn awake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Moves all messages into `into`, which is empty.
    pub(crate) fn take(&self, into: &mut Vec<Message>) {
        debug_assert!(into.is_empty());
        std::mem::swap(&mut *self.messages(), into);
    }

    pub(crate) fn take_fired(&self, mark: Mark) -> bool {
        let fired = &self.fired[index(mark)];
        fired.load(Ordering::SeqCst) && fired.swap(false, Ordering::SeqCst)
    }

    fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Mailbox {
    /// Readable, edge-triggered, when the reactor is to wake.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Notify for Mailbox {
    fn notify(&self, token: u64, mark: Mark, at: Position) {
        self.post(Message::Notice { token, mark, at });
    }
}

pub(crate) fn index(mark: Mark) -> usize {
    match mark {
        Mark::Written => 0,
        Mark::Durable => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_eventfd_only_for_a_sleeper_and_only_once() {
        let mailbox = Mailbox::new().unwrap();
        mailbox.fire(Mark::Durable);
        assert_eq!(mailbox.tally.get().wakes, 0);
        assert!(!mailbox.may_sleep(), "a mark has fired");
        assert!(!mailbox.take_fired(Mark::Written));
        assert!(mailbox.take_fired(Mark::Durable));
        assert!(mailbox.may_sleep());
        mailbox.notify(7, Mark::Written, Position(3));
        mailbox.notify(8, Mark::Written, Position(3));
        assert_eq!(mailbox.tally.get().wakes, 1);
        assert!(!mailbox.may_sleep(), "there are messages");
        let mut messages = Vec::new();
        mailbox.take(&mut messages);
        assert!(matches!(
            messages[..],
            [
                Message::Notice { token: 7, .. },
                Message::Notice { token: 8, .. }
            ]
        ));
    }
}
