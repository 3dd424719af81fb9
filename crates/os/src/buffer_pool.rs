//! Buffers outside of the heap, from a pool with a fixed bound.
//!
//! One anonymous mapping, cut into buffers of one size that begin on a page. A buffer is its holder's
//! alone and goes back when it is dropped; the memory goes when the pool and the last buffer have gone.
//!
//! # Safety
//!
//! Each index is in the list of free ones or in exactly one [`Buffer`], so the bytes of a buffer have one
//! owner, who may lend them as slices.
#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut, Range};
use std::slice;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Advice, LockRefused, Mapping};

/// A fixed number of buffers of one size. Clones are handles to the same pool.
#[derive(Debug, Clone)]
pub struct BufferPool {
    shared: Arc<Shared>,
}

/// Every buffer is in use: the pool does not grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "all {count} buffers of {buffer_size} bytes are in use: wait for one, or make the pool larger"
)]
pub struct PoolExhausted {
    /// How many buffers there are.
    pub count: usize,
    /// The size of each in bytes.
    pub buffer_size: usize,
}

/// A buffer of a [`BufferPool`]: begins on a page, is its holder's alone, goes back on drop.
///
/// It holds what its last holder left, and zeros when it had none.
pub struct Buffer {
    shared: Arc<Shared>,
    index: usize,
}

#[derive(Debug)]
struct Shared {
    memory: Mapping,
    buffer_size: usize,
    count: usize,
    /// The indexes that nobody holds. The last one given back is the first to be given out: its memory
    /// is likely still near.
    free: Mutex<Vec<usize>>,
    /// Signalled when one comes back.
    returned: Condvar,
}

impl BufferPool {
    /// Reserves the address space of `count` buffers of `buffer_size` bytes each, rounded up to whole
    /// pages. A page costs memory from its first use, or from [`BufferPool::lock`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` when either is zero or the product is no size; as [`Mapping::anonymous`].
    pub fn new(buffer_size: usize, count: usize) -> io::Result<BufferPool> {
        let rounded = buffer_size.checked_next_multiple_of(crate::page_size());
        let total = rounded.and_then(|size| size.checked_mul(count));
        let (Some(buffer_size), Some(total @ 1..)) = (rounded, total) else {
            let text = format!("a pool of {count} buffers of {buffer_size} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        let shared = Shared {
            memory: Mapping::anonymous(total)?,
            buffer_size,
            count,
            free: Mutex::new((0..count).rev().collect()),
            returned: Condvar::new(),
        };
        Ok(BufferPool {
            shared: Arc::new(shared),
        })
    }

    /// Takes a buffer that is free now.
    ///
    /// # Errors
    ///
    /// [`PoolExhausted`] when none is.
    pub fn try_reserve(&self) -> Result<Buffer, PoolExhausted> {
        let index = self.shared.lock().pop();
        self.shared.buffer(index)
    }

    /// Takes a buffer, and waits up to `timeout` until one is free. Who waited longest is not served first.
    ///
    /// # Errors
    ///
    /// [`PoolExhausted`] when none came back in time.
    pub fn reserve(&self, timeout: Duration) -> Result<Buffer, PoolExhausted> {
        let free = self.shared.lock();
        let waited = self
            .shared
            .returned
            .wait_timeout_while(free, timeout, |free| free.is_empty());
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let index = free.pop();
        drop(free);
        self.shared.buffer(index)
    }

    /// Keeps the whole pool in memory: [`Mapping::lock`].
    ///
    /// # Errors
    ///
    /// As [`Mapping::lock`]; the pool can be used as before.
    pub fn lock(&self) -> Result<(), LockRefused> {
        self.shared.memory.lock(0..self.shared.memory.size())
    }

    /// Gives the memory of the buffers that nobody holds back to the kernel; their next use costs the
    /// faults of a first one.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the pool is locked. man 2 madvise.
    pub fn trim(&self) -> io::Result<()> {
        // Held to the end, so that nobody takes a buffer that is being emptied.
        let free = self.shared.lock();
        for index in free.iter() {
            let range = self.shared.range(*index);
            self.shared.memory.advise(range, Advice::DontNeed)?;
        }
        Ok(())
    }

    /// The size of each buffer in bytes: whole pages.
    #[must_use]
    pub fn buffer_size(&self) -> usize {
        self.shared.buffer_size
    }

    /// How many buffers there are, free or not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.count
    }

    /// How many are free now.
    #[must_use]
    pub fn free_count(&self) -> usize {
        self.shared.lock().len()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<usize>> {
        // A list of numbers is whole between any two steps.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn range(&self, index: usize) -> Range<usize> {
        let start = index * self.buffer_size;
        start..start + self.buffer_size
    }

    fn buffer(self: &Arc<Shared>, index: Option<usize>) -> Result<Buffer, PoolExhausted> {
        let index = index.ok_or(PoolExhausted {
            count: self.count,
            buffer_size: self.buffer_size,
        })?;
        Ok(Buffer {
            shared: Arc::clone(self),
            index,
        })
    }
}

impl Buffer {
    fn address(&self) -> *mut u8 {
        let start = self.shared.range(self.index).start;
        self.shared.memory.address().wrapping_add(start)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the bytes lie in the pool's memory, which `shared` keeps mapped, are initialised by the
        // kernel, and are this buffer's alone.
        unsafe { slice::from_raw_parts(self.address(), self.shared.buffer_size) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed for as long.
        unsafe { slice::from_raw_parts_mut(self.address(), self.shared.buffer_size) }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Buffer")
            .field("index", &self.index)
            .field("size", &self.shared.buffer_size)
            .finish()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.shared.lock().push(self.index);
        self.shared.returned.notify_one();
    }
}
