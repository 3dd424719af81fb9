//! One connection: bytes into frames, frames into answers, answers into the socket, one bounded turn at a time.

use std::mem;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_os::receive;
use pagelog_store::answer::{Answer, Context, Handler, Landed, Work};
use pagelog_transfer::{Cold, Progress, Rope, SendError, Sender};
use rustix::io::{self, Errno};
use rustix::net::{RecvFlags, recv, sockopt};

use crate::answers::{Answers, Polled, Slot};
use crate::contain::contain;
use crate::ending::Ending;
use crate::fetchers::{self, Behind, ColdReads};
use crate::frame::{self, Front, PREFIX_SIZE};
use crate::inbox::{Inbox, Received};
use crate::landing::{Arrival, Landing, Landings, Next};
use crate::local::Local;
use crate::poller::Readiness;
use crate::server::{Accepted, Permit};
use crate::slots::{Key, Token};
use crate::workers::Job;

/// Answers that one connection may be owed; it is not read beyond. Clients keep 5 to a few dozen requests under way.
const OWED_COUNT_MAX: usize = 256;

/// Bytes of answers that may wait for one peer before its next frame is taken up.
const QUEUED_SIZE_MAX: u64 = 1024 * 1024;

/// A send moves 2 MiB at most: one that takes so long has waited for the disk, or for the processor.
const SLOW_SEND: Duration = Duration::from_millis(10);

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

