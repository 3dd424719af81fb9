//! A failed write-back is told to whoever syncs, whoever else has heard of it before.

use std::io;

use pagelog_os::Force;
use pagelog_segment::{Directory, Storage, StorageFile};
use pagelog_testing::FailingDisk;

const FILE_SIZE: u64 = 32 << 20;

/// Warm-up writes back what it has stored into a mapping while the log appends to the same file. The kernel tells an error once to each open file: were it
/// one for both, the log would acknowledge what the disk has not taken.
#[test]
fn what_a_mapping_was_told_the_file_is_told_too() {
    check(|file| file.sync_data());
    check(|file| file.sync_range(0..FILE_SIZE));
}

fn check(sync: fn(&dyn StorageFile) -> io::Result<()>) {
    let Some(disk) = FailingDisk::mount(8 << 20).unwrap() else {
        return;
    };
    let directory = Directory::open(disk.path().join("data")).unwrap();
    let file = directory.create("file", FILE_SIZE).unwrap();
    sync(&*file).unwrap();
    let mapping = file.map_for_append().unwrap();
    for at in (0..FILE_SIZE as usize).step_by(1 << 20) {
        mapping.copy_in(at, &vec![7; 1 << 20]).unwrap();
    }
    let all = 0..FILE_SIZE as usize;
    assert!(mapping.force(all, Force::Sync).is_err(), "there is no room");
    assert!(sync(&*file).is_err(), "it was not told");
}
