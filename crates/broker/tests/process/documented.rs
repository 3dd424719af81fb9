//! The log that `docs/format.md` shows byte by byte is one, and is read as the document says.

use std::fs;
use std::path::Path;

use crate::broker::{pagelog, run};

/// The document's blocks of verbatim text behind its last heading.
fn blocks() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, section) = text
        .split_once("## Finding an entry in a hex dump")
        .unwrap();
    let blocks = section.split("```\n").skip(1).step_by(2);
    blocks.map(str::to_owned).collect()
}

/// The bytes that `hexdump -C` shows: a `*` stands for lines like the one before.
fn bytes(dump: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in dump.lines().filter(|line| *line != "*") {
        let (at, rest) = line.split_once("  ").unwrap_or((line, ""));
        let at = usize::from_str_radix(at, 16).unwrap();
        while bytes.len() < at {
            bytes.extend_from_within(bytes.len() - 16..);
        }
        assert_eq!(bytes.len(), at, "a line is missing before {line}");
        let (numbers, text) = rest.split_once('|').unwrap_or_default();
        let numbers = numbers.split_whitespace();
        let before = bytes.len();
        bytes.extend(numbers.map(|number| u8::from_str_radix(number, 16).unwrap()));
        let shown = |byte: &u8| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        };
        let expected: String = bytes[before..].iter().map(shown).collect();
        assert_eq!(text.trim_end_matches('|'), expected, "in {line}");
    }
    bytes
}

/// What the command writes for the directory.
fn output(arguments: &[&str], directory: &Path) -> String {
    let mut all = vec![arguments[0], directory.to_str().unwrap()];
    all.extend(&arguments[1..]);
    let ended = run(&mut pagelog(&all));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.output
}

#[test]
fn the_documented_log_is_read_as_documented() {
    let blocks = blocks();
    let [meta, segment, within, entry] = blocks.as_slice() else {
        panic!("the section has four blocks: {blocks:#?}");
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::write(path.join("log.meta"), bytes(meta)).unwrap();
    fs::write(path.join("00000000000000000000.log"), bytes(segment)).unwrap();

    output(&["check"], path);
    let summary = output(&["inspect"], path);
    assert!(summary.contains("ends at position 568 and was closed cleanly"));
    let shown = output(&["inspect", "--entry", "467"], path);
    assert!(shown.starts_with(within.as_str()), "{shown}");
    assert_eq!(&output(&["inspect", "--entry", "312"], path), entry);
}
