//! Where the last byte lies that was written: `SEEK_DATA` and `SEEK_HOLE`.

use pagelog_os::{file, page_size};

#[test]
fn data_ends_where_nothing_was_written_behind() {
    let page = page_size() as u64;
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, 1_000 * page).unwrap();
    assert_eq!(file::data_end(&file).unwrap(), 0);
    for at in [3, 50 * page] {
        assert_eq!(file::write_at(&file, at, b"data").unwrap(), 4);
        let end = file::data_end(&file).unwrap();
        assert!(
            end >= at + 4 && end <= 100 * page,
            "{end} after a write at {at}"
        );
    }
    file::write_at(&file, 1_000 * page - 1, b"!").unwrap();
    assert_eq!(file::data_end(&file).unwrap(), 1_000 * page);
}
