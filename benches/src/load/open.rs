//! The open loop: requests are due at a fixed rate, whatever the answers do.
//!
//! Latency runs from the moment a request was *due*, not from when it was sent. So a server that
//! stands still for 50 ms shows 50 ms, 49.9 ms, … for all that was due meanwhile, where a closed
//! loop would show one slow answer: coordinated omission cannot arise. The generator's own lag is
//! in the figure too.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::net::{RecvFlags, SendFlags};

use super::connection::{HEAD_SIZE, answer_size, check, connect, unless_blocked};
use super::{Exchange, thread_processor_time};
use crate::sample::Sample;

/// How long the answers may take after the last request was due.
const DRAIN: Duration = Duration::from_secs(30);

/// Connections on which requests are pipelined, in turn.
pub(crate) struct OpenLoop {
    poll: OwnedFd,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    exchange: Exchange,
    /// When each request that is not answered was due, oldest first.
    due: VecDeque<Instant>,
    unsent: usize,
    sent_of_first: usize,
    input: Vec<u8>,
}

impl OpenLoop {
    /// One connection for each exchange.
    ///
    /// # Errors
    /// Where nobody listens.
    pub(crate) fn connect(address: SocketAddr, exchanges: Vec<Exchange>) -> Result<OpenLoop> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(exchanges.len());
        for (index, exchange) in exchanges.into_iter().enumerate() {
            connections.push(Connection {
                stream: connect(address, &poll, index as u64)?,
                exchange,
                due: VecDeque::new(),
                unsent: 0,
                sent_of_first: 0,
                input: Vec::new(),
            });
        }
        Ok(OpenLoop { poll, connections })
    }

    /// One round of `rate` requests a second for `duration`.
    ///
    /// # Errors
    /// A broken connection, an answer with an error, or answers that do not come.
    pub(crate) fn run(&mut self, rate: f64, duration: Duration) -> Result<Sample> {
        let mut sample = Sample::empty();
        let processor = thread_processor_time();
        let started = Instant::now();
        let count = (rate * duration.as_secs_f64()) as u64;
        let due_at = |request: u64| started + Duration::from_secs_f64(request as f64 / rate);
        let mut events = Vec::with_capacity(self.connections.len().max(1));
        let mut issued = 0;
        while sample.operations < count {
            let now = Instant::now();
            ensure!(
                now < started + duration + DRAIN,
                "answers are missing {DRAIN:?} after the end"
            );
            while issued < count && due_at(issued) <= now {
                let index = issued as usize % self.connections.len();
                self.connections[index].issue(due_at(issued))?;
                issued += 1;
            }
            let pause = if issued < count {
                due_at(issued).saturating_duration_since(Instant::now())
            } else {
                Duration::from_millis(100)
            };
            events.clear();
            let timeout = pause.try_into().context("a pause that the kernel takes")?;
            epoll::wait(&self.poll, spare_capacity(&mut events), Some(&timeout))?;
            for event in &events {
                let connection = &mut self.connections[event.data.u64() as usize];
                connection.flush()?;
                connection.receive(&mut sample)?;
            }
        }
        sample.wall = started.elapsed();
        sample.generator = thread_processor_time() - processor;
        Ok(sample)
    }
}

impl Connection {
    fn issue(&mut self, due: Instant) -> Result<()> {
        self.due.push_back(due);
        self.unsent += 1;
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        while self.unsent > 0 {
            let rest = &self.exchange.frame[self.sent_of_first..];
            let sent = unless_blocked(rustix::net::send(&self.stream, rest, SendFlags::NOSIGNAL))?;
            let Some(sent) = sent else { return Ok(()) };
            self.sent_of_first += sent;
            if sent == rest.len() {
                self.unsent -= 1;
                self.sent_of_first = 0;
            }
        }
        Ok(())
    }

    fn receive(&mut self, sample: &mut Sample) -> Result<()> {
        let mut buffer = [0; 4096];
        loop {
            let received = rustix::net::recv(&self.stream, &mut buffer, RecvFlags::empty());
            let Some((_, count)) = unless_blocked(received)? else {
                return Ok(());
            };
            ensure!(count > 0, "the server closed the connection");
            self.input.extend_from_slice(&buffer[..count]);
            self.take_answers(sample)?;
            if count < buffer.len() {
                return Ok(()); // edge-triggered: the next byte raises the next event
            }
        }
    }

    fn take_answers(&mut self, sample: &mut Sample) -> Result<()> {
        while let Some(size) = answer_size(&self.input).filter(|&size| size <= self.input.len()) {
            check(
                &self.input[..size.min(HEAD_SIZE)],
                size,
                self.exchange.expect,
            )?;
            let due = self
                .due
                .pop_front()
                .context("an answer that nobody asked for")?;
            sample.record(due.elapsed().as_nanos(), self.exchange.bytes);
            self.input.drain(..size);
        }
        Ok(())
    }
}