/// What became of an attempt to land a frame.
enum Step {
    /// It is taken, or waits.
    Done,
    /// It is to be received as any other.
    Gather,
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
        let received = match frame::front(self.inbox.unhandled(), frame_size_max) {
            Ok(Front::Part(Some(size))) if self.landing.is_long(size) => {
                if let Step::Done = self.land(size, local, now) {
                    return Ok(());
                }
                self.receive_long(size, local, now)
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

    /// Takes a long frame from the socket straight to where the handler wants it, once all of its rest waits there.
    fn land(&mut self, size: usize, local: &mut Local, now: Instant) -> Step {
        let front = &self.inbox.unhandled()[PREFIX_SIZE..];
        let frame_size = size - PREFIX_SIZE;
        let handler = &mut self.handler;
        let arrival = Arrival {
            front: front.len(),
            rest: frame_size - front.len(),
            ended: self.peer_ended || self.hung_up,
        };
        let asked = || contain(|| handler.lands(front, frame_size)).unwrap_or(false);
        match self.landing.ask(&self.socket, arrival, now, asked) {
            Next::Gather => Step::Gather,
            Next::Wait(until) => {
                self.readable = false;
                self.bring_timer_forward(Some(until), local);
                Step::Done
            }
            Next::Land { more } => {
                let token = self.next_token();
                let context = Context {
                    now,
                    notify: &local.notify,
                    token: token.to_u64(),
                };
                let front = &self.inbox.unhandled()[PREFIX_SIZE..];
                let incoming = &mut self.socket.as_fd();
                let handler = &mut self.handler;
                let landed = contain(|| handler.land(front, frame_size, incoming, &context));
                self.landed(landed, size, more, token, local, now)
            }
        }
    }

    fn landed(
        &mut self,
        landed: Option<Landed>,
        size: usize,
        more: bool,
        token: Token,
        local: &mut Local,
        now: Instant,
    ) -> Step {
        self.progress = now;
        match landed {
            Some(Landed::TakenBack(bytes)) => {
                self.landing.refused(&self.socket, bytes.len());
                local.counts.landings_refused += u64::from(!bytes.is_empty());
                if bytes.is_empty() {
                    return Step::Gather;
                }
                local.counts.carried_bytes += bytes.len() as u64;
                self.inbox.extend(&bytes);
                self.handle_inbox(local, now);
            }
            Some(Landed::Answered(answer)) => {
                local.counts.frames += 1;
                local.counts.landed += 1;
                local.counts.landed_bytes += (size - self.inbox.unhandled().len()) as u64;
                local.received(self.key, size - self.inbox.unhandled().len(), now);
                self.inbox = Inbox::default();
                self.readable = self.landing.next_frame(&self.socket)
                    || more
                    || self.peer_ended
                    || self.hung_up;
                self.answers.push(Slot::at_work());
                self.take_answer(token, answer, size - PREFIX_SIZE, local, now);
                self.answers.release(&mut self.sender);
            }
            None => {
                self.answers.push(Slot::at_work());
                self.broken(token.sequence);
            }
        }
        Step::Done
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

    /// Takes what a worker brings back.
    pub(crate) fn worked(&mut self, token: Token, answer: Answer, local: &mut Local, now: Instant) {
        let Some(noticed) = self.answers.noticed_at_work(token.sequence) else {
            return;
        };
        self.at_work = false;
        self.progress = now;
        let size = mem::take(&mut self.work_size) as usize;
        self.take_answer(token, answer, size, local, now);
        if noticed {
            self.poll(token, local, now);
        }
        if !self.at_work
            && let Some((sequence, work)) = self.answers.next_work()
        {
            let slot = self.key.slot;
            self.submit(Token { slot, sequence }, work, 0, local);
        }
    }

    fn take_answer(
        &mut self,
        token: Token,
        answer: Answer,
        frame_size: usize,
        local: &mut Local,
        now: Instant,
    ) {
        match answer {
            Answer::Now(rope) => self.answers.set(token.sequence, Slot::Ready(rope)),
            Answer::Silent => self.answers.set(token.sequence, Slot::Ready(Rope::new())),
            Answer::Later(pending) => {
                self.answers.set(token.sequence, Slot::waiting(pending));
                self.poll(token, local, now);
            }
            Answer::Work(work) => self.submit(token, work, frame_size, local),
            Answer::Close(reason) => {
                self.answers.set(token.sequence, Slot::Ready(Rope::new()));
                self.end(Ending::Handler(reason));
            }
        }
    }

    fn submit(&mut self, token: Token, work: Work, frame_size: usize, local: &mut Local) {
        local.counts.worked += 1;
        self.at_work = true;
        self.work_size = frame_size as u64;
        let permit = Arc::clone(&self.permit);
        let job = Job {
            work,
            token: token.to_u64(),
            mailbox: Arc::clone(&local.mailbox),
            permit,
        };
        if !local.workers.submit(job) {
            self.answers.set(token.sequence, Slot::Ready(Rope::new()));
            self.end(Ending::WorkersFull);
        }
    }

    /// Polls the answer of `token`. Whether that calls for a turn.
    pub(crate) fn poll(&mut self, token: Token, local: &mut Local, now: Instant) -> bool {
        local.counts.polls += 1;
        match self
            .answers
            .poll(token.sequence, token.to_u64(), &mut local.marks, now)
        {
            Polled::Answered => {
                self.progress = now;
                true
            }
            Polled::Waits(deadline) => {
                self.bring_timer_forward(deadline, local);
                false
            }
            Polled::Work(work) => {
                self.hand_over(token, work, local);
                false
            }
            Polled::Broken => {
                self.broken(token.sequence);
                true
            }
            Polled::Gone => false,
        }
    }

    /// A worker goes on with what has waited: at once, or when the one that has another answer of this connection is back.
    fn hand_over(&mut self, token: Token, work: Work, local: &mut Local) {
        if self.at_work {
            self.answers.set(token.sequence, Slot::Queued(work));
        } else {
            self.answers.set(token.sequence, Slot::at_work());
            self.submit(token, work, 0, local);
        }
    }

    fn broken(&mut self, sequence: u32) {
        self.answers.set(sequence, Slot::Ready(Rope::new()));
        self.end(Ending::Panicked);
    }

    // Sending.

    fn flush(&mut self, local: &mut Local, now: Instant) -> Result<Progress, Ending> {
        if self.sender.is_empty() || !self.writable || self.fetching || self.hung_up {
            return Ok(Progress::Done);
        }
        let before = self.sender.size();
        let begin = Instant::now();
        let progress = self
            .sender
            .send(self.socket.as_fd(), &mut local.paths)
            .map_err(Ending::Send)?;
        local.counts.slow_sends += u64::from(begin.elapsed() >= SLOW_SEND);
        if self.sender.size() < before {
            self.progress = now;
        }
        self.writable = progress != Progress::Blocked;
        if progress == Progress::Cold {
            self.fetch(local)?;
        }
        Ok(progress)
    }

    /// Tells the socket's end from word of sends without copying, which comes the same way.
    fn take_error(&mut self, local: &mut Local) {
        let socket = self.socket.as_fd();
        self.sender.complete(socket, &mut local.paths);
        self.hung_up |= !matches!(sockopt::socket_error(socket), Ok(Ok(())));
    }

    /// Has the next bytes brought into memory, and waits.
    fn fetch(&mut self, local: &mut Local) -> Result<(), Ending> {
        let Some(cold) = self.sender.cold() else {
            return Ok(());
        };
        local.counts.fetches += 1;
        local.counts.fetched_bytes += cold.size();
        let behind = match local.shared.limits.cold_reads {
            ColdReads::LetGo => self.behind.push(cold.clone()),
            ColdReads::Keep | ColdReads::Wait => Vec::new(),
        };
        self.fetching = true;
        let submitted = self.submit_fetch(local, Some(cold), behind);
        submitted.then_some(()).ok_or(Ending::FetchersFull)
    }

    fn submit_fetch(&self, local: &Local, cold: Option<Cold>, behind: Vec<Cold>) -> bool {
        local.fetchers.submit(fetchers::Job {
            cold,
            behind,
            key: self.key,
            mailbox: Arc::clone(&local.mailbox),
            permit: Arc::clone(&self.permit),
        })
    }

    /// Takes what a fetcher says.
    pub(crate) fn fetched(&mut self, outcome: Option<Result<(), SendError>>, now: Instant) {
        self.fetching = false;
        self.progress = now;
        match outcome {
            Some(Ok(())) => self.sender.fetched(),
            Some(Err(error)) => self.fail(Ending::Send(error)),
            None => self.fail(Ending::FetchPanicked),
        }
    }

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
