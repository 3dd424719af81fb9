//! The faulty storage keeps its own promises: what is synced stays, what is not may go, and faults hit what they name.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use pagelog_os::Mapping;
use pagelog_segment::{Position, Storage, StorageFile};
use pagelog_testing::{Counting, Fault, Marks, MemoryStorage, Operation, PAGE_SIZE, SECTOR_SIZE};
use rustix::io::Errno;

const SIZE: usize = 4 * PAGE_SIZE;

fn storage_with_file() -> (MemoryStorage, Arc<dyn StorageFile>) {
    let storage = MemoryStorage::new(1);
    let file = storage.create("file", SIZE as u64).unwrap();
    storage.sync_directory().unwrap();
    (storage, file)
}

fn read(file: &dyn StorageFile) -> Vec<u8> {
    let mut bytes = vec![0; file.size().unwrap() as usize];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

#[test]
fn descriptor_view_and_append_mapping_see_the_same_bytes() {
    let (_storage, file) = storage_with_file();
    let (append, view) = (file.map_for_append().unwrap(), file.view().unwrap());
    append.copy_in(8, b"stored").unwrap();
    file.write_at(14, b" and written").unwrap();
    let mut seen = [0; 18];
    view.mapping().copy_out(8, &mut seen).unwrap();
    assert_eq!(&seen, b"stored and written");
    assert_eq!(&read(&*file)[8..26], b"stored and written");
}

#[test]
fn a_power_cut_keeps_what_was_synced_and_any_part_of_the_rest() {
    let (storage, file) = storage_with_file();
    file.write_at(0, &[1; SIZE]).unwrap();
    file.sync_data().unwrap();
    file.write_at(PAGE_SIZE as u64, &[2; PAGE_SIZE]).unwrap();
    let image = storage.freeze();
    let mut outcomes = BTreeSet::new();
    for seed in 0..100 {
        let found = read(&*image.power_cut(seed).open("file").unwrap());
        let page = &found[PAGE_SIZE..2 * PAGE_SIZE];
        assert!(
            found[..PAGE_SIZE]
                .iter()
                .chain(&found[2 * PAGE_SIZE..])
                .all(|byte| *byte == 1)
        );
        let sectors = page.chunks(SECTOR_SIZE);
        assert!(
            sectors
                .clone()
                .all(|sector| sector.iter().all(|byte| *byte == sector[0]))
        );
        outcomes.insert(sectors.map(|sector| sector[0]).collect::<Vec<_>>());
    }
    assert!(outcomes.contains(&vec![1; 8]) && outcomes.contains(&vec![2; 8]));
    assert!(outcomes.len() > 10, "torn in {} ways only", outcomes.len());
}

#[test]
fn a_sync_of_a_range_keeps_its_pages_and_no_others() {
    let (storage, file) = storage_with_file();
    let append = file.map_for_append().unwrap();
    append.copy_in(0, &[1; SIZE]).unwrap();
    let begin = PAGE_SIZE as u64 + 10;
    file.sync_range(begin..begin + PAGE_SIZE as u64).unwrap();
    let image = storage.freeze();
    let lost = image.power_cut_losing_all().open("file").unwrap();
    let pages = read(&*lost);
    let kept: Vec<u8> = pages.chunks(PAGE_SIZE).map(|page| page[0]).collect();
    assert_eq!(kept, [0, 1, 1, 0]);
}

#[test]
fn stores_through_the_mapping_are_synced_as_writes_are() {
    let (storage, file) = storage_with_file();
    let append = file.map_for_append().unwrap();
    append.copy_in(0, b"synced").unwrap();
    file.sync_data().unwrap();
    append.copy_in(0, b"stored").unwrap();
    let lost = storage
        .freeze()
        .power_cut_losing_all()
        .open("file")
        .unwrap();
    assert_eq!(&read(&*lost)[..6], b"synced");
    let kept = storage.freeze().process_death().open("file").unwrap();
    assert_eq!(&read(&*kept)[..6], b"stored");
}

#[test]
fn a_name_is_there_for_certain_only_once_its_directory_is_synced() {
    let (storage, _file) = storage_with_file();
    storage.create("new", 10).unwrap();
    storage.rename("file", "renamed").unwrap();
    let lists: BTreeSet<_> = (0..64)
        .map(|seed| storage.crash(seed).list().unwrap())
        .collect();
    assert_eq!(
        lists.len(),
        4,
        "new there or not, renamed or not: {lists:?}"
    );
    storage.sync_directory().unwrap();
    assert_eq!(storage.crash(0).list().unwrap(), ["new", "renamed"]);
}

#[test]
fn a_failed_sync_leaves_pages_that_look_clean_and_are_not_on_the_device() {
    let (storage, file) = storage_with_file();
    file.write_at(0, &[7; SIZE]).unwrap();
    storage.inject(Fault::once(Operation::Sync, 0, Errno::IO));
    assert_eq!(
        file.sync_data().unwrap_err().raw_os_error(),
        Some(Errno::IO.raw_os_error())
    );
    file.sync_data().unwrap();
    let after = |storage: &MemoryStorage| {
        read(
            &*storage
                .freeze()
                .power_cut_losing_all()
                .open("file")
                .unwrap(),
        )
    };
    assert!(
        after(&storage).contains(&0),
        "the second sync wrote what the first could not"
    );
    assert_eq!(read(&*file), [7; SIZE], "the cache still shows it");

    file.write_at(0, &[7; SIZE]).unwrap();
    file.sync_data().unwrap();
    assert_eq!(after(&storage), [7; SIZE], "written again, it is synced");
}

#[test]
fn memory_pressure_shows_what_a_failed_sync_lost() {
    let (storage, file) = storage_with_file();
    file.write_at(0, &[7; SIZE]).unwrap();
    storage.inject(Fault::once(Operation::Sync, 0, Errno::IO));
    assert!(file.sync_data().is_err());
    let on_device = read(
        &*storage
            .freeze()
            .power_cut_losing_all()
            .open("file")
            .unwrap(),
    );
    storage.evict_falsely_clean().unwrap();
    assert_eq!(read(&*file), on_device);
}

#[test]
fn a_muted_sync_keeps_nothing() {
    let (storage, file) = storage_with_file();
    storage.mute_syncs();
    file.write_at(0, &[7; SIZE]).unwrap();
    file.sync_data().unwrap();
    let lost = read(
        &*storage
            .freeze()
            .power_cut_losing_all()
            .open("file")
            .unwrap(),
    );
    assert!(
        lost.contains(&0),
        "at most one page was written back by itself"
    );
}

#[test]
fn short_writes_write_some_and_say_how_much() {
    let (storage, file) = storage_with_file();
    storage.shorten_writes(3);
    let memory = Mapping::anonymous(64).unwrap();
    memory.copy_in(0, &[5; 64]).unwrap();
    for _ in 0..20 {
        assert!((1..=3).contains(&file.write_gather_at(0, &memory, &[0..16, 32..48]).unwrap()));
    }
    storage.clear_faults();
    assert_eq!(
        file.write_gather_at(0, &memory, &[0..16, 32..48]).unwrap(),
        32
    );
}

#[test]
fn a_bad_range_fails_the_reads_that_touch_it() {
    let (storage, file) = storage_with_file();
    storage.fail_reads("file", 100..200);
    let mut bytes = [0; 50];
    assert!(file.read_at(50, &mut bytes).is_ok());
    assert!(file.read_at(51, &mut bytes).is_err());
    assert!(file.read_at(199, &mut bytes).is_err());
    assert!(file.read_at(200, &mut bytes).is_ok());
}

#[test]
fn errors_of_the_directory_are_those_of_a_real_one() {
    let (storage, _file) = storage_with_file();
    let kind = |error: io::Error| error.kind();
    assert_eq!(
        storage.open("none").map_err(kind).unwrap_err(),
        io::ErrorKind::NotFound
    );
    assert_eq!(
        storage.create("file", 1).map_err(kind).unwrap_err(),
        io::ErrorKind::AlreadyExists
    );
    assert_eq!(
        storage.rename("none", "a").map_err(kind).unwrap_err(),
        io::ErrorKind::NotFound
    );
    assert_eq!(
        storage.remove("none").map_err(kind).unwrap_err(),
        io::ErrorKind::NotFound
    );
    storage.inject(Fault::once(Operation::Create, 0, Errno::NOSPC));
    assert_eq!(
        storage.create("more", 1).map_err(kind).unwrap_err(),
        io::ErrorKind::StorageFull
    );
    assert_eq!(storage.list().unwrap(), ["file"]);
}

#[test]
fn images_are_taken_before_the_operations_that_were_named() {
    let (storage, file) = storage_with_file();
    let before = storage.operations();
    storage.freeze_at(
        vec![before + 2, before + 3],
        Arc::new(|| Marks {
            written: Position(9),
            durable: Position(5),
        }),
    );
    for number in 1..=4_u8 {
        file.write_at(0, &[number]).unwrap();
    }
    assert_eq!(storage.freezes_remaining(), 0);
    let frozen = storage.take_frozen();
    let firsts = frozen
        .iter()
        .map(|frozen| read(&*frozen.image.process_death().open("file").unwrap())[0]);
    assert_eq!(firsts.collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        frozen[0].marks,
        Marks {
            written: Position(9),
            durable: Position(5)
        }
    );
}

#[test]
fn a_counted_storage_counts_what_it_passes_on() {
    let storage = Counting::new(Arc::new(MemoryStorage::new(1)));
    let file = storage.create("file", 100).unwrap();
    file.write_at(0, b"12345").unwrap();
    file.write_at(5, b"678").unwrap();
    file.sync_data().unwrap();
    let counts = storage.counts();
    assert_eq!(
        (
            counts.creates,
            counts.writes,
            counts.bytes_written,
            counts.syncs
        ),
        (1, 2, 8, 1)
    );
}
