//! Bus errors outside a guarded copy do what they did before the guard.
//!
//! Each case runs this test program again as a child, because the right outcome is its death.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};

use pagelog_os::{Mapping, MemoryFault, file, page_size};
use rustix::process::{Signal, getpid, kill_process};

const CASE: &str = "PAGELOG_GUARD_CASE";

/// A mapping of two pages whose file has none any more; the guard is installed.
fn cut_mapping() -> Mapping {
    let size = 2 * page_size();
    let file = tempfile::tempfile().unwrap();
    file::allocate(&file, size as u64).unwrap();
    let memory = Mapping::shared(&file, size).unwrap();
    file.set_len(0).unwrap();
    memory
}

fn run_as_child(case: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .output()
        .unwrap()
        .status
}

/// Does what the parent asked for; as a test of its own, nothing.
#[test]
fn child() {
    let Ok(case) = std::env::var(CASE) else {
        return;
    };
    let memory = cut_mapping();
    match case.as_str() {
        "guarded" => {
            assert_eq!(memory.copy_in(0, b"lost"), Err(MemoryFault));
            return;
        }
        "sent" => {}
        "sent after a guarded fault" => {
            assert_eq!(memory.copy_out(0, &mut [0]), Err(MemoryFault));
        }
        "unguarded" => touch_without_guard(),
        _ => panic!("no case {case}"),
    }
    // Rust's own handler, which was there before, restores the default and returns: the first
    // signal that is sent is swallowed, the second one kills.
    loop {
        kill_process(getpid(), Signal::BUS).unwrap();
    }
}

/// Reads a page of a truncated file through a mapping that is not ours.
#[expect(unsafe_code)]
fn touch_without_guard() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(100).unwrap();
    // SAFETY: the file is this function's alone; that it is cut is what the test is about.
    let memory = unsafe { memmap2::Mmap::map(&file) }.unwrap();
    file.set_len(0).unwrap();
    println!("{}", memory[0]);
}

#[test]
fn a_guarded_fault_leaves_the_process_alive() {
    assert!(run_as_child("guarded").success());
}

#[test]
fn an_unguarded_fault_kills_as_before() {
    assert_eq!(run_as_child("unguarded").signal(), Some(libc::SIGBUS));
}

#[test]
fn a_signal_that_was_sent_kills_as_before() {
    assert_eq!(run_as_child("sent").signal(), Some(libc::SIGBUS));
    assert_eq!(
        run_as_child("sent after a guarded fault").signal(),
        Some(libc::SIGBUS)
    );
}

/// The handler of a host program that was installed before ours gets what is not ours.
#[test]
fn an_earlier_handler_is_called() {
    static CALLED: AtomicBool = AtomicBool::new(false);
    extern "C" fn earlier(_signal: libc::c_int) {
        CALLED.store(true, Ordering::SeqCst);
    }
    if std::env::var(CASE).is_ok() {
        return;
    }
    let handler: extern "C" fn(libc::c_int) = earlier;
    install(handler as libc::sighandler_t);
    assert_eq!(cut_mapping().copy_in(0, b"lost"), Err(MemoryFault));
    assert!(!CALLED.load(Ordering::SeqCst));

    kill_process(getpid(), Signal::BUS).unwrap();
    while !CALLED.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

#[expect(unsafe_code)]
fn install(handler: libc::sighandler_t) {
    // SAFETY: the handler only stores an atomic.
    let before = unsafe { libc::signal(libc::SIGBUS, handler) };
    assert_ne!(before, libc::SIG_ERR);
}
