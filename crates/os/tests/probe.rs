//! What is found here; on any machine it must be found without an error and leave nothing behind.

use std::io::ErrorKind;

use pagelog_os::probe::{FileSystem, Interface, Kernel, Overwrite, Support};
use pagelog_os::{DirectAccess, DirectError, DirectFile, page_size};

#[test]
fn the_kernel_is_told_line_by_line() {
    let kernel = Kernel::probe();
    assert_eq!(kernel.page_size, page_size());
    assert_eq!(kernel, Kernel::probe());
    let text = kernel.to_string();
    assert!(
        text.contains(&kernel.release) && text.contains("io_uring"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 7);
}

#[test]
fn a_probed_directory_is_left_empty() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let found = FileSystem::probe(place.path()).unwrap();
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    assert_eq!(found.to_string().lines().count(), 9, "{found}");
    println!("{found}");
}

#[test]
fn what_is_said_to_work_works() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let found = FileSystem::probe(place.path()).unwrap();
    let direct = DirectFile::open(&place.path().join("file"), DirectAccess::ReadWrite);
    match (&found.direct, direct) {
        (Ok(alignment), Ok(file)) => assert_eq!(*alignment, file.alignment()),
        (Err(_), Err(DirectError::Unsupported)) => {}
        other => panic!("{other:?}"),
    }
    if let Some(bytes) = found.store_dirties {
        assert!(bytes >= page_size() as u64 && bytes <= 4 << 20, "{bytes}");
        assert!(found.count_pages.works());
    }
    if found.overwrite == Overwrite::InPlace {
        assert!(
            ["ext4", "xfs", "tmpfs"].contains(&found.name.as_str()),
            "{}",
            found.name
        );
    }
}

/// As on a full disk: what the name tells needs no file.
#[test]
fn what_overwriting_does_is_told_where_no_file_can_be_made() {
    let place = std::path::Path::new("/proc");
    assert!(FileSystem::probe(place).is_err());
    assert_eq!(Overwrite::of(place).unwrap(), Overwrite::Unknown);
}

#[test]
fn memory_file_systems_answer_too() {
    let Ok(place) = tempfile::tempdir_in("/dev/shm") else {
        return;
    };
    let found = FileSystem::probe(place.path()).unwrap();
    assert!(
        found.name == "tmpfs" && found.overwrite == Overwrite::InPlace,
        "{found}"
    );
    assert_eq!((found.stable_writes, found.reflink.works()), (None, false));
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let error = FileSystem::probe(&place.path().join("absent")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_refusal_names_its_reason() {
    let text = Support::Refused(libc::ENOSYS).to_string();
    assert!(text.contains("not implemented"), "{text}");
    assert!(!Support::Unknown.works() && Support::Works.works());
}

#[test]
fn every_interface_is_named_and_says_what_it_does() {
    let interfaces = Interface::all().unwrap();
    let mut names: Vec<&str> = interfaces.iter().map(|one| one.name.as_str()).collect();
    for interface in &interfaces {
        let shown = interface.to_string();
        assert!(
            shown.contains(&interface.name) && shown.contains("gather"),
            "{shown}"
        );
    }
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    // The loop to this very machine takes pages as they lie, where it is there.
    if let Some(own) = interfaces.iter().find(|one| one.name == "lo") {
        assert!(own.gathers != Some(false), "{own}");
    }
}
