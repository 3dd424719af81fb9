//! What a synced store writes when the mapping was advised first; a binary of its own, since what is counted is the whole process's.

use pagelog_os::probe::{FileSystem, Overwrite};
use pagelog_os::process::io_write_bytes;
use pagelog_os::{Advice, Mapping, file};

/// Large folios would make each sync write up to two megabytes; see the design of the append path.
#[test]
fn a_synced_store_after_random_advice_dirties_few_pages() {
    const SYNCS: u64 = 64;
    let size = 4 << 20;
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, size as u64).unwrap();
    file.sync_all().unwrap();
    let memory = Mapping::shared(&file, size).unwrap();
    memory.advise(0..size, Advice::Random).unwrap();

    let before = io_write_bytes().unwrap();
    for entry in 0..SYNCS {
        memory.copy_in(entry as usize * 1_024, &[1; 1_024]).unwrap();
        file::sync_data(&file).unwrap();
    }
    let written_per_sync = (io_write_bytes().unwrap() - before) / SYNCS;
    let directory = env!("CARGO_TARGET_TMPDIR").as_ref();
    if FileSystem::probe(directory).unwrap().overwrite != Overwrite::InPlace {
        // Each sync writes where the blocks now lie, too, and that is not this advice's to lessen.
        return;
    }
    assert!(
        written_per_sync <= 32 << 10,
        "{written_per_sync} bytes a sync"
    );
}
