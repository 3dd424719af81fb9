//! A data directory that another process holds. Alone in its file: a process that is being started has, for a moment, a copy of every descriptor of
//! the one that starts it, locks included, and a test that opens again what it has just closed would find it held.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pagelog_segment::{Directory, DirectoryError};

const HOLD: &str = "PAGELOG_HOLD_DIRECTORY";

/// Run by the next test in a process of its own; as a test, nothing.
#[test]
fn child_that_holds_a_directory() {
    let Some(path) = std::env::var_os(HOLD) else {
        return;
    };
    let _directory = Directory::open(path).unwrap();
    println!("\nheld");
    // Until the parent kills.
    std::thread::park();
}

fn hold_in_child(path: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_holds_a_directory", "--nocapture"])
        .env(HOLD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "held"));
    child
}

#[test]
fn another_process_is_named_and_its_death_frees_the_directory() {
    let place = tempfile::tempdir().unwrap();
    let mut child = hold_in_child(place.path());
    let Err(DirectoryError::Held { path, pid }) = Directory::open(place.path()) else {
        panic!("not held");
    };
    assert_eq!((path.as_path(), pid), (place.path(), Some(child.id())));
    let text = Directory::open(place.path()).unwrap_err().to_string();
    assert!(text.contains(&format!("process {}", child.id())), "{text}");

    child.kill().unwrap();
    child.wait().unwrap();
    Directory::open(place.path()).unwrap();
}
