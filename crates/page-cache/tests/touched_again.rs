//! What the kernel has written to the disk since it was warmed is made ready again when the writer comes near.
//!
//! Counted by what this process makes dirty: the only test of its program, since nobody else may.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_os::process::io_write_bytes;
use pagelog_os::{Mapping, Touch, file};
use pagelog_page_cache::{Means, State, Target, WarmOptions, Warmer};

const LONG: Duration = Duration::from_secs(60);
const SIZE: u64 = 32 << 20;
/// What is touched again ahead of the writer.
const NEAR_SIZE: u64 = 8 << 20;

#[test]
fn pages_near_the_writer_are_made_ready_again() {
    let Ok(before) = io_write_bytes() else {
        eprintln!("skipped: this kernel does not count what a process makes dirty");
        return;
    };
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, SIZE).unwrap();
    let memory = Arc::new(Mapping::shared(&file, SIZE as usize).unwrap());
    let target = Target::memory(Arc::clone(&memory), Means::Touch(Touch::Store));
    let warmer = Warmer::start(target, WarmOptions::whole(0..SIZE), |_| ()).unwrap();
    assert_eq!(warmer.wait(SIZE, LONG).state, State::Done);
    file::sync_data(&file).unwrap();
    let clean = io_write_bytes().unwrap();
    if clean - before < SIZE {
        eprintln!("skipped: what is made dirty on this file system is not counted");
        return;
    }

    memory.copy_in(0, b"the writer's").unwrap();
    let writer = 1 << 20;
    warmer.writer_at(writer);
    let began = Instant::now();
    let dirty = || io_write_bytes().unwrap() - clean;
    while dirty() < NEAR_SIZE {
        assert!(
            began.elapsed() < LONG,
            "{} bytes were made ready again",
            dirty()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(warmer);
    // What lies further ahead is left alone, and no byte is changed.
    assert!(dirty() <= SIZE / 2, "{} bytes", dirty());
    let mut read = [0; 12];
    memory.copy_out(0, &mut read).unwrap();
    assert_eq!(&read, b"the writer's");
}
