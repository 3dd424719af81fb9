//! Frames as they come off the wire: in pieces, in heaps, and those that are none.

mod support;

use std::time::Duration;

use proptest::prelude::*;
use support::{Client, Fixture, ask, frame, request, wait_until};

const FRAME_SIZE_MAX: usize = 1 << 20;

fn fixture() -> Fixture {
    Fixture::with(|options| options.frame_size_max = FRAME_SIZE_MAX)
}

#[test]
fn a_frame_may_come_byte_by_byte() {
    let fixture = fixture();
    let mut client = fixture.client();
    let wanted = request(ask::NOW, b"in crumbs");
    let bytes = frame(&wanted);
    for _ in 0..3 {
        for byte in &bytes {
            client.send_raw(std::slice::from_ref(byte));
        }
        assert_eq!(client.receive(), wanted);
    }
}

#[test]
fn no_length_that_cannot_be_is_waited_for() {
    let lengths = [
        -1,
        i32::MIN,
        i32::MAX,
        FRAME_SIZE_MAX as i32 + 1,
        i32::from_be_bytes(*b"GET "),
    ];
    let fixture = fixture();
    for length in lengths {
        let mut client = fixture.client();
        client.send(&request(ask::NOW, b"good"));
        client.send_raw(&length.to_be_bytes());
        client.send_raw(&[0; 100]);
        assert_eq!(
            client.receive(),
            request(ask::NOW, b"good"),
            "what came before is answered"
        );
        client.wait_closed();
    }
    wait_until("all are closed", || {
        fixture.server.counters().closed == lengths.len() as u64
    });
    assert_eq!(fixture.server.connections(), 0);
    fixture.check_service();
}

#[test]
fn the_longest_frame_is_served_and_an_empty_one_is_a_frame() {
    let fixture = fixture();
    let mut client = fixture.client();
    let long = request(ask::NOW, &vec![7; FRAME_SIZE_MAX - 1]);
    client.send(&long);
    assert!(client.receive() == long);
    client.send(b"");
    client.wait_closed();
    wait_until("the handler was asked and did not know it", || {
        fixture.server.counters().frames == 2
    });
}

#[test]
fn a_claimed_length_costs_nothing_and_a_partial_frame_costs_what_has_come() {
    let fixture = Fixture::new();
    let mut clients: Vec<_> = (0..20).map(|_| fixture.client()).collect();
    for client in &mut clients {
        client.send_raw(&(100i32 << 20).to_be_bytes());
        client.send_raw(&[1; 10_000]);
    }
    wait_until("all is received", || {
        fixture.server.counters().in_flight_bytes >= 20 * 10_004
    });
    assert!(fixture.server.counters().in_flight_bytes <= 20 * 64 * 1024);
    drop(clients);
    wait_until("all is given back", || {
        fixture.server.counters().in_flight_bytes == 0
    });
}

#[test]
fn a_reset_or_an_end_in_the_middle_of_a_frame_harms_no_one() {
    let fixture = fixture();
    for size in [1, 3, 4, 5, 5_000, 200_000] {
        for reset in [false, true] {
            let mut client = fixture.client();
            client.send_raw(&frame(&request(ask::NOW, &[0; 300_000]))[..size]);
            if reset {
                rustix::net::sockopt::set_socket_linger(&client.0, Some(Duration::ZERO)).unwrap();
            }
        }
    }
    wait_until("all are gone", || {
        fixture.server.counters().closed == 12 && fixture.server.connections() == 0
    });
    assert_eq!(fixture.server.counters().in_flight_bytes, 0);
    assert_eq!(fixture.server.counters().frames, 0);
    fixture.check_service();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// Frames of any size, cut anywhere, come back whole, in order and once.
    #[test]
    fn frames_survive_any_cutting(
        sizes in prop::collection::vec(prop_oneof![5 => 1..200usize, 2 => 1..6_000usize, 1 => 100_000..400_000usize], 1..20),
        cuts in prop::collection::vec(1..150_000usize, 1..10),
    ) {
        let fixture = fixture();
        let client = fixture.client();
        let frames: Vec<_> = sizes.iter().enumerate().map(|(number, size)| request(ask::NOW, &vec![number as u8; *size])).collect();
        let all: Vec<u8> = frames.iter().flat_map(|bytes| frame(bytes)).collect();
        let mut writing = Client::new(client.0.try_clone().unwrap());
        let writer = std::thread::spawn(move || {
            let mut rest = &all[..];
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                writing.send_raw(now);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
        });
        let mut client = client;
        for bytes in &frames {
            prop_assert!(&client.receive() == bytes);
        }
        writer.join().unwrap();
        prop_assert!(client.is_quiet());
        wait_until("nothing is held", || fixture.server.counters().in_flight_bytes == 0);
    }

    /// Whatever comes in, the others are served and nothing is kept.
    #[test]
    fn garbage_ends_its_connection_at_most(garbage in prop::collection::vec(any::<u8>(), 0..5_000)) {
        let fixture = fixture();
        let mut client = fixture.client();
        client.send_raw(&garbage);
        fixture.check_service();
        drop(client);
        wait_until("it is gone", || fixture.server.connections() == 0);
        wait_until("nothing is held", || fixture.server.counters().in_flight_bytes == 0);
    }
}
