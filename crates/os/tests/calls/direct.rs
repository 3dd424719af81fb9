//! Reading and writing around the page cache.
//!
//! Where the file system has no direct input and output, the refusal must be the named one.

use pagelog_os::file::{self, FileAdvice};
use pagelog_os::{BufferPool, DirectAccess, DirectError, DirectFile, Mapping, page_size};

fn place() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn open(place: &tempfile::TempDir, access: DirectAccess) -> Option<DirectFile> {
    match DirectFile::open(&place.path().join("file"), access) {
        Ok(file) => Some(file),
        Err(DirectError::Unsupported) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn what_is_written_is_read_back_and_left_out_of_the_page_cache() {
    let place = place();
    let Some(direct) = open(&place, DirectAccess::ReadWrite) else {
        return;
    };
    let pool = BufferPool::new(1 << 20, 1).unwrap();
    let mut buffer = pool.try_reserve().unwrap();
    buffer.fill(3);
    assert_eq!(direct.write_at(0, &buffer).unwrap(), 1 << 20);
    buffer.fill(0);
    assert_eq!(direct.read_at(0, &mut buffer).unwrap(), 1 << 20);
    assert!(buffer.iter().all(|byte| *byte == 3));

    file::sync_data(direct.file()).unwrap();
    let memory = Mapping::shared(direct.file(), 1 << 20).unwrap();
    assert_eq!(memory.resident_pages(0..1 << 20).unwrap(), 0);
}

#[test]
fn a_read_at_the_end_is_short() {
    let place = place();
    std::fs::write(place.path().join("file"), [8; 100]).unwrap();
    let Some(direct) = open(&place, DirectAccess::Read) else {
        return;
    };
    let mut buffer = BufferPool::new(1, 1).unwrap().try_reserve().unwrap();
    assert_eq!(direct.read_at(0, &mut buffer).unwrap(), 100);
    assert_eq!(buffer[..101], [&[8; 100][..], &[0]].concat());
    assert_eq!(direct.read_at(page_size() as u64, &mut buffer).unwrap(), 0);
}

#[test]
fn each_misalignment_is_named() {
    let place = place();
    let Some(direct) = open(&place, DirectAccess::ReadWrite) else {
        return;
    };
    let alignment = direct.alignment();
    assert!(alignment.offset.is_power_of_two() && alignment.memory.is_power_of_two());
    let mut buffer = BufferPool::new(2 * page_size(), 1)
        .unwrap()
        .try_reserve()
        .unwrap();

    let misaligned = |result: Result<usize, DirectError>, wanted: &str| match result {
        Err(DirectError::Misaligned { what, .. }) => assert_eq!(what, wanted),
        other => panic!("{wanted}: {other:?}"),
    };
    misaligned(direct.write_at(1, &buffer), "place");
    misaligned(direct.write_at(0, &buffer[..100]), "size");
    if alignment.memory > 1 {
        misaligned(direct.read_at(0, &mut buffer[1..=page_size()]), "address");
    }
}

#[test]
fn an_absent_file_is_an_ordinary_error() {
    let place = place();
    match DirectFile::open(&place.path().join("file"), DirectAccess::Read) {
        Err(DirectError::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        other => panic!("{other:?}"),
    }
}

#[test]
fn direct_reads_see_what_was_written_through_the_page_cache() {
    let place = place();
    let Some(direct) = open(&place, DirectAccess::ReadWrite) else {
        return;
    };
    let size = page_size();
    assert_eq!(
        file::write_at(
            &std::fs::File::options()
                .write(true)
                .open(place.path().join("file"))
                .unwrap(),
            0,
            &vec![4; size]
        )
        .unwrap(),
        size
    );
    let mut buffer = BufferPool::new(size, 1).unwrap().try_reserve().unwrap();
    assert_eq!(direct.read_at(0, &mut buffer).unwrap(), size);
    assert!(buffer.iter().all(|byte| *byte == 4));
    file::advise(direct.file(), 0..size as u64, FileAdvice::DontNeed).unwrap();
}
