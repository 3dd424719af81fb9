//! What a process holds of memory, and the faults that brought it: `/proc/PID/smaps_rollup` and `getrusage`.

use pagelog_os::process::{Process, Scope, usage};
use pagelog_os::{Mapping, page_size};

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

#[test]
fn a_process_is_found_by_its_id_and_an_absent_one_is_not() {
    let own = Process::Id(std::process::id());
    assert!(own.memory().unwrap().resident > 0);
    let absent = Process::Id(u32::MAX).memory().unwrap_err();
    assert_eq!(absent.kind(), std::io::ErrorKind::NotFound);
}
