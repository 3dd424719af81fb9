//! The id of this boot.

use pagelog_os::process::boot_id;

#[test]
fn the_boot_id_is_a_uuid_and_stays() {
    let id = boot_id().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(id, boot_id().unwrap());
}
