//! How much a thread gives way: `setpriority` and `getpriority`.

use std::io::ErrorKind;

use pagelog_os::process::{give_way, gives_way};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

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
