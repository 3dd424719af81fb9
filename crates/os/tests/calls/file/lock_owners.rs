//! Who holds a lock, by the kernel's list.

use pagelog_os::file;

#[test]
fn a_file_that_nobody_has_locked_has_no_owner() {
    let place = tempfile::NamedTempFile::new().unwrap();
    let owners = file::lock_owners(place.as_file()).unwrap();
    assert!(owners.iter().all(|owner| !owner.same_device), "{owners:?}");
}

#[test]
fn who_has_locked_a_file_is_its_owner() {
    let place = tempfile::NamedTempFile::new().unwrap();
    file::lock_exclusive(place.as_file()).unwrap();
    let owners = file::lock_owners(&place.reopen().unwrap()).unwrap();
    let own = std::process::id();
    assert!(
        owners.iter().any(|owner| owner.process == own),
        "{owners:?}"
    );
}
