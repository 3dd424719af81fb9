//! The room of a file system.

use pagelog_os::Space;

#[test]
fn a_file_takes_room() {
    let place = tempfile::tempdir().unwrap();
    let space = Space::of(place.path()).unwrap();
    assert!(space.total > 0 && space.available <= space.total);
    assert!(Space::of(&place.path().join("not there")).is_err());
}

#[test]
fn what_is_taken_is_told_in_hundredths() {
    let percent = |total, available| Space { total, available }.used_percent();
    assert_eq!(percent(1000, 1000), 0);
    assert_eq!(percent(1000, 101), 89);
    assert_eq!(percent(1000, 100), 90);
    assert_eq!(percent(1000, 0), 100);
    assert_eq!(percent(u64::MAX, 1), 99);
    assert_eq!(percent(0, 0), 100);
    assert_eq!(percent(10, 20), 0);
}
