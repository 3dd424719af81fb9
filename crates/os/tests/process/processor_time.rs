//! The time of a process on a processor: its clock, and `getrusage`.

use std::time::{Duration, Instant};

use pagelog_os::process::{Process, Scope, usage};

/// Also once they have ended: a process is told by more than its living threads.
#[test]
fn what_threads_have_used_is_counted_after_their_end() {
    let before = Process::Id(std::process::id()).processor_time().unwrap();
    let worker = || {
        let begin = usage(Scope::Thread).unwrap();
        let mut used = Duration::ZERO;
        while used < Duration::from_millis(20) {
            let now = usage(Scope::Thread).unwrap();
            used = now.user_time + now.system_time - begin.user_time - begin.system_time;
        }
        used
    };
    let used = std::thread::spawn(worker).join().unwrap();
    let counted = Process::Id(std::process::id()).processor_time().unwrap() - before;
    // What a thread is told of itself may be ahead of the sum by a clock tick.
    assert!(counted + Duration::from_millis(10) >= used, "{counted:?}");
}

#[test]
fn work_costs_processor_time() {
    let before = Process::Own.processor_time().unwrap();
    let begin = Instant::now();
    let worked = || Process::Own.processor_time().unwrap() - before;
    while worked() < Duration::from_millis(20) {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "no time was counted"
        );
    }
    let used = usage(Scope::Process).unwrap();
    assert!(used.user_time + used.system_time > Duration::ZERO);
}

#[test]
fn an_absent_process_has_no_clock() {
    for id in [u32::MAX, 1 << 22, (1 << 22) + 1] {
        let error = Process::Id(id).processor_time().unwrap_err();
        assert!(
            [libc::ESRCH, libc::EINVAL].contains(&error.raw_os_error().unwrap()),
            "{error}"
        );
    }
}
