//! What a peer can make the server hold, and for how long.

mod support;

use std::io::Read;
use std::time::{Duration, Instant};

use support::{Client, Fixture, ask, frame, request, wait_until};

const SHORT: Duration = Duration::from_millis(200);

#[test]
fn idle_connections_are_closed_and_busy_ones_are_not() {
    let fixture = Fixture::with(|options| options.idle_timeout = SHORT);
    let mut silent = fixture.client();
    let mut half = fixture.client();
    half.send_raw(&frame(&request(ask::NOW, b"cut short"))[..7]);
    let mut waiting = fixture.client();
    waiting.send(&request(ask::NOTICE, b"x"));
    let mut working = fixture.client();
    working.send(&request(ask::WORK, b"x"));
    let begin = Instant::now();
    silent.wait_closed();
    assert!(begin.elapsed() >= SHORT / 2);
    half.wait_closed();
    let mut lively = fixture.client();
    while begin.elapsed() < 3 * SHORT {
        lively.send(&request(ask::NOW, b"x"));
        lively.receive();
    }
    assert_eq!(fixture.server.counters().timed_out, 2);

    fixture.stage.open_gate();
    fixture.stage.notify(
        pagelog_store::answer::Mark::Written,
        pagelog_store::answer::Position(0),
    );
    assert_eq!(waiting.receive(), request(ask::NOTICE, b"x"));
    assert_eq!(working.receive(), request(ask::WORK, b"x"));
    waiting.wait_closed();
    working.wait_closed();
    lively.wait_closed();
    wait_until("all have timed out", || {
        fixture.server.counters().timed_out == 5
    });
}

#[test]
fn a_peer_that_does_not_read_holds_its_own_memory_and_is_closed_in_time() {
    let fixture = Fixture::with(|options| options.idle_timeout = SHORT);
    let mut slow = fixture.client();
    let wanted = request(ask::LONG, &(4u32 << 20).to_be_bytes());
    for _ in 0..50 {
        slow.send(&wanted);
    }
    // Answers of 200 MiB were asked for; one and what fits into the socket is made.
    wait_until("the socket is full", || {
        fixture.server.counters().in_flight_bytes > 0
    });
    fixture.check_service();
    wait_until("it is closed", || fixture.server.counters().timed_out == 1);
    assert!(fixture.server.counters().frames < 10);
    wait_until("all is given back", || {
        fixture.server.counters().in_flight_bytes == 0
    });
    // What was sent before the end is still there to read, and then the end is.
    let mut rest = Vec::new();
    let _ = slow.0.read_to_end(&mut rest);
    assert!(rest.len() < 200 << 20);
}

#[test]
fn a_slow_reader_gets_everything() {
    let fixture = Fixture::new();
    let mut slow = fixture.client();
    let wanted = request(ask::LONG, &(3u32 << 20).to_be_bytes());
    for _ in 0..5 {
        slow.send(&wanted);
    }
    for _ in 0..5 {
        fixture.check_service();
        let answer = slow.receive();
        assert!(answer.len() == 3 << 20 && answer.iter().all(|byte| *byte == b'.'));
    }
    wait_until("nothing is held", || {
        fixture.server.counters().in_flight_bytes == 0
    });
}

#[test]
fn so_many_owed_answers_and_no_more_are_taken_on() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let wanted = request(ask::DURABLE, &fixture.log.append().0.to_be_bytes());
    for _ in 0..1_000 {
        client.send(&wanted);
    }
    wait_until("the bound is reached", || {
        fixture.server.counters().frames == 256
    });
    fixture.check_service();
    wait_until("only the other is handled", || {
        fixture.server.counters().frames == 257
    });
    fixture.log.sync();
    for _ in 0..1_000 {
        assert_eq!(client.receive(), wanted);
    }
}

#[test]
fn connections_over_the_limit_are_closed_at_once() {
    let fixture = Fixture::with(|options| options.connections_max = 3);
    let mut clients: Vec<_> = (0..3).map(|_| fixture.client()).collect();
    for client in &mut clients {
        client.send(&request(ask::NOW, b"in"));
        client.receive();
    }
    for _ in 0..5 {
        fixture.client().wait_closed();
    }
    wait_until("they are counted", || {
        fixture.server.counters().refused == 5
    });
    clients.pop();
    wait_until("there is room", || fixture.server.connections() == 2);
    fixture.check_service();
}

