//! The closed loop: every connection has one request in flight, and the next leaves when the answer
//! is in. Latency is the time from before `send` to after the last byte.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::net::{RecvFlags, SendFlags};

use super::connection::{HEAD_SIZE, answer_size, check, connect, unless_blocked};
use super::{Exchange, Receive, thread_processor_time};
use crate::sample::Sample;

/// Bytes that one `recv` may take.
const SCRATCH_SIZE: usize = 1 << 20;
/// A load that makes no progress for this long has lost its server.
const STALLED: Duration = Duration::from_secs(30);

/// When no further request is sent. What is in flight then is waited for, and counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Elapsed(Duration),
    /// This many requests were sent in all.
    Count(u64),
}

/// The connections of one load, kept open between rounds.
pub(crate) struct ClosedLoop {
    poll: OwnedFd,
    connections: Vec<Connection>,
    scratch: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    script: Vec<Exchange>,
    next: usize,
    state: State,
    head: [u8; HEAD_SIZE],
}

enum State {
    Idle,
    Sending { started: Instant, sent: usize },
    Receiving { started: Instant, received: usize },
}

/// Whether the round still sends.
struct Budget {
    until: Until,
    started: Instant,
    sent: u64,
}

impl Budget {
    fn take(&mut self, now: Instant) -> bool {
        let goes_on = match self.until {
            Until::Elapsed(duration) => now - self.started < duration,
            Until::Count(count) => self.sent < count,
        };
        self.sent += u64::from(goes_on);
        goes_on
    }
}

impl ClosedLoop {
    /// One connection for each script; a connection repeats its script from where it stopped.
    ///
    /// # Errors
    /// Where nobody listens.
    ///
    /// # Panics
    /// Never on scripts that have an exchange each.
    pub(crate) fn connect(address: SocketAddr, scripts: Vec<Vec<Exchange>>) -> Result<ClosedLoop> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(scripts.len());
        for (index, script) in scripts.into_iter().enumerate() {
            ensure!(!script.is_empty(), "a connection without a request to send");
            connections.push(Connection {
                stream: connect(address, &poll, index as u64)?,
                script,
                next: 0,
                state: State::Idle,
                head: [0; HEAD_SIZE],
            });
        }
        Ok(ClosedLoop {
            poll,
            connections,
            scratch: vec![0; SCRATCH_SIZE],
        })
    }

    /// One round.
    ///
    /// # Errors
    /// A broken connection, an answer that is not the expected one, or no progress for 30 s.
    pub(crate) fn run(&mut self, until: Until, receive: Receive) -> Result<Sample> {
        let mut sample = Sample::empty();
        let processor = thread_processor_time();
        let started = Instant::now();
        let mut budget = Budget {
            until,
            started,
            sent: 0,
        };
        let mut busy = 0usize;
        for connection in &mut self.connections {
            let goes_on = connection.start(&mut budget)
                && connection.drive(&mut self.scratch, receive, &mut budget, &mut sample)?;
            busy += usize::from(goes_on);
        }
        let mut events = Vec::with_capacity(self.connections.len().max(1));
        let timeout = STALLED
            .try_into()
            .context("a time-out that the kernel takes")?;
        while busy > 0 {
            events.clear();
            let count = epoll::wait(&self.poll, spare_capacity(&mut events), Some(&timeout))?;
            ensure!(count > 0, "no answer for {STALLED:?}");
            for event in &events {
                let connection = &mut self.connections[event.data.u64() as usize];
                if matches!(connection.state, State::Idle) {
                    continue;
                }
                let goes_on =
                    connection.drive(&mut self.scratch, receive, &mut budget, &mut sample)?;
                busy -= usize::from(!goes_on);
            }
        }
        sample.wall = started.elapsed();
        sample.generator = thread_processor_time() - processor;
        Ok(sample)
    }
}

