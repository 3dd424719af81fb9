//! A segment made ready for an appender that stores through its mapping: warmed and pinned ahead of it.

use std::io;
use std::num::NonZeroU64;

use pagelog_os::Touch;
use pagelog_page_cache::{Means, PinAhead, Progress, State, Target, WarmOptions, Warmer};

use crate::{Position, Segment};

/// How far a segment is made ready ahead of its appender. See [`WarmOptions`], which this becomes for each segment.
#[derive(Debug, Clone)]
pub struct WarmAhead {
    /// How many bytes ahead of the appender are kept warm; `None`: the whole segment at once.
    pub window: Option<u64>,
    /// The most bytes a second; `None`: as fast as it goes.
    pub bytes_per_second: Option<NonZeroU64>,
    /// After how many bytes what warming made dirty is written to the disk; `None`: never.
    pub flush_every: Option<NonZeroU64>,
    /// What of it is pinned; what lies behind the appender is let go.
    pub pin: Option<PinAhead>,
}

impl Segment {
    /// Starts a thread that keeps the mapping warm ahead of its appender, who begins at byte `from` of the file and says where
    /// he is by [`Segment::writer_at`]. Only the first call does anything.
    ///
    /// Pages that were brought in before lie in large folios, of which a small store makes all dirty; they are let go first.
    ///
    /// # Errors
    ///
    /// When the mapping or the thread cannot be had. Nothing is lost by it: the pages come in when they are used.
    pub fn warm(&self, ahead: &WarmAhead, from: u64) -> io::Result<()> {
        if self.warmer().get().is_some() || from >= self.size() {
            return Ok(());
        }
        let target = self.target(from)?;
        let options = WarmOptions {
            range: from..self.size(),
            window: ahead.window,
            bytes_per_second: ahead.bytes_per_second,
            flush_every: ahead.flush_every,
            pin: ahead.pin.clone(),
        };
        let warmer = Warmer::start(target, options, teller(self.base()))?;
        // A second one that came at the same time is dropped, which ends it.
        let _ = self.warmer().set(warmer);
        Ok(())
    }

    /// Tells the warm-up, if there is one, where the appender is, as a byte of the file: the window moves there. Never backward;
    /// cheap enough to be called after every append. At the end of the file the warm-up ends, and lets go what it has pinned.
    pub fn writer_at(&self, at: u64) {
        if let Some(warmer) = self.warmer().get() {
            warmer.writer_at(at);
        }
    }

    /// How far the warm-up is, if there is one.
    #[must_use]
    pub fn warm_progress(&self) -> Option<Progress> {
        self.warmer().get().map(Warmer::progress)
    }

    /// A file that was never written has nothing to read: its pages are made, not read.
    fn target(&self, from: u64) -> io::Result<Target> {
        let memory = self.append_mapping()?.clone();
        // Page by page, each by a fault of its own: to populate many at once would hold the lock of the whole address space, and whoever grows
        // his heap meanwhile would wait for a thread that gives way to everybody.
        let means = Means::Touch(Touch::Store);
        if !self.is_recycled() && self.file().data_end()? <= from {
            return Ok(Target::memory(memory, means));
        }
        match self.file().let_go(from..self.size()) {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        let file = self.view().file().try_clone()?;
        Ok(Target::file_and_memory(file, memory, means))
    }
}

/// Tells a person how far it is, every tenth of it.
fn teller(base: Position) -> impl FnMut(&Progress) + Send + 'static {
    let mut told = 0;
    move |progress| match &progress.state {
        State::Failed(_) => tracing::warn!("segment {base}: {progress}"),
        State::Stopped => {}
        State::Warming | State::Waiting | State::Done => {
            let tenths = progress.percent() / 10;
            if tenths > told {
                told = tenths;
                tracing::debug!("segment {base}: {progress}");
            }
        }
    }
}