#[test]
fn a_closed_connection_counts_until_its_work_is_done() {
    let fixture = Fixture::with(|options| options.connections_max = 2);
    let mut client = fixture.client();
    client.send(&request(ask::WORK, b""));
    wait_until("the worker has it", || {
        fixture.server.counters().worked == 1
    });
    drop(client);
    let _other = {
        let mut other = fixture.client();
        other.send(&request(ask::NOW, b"in"));
        other.receive();
        other
    };
    fixture.client().wait_closed();
    fixture.stage.open_gate();
    wait_until("its place is free", || fixture.server.connections() == 1);
}

#[test]
fn used_up_memory_stops_reading_and_every_frame_is_finished_in_the_end() {
    let fixture = Fixture::with(|options| options.in_flight_bytes_max = 256 * 1024);
    let wanted = request(ask::NOW, &vec![3; 150_000]);
    let bytes = frame(&wanted);
    let (first, second) = bytes.split_at(100_000);
    let mut clients: Vec<_> = (0..12).map(|_| fixture.client()).collect();
    for client in &mut clients {
        client.send_raw(first);
    }
    wait_until("the memory is used up", || {
        fixture.server.counters().in_flight_bytes >= 256 * 1024
    });
    assert!(fixture.server.counters().in_flight_bytes < 12 * 64 * 1024 + 256 * 1024);
    let readers: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let (second, wanted) = (second.to_vec(), wanted.clone());
            std::thread::spawn(move || {
                client.send_raw(&second);
                assert!(client.receive() == wanted);
            })
        })
        .collect();
    for reader in readers {
        reader.join().unwrap();
    }
    wait_until("all is given back", || {
        fixture.server.counters().in_flight_bytes == 0
    });
}

#[test]
fn used_up_memory_is_not_held_by_those_who_stall() {
    let fixture = Fixture::with(|options| {
        options.in_flight_bytes_max = 100 * 1024;
        options.idle_timeout = SHORT;
        options.reactors = 1;
    });
    let mut stalling: Vec<_> = (0..4).map(|_| fixture.client()).collect();
    for client in &mut stalling {
        client.send_raw(&frame(&request(ask::NOW, &vec![3; 300_000]))[..50_000]);
    }
    wait_until("the memory is used up", || {
        fixture.server.counters().in_flight_bytes >= 100 * 1024
    });
    // The last to be heard: those before it have to give up first.
    fixture.check_service();
    wait_until("all is given back", || {
        fixture.server.counters().in_flight_bytes == 0
    });
    wait_until("all have timed out", || {
        fixture.server.counters().timed_out == 4
    });
}

#[test]
fn running_out_of_descriptors_is_survived() {
    // The limit is the process's: a server of its own, in this test binary run again with only this test in it.
    const CHILD: &str = "PAGELOG_TEST_FEW_DESCRIPTORS";
    if std::env::var_os(CHILD).is_some() {
        return few_descriptors();
    }
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "running_out_of_descriptors_is_survived"])
        .env(CHILD, "1")
        .status()
        .unwrap();
    assert!(status.success());
}

fn few_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let fixture = Fixture::new();
    let limit = getrlimit(Resource::Nofile);
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(open + 9),
            ..limit
        },
    )
    .unwrap();
    let mut clients = Vec::new();
    while let Ok(socket) = std::net::TcpStream::connect(fixture.server.addresses()[0]) {
        clients.push(Client::new(socket));
    }
    let begin = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let pause = Instant::now();
    wait_until("some time has passed", || pause.elapsed() > 2 * SHORT);
    let end = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let used = (end.tv_sec - begin.tv_sec) * 1_000 + (end.tv_nsec - begin.tv_nsec) / 1_000_000;
    assert!(
        used < SHORT.as_millis() as i64,
        "{used} ms of processor time for doing nothing"
    );
    setrlimit(Resource::Nofile, limit).unwrap();
    for client in &mut clients {
        client.send(&request(ask::NOW, b"in"));
        assert_eq!(client.receive(), request(ask::NOW, b"in"));
    }
}

#[test]
fn a_muted_connection_is_answered_at_once_and_its_next_frame_taken_later() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    let begun = Instant::now();
    let mute = request(ask::MUTE, &100_u32.to_be_bytes());
    client.send(&mute);
    assert_eq!(client.receive(), mute);
    let next = request(ask::NOW, b"next");
    client.send(&next);
    let mut other = fixture.client();
    other.send(&next);
    assert_eq!(other.receive(), next, "nobody else is held back");
    assert_eq!(client.receive(), next);
    assert!(begun.elapsed() >= Duration::from_millis(100));
}
