//! What is started and stopped: reactors, workers, listeners, and what they share.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

use pagelog_commit_log::Watermark;
use pagelog_store::answer::Handler;
use pagelog_transfer::Choices;

use crate::acceptor::Acceptor;
use crate::budget::Budget;
use crate::counters::Counters;
use crate::fetchers::{ColdReads, Fetch, Fetchers};
use crate::landing::Landings;
use crate::mailbox::{Mailbox, Message};
use crate::reactor::Reactor;
use crate::workers::{self, Workers};

/// What a server is made of.
#[derive(Debug)]
pub struct ServerOptions {
    /// Where it listens, each with a name for the log. They may be bound with any backlog: it is raised to 1,024 at least.
    pub listeners: Vec<(String, TcpListener)>,
    /// Threads that serve sockets; at least 1.
    pub reactors: usize,
    /// Threads for what may block; at least 1.
    pub workers: usize,
    /// Threads that read what is to be sent and not in memory, beside the one that reads while others wait for syncs; at least 1.
    pub fetchers: usize,
    /// What is done about that.
    pub cold_reads: ColdReads,
    /// Which path each run of an answer takes.
    pub choices: Choices,
    /// Which frames may go from the socket straight into the log.
    pub landings: Landings,
    /// How what is not in memory is read; a test may hold it up.
    pub fetch: Fetch,
    /// After so long without a byte moved a connection is closed, unless it has an unanswered request.
    pub idle_timeout: Duration,
    /// Connections beyond so many are closed at once.
    pub connections_max: usize,
    /// The longest frame in bytes, its length prefix not counted; one that claims more ends its connection.
    pub frame_size_max: usize,
    /// Past so many bytes of partial frames, frames at work and answers not yet taken, all reactors together, no more is
    /// read. One frame per reactor may still be finished, so the true bound is this and `reactors` × `frame_size_max`.
    pub in_flight_bytes_max: u64,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        ServerOptions {
            listeners: Vec::new(),
            reactors: cores,
            workers: cores.max(2),
            fetchers: 4,
            cold_reads: ColdReads::LetGo,
            choices: Choices::default(),
            landings: Landings::default(),
            fetch: Fetch::default(),
            idle_timeout: Duration::from_secs(600),
            connections_max: 32_768,
            frame_size_max: 100 * 1024 * 1024,
            in_flight_bytes_max: 256 * 1024 * 1024,
        }
    }
}

/// What a new connection's handler may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Index into [`ServerOptions::listeners`].
    pub listener: usize,
    /// The address that the peer asked for.
    pub local: SocketAddr,
    /// The peer's address.
    pub peer: SocketAddr,
}

/// Makes the handler of a new connection, on the reactor that owns it.
pub type Open = Arc<dyn Fn(&Accepted) -> Box<dyn Handler> + Send + Sync>;

/// The marks that answers can wait for.
#[derive(Debug, Clone)]
pub struct Marks {
    /// In the file.
    pub written: Arc<Watermark>,
    /// On the disk.
    pub durable: Arc<Watermark>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An option that makes no sense.
    #[error("{option} is {value}; it must be at least 1")]
    Option {
        /// Its name.
        option: &'static str,
        /// Its value.
        value: u64,
    },
    /// A listener cannot be used.
    #[error("listener {name} cannot be used")]
    Listener {
        /// Its name.
        name: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// epoll, eventfd or a thread is not to be had; look at the limits on descriptors and threads.
    #[error(
        "epoll, eventfd or a thread cannot be had: are the limits on open files and processes too low?"
    )]
    System(#[from] io::Error),
}

/// What is added to the time for stopping, for the last round of a busy reactor and for work that is not done.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// A running server. Dropping it cuts all connections; [`Server::stop`] lets them finish.
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    reactors: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    fetchers: Vec<JoinHandle<()>>,
}

/// What all reactors of a server share.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) open: Open,
    pub(crate) budget: Budget,
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
    pub(crate) connections: Arc<AtomicUsize>,
}

/// The options that a reactor looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) idle_timeout: Duration,
    pub(crate) connections_max: usize,
    pub(crate) frame_size_max: usize,
    pub(crate) cold_reads: ColdReads,
    pub(crate) choices: Choices,
    pub(crate) landings: Landings,
}

/// One connection's place among `connections_max`.
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// `None` if all places are taken.
    pub(crate) fn take(connections: &Arc<AtomicUsize>, max: usize) -> Option<Arc<Permit>> {
        let taken = connections.fetch_add(1, Ordering::Relaxed);
        let permit = Permit(Arc::clone(connections));
        (taken < max).then(|| Arc::new(permit))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// Wakes the reactors that stopped reading for want of memory.
    pub(crate) fn wake_all(&self) {
        self.mailboxes.iter().for_each(|mailbox| mailbox.wake());
    }
}

