//! One thread's round: sleep, look at what happened, give everyone concerned a turn. It never blocks elsewhere.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_store::answer::{Answer, Mark, Position};
use rustix::io;
use tracing::Level;

use crate::acceptor::{Acceptor, Arrival};
use crate::connection::{Connection, Turn};
use crate::contain::contain;
use crate::ending::Ending;
use crate::fetchers::{By, Fetchers};
use crate::gate::LogGate;
use crate::local::Local;
use crate::mailbox::Message;
use crate::poller::{Happened, Poller};
use crate::server::{Marks, Shared};
use crate::slots::{Key, Slots, Token};
use crate::workers::Workers;

/// Log lines a second, and reactor, about connections that ended badly.
const ENDINGS_PER_SECOND: u32 = 20;

/// One reactor, owner of its connections.
pub(crate) struct Reactor {
    local: Local,
    poller: Poller,
    connections: Slots,
    /// Who gets a turn in this round.
    ready: Vec<Key>,
    /// On the first reactor, until it stops.
    acceptor: Option<Acceptor>,
    /// Which reactor the next connection goes to.
    next_reactor: usize,
    stop_at: Option<Instant>,
    gate: LogGate,
    // Empty between rounds, and kept for their memory.
    turns: Vec<Key>,
    happened: Vec<Happened>,
    messages: Vec<Message>,
    due: Vec<u64>,
}

