//! One connection: bytes into frames, frames into answers, answers into the socket, one bounded turn at a time.

mod answering;
mod landing;
mod sending;

use std::mem;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use pagelog_os::receive;
use pagelog_store::answer::{Context, Handler};
use pagelog_transfer::{Progress, Rope, Sender};
use rustix::io::{self, Errno};
use rustix::net::{RecvFlags, recv};

use crate::answers::{Answers, Slot};
use crate::contain::contain;
use crate::ending::Ending;
use crate::fetchers::Behind;
use crate::frame::{self, Front, PREFIX_SIZE};
use crate::inbox::{Inbox, Received};
use crate::landing::{Landing, Landings};
use crate::local::Local;
use crate::poller::Readiness;
use crate::server::{Accepted, Permit};
use crate::slots::{Key, Token};

/// Answers that one connection may be owed; it is not read beyond. Clients keep 5 to a few dozen requests under way.
const OWED_COUNT_MAX: usize = 256;

/// Bytes of answers that may wait for one peer before its next frame is taken up.
const QUEUED_SIZE_MAX: u64 = 1024 * 1024;

/// How much of what a peer sent too late is read and dropped before its connection is closed.
const DISCARDS_MAX: usize = 16;

/// One connection and all that it holds.
pub(crate) struct Connection {
    key: Key,
    socket: TcpStream,
    handler: Box<dyn Handler>,
    accepted: Accepted,
    permit: Arc<Permit>,
    inbox: Inbox,
    landing: Landing,
    answers: Answers,
    sender: Sender,
    /// What it is to send is being fetched.
    fetching: bool,
    behind: Behind,
    /// Epoll said so, and nothing since has said otherwise: the two edges.
    readable: bool,
    writable: bool,
    /// The peer sends no more: what is in the socket is all, and its end has to be read although no event will come.
    peer_ended: bool,
    /// Nothing can be sent any more.
    hung_up: bool,
    /// Epoll speaks of an error.
    errored: bool,
    /// A worker has a frame, and none is handled meanwhile.
    at_work: bool,
    /// It would read if there were room in the budget, and is in the reactor's list of those.
    paused: bool,
    /// It is in the reactor's list of those who get a turn.
    pub(crate) scheduled: bool,
    /// It ends when what it is owed has been sent.
    ending: Option<Ending>,
    /// When something last moved.
    progress: Instant,
    timer: Option<Instant>,
    /// What it uses of the budget, and which part of that is the frame at work.
    charged: u64,
    work_size: u64,
}

/// How a turn ended.
pub(crate) enum Turn {
    /// Until something happens.
    Rest,
    /// There is more to do; the others first.
    Again,
    /// It is over.
    End(Ending),
}

impl Connection {
    pub(crate) fn new(
        key: Key,
        first_sequence: u32,
        (socket, accepted, permit): (TcpStream, Accepted, Arc<Permit>),
        handler: Box<dyn Handler>,
        landings: Landings,
        now: Instant,
    ) -> Connection {
        Connection {
            key,
            socket,
            handler,
            accepted,
            permit,
            inbox: Inbox::default(),
            landing: Landing::new(landings),
            answers: Answers::new(first_sequence),
            sender: Sender::default(),
            fetching: false,
            behind: Behind::default(),
            readable: false,
            writable: true,
            peer_ended: false,
            hung_up: false,
            errored: false,
            at_work: false,
            paused: false,
            scheduled: false,
            ending: None,
            progress: now,
            timer: None,
            charged: 0,
            work_size: 0,
        }
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(crate) fn accepted(&self) -> &Accepted {
        &self.accepted
    }

    /// The token of the next answer.
    pub(crate) fn next_token(&self) -> Token {
        Token {
            slot: self.key.slot,
            sequence: self.answers.next_sequence(),
        }
    }

    /// Takes note of what epoll says.
    pub(crate) fn happened(&mut self, readiness: Readiness) {
        self.readable |= readiness.readable;
        self.writable |= readiness.writable;
        self.peer_ended |= readiness.ending;
        self.hung_up |= readiness.hung_up;
        self.errored |= readiness.error;
    }

    /// It has been taken from the list of those who wait for room in the budget.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
    }

