//! Ten thousand connections that do nothing, or as many as the limit on open files allows for both ends.

mod support;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{Fixture, ask, request, wait_until};

/// What is not a connection of this test.
const OTHER_DESCRIPTORS: u64 = 150;

/// In user memory, handler and this test's own end included; no buffer of any size fits in.
const BYTES_PER_CONNECTION_MAX: u64 = 1_024;

#[test]
fn idle_connections_cost_little_and_others_are_served() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
    .unwrap();
    let allowed = limit
        .maximum
        .unwrap_or(u64::MAX)
        .saturating_sub(OTHER_DESCRIPTORS)
        / 2;
    let count = allowed.min(10_000);
    let fixture = Fixture::new();
    fixture.check_service();

    let before = anonymous_bytes();
    let mut clients: Vec<_> = (0..count).map(|_| fixture.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let wanted = request(ask::NOW, &number.to_be_bytes());
        // In two parts, so that each has had a buffer for what was left over.
        let bytes = support::frame(&wanted);
        client.send_raw(&bytes[..6]);
        client.send_raw(&bytes[6..]);
        assert_eq!(client.receive(), wanted);
    }
    let used = anonymous_bytes().saturating_sub(before) / count;
    println!("{count} connections, {used} bytes of memory each");
    assert!(
        used <= BYTES_PER_CONNECTION_MAX,
        "{used} bytes for an idle connection"
    );
    wait_until("no buffer is left", || {
        fixture.server.counters().in_flight_bytes == 0
    });
    assert!(fixture.server.connections() as u64 >= count);

    let turns = fixture.server.counters().wakes;
    fixture.check_service();
    assert!(
        fixture.server.counters().wakes - turns <= 2,
        "those who do nothing wake nobody"
    );
    drop(clients);
    wait_until("all are gone", || fixture.server.connections() == 0);
}

/// Memory of this process that no file backs.
fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}
