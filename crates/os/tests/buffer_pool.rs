//! The bound of the pool, and what comes back to it.

use std::sync::mpsc;
use std::time::Duration;

use pagelog_os::process::Process;
use pagelog_os::{BufferPool, PoolExhausted, page_size};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn no_more_than_the_bound_is_given_out() {
    let pool = BufferPool::new(1, 3).unwrap();
    assert_eq!(pool.buffer_size(), page_size());
    let buffers: Vec<_> = (0..3).map(|_| pool.try_reserve().unwrap()).collect();
    let exhausted = PoolExhausted {
        count: 3,
        buffer_size: page_size(),
    };
    assert_eq!(pool.try_reserve().unwrap_err(), exhausted);
    assert_eq!(pool.reserve(Duration::ZERO).unwrap_err(), exhausted);
    drop(buffers);
    assert_eq!((pool.free_count(), pool.count()), (3, 3));
}

#[test]
fn buffers_are_aligned_and_do_not_overlap() {
    let pool = BufferPool::new(page_size() + 1, 4).unwrap();
    let mut buffers: Vec<_> = (0..4).map(|_| pool.try_reserve().unwrap()).collect();
    for (index, buffer) in buffers.iter_mut().enumerate() {
        assert_eq!(buffer.len(), 2 * page_size());
        assert_eq!(buffer.as_ptr().addr() % page_size(), 0);
        buffer.fill(index as u8 + 1);
    }
    for (index, buffer) in buffers.iter().enumerate() {
        assert!(buffer.iter().all(|byte| *byte == index as u8 + 1));
    }
}

#[test]
fn who_waits_gets_what_another_gives_back() {
    let pool = BufferPool::new(1, 1).unwrap();
    let held = pool.try_reserve().unwrap();
    std::thread::scope(|scope| {
        let (waiting, is_waiting) = mpsc::channel();
        let waiter = scope.spawn({
            let pool = pool.clone();
            move || {
                waiting.send(()).unwrap();
                pool.reserve(LONG).map(|buffer| buffer.len())
            }
        });
        is_waiting.recv().unwrap();
        drop(held);
        assert_eq!(waiter.join().unwrap(), Ok(page_size()));
    });
    assert_eq!(pool.free_count(), 1);
}

#[test]
fn many_threads_never_hold_more_than_the_bound_nor_the_same_buffer() {
    let pool = BufferPool::new(1, 2).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..6_u8 {
            let pool = pool.clone();
            scope.spawn(move || {
                for _ in 0..500 {
                    let mut buffer = pool.reserve(LONG).unwrap();
                    buffer.fill(thread);
                    assert!(buffer.iter().all(|byte| *byte == thread));
                }
            });
        }
    });
    assert_eq!(pool.free_count(), 2);
}

#[test]
fn the_memory_goes_with_the_last_of_pool_and_buffers() {
    const SIZE: usize = 64 << 20;
    let anonymous = || Process::Own.memory().unwrap().anonymous;
    let pool = BufferPool::new(SIZE, 1).unwrap();
    let mut buffer = pool.try_reserve().unwrap();
    buffer.fill(1);
    let full = anonymous();
    assert!(full >= SIZE as u64, "{full}");
    drop(pool);
    assert_eq!(buffer[SIZE - 1], 1);
    drop(buffer);
    let after = anonymous();
    assert!(full - after >= SIZE as u64 / 2, "{full} then {after}");
}

#[test]
fn trimmed_buffers_are_zeros_and_held_ones_are_not_touched() {
    let pool = BufferPool::new(1, 2).unwrap();
    let mut held = pool.try_reserve().unwrap();
    held.fill(5);
    pool.try_reserve().unwrap().fill(6);
    pool.trim().unwrap();
    assert!(pool.try_reserve().unwrap().iter().all(|byte| *byte == 0));
    assert!(held.iter().all(|byte| *byte == 5));
}

#[test]
fn a_locked_pool_works_and_a_refused_lock_changes_nothing() {
    let pool = BufferPool::new(1, 2).unwrap();
    match pool.lock() {
        Ok(()) => drop(pool.trim().unwrap_err()),
        Err(refused) => assert_eq!(refused.size, 2 * page_size()),
    }
    pool.try_reserve().unwrap().fill(1);
}

#[test]
fn a_pool_of_nothing_or_of_everything_is_refused() {
    for (size, count) in [(0, 1), (1, 0), (usize::MAX, 1), (1 << 40, usize::MAX)] {
        let error = BufferPool::new(size, count).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
}
