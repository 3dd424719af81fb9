//! The thread that brings pages in ahead of their use.
//!
//! ```text
//! range.start      writer        pinned to          warmed to        window's end        range.end
//! │ let go behind    │ ── pinned ──── │ ── warm ─────── │ ── to be warmed ── │ when the writer moves │
//! │                  │ ─ touched again ─ │
//! ```
//!
//! What was made ready to be stored into is ready until it is written to the disk, which the kernel does when it likes: then the next store into
//! the page is a fault, and may wait for the file system's journal or for the disk. So what lies nearest is touched once more when the writer
//! comes near. It waits there, and he does not.
//!
//! The writer says where it is by one atomic store, and wakes the thread only when a step has become wanted.

use std::fmt;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pagelog_os::process::give_way;

use crate::pace::Pace;
use crate::{Budget, Pin, Progress, STEP_SIZE, State, Target};

/// What a [`Warmer`] makes warm, and how it goes about it.
#[derive(Debug, Clone)]
pub struct WarmOptions {
    /// The bytes of the file that are to be warm in the end.
    pub range: Range<u64>,
    /// How many bytes ahead of the writer are kept warm, moved in steps of [`STEP_SIZE`], so several of these;
    /// `None`: all at once, without waiting for anyone.
    pub window: Option<u64>,
    /// The most bytes a second; `None`: as fast as it goes.
    pub bytes_per_second: Option<NonZeroU64>,
    /// After how many bytes what warming made dirty is written to the disk, so that the first sync of the writer
    /// does not have to. The writer's first store into each page is then a fault again, a short one, since nothing is touched again for him: who
    /// syncs without a pause would write it once more. `None`: never.
    pub flush_every: Option<NonZeroU64>,
    /// What of it is pinned; of a mapping only.
    pub pin: Option<PinAhead>,
}

/// What a [`Warmer`] pins: a window ahead of the writer, as soon as it is warm; what lies behind is let go.
#[derive(Debug, Clone)]
pub struct PinAhead {
    /// Whom the bytes are taken from.
    pub budget: Arc<Budget>,
    /// How many bytes ahead of the writer.
    pub window: u64,
}

impl PinAhead {
    /// How far the pin moves at a time: an eighth of the window, and not less than is warmed at a time.
    fn step(&self) -> u64 {
        (self.window / 8).max(STEP_SIZE)
    }
}

/// A thread that makes a [`Target`] warm; stopped and joined on drop, when it also lets go what it has pinned.
pub struct Warmer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Where the writer is: all before it is written. Only grows.
    writer: AtomicU64,
    /// Where the writer must be for there to be something to do.
    wake_at: AtomicU64,
    /// Where the range ends.
    end: u64,
    stop: AtomicBool,
    progress: Mutex<Progress>,
    /// Signalled at every change of `progress`.
    changed: Condvar,
}

/// How much the thread gives way to others: it gets hardly any of a processor that others want, and all of an idle one.
const NICE: i32 = 19;

/// How far ahead of the writer pages are touched again: what is appended within milliseconds at the rate of the memory.
const NEAR_SIZE: u64 = 8 << 20;

/// How far that moves at a time, so that the thread is woken a thousand times a GiB.
const NEAR_STEP_SIZE: u64 = 1 << 20;

/// What the writer moves by before it is told, in bytes.
const PAGE_SIZE: u64 = 4096;

/// What the thread works on.
struct Worker<F> {
    shared: Arc<Shared>,
    target: Target,
    options: WarmOptions,
    pin: Option<Pin>,
    pace: Pace,
    started: Instant,
    warmed_to: u64,
    flushed_to: u64,
    /// All before was touched again, or was the first to be warmed behind the writer.
    near_to: u64,
    report: F,
}

impl WarmOptions {
    /// The whole of `range` at once, as fast as it goes; nothing flushed, nothing pinned.
    #[must_use]
    pub fn whole(range: Range<u64>) -> WarmOptions {
        WarmOptions {
            range,
            window: None,
            bytes_per_second: None,
            flush_every: None,
            pin: None,
        }
    }
}