/// See [`Server::chooser`].
#[derive(Clone)]
pub struct Chooser(Arc<Shared>);

impl Chooser {
    /// Has all reactors go by `choices` from now on; one that has ended hears nothing of it.
    pub fn choose(&self, choices: Choices) {
        for mailbox in &self.0.mailboxes {
            mailbox.post(Message::Choose(choices));
        }
    }
}

impl fmt::Debug for Chooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chooser")
    }
}

impl Server {
    /// Starts the threads and begins to accept.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn start(options: ServerOptions, open: Open, marks: Marks) -> Result<Server, StartError> {
        check(&options)?;
        let addresses = local_addresses(&options.listeners)?;
        let mailboxes = (0..options.reactors)
            .map(|_| Mailbox::new().map(Arc::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(io::Error::from)?;
        let (workers, worker_threads) = Workers::start(options.workers, options.connections_max)?;
        let (fetchers, fetcher_threads) = Fetchers::start(
            options.fetchers,
            2 * options.connections_max,
            &options.fetch,
            &marks.durable,
        )?;
        let shared = Arc::new(Shared {
            limits: Limits {
                idle_timeout: options.idle_timeout,
                connections_max: options.connections_max,
                frame_size_max: options.frame_size_max,
                cold_reads: options.cold_reads,
                choices: options.choices,
                landings: options.landings,
            },
            open,
            budget: Budget::new(options.in_flight_bytes_max),
            mailboxes,
            connections: Arc::new(AtomicUsize::new(0)),
        });
        let mut server = Server {
            shared,
            addresses,
            reactors: Vec::new(),
            workers: worker_threads,
            fetchers: fetcher_threads,
        };
        server.start_reactors(options.listeners, &marks, &(workers, fetchers))?;
        Ok(server)
    }

    /// Only the reactors keep a way to the workers and fetchers: these end after them.
    fn start_reactors(
        &mut self,
        listeners: Vec<(String, TcpListener)>,
        marks: &Marks,
        (workers, fetchers): &(Workers, Fetchers),
    ) -> Result<(), StartError> {
        let mut listeners = Some(listeners);
        for index in 0..self.shared.mailboxes.len() {
            let threads = (workers.clone(), fetchers.clone());
            let mut reactor = Reactor::new(&self.shared, index, marks, threads)?;
            if let Some(listeners) = listeners.take() {
                reactor.accept(Acceptor::new(listeners)?)?;
            }
            let thread = thread::Builder::new()
                .name(format!("reactor-{index}"))
                .spawn(move || reactor.run())?;
            self.reactors.push(thread);
        }
        Ok(())
    }

    /// The addresses listened on, in the order of [`ServerOptions::listeners`], with the ports that port 0 became.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// What was done so far.
    pub fn counters(&self) -> Counters {
        let mut sum = Counters {
            in_flight_bytes: self.shared.budget.used(),
            ..Counters::default()
        };
        for mailbox in &self.shared.mailboxes {
            sum += mailbox.tally.get();
        }
        sum
    }

    /// A way to change [`ServerOptions::choices`] while it serves, from any thread.
    pub fn chooser(&self) -> Chooser {
        Chooser(Arc::clone(&self.shared))
    }

    /// Stops accepting and reading, finishes what is unanswered, for `within` at most, and ends all threads.
    ///
    /// The marks have to go on moving meanwhile, else what waits for them is cut at the end of `within`.
    pub fn stop(mut self, within: Duration) {
        self.end(within);
    }

    fn end(&mut self, within: Duration) {
        let deadline = Instant::now() + within;
        for mailbox in &self.shared.mailboxes {
            mailbox.post(Message::Stop { deadline });
        }
        let reactors = self.reactors.drain(..);
        let others = self.workers.drain(..).chain(self.fetchers.drain(..));
        workers::join(reactors.chain(others).collect(), deadline + STOP_GRACE);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

fn check(options: &ServerOptions) -> Result<(), StartError> {
    let counts = [
        ("reactors", options.reactors as u64),
        ("workers", options.workers as u64),
        ("fetchers", options.fetchers as u64),
        ("connections_max", options.connections_max as u64),
        ("frame_size_max", options.frame_size_max as u64),
        ("in_flight_bytes_max", options.in_flight_bytes_max),
    ];
    match counts.into_iter().find(|(_, value)| *value == 0) {
        Some((option, value)) => Err(StartError::Option { option, value }),
        None => Ok(()),
    }
}

fn local_addresses(listeners: &[(String, TcpListener)]) -> Result<Vec<SocketAddr>, StartError> {
    let address = |(name, listener): &(String, TcpListener)| {
        listener
            .local_addr()
            .map_err(|source| StartError::Listener {
                name: name.clone(),
                source,
            })
    };
    listeners.iter().map(address).collect()
}
