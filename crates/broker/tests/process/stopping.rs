//! Signals: a clean stop, and what the next start finds.

use rustix::process::Signal;

use crate::broker::Broker;

#[test]
fn a_signal_stops_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = tempfile::tempdir().unwrap();
        let arguments = [
            "--data-dir",
            directory.path().to_str().unwrap(),
            "--kafka",
            "127.0.0.1:0",
        ];
        let ended = Broker::start(&arguments).stop(signal);
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        let again = Broker::start(&arguments).stop(signal);
        assert_eq!(again.code, Some(0), "{}", again.log);
        assert!(again.log.contains("closed cleanly"), "{}", again.log);
    }
}

#[test]
fn a_killed_broker_starts_again_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = [
        "--data-dir",
        directory.path().to_str().unwrap(),
        "--kafka",
        "127.0.0.1:0",
    ];
    let killed = Broker::start(&arguments).stop(Signal::KILL);
    assert_eq!(killed.code, None);
    let again = Broker::start(&arguments).stop(Signal::TERM);
    assert_eq!(again.code, Some(0), "{}", again.log);
    assert!(again.log.contains("not closed cleanly"), "{}", again.log);
}
