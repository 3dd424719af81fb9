//! What is found in a directory at open.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use pagelog_segment::{Directory, OpenError, Position, Segments, SegmentsOptions, file_name};

fn open(place: &Path) -> Result<Segments, OpenError> {
    Segments::open(
        Arc::new(Directory::open(place).unwrap()),
        SegmentsOptions::of_size(4_096),
    )
}

/// A directory with files of these bases and sizes.
fn place_with(files: &[(u64, usize)]) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for (base, size) in files {
        fs::write(
            place.path().join(file_name(Position(*base))),
            vec![0; *size],
        )
        .unwrap();
    }
    place
}

fn ranges(segments: &Segments) -> Vec<(u64, u64)> {
    segments
        .snapshot()
        .iter()
        .map(|segment| (segment.base().0, segment.end().0))
        .collect()
}

#[test]
fn a_new_directory_has_no_segments() {
    let place = place_with(&[]);
    let segments = open(place.path()).unwrap();
    assert!(segments.snapshot().is_empty());
    assert!(segments.find(Position(0)).is_none());
}

#[test]
fn segments_are_found_in_order_whatever_their_sizes() {
    let place = place_with(&[(300, 4_096), (100, 150), (250, 50)]);
    let segments = open(place.path()).unwrap();
    assert_eq!(ranges(&segments), [(100, 250), (250, 300), (300, 4_396)]);
    let found = |at| segments.find(Position(at)).map(|segment| segment.base().0);
    let wanted = [
        (99, None),
        (100, Some(100)),
        (249, Some(100)),
        (250, Some(250)),
        (4_395, Some(300)),
        (4_396, None),
    ];
    for (at, base) in wanted {
        assert_eq!(found(at), base, "position {at}");
    }
}

#[test]
fn a_missing_segment_names_its_neighbours() {
    let place = place_with(&[(0, 100), (100, 100), (300, 100)]);
    match open(place.path()) {
        Err(OpenError::MissingSegment {
            previous,
            end,
            next,
        }) => {
            assert_eq!(previous, file_name(Position(100)));
            assert_eq!(end, Position(200));
            assert_eq!(next, file_name(Position(300)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_segment_cut_short_by_hand_is_a_gap() {
    let place = place_with(&[(0, 99), (100, 100)]);
    assert!(matches!(
        open(place.path()),
        Err(OpenError::MissingSegment { .. })
    ));
}

#[test]
fn two_segments_of_the_same_positions_are_refused() {
    let place = place_with(&[(0, 101), (100, 100)]);
    assert!(matches!(open(place.path()), Err(OpenError::Overlap { .. })));
}

#[test]
fn an_empty_file_or_one_past_the_last_position_is_named() {
    for (base, size) in [(0, 0), (u64::MAX - 5, 100)] {
        let place = place_with(&[(base, size)]);
        let text = open(place.path()).unwrap_err().to_string();
        assert!(text.contains(&file_name(Position(base))), "{text}");
    }
}

#[test]
fn a_directory_under_a_segments_name_is_named() {
    let place = place_with(&[]);
    fs::create_dir(place.path().join(file_name(Position(0)))).unwrap();
    let text = open(place.path()).unwrap_err().to_string();
    assert!(text.contains(&file_name(Position(0))), "{text}");
}

#[test]
fn incomplete_files_are_removed_and_foreign_ones_are_left() {
    let place = place_with(&[(0, 100)]);
    let foreign = [
        "notes.txt",
        "100.log",
        "000000000000000001zz.log",
        "other.log.new",
    ];
    for name in foreign {
        fs::write(place.path().join(name), "x").unwrap();
    }
    let incomplete = place
        .path()
        .join(format!("{}.new", file_name(Position(100))));
    fs::write(&incomplete, "x").unwrap();

    let segments = open(place.path()).unwrap();
    assert_eq!(ranges(&segments), [(0, 100)]);
    assert!(!incomplete.exists());
    assert!(foreign.iter().all(|name| place.path().join(name).exists()));
}
