//! Figures of this process and of another.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use pagelog_os::process::{Process, Scope, boot_id, give_way, gives_way, io_write_bytes, usage};
use pagelog_os::{Mapping, file, page_size};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

#[test]
fn calls_and_bytes_are_counted() {
    let file = tempfile::tempfile().unwrap();
    let before = Process::Own.io_counters().unwrap();
    file::write_at(&file, 0, &[1; 10_000]).unwrap();
    let after = Process::Own.io_counters().unwrap();
    assert!(after.write_calls > before.write_calls);
    assert!(after.write_call_bytes >= before.write_call_bytes + 10_000);
    assert!(io_write_bytes().unwrap() >= before.device_write_bytes);
}

#[test]
fn a_process_is_found_by_its_id_and_an_absent_one_is_not() {
    let own = Process::Id(std::process::id());
    assert!(own.io_counters().unwrap().read_calls > 0);
    assert!(own.memory().unwrap().resident > 0);
    let absent = Process::Id(u32::MAX);
    assert_eq!(
        absent.memory().unwrap_err().kind(),
        std::io::ErrorKind::NotFound
    );
    assert!(absent.processor_time().is_err());
}

#[test]
fn touched_memory_is_anonymous_and_faults() {
    let size = 32 << 20;
    let memory = Mapping::anonymous(size).unwrap();
    let (faults, held) = (
        usage(Scope::Thread).unwrap(),
        Process::Own.memory().unwrap(),
    );
    for at in (0..size).step_by(page_size()) {
        memory.copy_in(at, &[1]).unwrap();
    }
    // Other tests of this process let go of little in the meantime.
    let grown = Process::Own.memory().unwrap().anonymous - held.anonymous;
    assert!(grown >= size as u64 / 2, "{grown}");
    assert!(Process::Own.memory().unwrap().resident_peak >= size as u64);
    assert!(usage(Scope::Thread).unwrap().minor_faults > faults.minor_faults);
}

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
fn the_boot_id_is_a_uuid_and_stays() {
    let id = boot_id().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(id, boot_id().unwrap());
}

#[test]
fn one_thread_gives_way_and_the_others_do_not() {
    let before = gives_way().unwrap();
    let other = std::thread::spawn(|| {
        give_way(19).unwrap();
        gives_way().unwrap()
    });
    assert_eq!(other.join().unwrap(), 19);
    assert_eq!(gives_way().unwrap(), before);
}

#[test]
fn a_refusal_to_give_way_less_names_what_it_takes() {
    let refused = std::thread::spawn(|| {
        // The privilege and the limit are what lifts it; a thread may put both aside.
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::SYS_NICE);
        set_capabilities(None, sets).unwrap();
        give_way(19).unwrap();
        (getrlimit(Resource::Nice).current, give_way(18))
    });
    let (limit, outcome) = refused.join().unwrap();
    // The limit is 20 less the least value that is allowed.
    if limit.is_none_or(|limit| limit >= 2) {
        return outcome.unwrap();
    }
    let refused = outcome.unwrap_err();
    assert_eq!(refused.nice, 18);
    assert_eq!(refused.error.kind(), ErrorKind::PermissionDenied);
    assert!(refused.to_string().contains("CAP_SYS_NICE"), "{refused}");
}
