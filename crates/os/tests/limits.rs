//! The limits of this process, as it is started here; how they are found is tested beside the code.

use pagelog_os::limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// One test, because the limit is the whole process's.
#[test]
fn the_lock_limit_is_what_was_set_unless_the_process_may_lock_all() {
    let maximum = getrlimit(Resource::Memlock).maximum;
    let set = |current| setrlimit(Resource::Memlock, Rlimit { current, maximum }).unwrap();
    set(Some(65_536));

    let mut sets = capabilities(None).unwrap();
    if sets.effective.contains(CapabilitySet::IPC_LOCK) {
        assert_eq!(limits::memory_lock(), None);
        sets.effective.remove(CapabilitySet::IPC_LOCK);
        set_capabilities(None, sets).unwrap();
    }
    assert_eq!(limits::memory_lock(), Some(65_536));
}

#[test]
fn a_cgroup_limit_is_large_enough_for_this_test_to_run() {
    if let Some(limit) = limits::cgroup_memory().unwrap() {
        assert!(limit >= 1 << 20, "{limit}");
    }
}