impl Warmer {
    /// Starts the thread. `report` is called on it, after each step of [`STEP_SIZE`] bytes and at every change of
    /// the state; it holds the warm-up up for as long as it takes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the range is reversed or reaches past the target; when the target refuses advice or
    /// the system a thread.
    pub fn start(
        mut target: Target,
        options: WarmOptions,
        report: impl FnMut(&Progress) + Send + 'static,
    ) -> io::Result<Warmer> {
        check_range(&options.range, target.size()?)?;
        target.prepare(&options.range)?;
        let range = options.range.clone();
        let shared = Arc::new(Shared {
            writer: AtomicU64::new(range.start),
            wake_at: AtomicU64::new(u64::MAX),
            end: range.end,
            stop: AtomicBool::new(false),
            progress: Mutex::new(Progress::start(range.clone())),
            changed: Condvar::new(),
        });
        let pin = match (&options.pin, target.mapping()) {
            (Some(ahead), Some(memory)) => Some(Pin::new(Arc::clone(memory), &ahead.budget)),
            _ => None,
        };
        let worker = Worker {
            shared: Arc::clone(&shared),
            target,
            pin,
            pace: Pace::new(options.bytes_per_second),
            started: Instant::now(),
            warmed_to: range.start,
            flushed_to: range.start,
            near_to: range.start,
            options,
            report,
        };
        let thread = thread::Builder::new()
            .name("page-warmer".to_owned())
            .spawn(move || worker.run())?;
        Ok(Warmer {
            shared,
            thread: Some(thread),
        })
    }

    /// Tells where the writer is, as a byte of the file: the window moves there. Never backward; cheap enough to be
    /// called after every append, by any thread.
    pub fn writer_at(&self, at: u64) {
        // Within a page nothing depends on it but the end. Whom that keeps from seeing that he is waited for, the next call tells.
        let told = self.shared.writer.load(Relaxed);
        let wake_at = self.shared.wake_at.load(SeqCst);
        if at / PAGE_SIZE == told / PAGE_SIZE && at < wake_at.min(self.shared.end) {
            return;
        }
        // In one order with the thread's own two steps (see `Worker::rest`): one of the two sees the other's.
        self.shared.writer.fetch_max(at, SeqCst);
        if at >= self.shared.wake_at.load(SeqCst) {
            self.wake();
        }
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.shared.lock().clone()
    }

    /// Waits until all before byte `until` of the file is warm, or nothing more will be, or `timeout` has passed.
    #[must_use]
    pub fn wait(&self, until: u64, timeout: Duration) -> Progress {
        let undone =
            |progress: &mut Progress| progress.warmed_to < until && !progress.state.is_final();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), timeout, undone);
        let (progress, _) = waited.unwrap_or_else(PoisonError::into_inner);
        progress.clone()
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Warmer {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; if it panicked, the panic was told where it happened.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Warmer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Warmer")
            .field("progress", &self.progress())
            .finish()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        // No code under this lock leaves the progress half changed.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(SeqCst)
    }
}

impl<F: FnMut(&Progress)> Worker<F> {
    fn run(mut self) {
        // Its work is for later; whoever appends now goes first. Without that it is a little less smooth.
        let _ = give_way(NICE);
        while !self.shared.stopped() {
            self.skip_written();
            let until = self.window_end();
            let result = match (self.near_step(), self.next_step(until)) {
                (Some(near), _) => self.touch_again(&near),
                (None, Some(step)) => self.warm(&step, until),
                (None, None) if self.rest() => Ok(()),
                (None, None) => return,
            };
            if let Err(error) = result {
                self.give_up(error);
                return;
            }
        }
    }

    /// What the writer has passed it has brought in itself: a slow warm-up goes on ahead of it, not behind.
    fn skip_written(&mut self) {
        let range = &self.options.range;
        let writer = self.shared.writer.load(SeqCst).min(range.end);
        let passed = (writer - range.start) / STEP_SIZE * STEP_SIZE;
        self.warmed_to = self.warmed_to.max(range.start + passed);
        self.flushed_to = self.flushed_to.max(range.start + passed);
        self.near_to = self.near_to.max(range.start + passed);
    }

