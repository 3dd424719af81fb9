//! Many ranges at a time by io_uring, where it is allowed: a refusal at the set-up is a result like any other, and ends a test.

use std::io::ErrorKind;
use std::sync::Arc;

use pagelog_os::file::{self, FileAdvice};
use pagelog_os::uring::RingError;
use pagelog_os::{FetchRing, MappedFile};

const SIZE: u64 = 8 << 20;

fn ring(count: u32) -> Option<FetchRing> {
    match FetchRing::new(count) {
        Ok(ring) => Some(ring),
        Err(RingError::Unsupported | RingError::Refused(_)) => None,
        Err(RingError::Io(error)) => panic!("{error}"),
    }
}

/// A file on the disk that the page cache does not hold, if it can be let go of here.
fn cold() -> Arc<MappedFile> {
    let cold = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let bytes = vec![3; SIZE as usize];
    assert_eq!(file::write_at(&cold, 0, &bytes).unwrap(), bytes.len());
    file::sync_data(&cold).unwrap();
    file::advise(&cold, 0..SIZE, FileAdvice::DontNeed).unwrap();
    Arc::new(MappedFile::new(cold).unwrap())
}

#[test]
fn what_was_fetched_is_in_memory_when_it_is_told() {
    let Some(mut ring) = ring(4) else { return };
    let file = cold();
    let step = SIZE / 4;
    let numbers: Vec<usize> = (0..4)
        .map(|part| ring.begin(&file, part * step..(part + 1) * step).unwrap())
        .collect();
    assert!(ring.is_full());
    let error = ring.begin(&file, 0..1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let mut told = Vec::new();
    while ring.count() > 0 {
        for fetched in ring.wait().unwrap() {
            fetched.result.unwrap();
            let part = numbers.iter().position(|number| *number == fetched.number);
            let end = (part.unwrap() as u64 + 1) * step;
            assert_eq!(fetched.at, end);
            told.push(fetched.number);
        }
    }
    told.sort_unstable();
    assert_eq!(told, [0, 1, 2, 3]);
    assert!(file.mapping().is_loaded(0..SIZE as usize).unwrap());
    assert!(ring.wait().unwrap().is_empty());
    assert_eq!(Arc::strong_count(&file), 1);
}

#[test]
fn the_end_of_the_file_ends_a_range_and_what_is_no_range_is_refused() {
    let Some(mut ring) = ring(2) else { return };
    let file = cold();
    for range in [5..5, 0..65 << 20] {
        let error = ring.begin(&file, range).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let number = ring.begin(&file, SIZE - 10..SIZE + 4096).unwrap();
    let fetched = ring.wait().unwrap().pop().unwrap();
    assert_eq!((fetched.number, fetched.at), (number, SIZE));
    fetched.result.unwrap();
}

#[test]
fn a_ring_that_is_dropped_waits_for_what_is_under_way() {
    let file = cold();
    for _ in 0..20 {
        let Some(mut ring) = ring(8) else { return };
        for part in 0..8 {
            ring.begin(&file, part << 20..(part + 1) << 20).unwrap();
        }
        drop(ring);
        assert_eq!(Arc::strong_count(&file), 1);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_of_its_range() {
    let Some(mut ring) = ring(2) else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, [1; 100]).unwrap();
    let file = Arc::new(MappedFile::new(std::fs::File::open(path).unwrap()).unwrap());
    // No place in a file lies there.
    ring.begin(&file, i64::MAX as u64 - 1..i64::MAX as u64 + 100)
        .unwrap();
    let fetched = ring.wait().unwrap().pop().unwrap();
    // The kernel may take it for a place behind the end as well.
    assert!(fetched.at < i64::MAX as u64, "{fetched:?}");
}

#[test]
fn a_ring_for_nothing_and_one_that_is_refused_are_named() {
    if ring(1).is_some() {
        assert!(matches!(FetchRing::new(0), Err(RingError::Io(_))));
    }
    let refused = std::thread::spawn(|| {
        pagelog_os::filter::refuse_io_uring().unwrap();
        FetchRing::new(1).unwrap_err()
    });
    let refused = refused.join().unwrap();
    assert!(matches!(refused, RingError::Refused(_)), "{refused}");
}
