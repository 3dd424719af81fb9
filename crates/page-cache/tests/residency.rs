//! Pages by state.

use pagelog_os::cache::CountError;
use pagelog_os::{Mapping, file, page_size};
use pagelog_page_cache::{Residency, let_go};

#[test]
fn pages_are_counted_by_state() {
    let page = page_size();
    let size = 16 * page;
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    assert_eq!(file::write_at(&file, 0, &vec![1; size]).unwrap(), size);
    let memory = Mapping::shared(&file, size).unwrap();

    let written = Residency::of(&file, &memory, 0..size).unwrap();
    assert_eq!(
        (written.pages, written.resident, written.is_whole()),
        (16, 16, true)
    );
    file::sync_data(&file).unwrap();
    let synced = Residency::of(&file, &memory, page - 1..2 * page + 1).unwrap();
    assert_eq!((synced.pages, synced.resident), (3, 3));
    let_go(&file, 0..size as u64).unwrap();
    let gone = Residency::of(&file, &memory, 0..size).unwrap();
    assert_eq!((gone.pages, gone.resident, gone.is_whole()), (16, 0, false));

    if let (Some(written), Some(synced), Some(gone)) = (written.counts, synced.counts, gone.counts)
    {
        assert_eq!(written.dirty.max(written.write_back), 16);
        assert_eq!((synced.dirty, synced.write_back), (0, 0));
        assert_eq!(gone.resident, 0);
    }
}

#[test]
fn a_file_without_a_mapping_is_counted_where_the_kernel_can() {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let size = 3 * page_size() as u64;
    file::write_at(&file, 0, &vec![1; size as usize]).unwrap();
    match Residency::of_file(&file, 0..size) {
        Ok(found) => {
            assert_eq!((found.pages, found.resident), (3, 3));
            assert!(
                found.to_string().starts_with("3 of 3 pages resident, "),
                "{found}"
            );
        }
        Err(CountError::Unsupported | CountError::Refused(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn nothing_of_nothing_is_all() {
    let file = tempfile::tempfile().unwrap();
    let memory = Mapping::anonymous(100).unwrap();
    let found = Residency::of(&file, &memory, 50..50).unwrap();
    assert_eq!(
        (found.pages, found.resident, found.is_whole()),
        (0, 0, true)
    );
}

#[test]
fn a_kernel_that_does_not_count_is_said_so() {
    let found = Residency {
        pages: 2,
        resident: 1,
        counts: None,
    };
    assert_eq!(
        found.to_string(),
        "1 of 2 pages resident; this kernel does not count the dirty ones"
    );
}
