//! The lock of an open file: `flock`.

use pagelog_os::file::{self, LockError};

#[test]
fn a_lock_is_held_against_a_second_open_until_it_is_closed() {
    let place = tempfile::NamedTempFile::new().unwrap();
    let first = place.reopen().unwrap();
    let second = place.reopen().unwrap();
    file::lock_exclusive(&first).unwrap();
    assert!(matches!(
        file::lock_exclusive(&second),
        Err(LockError::Held)
    ));
    let owners = file::lock_owners(&second).unwrap();
    assert!(
        owners
            .iter()
            .any(|owner| owner.process == std::process::id()),
        "{owners:?}"
    );
    drop(first);
    file::lock_exclusive(&second).unwrap();
}
