//! Blocks of a new segment written ahead of its writer, so that his syncs find nothing but data to write.
//!
//! The blocks of a new file are allocated, but not written. The first sync of each has the file system note in its journal that it holds data now, and waits for that
//! note; where the block was written before, it does not. So a thread writes zeros there first, a window ahead of the writer, in pieces: one note for hundreds of syncs.
//!
//! For a segment whose writer says by [`Segment::writing`] where he is about to write, before he does. Nothing is filled that he may have reached (see `front`).

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::front::{Front, Wanted};
use crate::{Position, Segment, StorageFile};

/// The thread, stopped and joined on drop.
#[derive(Debug)]
pub(crate) struct Prewriter {
    front: Arc<Front>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread works on.
struct Worker {
    front: Arc<Front>,
    file: Arc<dyn StorageFile>,
    base: Position,
    wanted: Wanted,
}

impl Segment {
    /// Starts a thread that writes zeros over blocks that were never written, up to `window` bytes ahead of where the writer is by
    /// [`Segment::writing`]; an eighth of that, as long as he has not begun. Only the first call does anything, and none does in a file that was another segment
    /// before. While groups are so large that zeros would cost their syncs more than they gain, nothing is written ahead.
    ///
    /// # Errors
    ///
    /// When it cannot be told what was written, or the thread cannot be had. Nothing is lost by it: the writer's syncs take longer.
    pub fn prewrite(&self, window: u64) -> io::Result<()> {
        if window == 0 || self.is_recycled() || !self.front().take_claimer() {
            return Ok(());
        }
        let worker = Worker {
            front: Arc::clone(self.front()),
            file: Arc::clone(self.file()),
            base: self.base(),
            wanted: Wanted {
                // What was ever written lies before that, and is somebody's; what is being written now, the writer has said.
                from: self.file().data_end()?,
                window,
                size: self.size(),
            },
        };
        let thread = thread::Builder::new()
            .name("segment-zeros".to_owned())
            .spawn(move || worker.run())?;
        let prewriter = Prewriter {
            front: Arc::clone(self.front()),
            thread: Some(thread),
        };
        // Nobody else has come as far as this.
        let _ = self.prewriter().set(prewriter);
        Ok(())
    }

    /// Says that the bytes of `range` of the file are about to be written: who writes by the descriptor says so before each write to a segment for which
    /// [`Segment::prewrite`] was or will be called, or loses what he has written. Waits while zeros are being copied to a byte before the end of `range`.
    pub fn writing(&self, range: &Range<u64>) {
        self.front().write(range);
    }

    /// Says that what was written is durable: until the next [`Segment::writing`], nobody waits for the disk, and zeros are best written then.
    pub fn synced(&self) {
        self.front().synced();
    }
}

impl Drop for Prewriter {
    fn drop(&mut self) {
        self.front.close();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; if it panicked, the panic was told where it happened.
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn run(mut self) {
        let base = self.base;
        match self.fill() {
            Ok(()) => {}
            Err(error) => tracing::warn!(
                %base, %error,
                "zeros could not be written ahead of the appends to a segment, which stays as it was; syncs in it take longer"
            ),
        }
    }

    /// Fills piece by piece until there is nothing left to fill.
    fn fill(&mut self) -> io::Result<()> {
        while let Some(claim) = self.front.claim(&self.wanted) {
            let range = claim.range.clone();
            let mut at = range.start;
            while at < range.end {
                match self.file.write_zeros(at..range.end) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => at += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            self.wanted.from = range.end;
        }
        Ok(())
    }
}