    /// Whether what lies nearest to the writer is touched again.
    fn keeps_near(&self) -> bool {
        self.options.flush_every.is_none() && self.target.stores()
    }

    /// What is to be touched again next: a whole step of what is warm, or the rest. Nothing before the writer has begun, who may be long in coming.
    fn near_step(&self) -> Option<Range<u64>> {
        let writer = self.shared.writer.load(SeqCst);
        if !self.keeps_near() || writer <= self.options.range.start {
            return None;
        }
        let near = writer.saturating_add(NEAR_SIZE).min(self.warmed_to);
        let end = near.min(self.near_to.saturating_add(NEAR_STEP_SIZE));
        let is_whole = end.saturating_sub(self.near_to) >= NEAR_STEP_SIZE;
        let is_last = end == self.options.range.end;
        (self.near_to < end && (is_whole || is_last)).then_some(self.near_to..end)
    }

    fn touch_again(&mut self, near: &Range<u64>) -> io::Result<()> {
        self.target.touch_again(near)?;
        thread::yield_now();
        self.near_to = near.end;
        Ok(())
    }

    /// Whether the whole range was touched again, or never is.
    fn is_near_done(&self) -> bool {
        !self.keeps_near() || self.near_to >= self.options.range.end
    }

    /// Where the window ends now.
    fn window_end(&self) -> u64 {
        let end = self.options.range.end;
        let writer = self.shared.writer.load(SeqCst);
        let window = self.options.window.unwrap_or(u64::MAX);
        writer.saturating_add(window).min(end)
    }

    /// What to warm next. A whole step, so that a writer of small entries does not cause small steps; less only at
    /// the end of the range, and when nothing at all is warm ahead of the writer.
    fn next_step(&self, until: u64) -> Option<Range<u64>> {
        let step = self.warmed_to..until.min(self.warmed_to.saturating_add(STEP_SIZE));
        let whole =
            step.end.saturating_sub(step.start) >= STEP_SIZE || step.end == self.options.range.end;
        let ahead = self.warmed_to > self.shared.writer.load(SeqCst);
        (step.start < step.end && (whole || !ahead)).then_some(step)
    }

    fn state(&self) -> State {
        if self.warmed_to >= self.options.range.end {
            State::Done
        } else if self.next_step(self.window_end()).is_some() {
            State::Warming
        } else {
            State::Waiting
        }
    }

    fn warm(&mut self, step: &Range<u64>, until: u64) -> io::Result<()> {
        if !self.wait_for_pace(step.end - step.start) {
            return Ok(());
        }
        self.target.warm(step, until)?;
        // A turn on a processor may last milliseconds, however low the priority; whoever is ready to run there need not wait for its end.
        thread::yield_now();
        self.warmed_to = step.end;
        self.flush_if_due()?;
        self.hold_window();
        self.tell(self.state());
        Ok(())
    }

    /// False: stopped meanwhile.
    fn wait_for_pace(&mut self, size: u64) -> bool {
        let wait = self.pace.take(Instant::now(), size);
        let start = Instant::now();
        while let Some(rest) = wait.checked_sub(start.elapsed()) {
            if self.shared.stopped() {
                return false;
            }
            if rest.is_zero() {
                break;
            }
            thread::park_timeout(rest);
        }
        true
    }

    fn flush_if_due(&mut self) -> io::Result<()> {
        let Some(every) = self.options.flush_every else {
            return Ok(());
        };
        let dirty = self.flushed_to..self.warmed_to;
        let last = self.warmed_to == self.options.range.end;
        if last || dirty.end - dirty.start >= every.get() {
            self.target.flush(&dirty)?;
            self.flushed_to = dirty.end;
        }
        Ok(())
    }

