//! Holds that each of these crates is a product of its own: its text opens with an example that runs, its README says what it promises, and
//! an example program uses no other crate of ours.

use std::fs;
use std::path::{Path, PathBuf};

/// The crates that programs use which have no broker.
const PRODUCTS: &[&str] = &[
    "os",
    "record",
    "page-cache",
    "segment",
    "commit-log",
    "flush",
    "transfer",
];

fn place(product: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../crates")
        .join(product)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The programs of a product, by name.
fn examples(product: &str) -> Vec<(String, String)> {
    let directory = place(product).join("examples");
    let entries = fs::read_dir(&directory);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let path = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().path();
    let program = |path: PathBuf| (path.display().to_string(), read(&path));
    entries.map(path).map(program).collect()
}

/// The crates of ours that a source names, but for `own` and what that brings along.
fn others(source: &str, own: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices("pagelog_") {
        let (before, from) = source.split_at(at);
        let end = from.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let name = &from[..end.unwrap_or(from.len())];
        let is_own = name == own || before.ends_with(&format!("{own}::"));
        // Names of crates alone: what follows is a path into one.
        if !is_own && from[name.len()..].starts_with("::") {
            found.push(name.to_owned());
        }
    }
    found
}

#[test]
fn the_text_opens_with_an_example_that_runs() {
    for product in PRODUCTS {
        let source = read(&place(product).join("src/lib.rs"));
        let head = source.lines().take_while(|line| line.starts_with("//!"));
        assert!(
            head.into_iter().any(|line| line == "//! ```"),
            "{product} opens with no example that runs"
        );
    }
}

#[test]
fn the_readme_says_what_it_promises() {
    for product in PRODUCTS {
        let text = read(&place(product).join("README.md"));
        assert!(
            text.contains("promise"),
            "{product}/README.md promises nothing"
        );
    }
}

#[test]
fn an_example_program_uses_nothing_else() {
    for product in PRODUCTS {
        let programs = examples(product);
        assert!(!programs.is_empty(), "{product} has no example program");
        let own = format!("pagelog_{}", product.replace('-', "_"));
        for (name, source) in programs {
            let others = others(&source, &own);
            assert!(others.is_empty(), "{name} uses {others:?} beside {own}");
            assert!(source.contains(&own), "{name} does not use {own}");
        }
    }
}

#[test]
fn another_crate_is_found_and_what_comes_along_is_none() {
    let own = "pagelog_flush";
    let alone =
        "use pagelog_flush::pagelog_commit_log::Log;\nuse pagelog_flush::Flush; // pagelog_os";
    assert!(others(alone, own).is_empty());
    let with =
        "use pagelog_flush::Flush;\nuse pagelog_segment::Directory;\npagelog_os::page_size();";
    assert_eq!(others(with, own), ["pagelog_segment", "pagelog_os"]);
}
