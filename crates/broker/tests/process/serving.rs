//! The line on standard output, and the words on standard error.

use std::net::TcpStream;

use rustix::process::Signal;

use crate::broker::{Broker, pagelog, run};

#[test]
fn version_and_help() {
    let version = run(&mut pagelog(&["--version"]));
    assert_eq!(
        (version.code, version.output.as_str()),
        (
            Some(0),
            concat!("pagelog ", env!("CARGO_PKG_VERSION"), "\n")
        )
    );
    for arguments in [&["--help"][..], &["serve", "--help"], &["-h"]] {
        let help = run(&mut pagelog(arguments));
        assert_eq!(help.code, Some(0));
        assert!(
            help.output.contains("Examples:") && help.output.contains("--kafka"),
            "{}",
            help.output
        );
    }
}

#[test]
fn the_line_names_the_real_port() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let broker = Broker::start(&["serve", "--data-dir", data, "--kafka", "127.0.0.1:0"]);
    assert_eq!(
        broker.ready,
        format!("ready kafka={}", broker.address("kafka"))
    );
    TcpStream::connect(broker.address("kafka")).unwrap();
    let ended = broker.stop(Signal::TERM);
    assert_eq!(
        ended.output, "",
        "one line is all that goes to standard output"
    );
}

#[test]
fn several_listeners_have_names() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let broker = Broker::start(&[
        "--data-dir",
        data,
        "--kafka",
        "127.0.0.1:0",
        "--kafka",
        "B=[::1]:0@b.example",
    ]);
    let (main, named) = (broker.address("kafka"), broker.address("kafka.B"));
    assert_eq!(broker.ready, format!("ready kafka={main} kafka.B={named}"));
    TcpStream::connect(main).unwrap();
    TcpStream::connect(named).unwrap();
}

#[test]
fn a_wildcard_without_an_advertised_address_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let warned = |listener: &str| {
        let broker = Broker::start(&["--data-dir", data, "--kafka", listener]);
        let log = broker.stop(Signal::TERM).log;
        log.contains("WARN") && log.contains("--kafka")
    };
    assert!(warned("0.0.0.0:0"));
    assert!(!warned("0.0.0.0:0@localhost"));
    assert!(!warned("127.0.0.1:0"));
}

#[test]
fn flags_override_the_environment_and_the_environment_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("p.toml");
    let listeners = "kafka.listeners = \"FILE=127.0.0.1:0\"\nsegment.bytes = \"4MiB\"\ndata.dir = \"from-file\"\n";
    std::fs::write(&file, listeners).unwrap();
    let mut command = pagelog(&["--config", "p.toml", "--data-dir", "from-flag"]);
    command
        .current_dir(directory.path())
        .env("PAGELOG_KAFKA_LISTENERS", "ENVIRONMENT=127.0.0.1:0");
    command.env("PAGELOG_DATA_DIR", "from-environment");
    let broker = Broker::spawn(&mut command);
    assert!(
        broker.ready.starts_with("ready kafka.ENVIRONMENT="),
        "{}",
        broker.ready
    );
    assert!(
        directory
            .path()
            .join("from-flag")
            .join("pagelog.lock")
            .exists()
    );
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("p.toml");
    std::fs::write(
        &file,
        "[kafka]\nlisteners = [\"FILE=127.0.0.1:0\"]\n[segment]\nbytes = \"4MiB\"\n",
    )
    .unwrap();
    let mut command = pagelog(&[]);
    command
        .current_dir(directory.path())
        .env("PAGELOG_CONFIG", &file);
    let broker = Broker::spawn(&mut command);
    assert!(
        broker.ready.starts_with("ready kafka.FILE="),
        "{}",
        broker.ready
    );
}
