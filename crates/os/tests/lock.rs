//! Locking pages, and the refusal past the limit.

use pagelog_os::process::Process;
use pagelog_os::{Mapping, page_size};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// One test, because the limit and the figures are those of the whole process.
#[test]
fn pages_are_locked_up_to_the_limit_which_a_refusal_names() {
    let page = page_size();
    let memory = Mapping::anonymous(64 * page).unwrap();
    let before = Process::Own.memory().unwrap().locked;
    memory.lock(page..page + 1).unwrap();
    assert_eq!(Process::Own.memory().unwrap().locked - before, page as u64);
    memory.unlock(0..64 * page).unwrap();
    assert_eq!(Process::Own.memory().unwrap().locked, before);

    match memory.lock_on_fault(0..4 * page) {
        // Counted at once, brought in at the first use.
        Ok(()) => {
            assert_eq!(
                Process::Own.memory().unwrap().locked - before,
                4 * page as u64
            );
            assert_eq!(memory.resident_pages(2 * page..4 * page).unwrap(), 0);
        }
        Err(refused) => assert!(refused.to_string().contains("kernel"), "{refused}"),
    }
    memory.unlock(0..64 * page).unwrap();

    // The capability lifts the limit, for this thread.
    let mut sets = capabilities(None).unwrap();
    sets.effective.remove(CapabilitySet::IPC_LOCK);
    set_capabilities(None, sets).unwrap();
    let maximum = getrlimit(Resource::Memlock).maximum;
    let limit = 8 * page as u64;
    setrlimit(
        Resource::Memlock,
        Rlimit {
            current: Some(limit),
            maximum,
        },
    )
    .unwrap();

    let refused = memory.lock(0..64 * page).unwrap_err();
    assert_eq!((refused.size, refused.limit), (64 * page, Some(limit)));
    let on_fault = memory.lock_on_fault(0..64 * page).unwrap_err();
    assert_eq!(on_fault.size, 64 * page);
    let text = refused.to_string();
    assert!(
        text.contains(&limit.to_string()) && text.contains("ulimit -l"),
        "{text}"
    );
    memory.copy_in(0, b"goes on").unwrap();
}
