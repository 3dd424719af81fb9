//! The listeners, all on the first reactor: who may come in, and who serves him.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::gate::LogGate;
use crate::loopback;
use crate::poller::Poller;
use crate::server::{Accepted, Permit, Shared, StartError};

/// Connections that may wait to be accepted, unless the kernel's `somaxconn` is lower.
const BACKLOG: i32 = 1_024;

/// Accepted in one go, so that a flood of connections does not keep the reactor from the others.
const ACCEPTS_MAX: usize = 64;

/// How long to leave the listeners alone when the process or the system has no descriptor or memory left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// The listeners of a server.
pub(crate) struct Acceptor {
    listeners: Vec<Listener>,
    /// Until when nothing is accepted; the listeners are out of epoll then.
    paused: Option<Instant>,
    refused_gate: LogGate,
    failed_gate: LogGate,
}

struct Listener {
    name: String,
    socket: TcpListener,
}

/// A connection that has come in.
pub(crate) struct Arrival {
    pub(crate) socket: TcpStream,
    pub(crate) accepted: Accepted,
    pub(crate) permit: Arc<Permit>,
}

/// What a turn at a listener gave.
#[derive(Default)]
pub(crate) struct Arrivals {
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) refused: u64,
}

impl Acceptor {
    /// Makes the sockets non-blocking and gives them their backlog.
    pub(crate) fn new(listeners: Vec<(String, TcpListener)>) -> Result<Acceptor, StartError> {
        let prepare = |(name, socket): (String, TcpListener)| {
            // listen(2) on a socket that listens already changes its backlog.
            let prepared = socket
                .set_nonblocking(true)
                .and_then(|()| Ok(rustix::net::listen(&socket, BACKLOG)?));
            match prepared {
                Ok(()) => Ok(Listener { name, socket }),
                Err(source) => Err(StartError::Listener { name, source }),
            }
        };
        Ok(Acceptor {
            listeners: listeners
                .into_iter()
                .map(prepare)
                .collect::<Result<_, _>>()?,
            paused: None,
            refused_gate: LogGate::new(1),
            failed_gate: LogGate::new(1),
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.listeners.len()
    }

    pub(crate) fn register(&self, poller: &Poller) -> rustix::io::Result<()> {
        let mut listeners = self.listeners.iter().enumerate();
        listeners.try_for_each(|(index, listener)| poller.add_listener(&listener.socket, index))
    }

    /// When to call [`Acceptor::resume`].
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.paused
    }

    /// Listens again if a pause is over.
    pub(crate) fn resume(&mut self, poller: &Poller, now: Instant) {
        if self.paused.is_none_or(|until| until > now) {
            return;
        }
        self.paused = match self.register(poller) {
            Ok(()) => None,
            Err(_) => Some(now + EXHAUSTED_PAUSE),
        };
    }

    /// Accepts what waits at one listener. Too many are accepted all the same, and closed: left waiting they would hold their
    /// places in the backlog against those who come when there is room again.
    pub(crate) fn accept(
        &mut self,
        index: usize,
        shared: &Shared,
        poller: &Poller,
        now: Instant,
    ) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for _ in 0..ACCEPTS_MAX {
            let Some(listener) = self.listeners.get(index).filter(|_| self.paused.is_none()) else {
                break;
            };
            match listener.socket.accept() {
                Ok((socket, peer)) => self.take_in(index, socket, peer, shared, now, &mut arrivals),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => self.failed(index, &error, poller, now),
            }
        }
        arrivals
    }

    fn take_in(
        &mut self,
        index: usize,
        socket: TcpStream,
        peer: SocketAddr,
        shared: &Shared,
        now: Instant,
        arrivals: &mut Arrivals,
    ) {
        let Some(permit) = Permit::take(&shared.connections, shared.limits.connections_max) else {
            arrivals.refused += 1;
            if let Some(suppressed) = self.refused_gate.pass(now) {
                let max = shared.limits.connections_max;
                tracing::warn!(%peer, suppressed, "connection refused: there are {max} already, which is the limit");
            }
            return;
        };
        // A connection that is reset before it is accepted has no local address any more.
        let prepared = socket
            .set_nonblocking(true)
            .and_then(|()| socket.set_nodelay(true));
        if let Ok(local) = prepared.and_then(|()| socket.local_addr()) {
            loopback::unpace(&socket, local, peer);
            arrivals.arrivals.push(Arrival {
                socket,
                accepted: Accepted {
                    listener: index,
                    local,
                    peer,
                },
                permit,
            });
        }
    }

    /// accept(2): errors of the connection concern the next one not at all, a want of descriptors or memory does, and the listener
    /// would be reported readable without end.
    fn failed(&mut self, index: usize, error: &io::Error, poller: &Poller, now: Instant) {
        let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
        if !Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno)) {
            return;
        }
        for listener in &self.listeners {
            let _ = poller.remove_listener(&listener.socket);
        }
        self.paused = Some(now + EXHAUSTED_PAUSE);
        if let Some(suppressed) = self.failed_gate.pass(now) {
            let listener = &self.listeners[index].name;
            tracing::error!(
                listener,
                suppressed,
                "cannot accept connections for now: {error}; raise the limit on open files (ulimit -n)"
            );
        }
    }
}