impl Connection {
    /// Takes the next exchange up; false where the round is over.
    fn start(&mut self, budget: &mut Budget) -> bool {
        let started = Instant::now();
        let goes_on = budget.take(started);
        self.state = if goes_on {
            State::Sending { started, sent: 0 }
        } else {
            State::Idle
        };
        goes_on
    }

    /// Goes on until the socket has to be waited for (true) or the round is over for this connection
    /// (false).
    ///
    /// After a request is sent it always waits, so that no connection is served twice while others
    /// are ready; the answer cannot have come before the next `epoll_wait`, which will tell of it.
    fn drive(
        &mut self,
        scratch: &mut [u8],
        receive: Receive,
        budget: &mut Budget,
        sample: &mut Sample,
    ) -> Result<bool> {
        loop {
            match self.state {
                State::Idle => return Ok(false),
                State::Sending { started, sent } => {
                    self.send(started, sent)?;
                    return Ok(true);
                }
                State::Receiving { started, received } => {
                    match self.receive(received, scratch, receive)? {
                        Received::Waits(received) => {
                            self.state = State::Receiving { started, received };
                            return Ok(true);
                        }
                        Received::Part(received) => {
                            self.state = State::Receiving { started, received };
                        }
                        Received::Whole => {
                            let bytes = self.script[self.next].bytes;
                            sample.record(started.elapsed().as_nanos(), bytes);
                            self.next = (self.next + 1) % self.script.len();
                            self.start(budget);
                        }
                    }
                }
            }
        }
    }

    /// Sends as much of the request as the socket takes.
    fn send(&mut self, started: Instant, mut sent: usize) -> Result<()> {
        let frame = &self.script[self.next].frame;
        while sent < frame.len() {
            let result = rustix::net::send(&self.stream, &frame[sent..], SendFlags::NOSIGNAL);
            let Some(more) = unless_blocked(result)? else {
                self.state = State::Sending { started, sent };
                return Ok(());
            };
            sent += more;
        }
        self.state = State::Receiving {
            started,
            received: 0,
        };
        Ok(())
    }

    /// Takes what one call brings. Less than was asked for means that the socket is empty, and that
    /// the next byte raises an event.
    fn receive(
        &mut self,
        received: usize,
        scratch: &mut [u8],
        receive: Receive,
    ) -> Result<Received> {
        let size = answer_size(&self.head[..received.min(HEAD_SIZE)]);
        let left = size.map_or(usize::MAX, |size| size - received);
        let (wanted, flags) = match receive {
            Receive::Copy => (left.min(SCRATCH_SIZE), RecvFlags::empty()),
            Receive::Discard if received < HEAD_SIZE => {
                ((HEAD_SIZE - received).min(left), RecvFlags::empty())
            }
            Receive::Discard => (left.min(SCRATCH_SIZE), RecvFlags::TRUNC),
        };
        let into = &mut scratch[..wanted];
        let result = rustix::net::recv(&self.stream, &mut *into, flags);
        let Some((_, count)) = unless_blocked(result)? else {
            return Ok(Received::Waits(received));
        };
        ensure!(count > 0, "the server closed the connection");
        if received < HEAD_SIZE {
            let kept = count.min(HEAD_SIZE - received);
            self.head[received..received + kept].copy_from_slice(&into[..kept]);
        }
        self.judge(received + count, count < wanted)
    }

    fn judge(&self, received: usize, empty: bool) -> Result<Received> {
        let head = &self.head[..received.min(HEAD_SIZE)];
        match answer_size(head) {
            Some(size) if received >= size => {
                ensure!(received == size, "more bytes than one answer");
                check(head, size, self.script[self.next].expect)?;
                Ok(Received::Whole)
            }
            _ if empty => Ok(Received::Waits(received)),
            _ => Ok(Received::Part(received)),
        }
    }
}

enum Received {
    /// So many bytes are there, and the socket is empty.
    Waits(usize),
    /// So many bytes are there, and more may wait.
    Part(usize),
    Whole,
}
