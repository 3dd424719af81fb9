//! epoll, and what its events mean here.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io;

use crate::slots::Key;

/// The most events that one wait brings.
const EVENTS_MAX: usize = 256;

/// Above every connection's number: a generation of 2^32 - 1 in a slot of which there can be none.
const WAKE: u64 = u64::MAX;

/// One epoll instance.
///
/// Connections and the mailbox are edge-triggered: registered once, and never changed while they live. Listeners are
/// level-triggered, so that an accept that stops early is taken up again.
pub(crate) struct Poller {
    epoll: OwnedFd,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Happened {
    /// A message or a mark; nothing to do but to go round.
    Woken,
    /// The listener of this index has connections to accept.
    Accept(usize),
    /// Something about a connection.
    Connection(Key, Readiness),
}

/// What epoll says of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The peer will send no more.
    pub(crate) ending: bool,
    /// Nothing can be sent any more.
    pub(crate) hung_up: bool,
    /// There is an error to read, or word of a send without copying.
    pub(crate) error: bool,
}

impl Poller {
    pub(crate) fn new(wake: impl AsFd) -> io::Result<Poller> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            wake,
            EventData::new_u64(WAKE),
            EventFlags::IN | EventFlags::ET,
        )?;
        Ok(Poller { epoll })
    }

    /// Registers a listener; one that is registered stays so.
    pub(crate) fn add_listener(&self, listener: impl AsFd, index: usize) -> io::Result<()> {
        let data = EventData::new_u64(WAKE - 1 - index as u64);
        match epoll::add(&self.epoll, listener, data, EventFlags::IN) {
            Ok(()) | Err(io::Errno::EXIST) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn remove_listener(&self, listener: impl AsFd) -> io::Result<()> {
        epoll::delete(&self.epoll, listener)
    }

    pub(crate) fn add_connection(&self, socket: impl AsFd, key: Key) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, socket, EventData::new_u64(key.to_u64()), flags)
    }

    /// Waits for events, for `timeout` at most, or without end; adds what happened, with so many listeners registered.
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        listeners: usize,
        happened: &mut Vec<Happened>,
    ) -> io::Result<()> {
        // Waits are in whole milliseconds; rounded up, lest the last one before a timer be spent in a loop.
        let timeout = timeout.map(|timeout| {
            let millis = timeout.as_micros().div_ceil(1_000).min(i32::MAX as u128) as i64;
            Timespec {
                tv_sec: millis / 1_000,
                tv_nsec: millis % 1_000 * 1_000_000,
            }
        });
        let mut events = [const { MaybeUninit::<Event>::uninit() }; EVENTS_MAX];
        match epoll::wait(&self.epoll, &mut events[..], timeout.as_ref()) {
            Ok((events, _)) => {
                happened.extend(events.iter().map(|event| Happened::of(event, listeners)))
            }
            Err(io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Happened {
    fn of(event: &Event, listeners: usize) -> Happened {
        let (data, flags) = (event.data.u64(), event.flags);
        match (WAKE - data) as usize {
            0 => Happened::Woken,
            below if below <= listeners => Happened::Accept(below - 1),
            _ => Happened::Connection(Key::from_u64(data), Readiness::of(flags)),
        }
    }
}

impl Readiness {
    fn of(flags: EventFlags) -> Readiness {
        let hung_up = flags.contains(EventFlags::HUP);
        Readiness {
            error: flags.contains(EventFlags::ERR),
            readable: hung_up || flags.intersects(EventFlags::IN | EventFlags::RDHUP),
            writable: flags.contains(EventFlags::OUT),
            ending: flags.contains(EventFlags::RDHUP),
            hung_up,
        }
    }
}
