//! Pages that can go, and pages that cannot.

use std::fs::File;

use pagelog_os::cache::{self, CountError};
use pagelog_os::{Mapping, Populate, file, page_size};
use pagelog_page_cache::{LetGo, let_go, let_go_all};

fn written(pages: usize) -> (File, u64) {
    let size = pages * page_size();
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    assert_eq!(file::write_at(&file, 0, &vec![3; size]).unwrap(), size);
    (file, size as u64)
}

/// `None` where the kernel does not count.
fn counted(result: Result<LetGo, CountError>) -> Option<LetGo> {
    match result {
        Ok(outcome) => Some(outcome),
        Err(CountError::Unsupported | CountError::Refused(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn dirty_pages_are_synced_first_and_then_go() {
    let (file, size) = written(20);
    let Some(outcome) = counted(let_go_all(&file, 0..size, 10)) else {
        return;
    };
    assert_eq!(outcome, LetGo::Gone);
    let mut read = [0];
    file::read_exact_at(&file, size - 1, &mut read).unwrap();
    assert_eq!(read, [3]);
}

#[test]
fn mapped_pages_stay_until_they_are_unmapped() {
    let (file, size) = written(20);
    file::sync_data(&file).unwrap();
    let memory = Mapping::shared(&file, size as usize).unwrap();
    memory.populate(0..size as usize, Populate::Read).unwrap();
    let Some(outcome) = counted(let_go_all(&file, 0..size, 3)) else {
        return;
    };
    assert!(matches!(outcome, LetGo::Left(1..=20)), "{outcome:?}");
    memory.unmap().unwrap();
    assert_eq!(let_go_all(&file, 0..size, 10).unwrap(), LetGo::Gone);
}

#[test]
fn without_a_try_nothing_is_let_go() {
    let (file, size) = written(4);
    let Some(outcome) = counted(let_go_all(&file, 0..size, 0)) else {
        return;
    };
    assert_eq!(outcome, LetGo::Left(4));
    assert_eq!(let_go_all(&file, 0..0, 1).unwrap(), LetGo::Gone);
}

#[test]
fn a_range_is_let_go_and_its_neighbours_stay() {
    let pages = (8 << 20) / page_size();
    let (file, size) = written(pages);
    file::sync_data(&file).unwrap();
    let_go(&file, size / 2..size).unwrap();
    if let Ok(counts) = cache::count_pages(&file, 0..size) {
        // Half of it lies on the edge of any folio.
        assert_eq!(counts.resident, pages as u64 / 2);
    }
}
