//! What the program refuses: each time a line that names the cause, and an exit code of its own.

use std::net::TcpListener;

use crate::broker::{Broker, at, pagelog, run};

/// Runs in a directory of its own and expects the code and each of the words.
fn refuses(arguments: &[&str], code: i32, words: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let ended = run(pagelog(arguments).current_dir(directory.path()));
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert_eq!(ended.output, "", "a broker that refuses is not ready");
    for word in words {
        assert!(ended.log.contains(word), "no {word:?} in {}", ended.log);
    }
}

#[test]
fn an_unknown_flag() {
    refuses(&["--flsh", "sync"], 2, &["--flsh", "--flush"]);
}

#[test]
fn an_unknown_key() {
    refuses(
        &["--set", "kafka.num.partitons=4"],
        2,
        &["--set", "kafka.num.partitons", "kafka.num.partitions"],
    );
}

#[test]
fn a_bad_value() {
    refuses(
        &["--flush", "often"],
        2,
        &["--flush", "flush.policy = often", "sync, interval"],
    );
    refuses(
        &["--kafka", "localhost"],
        2,
        &["--kafka", "the port is missing", "[NAME=]HOST:PORT"],
    );
    refuses(
        &["--set", "segment.bytes=1000"],
        2,
        &["segment.bytes = 1000", "from 4KiB to 64GiB"],
    );
}

#[test]
fn settings_that_do_not_go_together() {
    refuses(
        &["--set", "segment.bytes=64KiB"],
        2,
        &["segment.bytes = 64KiB", "kafka.message.max.bytes = 1048588"],
    );
    refuses(
        &["--set", "net.frame.bytes.max=1MiB"],
        2,
        &["kafka.message.max.bytes", "net.frame.bytes.max"],
    );
}

#[test]
fn an_unknown_variable_and_a_bad_one() {
    let ended = run(pagelog(&[]).env("PAGELOG_NET_REACTOR", "1"));
    assert_eq!(ended.code, Some(2));
    assert!(ended.log.contains("PAGELOG_NET_REACTORS"), "{}", ended.log);
    let ended = run(pagelog(&[]).env("PAGELOG_NET_REACTORS", "many"));
    assert_eq!(ended.code, Some(2));
    assert!(
        ended
            .log
            .contains("environment PAGELOG_NET_REACTORS: net.reactors = many"),
        "{}",
        ended.log
    );
    let ended = run(pagelog(&[]).env("PAGELOG_LOG", "pagelog=loud"));
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.log.contains("PAGELOG_LOG = pagelog=loud"),
        "{}",
        ended.log
    );
}

#[test]
fn a_line_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("p.toml");
    std::fs::write(&file, "[kafka]\n\n\"num.partitions\" = 0\n").unwrap();
    let ended = run(&mut pagelog(&["--config", file.to_str().unwrap()]));
    assert_eq!(ended.code, Some(2));
    assert!(
        ended
            .log
            .contains("p.toml:3: kafka.num.partitions = 0: allowed is"),
        "{}",
        ended.log
    );
}

#[test]
fn a_file_that_is_not_there() {
    refuses(&["--config", "absent.toml"], 2, &["absent.toml"]);
}

#[test]
fn a_data_directory_in_use_names_its_holder() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = at(directory.path());
    let holder = Broker::start(&arguments);
    let ended = run(&mut pagelog(&arguments));
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let words = format!("in use by process {}", holder.process_id());
    assert!(ended.log.contains(&words), "{}", ended.log);
}

#[test]
fn a_data_directory_that_cannot_be_made() {
    refuses(&["--data-dir", "/proc/pagelog"], 4, &["/proc/pagelog"]);
    refuses(&["--data-dir", "/dev/null"], 4, &["/dev/null"]);
}

#[test]
fn a_port_in_use() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    refuses(
        &["--kafka", &address],
        6,
        &[&address, "another process has this port"],
    );
}

#[test]
fn a_log_that_was_cut_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = at(directory.path());
    drop(Broker::start(&arguments));
    let segment = directory.path().join("00000000000000000000.log");
    std::fs::OpenOptions::new()
        .write(true)
        .open(&segment)
        .unwrap()
        .set_len(4096)
        .unwrap();
    let ended = run(&mut pagelog(&arguments));
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(
        ended.log.contains("00000000000000000000.log"),
        "{}",
        ended.log
    );
}
