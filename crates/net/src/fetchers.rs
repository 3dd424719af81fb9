//! The threads that wait for the disk, so that no reactor does: they read what is to be sent and not in memory.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use pagelog_commit_log::Watermark;
use pagelog_os::process::give_way;
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

/// How long a range may be held back for a sync that is under way. Where syncs take longer, a short read beside them is little to them.
const SYNC_WAIT_MAX: Duration = Duration::from_micros(500);

/// The niceness of the thread that reads beside syncs: it wakes when a sync has ended, as do those who were waiting for it.
const NICE: i32 = 10;

/// How what is not in memory is brought there. A test may hold it up.
#[derive(Clone, Default)]
pub struct Fetch(Option<Arc<FetchCall>>);

type FetchCall = dyn Fn(&Cold) -> Result<(), SendError> + Send + Sync;

impl Fetch {
    /// By `call`, which may block; it runs on one of [`ServerOptions::fetchers`](crate::ServerOptions::fetchers) threads, or on the one
    /// beside syncs, once at a time on each. Without it io_uring reads, many ranges at a time, and [`Cold::fetch`] where it is refused.
    pub fn by(call: impl Fn(&Cold) -> Result<(), SendError> + Send + Sync + 'static) -> Fetch {
        Fetch(Some(Arc::new(call)))
    }

    fn one(&self, cold: &Cold) -> Result<(), SendError> {
        match &self.0 {
            Some(call) => call(cold),
            None => cold.fetch(),
        }
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

/// What is to be fetched, and how.
pub(crate) struct Wish {
    pub(crate) cold: Cold,
    /// Others wait for syncs: it is to keep out of their way.
    pub(crate) beside_syncs: bool,
}

/// One connection's wish, and what lies behind it; without a wish, that alone.
pub(crate) struct Job {
    pub(crate) wish: Option<Wish>,
    pub(crate) behind: Vec<Cold>,
    pub(crate) key: Key,
    pub(crate) mailbox: Arc<Mailbox>,
    /// As of a worker's job: there is one at a time for each connection.
    pub(crate) permit: Arc<Permit>,
}

/// The way to the fetchers; they end when the last clone is dropped and the queues are empty.
#[derive(Clone)]
pub(crate) struct Fetchers {
    usual: Sender<Job>,
    /// To the one thread for what is read beside syncs: in turn, so that it is one range at a time whoever asks.
    beside_syncs: Sender<Job>,
}

impl Fetchers {
    /// Starts `count` threads and the one beside syncs, which bring `durable` up; `queue_max` jobs can wait for either.
    pub(crate) fn start(
        count: usize,
        queue_max: usize,
        fetch: &Fetch,
        durable: &Arc<Watermark>,
    ) -> io::Result<(Fetchers, Vec<JoinHandle<()>>)> {
        let (usual, receiver) = bounded(queue_max);
        let (beside_syncs, beside_receiver) = bounded(queue_max);
        let mut threads = Vec::with_capacity(count + 1);
        for index in 0..count {
            let (receiver, fetch): (Receiver<Job>, _) = (receiver.clone(), fetch.clone());
            let thread = thread::Builder::new().name(format!("fetcher-{index}"));
            threads.push(thread.spawn(move || run(&receiver, &fetch))?);
        }
        let (fetch, durable) = (fetch.clone(), Arc::clone(durable));
        let thread = thread::Builder::new().name("fetcher-beside".to_owned());
        let run_beside = move || {
            run_beside_syncs(&beside_receiver, &fetch, || {
                durable.wait_for_what_is_under_way(SYNC_WAIT_MAX);
            });
        };
        threads.push(thread.spawn(run_beside)?);
        let fetchers = Fetchers {
            usual,
            beside_syncs,
        };
        Ok((fetchers, threads))
    }

    /// Queues a job; false if the queue is full.
    pub(crate) fn submit(&self, job: Job) -> bool {
        let queue = match &job.wish {
            Some(wish) if wish.beside_syncs => &self.beside_syncs,
            _ => &self.usual,
        };
        match queue.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

/// The fetcher beside syncs, of which `wait_for_sync` waits for the one that is under way.
///
/// A sync queues up behind what the disk is doing, so nothing is begun while one is under way, but right after it: whoever was waiting
/// for it needs as long to bring the next one as a short read takes.
fn run_beside_syncs(receiver: &Receiver<Job>, fetch: &Fetch, wait_for_sync: impl Fn()) {
    // Refused, it is one more that wants a processor.
    let _ = give_way(NICE);
    for job in receiver {
        job.run(|cold| {
            wait_for_sync();
            fetch.one(cold)
        });
    }
}

/// One fetcher.
fn run(receiver: &Receiver<Job>, fetch: &Fetch) {
    if fetch.0.is_some() {
        return receiver
            .iter()
            .for_each(|job| job.run(|cold| fetch.one(cold)));
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
        if let Some(Wish { cold, .. }) = self.wish.take() {
            let outcome = contain(|| fetch(&cold));
            self.finish(outcome, By::Thread);
        }
    }

    fn begin(mut self, ring: &mut ColdRing<Job>) {
        self.let_go();
        let Some(Wish { cold, .. }) = self.wish.take() else {
            return;
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use crossbeam_channel::unbounded;
    use pagelog_os::MappedFile;
    use pagelog_transfer::{Region, Rope};

    /// Each begins only when the one who waits for the sync before it has come back.
    #[test]
    fn nothing_is_read_beside_syncs_while_one_is_under_way() {
        const COUNT: usize = 3;
        let (jobs, receiver) = unbounded();
        for _ in 0..COUNT {
            jobs.send(job()).unwrap();
        }
        drop(jobs);
        let reads = Arc::new(AtomicUsize::new(0));
        let read = Arc::clone(&reads);
        let fetch = Fetch::by(move |_| {
            read.fetch_add(1, SeqCst);
            Ok(())
        });
        let (begins, begun) = unbounded();
        let (ends, ended) = bounded::<()>(0);
        let thread = thread::spawn(move || {
            run_beside_syncs(&receiver, &fetch, || {
                begins.send(()).unwrap();
                ended.recv().unwrap();
            });
        });
        for count in 0..COUNT {
            // Without a word of a sync, the thread has read all and ended.
            begun.recv().expect("it waits before each read");
            assert_eq!(reads.load(SeqCst), count, "a sync is under way");
            ends.send(()).unwrap();
        }
        thread.join().unwrap();
        assert_eq!(reads.load(SeqCst), COUNT);
    }

    fn job() -> Job {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, b"to be fetched").unwrap();
        let file = Arc::new(MappedFile::new(file).unwrap());
        let rope = Rope::from(Region::new(file, 0, 13));
        let cold = pagelog_transfer::Sender::new(rope).cold(64).unwrap();
        Job {
            wish: Some(Wish {
                cold,
                beside_syncs: true,
            }),
            behind: Vec::new(),
            key: Key::from_u64(0),
            mailbox: Arc::new(Mailbox::new().unwrap()),
            permit: Permit::take(&Arc::new(AtomicUsize::new(0)), 1).unwrap(),
        }
    }
}
