//! A mapping that only grows and publishes how far it is filled: one writer, any number of readers.
//!
//! ```text
//! 0                     published          allocated                size_max
//! │ readers copy from here │ writer copies here │ address space, no file │
//! ```
//!
//! What is below the published size never changes again, so a reader needs no lock; the size is stored with
//! release and loaded with acquire, so who has seen it sees the bytes.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Release};

use crate::{Mapping, MemoryFault, file};

/// A file gets blocks in steps of this size, so that few appends wait for it.
const GROW_STEP: usize = 1 << 20;

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum GrowError {
    /// There would be more than was reserved.
    #[error("{size} bytes more than {published} do not fit into {size_max}")]
    Full {
        /// The bytes that were to be appended.
        size: usize,
        /// The bytes that are there.
        published: usize,
        /// The most there can be.
        size_max: usize,
    },
    /// The file could not grow; the next append tries again.
    #[error("the mapped file cannot grow: {0}")]
    Io(#[from] io::Error),
    /// A page of the file could not be provided: the mapping is of no more use.
    #[error(transparent)]
    Fault(#[from] MemoryFault),
}

/// The readers' side: copies out what has been published. Shared by `Arc`.
#[derive(Debug)]
pub struct Growing {
    memory: Mapping,
    published: AtomicUsize,
}

/// The writer's side; there is one.
#[derive(Debug)]
pub struct Grower {
    growing: Arc<Growing>,
    /// The file, and how much of it surely has blocks.
    backing: Option<(File, usize)>,
}

impl Grower {
    /// Growing memory of this process; address space for `size_max` bytes, memory for those in use.
    ///
    /// # Errors
    ///
    /// As [`Mapping::anonymous`].
    pub fn anonymous(size_max: usize) -> io::Result<Grower> {
        let memory = Mapping::anonymous_ahead(size_max)?;
        Ok(Grower::new(memory, 0, None))
    }

    /// A growing file, mapped once for `size_max` bytes however short it is now; its first `published` bytes
    /// are there already. Blocks are allocated before they are stored into, so a full disk is an error of an
    /// append and no signal.
    ///
    /// The file becomes longer than what is published, by zeros: cut it when all is done. Another process
    /// that cuts it before makes copies fail with [`MemoryFault`], and one that writes into it breaks the
    /// promise that published bytes do not change, though nothing undefined comes of it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the file is shorter than `published`, or that is more than `size_max`; as
    /// [`Mapping::shared`].
    pub fn file(file: File, published: usize, size_max: usize) -> io::Result<Grower> {
        let file_size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if published > size_max.min(file_size) {
            let text =
                format!("{published} published bytes of a file of {file_size}, at most {size_max}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let memory = Mapping::shared_ahead(&file, size_max)?;
        // The file may have holes: what is not published is allocated again.
        Ok(Grower::new(memory, published, Some((file, published))))
    }

    fn new(memory: Mapping, published: usize, backing: Option<(File, usize)>) -> Grower {
        let growing = Growing {
            memory,
            published: AtomicUsize::new(published),
        };
        Grower {
            growing: Arc::new(growing),
            backing,
        }
    }

    /// The readers' side.
    #[must_use]
    pub fn growing(&self) -> &Arc<Growing> {
        &self.growing
    }

    /// The memory, for advice, residency, locks and syncs. Copying into it would break what
    /// [`Growing`] promises.
    #[must_use]
    pub fn memory(&self) -> &Mapping {
        &self.growing.memory
    }

    /// Copies `bytes` behind what is published, publishes them, and says where they begin.
    ///
    /// # Errors
    ///
    /// [`GrowError`]; then nothing was published.
    pub fn append(&mut self, bytes: &[u8]) -> Result<usize, GrowError> {
        let at = self.growing.published();
        let size_max = self.growing.memory.size();
        let end = at
            .checked_add(bytes.len())
            .filter(|end| *end <= size_max)
            .ok_or(GrowError::Full {
                size: bytes.len(),
                published: at,
                size_max,
            })?;
        self.back(end)?;
        self.growing.memory.copy_in(at, bytes)?;
        self.growing.published.store(end, Release);
        Ok(at)
    }

    /// Has the file hold `end` bytes at least.
    fn back(&mut self, end: usize) -> io::Result<()> {
        let Some((file, allocated)) = &mut self.backing else {
            return Ok(());
        };
        if end <= *allocated {
            return Ok(());
        }
        let wanted = end
            .next_multiple_of(GROW_STEP)
            .min(self.growing.memory.size());
        file::allocate(file, wanted as u64)?;
        *allocated = wanted;
        Ok(())
    }
}

impl Growing {
    /// How many bytes are there to be read; only grows.
    #[must_use]
    pub fn published(&self) -> usize {
        self.published.load(Acquire)
    }

    /// Fills `into` from byte `at`, up to what is published; the count is less than asked only there, and
    /// 0 at or past it.
    ///
    /// # Errors
    ///
    /// [`MemoryFault`] when a page of the file could not be provided.
    pub fn read_at(&self, at: usize, into: &mut [u8]) -> Result<usize, MemoryFault> {
        let size = self.published().saturating_sub(at).min(into.len());
        if size > 0 {
            self.memory.copy_out(at, &mut into[..size])?;
        }
        Ok(size)
    }
}
