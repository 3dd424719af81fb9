//! Stopping: what is owed is paid, if there is time.

mod support;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::{Fixture, PATIENCE, ask, request, wait_until};

#[test]
fn a_stop_finishes_what_is_owed_and_takes_nothing_more() {
    let mut fixture = Fixture::new();
    let wanted = request(ask::DURABLE, &fixture.log.append().0.to_be_bytes());
    let mut owed = fixture.client();
    owed.send(&wanted);
    let mut working = fixture.client();
    working.send(&request(ask::WORK, b"1"));
    working.send(&request(ask::NOW, b"2"));
    let mut idle = fixture.client();
    wait_until("both are handled", || fixture.server.counters().frames == 2);
    wait_until("all are in", || fixture.server.connections() == 3);

    let address = fixture.server.addresses()[0];
    let (server, stage) = (fixture.server, fixture.stage);
    let stopping = std::thread::spawn(move || server.stop(PATIENCE));
    idle.wait_closed();
    wait_until("nobody listens", || TcpStream::connect(address).is_err());
    owed.send(&request(ask::NOW, b"too late"));
    assert!(!stopping.is_finished());
    fixture.log.sync();
    assert_eq!(owed.receive(), wanted);
    owed.wait_closed();
    stage.open_gate();
    assert_eq!(working.receive(), request(ask::WORK, b"1"));
    working.wait_closed();
    stopping.join().unwrap();
}

#[test]
fn a_stop_ends_at_its_time_whatever_is_owed() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send(&request(ask::DURABLE, &(1u64 << 40).to_be_bytes()));
    wait_until("it waits", || fixture.server.counters().polls == 1);
    let begin = Instant::now();
    fixture.server.stop(Duration::from_millis(100));
    assert!(begin.elapsed() >= Duration::from_millis(100));
    client.wait_closed();
}

#[test]
fn a_dropped_server_is_gone() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send(&request(ask::NOTICE, b""));
    wait_until("it waits", || fixture.server.counters().polls == 1);
    let address = fixture.server.addresses()[0];
    drop(fixture.server);
    client.wait_closed();
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(*fixture.stage.dropped.lock().unwrap(), 1);
}