impl Reactor {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        index: usize,
        marks: &Marks,
        threads: (Workers, Fetchers),
    ) -> std::io::Result<Reactor> {
        let local = Local::new(shared, index, marks, threads);
        Ok(Reactor {
            poller: Poller::new(&local.mailbox)?,
            local,
            connections: Slots::default(),
            ready: Vec::new(),
            acceptor: None,
            next_reactor: 0,
            stop_at: None,
            gate: LogGate::new(ENDINGS_PER_SECOND),
            turns: Vec::new(),
            happened: Vec::new(),
            messages: Vec::new(),
            due: Vec::new(),
        })
    }

    /// Makes this the reactor that accepts.
    pub(crate) fn accept(&mut self, acceptor: Acceptor) -> std::io::Result<()> {
        acceptor.register(&self.poller)?;
        self.acceptor = Some(acceptor);
        Ok(())
    }

    /// Goes round until it is stopped.
    pub(crate) fn run(mut self) {
        loop {
            self.local.counts.transfer = self.local.paths.counters();
            self.local.mailbox.tally.publish(self.local.counts);
            if let Err(error) = self.sleep() {
                // Only a bug can make epoll_wait fail; going on would be a loop without end.
                tracing::error!(
                    "a reactor ends, and its connections with it: epoll_wait failed: {error}"
                );
                return;
            }
            let now = Instant::now();
            self.take_events(now);
            self.take_messages(now);
            self.take_marks(now);
            self.take_timers(now);
            self.take_turns(now);
            if self.is_done(now) {
                return;
            }
        }
    }

    fn sleep(&mut self) -> io::Result<()> {
        self.local.marks.end_turn();
        let idle =
            self.ready.is_empty() && !self.local.may_resume() && self.local.mailbox.may_sleep();
        let timeout = if idle {
            self.timeout()
        } else {
            Some(Duration::ZERO)
        };
        let listeners = self.acceptor.as_ref().map_or(0, Acceptor::count);
        let waited = self.poller.wait(timeout, listeners, &mut self.happened);
        self.local.mailbox.awake();
        self.local.marks.begin_turn();
        waited
    }

    fn timeout(&self) -> Option<Duration> {
        let accept = self.acceptor.as_ref().and_then(Acceptor::paused_until);
        let next = [self.local.next_timer(), accept, self.stop_at]
            .into_iter()
            .flatten()
            .min();
        next.map(|at| at.saturating_duration_since(Instant::now()))
    }

    fn take_events(&mut self, now: Instant) {
        let mut happened = mem::take(&mut self.happened);
        for event in happened.drain(..) {
            match event {
                Happened::Woken => {}
                Happened::Accept(index) => self.take_arrivals(index, now),
                Happened::Connection(key, readiness) => {
                    if let Some(connection) = self.connections.get_mut(key) {
                        connection.happened(readiness);
                        self.schedule(key);
                    }
                }
            }
        }
        self.happened = happened;
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.resume(&self.poller, now);
        }
    }

    fn take_arrivals(&mut self, index: usize, now: Instant) {
        let Some(acceptor) = &mut self.acceptor else {
            return;
        };
        let arrivals = acceptor.accept(index, &self.local.shared, &self.poller, now);
        self.local.counts.refused += arrivals.refused;
        for arrival in arrivals.arrivals {
            let reactor = self.next_reactor;
            self.next_reactor = (reactor + 1) % self.local.shared.mailboxes.len();
            if reactor == 0 {
                self.open(arrival, now);
            } else {
                self.local.shared.mailboxes[reactor].post(Message::Open(arrival));
            }
        }
    }

    fn take_messages(&mut self, now: Instant) {
        let mut messages = mem::take(&mut self.messages);
        self.local.mailbox.take(&mut messages);
        for message in messages.drain(..) {
            match message {
                Message::Open(arrival) => self.open(arrival, now),
                Message::Notice { token, mark, at } => self.notice(token, mark, at, now),
                Message::Worked { token, answer } => {
                    self.worked(Token::from_u64(token), answer, now)
                }
                Message::Fetched { key, outcome, by } => {
                    self.local.counts.ring_fetches += u64::from(by == By::Ring);
                    if let Some(connection) = self.connections.get_mut(key) {
                        connection.fetched(outcome, now);
                        self.schedule(key);
                    }
                }
                Message::Choose(choices) => self.local.paths.set_choices(choices),
                Message::Stop { deadline } => self.stop(deadline),
            }
        }
        self.messages = messages;
    }

    fn open(&mut self, arrival: Arrival, now: Instant) {
        if self.stop_at.is_some() {
            return;
        }
        let Arrival {
            socket,
            accepted,
            permit,
        } = arrival;
        let open = &self.local.shared.open;
        let Some(handler) = contain(|| open(&accepted)) else {
            return;
        };
        self.local.counts.accepted += 1;
        let landings = self.local.shared.limits.landings;
        let connection = self.connections.insert(|key, first_sequence| {
            Connection::new(
                key,
                first_sequence,
                (socket, accepted, permit),
                handler,
                landings,
                now,
            )
        });
        let key = connection.key();
        let registered = self.poller.add_connection(connection.socket(), key);
        let ending = match registered {
            Ok(()) => connection.timer_due(&mut self.local, now).err(),
            Err(error) => Some(Ending::Receive(error.into())),
        };
        if let Some(ending) = ending {
            self.close(key, &ending, now);
        }
    }

    fn notice(&mut self, token: u64, mark: Mark, at: Position, now: Instant) {
        if self.local.marks.is_reached(mark, at) {
            self.poll(token, now);
        } else {
            self.local.marks.add(mark, at, token);
        }
    }

    fn poll(&mut self, token: u64, now: Instant) {
        let token = Token::from_u64(token);
        if let Some(connection) = self.connections.at_mut(token.slot)
            && connection.poll(token, &mut self.local, now)
        {
            let key = connection.key();
            self.schedule(key);
        }
    }

    fn worked(&mut self, token: Token, answer: Answer, now: Instant) {
        if let Some(connection) = self.connections.at_mut(token.slot) {
            connection.worked(token, answer, &mut self.local, now);
            let key = connection.key();
            self.schedule(key);
        }
    }

    fn take_marks(&mut self, now: Instant) {
        let mut due = mem::take(&mut self.due);
        for mark in [Mark::Written, Mark::Durable] {
            if self.local.mailbox.take_fired(mark) {
                self.local.marks.take_due(mark, &mut due);
            }
        }
        due.drain(..).for_each(|token| self.poll(token, now));
        self.due = due;
    }

    fn take_timers(&mut self, now: Instant) {
        while let Some(slot) = self.local.timers.take_due(now) {
            let Some(connection) = self.connections.at_mut(slot) else {
                continue;
            };
            let key = connection.key();
            match connection.timer_due(&mut self.local, now) {
                Ok(()) => self.schedule(key),
                Err(ending) => self.close(key, &ending, now),
            }
        }
        if let Some(key) = self.local.stalled(now) {
            self.close(key, &Ending::Stalled, now);
        }
        for key in self.local.take_paused() {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.resume();
                self.schedule(key);
            }
        }
    }

    fn schedule(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key)
            && !mem::replace(&mut connection.scheduled, true)
        {
            self.ready.push(key);
        }
    }

    fn take_turns(&mut self, now: Instant) {
        let mut turns = mem::take(&mut self.turns);
        mem::swap(&mut turns, &mut self.ready);
        for key in turns.drain(..) {
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            connection.scheduled = false;
            match connection.turn(&mut self.local, now) {
                Turn::Rest => {}
                Turn::Again => self.schedule(key),
                Turn::End(ending) => self.close(key, &ending, now),
            }
        }
        self.turns = turns;
    }

    fn stop(&mut self, deadline: Instant) {
        self.acceptor = None;
        self.stop_at = Some(deadline);
        for key in self.connections.keys() {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.end(Ending::Stopped);
            }
            self.schedule(key);
        }
    }

    /// Whether it was stopped and has nothing left to finish, or no time.
    fn is_done(&self, now: Instant) -> bool {
        let Some(stop_at) = self.stop_at else {
            return false;
        };
        if self.connections.is_empty() {
            return true;
        }
        if stop_at <= now {
            tracing::warn!(
                "{} connections were cut before their answers were ready",
                self.connections.count()
            );
            return true;
        }
        false
    }

    fn close(&mut self, key: Key, ending: &Ending, now: Instant) {
        let Some(mut connection) = self.connections.remove(key) else {
            return;
        };
        connection.release(&mut self.local);
        connection.discard(ending, &mut self.local.scratch);
        self.local.counts.closed += 1;
        self.local.counts.timed_out += u64::from(ending.is_timeout());
        self.log(&connection, ending, now);
    }

    fn log(&mut self, connection: &Connection, ending: &Ending, now: Instant) {
        let peer = connection.accepted().peer;
        if ending.level() == Level::DEBUG {
            tracing::debug!(%peer, "connection closed: {}", ending.chain());
            return;
        }
        let Some(suppressed) = self.gate.pass(now) else {
            return;
        };
        let ending_chain = ending.chain();
        match ending.level() {
            Level::INFO => tracing::info!(%peer, suppressed, "connection closed: {ending_chain}"),
            Level::WARN => tracing::warn!(%peer, suppressed, "connection closed: {ending_chain}"),
            _ => tracing::error!(%peer, suppressed, "connection closed: {ending_chain}"),
        }
    }
}
