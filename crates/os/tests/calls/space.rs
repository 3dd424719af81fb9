//! The room of a file system.

use pagelog_os::Space;

#[test]
fn a_file_system_has_room_and_what_is_not_there_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let space = Space::of(place.path()).unwrap();
    assert!(space.used.saturating_add(space.available) > 0);
    assert!(space.used_percent() <= 100);
    assert!(Space::of(&place.path().join("not there")).is_err());
}

#[test]
fn what_is_taken_is_told_in_hundredths() {
    let percent = |used, available| Space { used, available }.used_percent();
    assert_eq!(percent(0, 1000), 0);
    assert_eq!(percent(899, 101), 89);
    assert_eq!(percent(900, 100), 90);
    assert_eq!(percent(1000, 0), 100);
    assert_eq!(percent(u64::MAX, 1), 99);
    assert_eq!(percent(u64::MAX, u64::MAX), 50);
    assert_eq!(percent(0, 0), 100);
}
