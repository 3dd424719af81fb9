//! The program of `examples/serve_directory.rs` serves what lies in its directory, and nothing else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Ended with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_client_gets_the_bytes_of_a_file() {
    let tests = std::env::current_exe().unwrap();
    // Beside the directory of the tests.
    let program = tests
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples/serve_directory");
    if !program.exists() {
        println!(
            "skipped: {} is not built; cargo build --examples",
            program.display()
        );
        return;
    }
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let directory = place.path().join("served");
    std::fs::create_dir(&directory).unwrap();
    let bytes: Vec<u8> = (0..3_000_000).map(|at: usize| (at / 7) as u8).collect();
    std::fs::write(directory.join("long"), &bytes).unwrap();
    std::fs::write(directory.join("short"), &bytes[..10]).unwrap();
    std::fs::write(directory.join("empty"), b"").unwrap();
    std::fs::write(place.path().join("outside"), b"nobody's business").unwrap();
    let child = Command::new(program)
        .arg(&directory)
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut program = Program(child);
    let mut said = BufReader::new(program.0.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap();

    let client = TcpStream::connect(address).unwrap();
    let mut answers = BufReader::new(&client);
    let mut ask = |name: &str| {
        (&client).write_all(format!("{name}\n").as_bytes()).unwrap();
        let mut size = String::new();
        answers.read_line(&mut size).unwrap();
        let size: i64 = size.trim().parse().unwrap();
        usize::try_from(size).ok().map(|size| {
            let mut seen = vec![0; size];
            answers.read_exact(&mut seen).unwrap();
            seen
        })
    };
    assert!(ask("long").unwrap() == bytes);
    assert_eq!(ask("short").unwrap(), bytes[..10]);
    assert_eq!(ask("empty").unwrap(), b"");
    assert_eq!(ask("../outside"), None);
    assert_eq!(ask("absent"), None);
    assert!(ask("long").unwrap() == bytes);
}

#[test]
fn it_is_less_than_a_hundred_lines() {
    let program = include_str!("../examples/serve_directory.rs");
    assert!(program.lines().count() < 100);
}