    /// Pins what is warm of the window ahead of the writer, from the page it is in.
    fn hold_window(&mut self) {
        let (Some(pin), Some(ahead)) = (&mut self.pin, &self.options.pin) else {
            return;
        };
        let writer = self.shared.writer.load(SeqCst).min(self.options.range.end);
        let end = writer.saturating_add(ahead.window).min(self.warmed_to);
        let held = pin.held();
        let moved = writer.saturating_sub(held.start as u64);
        let grown = end.saturating_sub(held.end as u64);
        // Locking takes the lock of the whole address space, so it is not done for every little.
        if !held.is_empty()
            && end > writer
            && moved.max(grown) < ahead.step()
            && end < self.options.range.end
        {
            return;
        }
        if end > writer {
            // Whether all of it could be had is told by what is held, and logged by the pin.
            let _ = pin.hold(writer as usize..end as usize);
        } else {
            pin.let_go();
        }
    }

    /// Waits until the writer has moved by a step; false: there will be nothing more to do.
    fn rest(&mut self) -> bool {
        self.hold_window();
        let all_warm = self.warmed_to >= self.options.range.end;
        let writer = self.shared.writer.load(SeqCst);
        let all_written = writer >= self.options.range.end;
        if all_warm && (all_written || self.pin.is_none() && self.is_near_done()) {
            self.tell(self.state());
            return false;
        }
        self.tell(self.state());
        let wake_at = self.wake_at(writer, all_warm);
        self.shared.wake_at.store(wake_at, SeqCst);
        // Who moved before it saw `wake_at` is seen here; who moves later wakes.
        while self.shared.writer.load(SeqCst) < wake_at && !self.shared.stopped() {
            thread::park();
        }
        self.shared.wake_at.store(u64::MAX, SeqCst);
        true
    }

    /// Where the writer must be for a whole step to be wanted, or for the pin to move.
    fn wake_at(&self, writer: u64, all_warm: bool) -> u64 {
        let end = self.options.range.end;
        let nothing = u64::MAX;
        let pin_step = self.options.pin.as_ref().map(PinAhead::step);
        let pin_moves = pin_step.map_or(nothing, |step| writer.saturating_add(step).min(end));
        let moves = pin_moves.min(self.near_moves());
        if all_warm {
            return moves;
        }
        let window = self.options.window.unwrap_or(u64::MAX);
        let step_end = self.warmed_to.saturating_add(STEP_SIZE).min(end);
        // A window smaller than a step is warm no further than the writer has come.
        let warm_moves = step_end
            .saturating_sub(window)
            .min(self.warmed_to)
            .max(writer.saturating_add(1));
        warm_moves.min(moves)
    }

    /// Where the writer must be for [`Worker::near_step`] to be something, of what is warm now.
    fn near_moves(&self) -> u64 {
        let range = &self.options.range;
        let step_end = self.near_to.saturating_add(NEAR_STEP_SIZE).min(range.end);
        if self.is_near_done() || step_end > self.warmed_to {
            return u64::MAX;
        }
        step_end
            .saturating_sub(NEAR_SIZE)
            .max(range.start.saturating_add(1))
    }

    fn give_up(&mut self, error: io::Error) {
        tracing::warn!(
            %error, warmed_to = self.warmed_to,
            "warming up failed; pages are brought in when they are used"
        );
        self.tell(State::Failed(Arc::new(error)));
    }

    fn tell(&mut self, state: State) {
        let mut progress = self.shared.lock();
        let same = progress.state == state && progress.warmed_to == self.warmed_to;
        progress.state = state;
        progress.warmed_to = self.warmed_to;
        progress.pinned = self.pin.as_ref().map_or(0, |pin| pin.held().len() as u64);
        progress.elapsed = self.started.elapsed();
        let told = progress.clone();
        drop(progress);
        self.shared.changed.notify_all();
        if !same {
            (self.report)(&told);
        }
    }
}

impl<F> Drop for Worker<F> {
    /// However the thread ends, whoever waits for it is told.
    fn drop(&mut self) {
        let mut progress = self.shared.lock();
        if !progress.state.is_final() {
            progress.state = State::Stopped;
        }
        progress.pinned = 0;
        drop(progress);
        self.shared.changed.notify_all();
    }
}

fn check_range(range: &Range<u64>, size: u64) -> io::Result<()> {
    if range.start <= range.end && range.end <= size {
        return Ok(());
    }
    let text = format!("the bytes {range:?} of a file or mapping of {size}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}