    /// Ends it once what it is owed has been sent. The first reason counts.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
        self.inbox = Inbox::default();
        self.landing.next_frame(&self.socket);
    }

    /// Handles, receives and sends what is possible, within bounds.
    pub(crate) fn turn(&mut self, local: &mut Local, now: Instant) -> Turn {
        let outcome = self.advance(local, now);
        if self.inbox.is_empty() || self.inbox.is_ready(local.shared.limits.frame_size_max) {
            local.end_privilege(self.key);
        }
        let held = self.inbox.held()
            + self.landing.awaited()
            + self.work_size
            + self.answers.owned_size()
            + self.sender.owned_size();
        local.charge(&mut self.charged, held);
        self.bring_timer_forward(self.muted_until(now), local);
        match outcome {
            Ok(Turn::Rest) if self.wants_turn(local, now) => Turn::Again,
            Ok(turn) => turn,
            Err(ending) => Turn::End(ending),
        }
    }

    fn advance(&mut self, local: &mut Local, now: Instant) -> Result<Turn, Ending> {
        if mem::take(&mut self.errored) {
            self.take_error(local);
        }
        self.handle_inbox(local, now);
        self.receive(local, now)?;
        self.answers.release(&mut self.sender);
        let progress = self.flush(local, now)?;
        let owes = !self.answers.is_empty() || !self.sender.is_empty();
        if let Some(ending) = self.ending.take_if(|_| !owes || self.hung_up) {
            return Err(ending);
        }
        if self.hung_up && !self.wants_turn(local, now) {
            return Err(Ending::PeerGone);
        }
        Ok(if progress == Progress::Yielded {
            Turn::Again
        } else {
            Turn::Rest
        })
    }

    /// Whether there is something to do that no event will announce.
    fn wants_turn(&self, local: &Local, now: Instant) -> bool {
        let ready = self.inbox.is_ready(local.shared.limits.frame_size_max);
        self.may_handle(now) && (ready || (self.readable && !self.paused))
    }

    /// Whether the next frame may be taken up: the bounds on what one peer can have under way.
    fn may_handle(&self, now: Instant) -> bool {
        self.ending.is_none()
            && !self.at_work
            && self.answers.count() < OWED_COUNT_MAX
            && self.sender.size() < QUEUED_SIZE_MAX
            && self.muted_until(now).is_none()
    }

    /// Until when the handler takes no further frame, if it says so.
    fn muted_until(&self, now: Instant) -> Option<Instant> {
        self.handler.muted_until().filter(|until| *until > now)
    }

    // Receiving.

    fn receive(&mut self, local: &mut Local, now: Instant) -> Result<(), Ending> {
        let frame_size_max = local.shared.limits.frame_size_max;
        if !self.readable || !self.may_handle(now) || self.inbox.is_ready(frame_size_max) {
            return Ok(());
        }
        if !local.may_receive(self.key, !self.inbox.is_empty(), now) {
            if !mem::replace(&mut self.paused, true) {
                local.pause(self.key);
            }
            return Ok(());
        }
        if self.inbox.is_empty() && self.landing.looks_first() {
            // Whatever is wrong with the socket, receiving says it too.
            let _ = self.look_at_front(local, now);
        }
        let received = match frame::front(self.inbox.unhandled(), frame_size_max) {
            Ok(Front::Part(Some(size))) if self.landing.is_long(size) => {
                if let landing::Step::Done = self.land(size, local, now) {
                    return Ok(());
                }
                let front = self.receive_front();
                front.and_then(|()| self.receive_long(size, local, now))
            }
            Ok(Front::Part(Some(size))) if !self.inbox.is_small() => {
                self.receive_long(size, local, now)
            }
            _ => self.receive_to_scratch(local, now),
        };
        self.received(received, local, now)
    }

    /// Receives more of a frame of `size` bytes, prefix included, into memory of its own.
    fn receive_long(
        &mut self,
        size: usize,
        local: &mut Local,
        now: Instant,
    ) -> io::Result<Received> {
        let waiting = match self.landing.is_long(size) {
            true => receive::waiting(self.socket.as_fd()).unwrap_or(0),
            false => 0,
        };
        let received = self.inbox.receive(&self.socket, size, waiting);
        self.handle_inbox(local, now);
        received
    }

    /// Frames that are whole in the scratch buffer are handled there; only what is left over gets memory of its own.
    fn receive_to_scratch(&mut self, local: &mut Local, now: Instant) -> io::Result<Received> {
        let mut scratch = mem::take(&mut local.scratch);
        let carried = self.inbox.carry_to(&mut scratch);
        local.counts.carried_bytes += carried as u64;
        let room = self.landing.room(carried, scratch.len());
        let received = recv(
            &self.socket,
            &mut scratch[carried..room],
            RecvFlags::DONTWAIT,
        );
        let end = carried + received.map_or(0, |(size, _)| size);
        let consumed = self.handle_frames(&scratch[..end], local, now);
        if consumed < end {
            self.landing.begins(&scratch[consumed..end]);
            local.counts.carried_bytes += (end - consumed) as u64;
            self.inbox.keep(&scratch[consumed..end]);
        }
        let filled = end == room;
        local.scratch = scratch;
        received.map(|(size, _)| Received {
            size,
            filled,
            copied: 0,
        })
    }

    fn received(
        &mut self,
        received: io::Result<Received>,
        local: &mut Local,
        now: Instant,
    ) -> Result<(), Ending> {
        match received {
            Ok(Received { size: 0, .. }) => self.peer_closed(),
            Ok(Received {
                size,
                filled,
                copied,
            }) => {
                local.counts.carried_bytes += copied as u64;
                self.progress = now;
                // epoll(7): fewer bytes than asked for mean that the socket is empty, and that more are a new edge.
                self.readable = filled || self.peer_ended || self.hung_up;
                local.received(self.key, size, now);
            }
            Err(Errno::AGAIN) => self.readable = false,
            Err(Errno::INTR) => {}
            Err(error) => return Err(Ending::Receive(error.into())),
        }
        Ok(())
    }

    /// The peer may still read: what it is owed is sent to it.
    fn peer_closed(&mut self) {
        self.readable = false;
        let received = self.inbox.unhandled().len();
        self.end(if received == 0 {
            Ending::PeerClosed
        } else {
            Ending::CutFrame { received }
        });
    }

    /// Reads and drops what has arrived, if the end is this side's doing.
    pub(crate) fn discard(&self, ending: &Ending, scratch: &mut [u8]) {
        if !ending.is_ours() {
            return;
        }
        for _ in 0..DISCARDS_MAX {
            match recv(&self.socket, &mut *scratch, RecvFlags::DONTWAIT) {
                Ok((size, _)) if size > 0 => {}
                _ => return,
            }
        }
    }

    // Handling.

    fn handle_inbox(&mut self, local: &mut Local, now: Instant) {
        let inbox = mem::take(&mut self.inbox);
        let consumed = self.handle_frames(inbox.unhandled(), local, now);
        self.inbox = inbox;
        self.inbox.consume(consumed);
    }

    /// Handles the frames at the front of `bytes` as far as may be. How many bytes are done with.
    fn handle_frames(&mut self, bytes: &[u8], local: &mut Local, now: Instant) -> usize {
        let limit = local.shared.limits.frame_size_max;
        let mut consumed = 0;
        while self.may_handle(now) {
            match frame::front(&bytes[consumed..], limit) {
                Ok(Front::Frame(frame)) => {
                    self.landing
                        .handled(&self.socket, PREFIX_SIZE + frame.len());
                    self.handle(frame, local, now);
                    consumed += PREFIX_SIZE + frame.len();
                    self.answers.release(&mut self.sender);
                }
                Ok(Front::Part(_)) => break,
                Err(bad) => self.end(Ending::BadLength { bad, limit }),
            }
        }
        if self.ending.is_some() {
            bytes.len()
        } else {
            consumed
        }
    }

    fn handle(&mut self, frame: &[u8], local: &mut Local, now: Instant) {
        local.counts.frames += 1;
        let token = self.next_token();
        self.answers.push(Slot::at_work());
        let context = Context {
            now,
            notify: &local.notify,
            token: token.to_u64(),
        };
        match contain(|| self.handler.frame(frame, &context)) {
            Some(answer) => self.take_answer(token, answer, frame.len(), local, now),
            None => self.broken(token.sequence),
        }
    }

    fn broken(&mut self, sequence: u32) {
        self.answers.set(sequence, Slot::Ready(Rope::new()));
        self.end(Ending::Panicked);
    }

    // Sending.

    /// Ends it at once: what it is owed cannot be sent.
    fn fail(&mut self, ending: Ending) {
        self.end(ending);
        self.hung_up = true;
    }

    // Time.

    /// Polls what is due, ends what is idle, and sets the next timer. The one that was set has just been taken.
    pub(crate) fn timer_due(&mut self, local: &mut Local, now: Instant) -> Result<(), Ending> {
        self.timer = None;
        for sequence in self.answers.due(now) {
            self.poll(
                Token {
                    slot: self.key.slot,
                    sequence,
                },
                local,
                now,
            );
        }
        let timeout = local.shared.limits.idle_timeout;
        // Whoever waits for this side is not idle; whoever does not read its answers, or send its frame to the end, is.
        let owed = self.sender.is_empty() && (!self.answers.is_empty() || self.paused);
        let muted_until = self.muted_until(now);
        let waits_for_us = owed || self.fetching || muted_until.is_some();
        let idle_at = if waits_for_us {
            now + timeout
        } else {
            self.progress + timeout
        };
        if idle_at <= now {
            return Err(Ending::Idle {
                seconds: timeout.as_secs(),
            });
        }
        if self.landing.give_up(&self.socket, now) {
            self.readable = true;
        }
        self.bring_timer_forward(self.landing.until(), local);
        self.bring_timer_forward(Some(idle_at), local);
        self.bring_timer_forward(self.answers.deadline(), local);
        self.bring_timer_forward(muted_until, local);
        Ok(())
    }

    fn bring_timer_forward(&mut self, deadline: Option<Instant>, local: &mut Local) {
        let Some(deadline) = deadline else { return };
        if self.timer.is_none_or(|timer| deadline < timer) {
            local
                .timers
                .replace(self.key.slot, self.timer, Some(deadline));
            self.timer = Some(deadline);
        }
    }

    /// Gives back all that the reactor keeps for it.
    pub(crate) fn release(&mut self, local: &mut Local) {
        local.timers.replace(self.key.slot, self.timer.take(), None);
        local.end_privilege(self.key);
        local.charge(&mut self.charged, 0);
        let behind = self.behind.take();
        if !behind.is_empty() {
            // A full queue keeps some pages longer than need be, no more.
            let _ = self.submit_fetch(local, None, behind);
        }
    }
}
