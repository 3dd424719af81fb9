//! The threads that wait for the disk, so that no reactor does: they read what is to be sent and not in memory.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use pagelog_transfer::{Cold, ColdRing, FETCH_SIZE_MAX, SendError};

use crate::contain::contain;
use crate::mailbox::{Mailbox, Message};
use crate::server::Permit;
use crate::slots::Key;

/// How many bytes of ranges behind a connection are kept for a while after they were sent: a socket still refers to the pages of the last
/// ones, and these could not be let go of.
const BEHIND_SIZE_MAX: u64 = 4 * FETCH_SIZE_MAX;

/// Ranges that one fetcher has under way at a time by io_uring, 2 MiB each at most.
const RING_COUNT: u32 = 8;

/// How what is not in memory is brought there. A test may hold it up.
#[derive(Clone, Default)]
pub struct Fetch(Option<Arc<FetchCall>>);

type FetchCall = dyn Fn(&Cold) -> Result<(), SendError> + Send + Sync;

impl Fetch {
    /// By `call`, which may block; it runs on one of [`ServerOptions::fetchers`](crate::ServerOptions::fetchers) threads, once at a
    /// time on each. Without it io_uring reads, many ranges at a time, and [`Cold::fetch`] where it is refused.
    pub fn by(call: impl Fn(&Cold) -> Result<(), SendError> + Send + Sync + 'static) -> Fetch {
        Fetch(Some(Arc::new(call)))
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetch")
    }
}

/// What is done about ranges of files that are to be sent and are not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColdReads {
    /// They are fetched by other threads, and let go of after they were sent, so that whoever reads far back pushes nobody's pages
    /// out.
    LetGo,
    /// They are fetched by other threads, and stay.
    Keep,
    /// Nobody looks: the thread that serves the socket waits for the disk, and all its other connections with it.
    Wait,
}

/// One connection's wish, and what lies behind it.
pub(crate) struct Job {
    pub(crate) cold: Option<Cold>,
    pub(crate) behind: Vec<Cold>,
    pub(crate) key: Key,
    pub(crate) mailbox: Arc<Mailbox>,
    /// As of a worker's job: there is one at a time for each connection.
    pub(crate) permit: Arc<Permit>,
}

/// The way to the fetchers; they end when the last clone is dropped and the queue is empty.
#[derive(Clone)]
pub(crate) struct Fetchers(Sender<Job>);

impl Fetchers {
    /// Starts `count` threads; `queue_max` jobs can wait.
    pub(crate) fn start(
        count: usize,
        queue_max: usize,
        fetch: &Fetch,
    ) -> io::Result<(Fetchers, Vec<JoinHandle<()>>)> {
        let (sender, receiver) = bounded(queue_max);
        let threads = (0..count).map(|index| {
            let receiver: Receiver<Job> = receiver.clone();
            let fetch = fetch.clone();
            thread::Builder::new()
                .name(format!("fetcher-{index}"))
                .spawn(move || run(&receiver, &fetch))
        });
        Ok((Fetchers(sender), threads.collect::<io::Result<_>>()?))
    }

    /// Queues a job; false if the queue is full.
    pub(crate) fn submit(&self, job: Job) -> bool {
        match self.0.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

/// One fetcher.
fn run(receiver: &Receiver<Job>, fetch: &Fetch) {
    if let Some(call) = &fetch.0 {
        return receiver.iter().for_each(|job| job.run(|cold| call(cold)));
    }
    let mut ring = RingState::Untried;
    while let Ok(job) = receiver.recv() {
        match ring.open() {
            Some(open) => {
                if let Err(error) = run_with(open, job, receiver) {
                    tracing::warn!("io_uring fails, reading without it from now on: {error}");
                    ring.give_up();
                }
            }
            None => job.run(Cold::fetch),
        }
    }
}

/// A fetcher's ring, made when something is first to be fetched: most brokers never do.
enum RingState {
    Untried,
    Open(Box<ColdRing<Job>>),
    Refused,
}

impl RingState {
    fn open(&mut self) -> Option<&mut ColdRing<Job>> {
        if let RingState::Untried = self {
            *self = match ColdRing::new(RING_COUNT) {
                Ok(ring) => RingState::Open(Box::new(ring)),
                Err(error) => {
                    tracing::info!("io_uring is refused, fetching without it: {error}");
                    RingState::Refused
                }
            };
        }
        match self {
            RingState::Open(ring) => Some(ring),
            RingState::Untried | RingState::Refused => None,
        }
    }

    /// Fetches without the ring what it has left.
    fn give_up(&mut self) {
        if let RingState::Open(ring) = mem::replace(self, RingState::Refused) {
            let unfinished = ring.into_unfinished().into_iter();
            unfinished.for_each(|(cold, job)| job.finish(Some(cold.fetch()), By::Thread));
        }
    }
}

/// Fetches for `job`, and for whoever comes meanwhile, until nothing is under way.
fn run_with(ring: &mut ColdRing<Job>, job: Job, receiver: &Receiver<Job>) -> io::Result<()> {
    job.begin(ring);
    while !ring.is_empty() {
        while !ring.is_full()
            && let Ok(next) = receiver.try_recv()
        {
            next.begin(ring);
        }
        for (job, result) in ring.wait()? {
            job.finish(Some(result), By::Ring);
        }
    }
    Ok(())
}

/// Who has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// io_uring.
    Ring,
    /// The thread itself.
    Thread,
}

impl Job {
    fn run(mut self, fetch: impl Fn(&Cold) -> Result<(), SendError>) {
        self.let_go();
        if let Some(cold) = self.cold.take() {
            let outcome = contain(|| fetch(&cold));
            self.finish(outcome, By::Thread);
        }
    }

    fn begin(mut self, ring: &mut ColdRing<Job>) {
        self.let_go();
        let Some(cold) = self.cold.take() else { return };
        if let Err((cold, job)) = ring.begin(cold, self) {
            let outcome = cold.fetch();
            job.finish(Some(outcome), By::Thread);
        }
    }

    fn let_go(&mut self) {
        for cold in self.behind.drain(..) {
            // Nothing depends on it: pages that stay age as any others.
            let _ = cold.let_go();
        }
    }

    fn finish(self, outcome: Option<Result<(), SendError>>, by: By) {
        drop(self.permit);
        self.mailbox.post(Message::Fetched {
            key: self.key,
            outcome,
            by,
        });
    }
}

/// What was fetched for one connection and is to be let go of; empty, and without memory, for one that reads what is in memory.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    ranges: VecDeque<Cold>,
    size: u64,
}

impl Behind {
    /// Takes note of what is being fetched; gives out what is far enough behind.
    pub(crate) fn push(&mut self, cold: Cold) -> Vec<Cold> {
        self.size += cold.size();
        self.ranges.push_back(cold);
        let mut far = Vec::new();
        while self.size > BEHIND_SIZE_MAX
            && let Some(range) = self.ranges.pop_front()
        {
            self.size -= range.size();
            far.push(range);
        }
        far
    }

    /// All of it, at the end.
    pub(crate) fn take(&mut self) -> Vec<Cold> {
        self.size = 0;
        mem::take(&mut self.ranges).into()
    }
}
