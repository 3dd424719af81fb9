//! One writer, many readers, and never a byte that was not published.

use std::io::ErrorKind;

use pagelog_os::{GrowError, Grower, MemoryFault};
use proptest::prelude::*;
use rustix::fs::{MemfdFlags, SealFlags};

fn file() -> std::fs::File {
    tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

#[test]
fn appended_bytes_are_published_in_order() {
    let mut grower = Grower::anonymous(1 << 30).unwrap();
    let growing = grower.growing().clone();
    assert_eq!(growing.published(), 0);
    assert_eq!(grower.append(b"first").unwrap(), 0);
    assert_eq!(grower.append(b"").unwrap(), 5);
    assert_eq!(grower.append(b"second").unwrap(), 5);

    let mut read = [9; 20];
    assert_eq!(growing.read_at(3, &mut read).unwrap(), 8);
    assert_eq!(&read[..9], b"stsecond\x09");
    for at in [11, 12, 1 << 30, usize::MAX] {
        assert_eq!(growing.read_at(at, &mut read).unwrap(), 0);
    }
}

#[test]
fn past_the_most_nothing_is_appended() {
    let mut grower = Grower::anonymous(10).unwrap();
    grower.append(b"12345678").unwrap();
    match grower.append(b"9ab") {
        Err(GrowError::Full {
            size,
            published,
            size_max,
        }) => {
            assert_eq!((size, published, size_max), (3, 8, 10));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(grower.append(b"9a").unwrap(), 8);
}

#[test]
fn a_file_grows_under_its_mapping_and_is_read_again() {
    let file = file();
    let mut grower = Grower::file(file.try_clone().unwrap(), 0, 8 << 20).unwrap();
    let block = vec![7; 1 << 20];
    for index in 0..3 {
        assert_eq!(grower.append(&block).unwrap(), index << 20);
    }
    grower.append(b"tail").unwrap();
    assert!(file.metadata().unwrap().len() < 8 << 20);
    drop(grower);

    let mut grower = Grower::file(file, (3 << 20) + 4, 8 << 20).unwrap();
    assert_eq!(grower.append(b" end").unwrap(), (3 << 20) + 4);
    let mut read = [0; 9];
    assert_eq!(
        grower.growing().read_at((3 << 20) - 1, &mut read).unwrap(),
        9
    );
    assert_eq!(&read, b"\x07tail end");
}

#[test]
fn a_file_that_has_less_than_is_said_is_refused() {
    let error = Grower::file(file(), 1, 100).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let long = file();
    long.set_len(1_000).unwrap();
    Grower::file(long, 101, 100).unwrap_err();
}

#[test]
fn a_file_that_cannot_grow_is_an_error_and_nothing_is_published() {
    // A sealed file in memory stands for the full disk: it has what it has.
    let descriptor = rustix::fs::memfd_create("sealed", MemfdFlags::ALLOW_SEALING).unwrap();
    let file = std::fs::File::from(descriptor);
    let mut grower = Grower::file(file.try_clone().unwrap(), 0, 4 << 20).unwrap();
    grower.append(b"fits").unwrap();
    rustix::fs::fcntl_add_seals(&file, SealFlags::GROW).unwrap();

    match grower.append(&vec![0; 1 << 20]) {
        Err(GrowError::Io(error)) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
        other => panic!("{other:?}"),
    }
    assert_eq!(grower.growing().published(), 4);
    // What has blocks already still takes more.
    assert_eq!(grower.append(b"as well").unwrap(), 4);
}

#[test]
fn a_file_cut_short_is_a_fault_of_readers_and_writer() {
    let file = file();
    let mut grower = Grower::file(file.try_clone().unwrap(), 0, 1 << 20).unwrap();
    grower.append(b"lost").unwrap();
    file.set_len(0).unwrap();
    assert_eq!(grower.growing().read_at(0, &mut [0; 4]), Err(MemoryFault));
    assert!(matches!(grower.append(b"more"), Err(GrowError::Fault(_))));
    assert_eq!(grower.growing().published(), 4);
}

#[test]
fn readers_see_whole_appends_while_the_writer_goes_on() {
    const COUNT: u64 = 50_000;
    let mut grower = Grower::anonymous(COUNT as usize * 8).unwrap();
    let growing = grower.growing().clone();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut next = 0;
                while next < COUNT {
                    let mut read = [0; 8];
                    match growing.read_at(next as usize * 8, &mut read).unwrap() {
                        0 => std::thread::yield_now(),
                        8 => {
                            assert_eq!(u64::from_le_bytes(read), next);
                            next += 1;
                        }
                        other => panic!("{other} bytes of an append were published"),
                    }
                }
            });
        }
        for number in 0..COUNT {
            grower.append(&number.to_le_bytes()).unwrap();
        }
    });
}

#[test]
fn the_memory_can_be_locked_and_asked() {
    let mut grower = Grower::anonymous(1 << 20).unwrap();
    grower.append(&[1; 100]).unwrap();
    assert_eq!(grower.memory().resident_pages(0..100).unwrap(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_appends_equal_a_vector(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5_000), 0..20),
        at in 0_usize..20_000, size in 0_usize..3_000,
    ) {
        let mut grower = Grower::file(file(), 0, 1 << 20).unwrap();
        let mut model = Vec::new();
        for piece in &pieces {
            prop_assert_eq!(grower.append(piece).unwrap(), model.len());
            model.extend_from_slice(piece);
        }
        let mut read = vec![0; size];
        let count = grower.growing().read_at(at, &mut read).unwrap();
        let wanted = model.get(at..).unwrap_or_default();
        prop_assert_eq!(&read[..count], &wanted[..size.min(wanted.len())]);
    }
}
