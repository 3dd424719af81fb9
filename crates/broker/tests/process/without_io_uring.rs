//! A broker whose container refuses io_uring: it works fully, by other means, and says so.

use std::fs::{self, File};
use std::thread;

use pagelog_os::file::{self, FileAdvice};
use pagelog_os::filter;
use rustix::process::Signal;

use crate::broker::Broker;
use crate::client::Client;

/// Under the filter for good: what the calling thread starts from now on has it as well.
fn start_refused(arguments: &[&str]) -> Broker {
    thread::scope(|scope| {
        let starting = scope.spawn(|| {
            filter::refuse_io_uring().unwrap();
            Broker::start(arguments)
        });
        starting.join().unwrap()
    })
}

/// Writes, lets go of what was written, and reads it from the disk; the end of the broker's log.
fn serve(broker: Broker, data: &str) -> String {
    let mut client = Client::connect(broker.address("kafka"));
    client.metadata("t");
    let value = vec![b'v'; 100_000];
    for _ in 0..10 {
        assert_eq!(client.produce("t", &value).unwrap(), 0);
    }
    for entry in fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let segment = File::open(path).unwrap();
            let size = segment.metadata().unwrap().len();
            file::advise(&segment, 0..size, FileAdvice::DontNeed).unwrap();
        }
    }
    for offset in 0..10 {
        let (error, records) = client.fetch("t", offset);
        assert_eq!(error, 0);
        let found = records.windows(value.len()).any(|part| part == value);
        assert!(found, "the record at {offset} did not come whole");
    }
    let ended = broker.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    ended.log
}

#[test]
fn every_path_that_needs_io_uring_has_another_take_over() {
    for path in [
        "auto",
        "measured",
        "uring-splice",
        "uring-zerocopy",
        "uring-read",
    ] {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let data = directory.path().to_str().unwrap();
        let setting = format!("transfer.path={path}");
        let arguments = [
            "serve",
            "--data-dir",
            data,
            "--kafka",
            "127.0.0.1:0",
            "--set",
            &setting,
        ];
        let broker = start_refused(&arguments);
        let status = fs::read_to_string(format!("/proc/{}/status", broker.process_id())).unwrap();
        assert!(status.contains("Seccomp:\t2"), "it runs under no filter");
        let log = serve(broker, data);
        if path.starts_with("uring") {
            assert!(log.contains("taken_over="), "{log}");
            assert!(!log.contains(&format!("sent by {path}")), "{path}: {log}");
        }
    }
}
