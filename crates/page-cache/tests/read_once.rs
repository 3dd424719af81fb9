//! A reader that leaves the page cache as it found it.

use std::fs::File;
use std::sync::Arc;

use pagelog_os::file::{self, FileAdvice};
use pagelog_os::{MappedFile, page_size};
use pagelog_page_cache::{ReadOnce, let_go};

const SIZE: u64 = 20 << 20;
const PIECE: u64 = 64 << 10;
/// What is let go at a time.
const STEP_SIZE: usize = 4 << 20;

fn cold() -> Arc<MappedFile> {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let bytes = vec![9; 1 << 20];
    for at in (0..SIZE).step_by(1 << 20) {
        assert_eq!(file::write_at(&file, at, &bytes).unwrap(), 1 << 20);
    }
    file::sync_data(&file).unwrap();
    let_go(&file, 0..SIZE).unwrap();
    Arc::new(MappedFile::new(file).unwrap())
}

fn read(file: &File, range: std::ops::Range<u64>, mut before: impl FnMut(u64)) {
    let mut piece = vec![0; PIECE as usize];
    for at in range.step_by(PIECE as usize) {
        before(at);
        file::read_exact_at(file, at, &mut piece).unwrap();
        assert!(piece.iter().all(|byte| *byte == 9));
    }
}

fn resident(file: &MappedFile) -> u64 {
    let size = file.mapping().size();
    (file.mapping().resident_pages(0..size).unwrap() * page_size()) as u64
}

#[test]
fn what_was_read_once_is_gone_after() {
    let file = cold();
    let mut once = ReadOnce::new(Arc::clone(&file));
    read(file.file(), 0..SIZE, |at| {
        once.reader_at(at).unwrap();
        let behind = 0..at as usize / STEP_SIZE * STEP_SIZE;
        assert_eq!(file.mapping().resident_pages(behind).unwrap(), 0, "at {at}");
    });
    drop(once);
    assert_eq!(resident(&file), 0);
}

#[test]
fn what_others_had_in_memory_stays() {
    let file = cold();
    let hot = 8 << 20..12 << 20;
    // Without read-ahead, so that nothing is still on its way when the reader comes.
    file::advise(file.file(), 0..SIZE, FileAdvice::Random).unwrap();
    read(file.file(), hot.clone(), |_| ());
    file::advise(file.file(), 0..SIZE, FileAdvice::Normal).unwrap();
    assert_eq!(resident(&file), 4 << 20);

    let mut once = ReadOnce::new(Arc::clone(&file));
    read(file.file(), 0..SIZE, |at| once.reader_at(at).unwrap());
    drop(once);
    assert_eq!(resident(&file), 4 << 20);
    let hot = hot.start as usize..hot.end as usize;
    assert!(file.mapping().is_loaded(hot).unwrap());
}

#[test]
fn a_reader_may_leap_go_back_and_pass_the_end() {
    let file = cold();
    let mut once = ReadOnce::new(Arc::clone(&file));
    for at in [SIZE - PIECE, 0, 10 << 20, 9 << 20, 1, SIZE - PIECE] {
        let at = at / PIECE * PIECE;
        read(file.file(), at..at + PIECE, |at| {
            once.reader_at(at).unwrap()
        });
    }
    once.reader_at(SIZE).unwrap();
    once.reader_at(u64::MAX).unwrap();
    drop(once);
    assert_eq!(resident(&file), 0);
}
