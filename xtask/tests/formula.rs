//! Holds the formula of `crates/os`: each public function that makes a call names its signature, says in a sentence what it does, how it
//! differs from the bare call and why it is safe, and which manual page tells more.
//!
//! Functions that make no call of their own are listed here, so that a new one is either written about in full or looked at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Functions that make no call of their own, by file: they work in memory, give what is known, or put others together.
const WITHOUT_A_CALL: &[(&str, &[&str])] = &[
    ("allocations.rs", &["of_this_thread", "since"]),
    (
        "buffer_pool.rs",
        &[
            "new",
            "try_reserve",
            "reserve",
            "lock",
            "trim",
            "buffer_size",
            "count",
            "free_count",
        ],
    ),
    ("direct.rs", &["alignment", "file"]),
    ("fetch_ring.rs", &["count", "is_full"]),
    ("file.rs", &["read_exact_at"]),
    ("fold.rs", &["can_fold", "fold_out"]),
    (
        "growing.rs",
        &[
            "anonymous",
            "file",
            "growing",
            "memory",
            "append",
            "published",
            "read_at",
        ],
    ),
    (
        "mapped_file.rs",
        &["new", "keeping", "number", "file", "mapping", "size"],
    ),
    (
        "mapping.rs",
        &[
            "size",
            "copy_in",
            "copy_in_past_caches",
            "copy_out",
            "check_fault",
        ],
    ),
    ("pipe.rs", &["filled"]),
    ("probe.rs", &["works"]),
    ("probe/file_system.rs", &["probe", "of"]),
    ("probe/kernel.rs", &["probe"]),
    ("process.rs", &["io_write_bytes"]),
    ("receive.rs", &["new", "left"]),
    ("residency.rs", &["is_loaded"]),
    ("send.rs", &["size"]),
    ("space.rs", &["used_percent"]),
    ("touch.rs", &["touch", "load"]),
    ("uring.rs", &["notifications"]),
];

/// A public function, and what is written about it, in one line.
#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    text: String,
}

/// The public functions of a file of source.
fn functions(source: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let mut text = String::new();
    for line in source.lines().map(str::trim_start) {
        if let Some(words) = line.strip_prefix("///") {
            // A paragraph ends where a line is empty.
            text += if words.is_empty() { "\n" } else { words };
        } else if let Some(name) = function_name(line) {
            let text = std::mem::take(&mut text);
            found.push(Function { name, text });
        } else if !line.starts_with("#[") {
            text.clear();
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let rest = line.strip_prefix("pub ")?;
    let (qualifiers, rest) = rest.split_once("fn ")?;
    let known = ["const", "unsafe", "extern", "async"];
    if qualifiers
        .split_whitespace()
        .any(|word| !known.contains(&word))
    {
        return None;
    }
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    Some(rest[..end].to_owned())
}

/// What of the formula the text lacks.
fn lacks(text: &str) -> Vec<&'static str> {
    let first = text.split('\n').next().unwrap_or_default().trim_start();
    // A signature, an operation of io_uring, or a file of the kernel's; and behind it what becomes of it.
    let call = first.find('`').map(|at| &first[at + 1..]);
    let call = call.and_then(|rest| rest.split_once('`'));
    let is_call = |name: &str| {
        name.contains('(') || name.starts_with("IORING_OP_") || name.starts_with("/proc/")
    };
    let is_page = |rest: &str| {
        let mut letters = rest.chars();
        let section = letters.next().is_some_and(|letter| letter.is_ascii_digit());
        section && letters.next() == Some(' ')
    };
    let parts = [
        ("the signature", call.is_some_and(|(name, _)| is_call(name))),
        (
            "the sentence",
            call.is_some_and(|(_, rest)| rest.split_whitespace().count() >= 3),
        ),
        ("how it differs", text.contains("Differs from ")),
        (
            "why it is safe",
            text.contains("Safe, since ") || text.contains("Safe, as "),
        ),
        ("the manual page", text.split("man ").skip(1).any(is_page)),
    ];
    let lacking = parts.into_iter().filter(|(_, is_there)| !is_there);
    lacking.map(|(part, _)| part).collect()
}

/// The files of source below `directory`, by their paths from there.
fn sources(directory: &Path, below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.extend(sources(directory, &path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_call_of_the_operating_system_is_written_about_in_full() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/os/src");
    let mut listed: BTreeSet<(String, String)> = WITHOUT_A_CALL
        .iter()
        .flat_map(|(file, names)| {
            names
                .iter()
                .map(|name| ((*file).to_owned(), (*name).to_owned()))
        })
        .collect();
    let (mut count, mut lacking) = (0, Vec::new());
    for path in sources(&directory, Path::new("")) {
        let file = path.to_str().unwrap();
        for function in functions(&fs::read_to_string(directory.join(&path)).unwrap()) {
            if listed.remove(&(file.to_owned(), function.name.clone())) {
                continue;
            }
            count += 1;
            let lacks = lacks(&function.text);
            if !lacks.is_empty() {
                lacking.push(format!("{file}, {}: {}", function.name, lacks.join(", ")));
            }
        }
    }
    assert!(
        lacking.is_empty(),
        "what is missing of the formula:\n{}",
        lacking.join("\n")
    );
    assert!(listed.is_empty(), "listed, but not there: {listed:?}");
    assert!(count > 40, "only {count} calls were found");
}

const WHOLE: &str = "
/// `int munlock(const void *address, size_t size)`: lets the pages be
/// evicted again.
///
/// Differs from the call in nothing.
///
/// Safe, since it changes no byte.
///
/// # Errors
///
/// What the call gives. man 2 mlock.
#[must_use]
pub fn unlock() {}
";

#[test]
fn a_part_that_is_missing_is_named() {
    let lacks_of = |source: &str| lacks(&functions(source).remove(0).text);
    assert!(lacks_of(WHOLE).is_empty());
    for (part, gone) in [
        (
            "the signature",
            "`int munlock(const void *address, size_t size)`",
        ),
        ("the sentence", " lets the pages be\n/// evicted again."),
        ("how it differs", "Differs from the call in nothing."),
        ("why it is safe", "Safe, since it changes no byte."),
        ("the manual page", " man 2 mlock."),
    ] {
        let without = WHOLE.replace(gone, "");
        assert_ne!(without, WHOLE, "{part}");
        assert!(lacks_of(&without).contains(&part), "{part}");
    }
    assert_eq!(lacks_of("pub fn bare() {}").len(), 5);
}

#[test]
fn functions_are_found_with_the_text_right_above_them() {
    let source = "
/// Of a type.
pub struct One;
    /// Of this one.
    #[must_use]
    pub const fn first(&self) {}
pub(crate) fn hidden() {}
    fn private() {}
    pub fn second<T>() {}
";
    let function = |name: &str, text: &str| Function {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let wanted = [function("first", " Of this one."), function("second", "")];
    assert_eq!(functions(source), wanted);
}
