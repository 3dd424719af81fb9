//! Counting what a thread takes from the heap: for tests and benches that hold code to *no allocation*.
//!
//! # Safety
//!
//! Every call is passed on to the system's allocator as it came; counting touches numbers of the calling thread only.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    // Constant and without a destructor: counting allocates nothing itself.
    static COUNTS: Cell<Allocations> = const {
        Cell::new(Allocations {
            count: 0,
            taken_bytes: 0,
            returned_bytes: 0,
        })
    };
}

/// What the calling thread has done with the heap since it began. What one thread takes another may return.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allocations {
    /// Calls that took memory, or took more or less of what was held.
    pub count: u64,
    /// Bytes taken.
    pub taken_bytes: u64,
    /// Bytes given back.
    pub returned_bytes: u64,
}

impl Allocations {
    /// What has been counted up to now: all zeros where [`CountingAllocator`] is not the program's allocator.
    #[must_use]
    pub fn of_this_thread() -> Allocations {
        COUNTS.get()
    }

    /// What has come since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Allocations) -> Allocations {
        Allocations {
            count: self.count - earlier.count,
            taken_bytes: self.taken_bytes - earlier.taken_bytes,
            returned_bytes: self.returned_bytes - earlier.returned_bytes,
        }
    }
}

/// The system's allocator, which also counts; a test or a bench makes it the program's by `#[global_allocator]`.
///
/// ```
/// use pagelog_os::{Allocations, CountingAllocator};
///
/// #[global_allocator]
/// static COUNTING: CountingAllocator = CountingAllocator;
///
/// let before = Allocations::of_this_thread();
/// let bytes = std::hint::black_box(vec![1_u8; 100]);
/// drop(bytes);
/// let done = Allocations::of_this_thread().since(before);
/// assert_eq!((done.count, done.taken_bytes, done.returned_bytes), (1, 100, 100));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

fn taken(size: usize) {
    let counts = COUNTS.get();
    COUNTS.set(Allocations {
        count: counts.count + 1,
        taken_bytes: counts.taken_bytes + size as u64,
        ..counts
    });
}

fn returned(size: usize) {
    let counts = COUNTS.get();
    COUNTS.set(Allocations {
        returned_bytes: counts.returned_bytes + size as u64,
        ..counts
    });
}

// SAFETY: memory comes from the system's allocator and goes back to it, with the layouts that were given.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's promises are those of this call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        returned(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.dealloc(memory, layout) };
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        returned(layout.size());
        taken(size);
        // SAFETY: as in `alloc`.
        unsafe { System.realloc(memory, layout, size) }
    }
}
