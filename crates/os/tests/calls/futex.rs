//! Sleeping on a word.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use pagelog_os::futex;

#[test]
fn a_change_wakes_everybody() {
    let word = Arc::new(AtomicU32::new(0));
    let sleepers: Vec<_> = (0..4)
        .map(|_| {
            let word = Arc::clone(&word);
            std::thread::spawn(move || {
                while word.load(SeqCst) == 0 {
                    futex::wait(&word, 0, None);
                }
            })
        })
        .collect();
    word.store(1, SeqCst);
    futex::wake_all(&word);
    sleepers
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

#[test]
fn another_value_or_a_time_ends_the_sleep() {
    let word = AtomicU32::new(7);
    futex::wait(&word, 8, None);
    let deadline = Instant::now() + Duration::from_millis(2);
    while Instant::now() < deadline {
        futex::wait(&word, 7, Some(deadline));
    }
    futex::wait(&word, 7, Some(deadline));
}
