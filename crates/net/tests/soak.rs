//! Many clients, every kind of request mixed and pipelined, slow readers and resets among them: what is answered is answered in
//! order and once.

mod support;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pagelog_testing::Random;
use support::{Client, Fixture, ask, frame, request, wait_until};

const CLIENTS: u64 = 12;
const REQUESTS: u64 = 400;

/// What to send, and what to expect for it.
fn any_request(random: &mut Random, number: u64, durable: u64) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut rest = number.to_be_bytes().to_vec();
    let ask = *[
        ask::NOW,
        ask::NOW,
        ask::SILENT,
        ask::DURABLE,
        ask::WRITTEN,
        ask::TIME,
        ask::WORK,
        ask::LONG,
        ask::WORK_THEN_NOTICE,
    ]
    .get(random.below(9))
    .unwrap();
    match ask {
        ask::DURABLE | ask::WRITTEN => {
            rest = (durable + random.below(2_000) as u64)
                .to_be_bytes()
                .to_vec()
        }
        ask::TIME => rest[..4].copy_from_slice(&(random.below(4) as u32).to_be_bytes()),
        ask::NOW if random.one_in(4) => rest.resize(random.below(200_000) + 8, number as u8),
        _ => {}
    }
    let mut sent = request(ask, &rest);
    let expected = match ask {
        ask::SILENT => None,
        ask::LONG => {
            let size = random.below(300_000) as u32;
            sent = request(ask, &size.to_be_bytes());
            Some(vec![b'.'; size as usize])
        }
        _ => Some(sent.clone()),
    };
    (sent, expected)
}

fn converse(client: Client, seed: u64, durable: u64) {
    let mut random = Random::new(seed);
    let requests: Vec<_> = (0..REQUESTS)
        .map(|number| any_request(&mut random, number, durable))
        .collect();
    let mut writing = Client::new(client.0.try_clone().unwrap());
    let sent: Vec<_> = requests.iter().map(|(sent, _)| sent.clone()).collect();
    let gone = random.one_in(4);
    // Ends early, in error, if the reading side goes away.
    let writer = thread::spawn(move || {
        sent.iter()
            .all(|sent| writing.0.write_all(&frame(sent)).is_ok())
    });
    let mut client = client;
    let mut answers = 0;
    for expected in requests.into_iter().filter_map(|(_, expected)| expected) {
        assert!(client.receive() == expected, "seed {seed}");
        answers += 1;
        if random.one_in(40) {
            thread::sleep(Duration::from_millis(2));
        }
        if gone && answers == 100 {
            // The rest is never asked for again; the writer is let go by the server's reading on or by the reset.
            client.0.shutdown(std::net::Shutdown::Both).unwrap();
            let _ = writer.join();
            return;
        }
    }
    assert!(writer.join().unwrap());
    assert!(client.is_quiet());
}

#[test]
fn a_mixture_of_everything_keeps_order() {
    let mut fixture = Fixture::with(|options| options.in_flight_bytes_max = 4 << 20);
    fixture.stage.open_gate();
    // What waits for a notice finds it there.
    fixture.stage.notify(
        pagelog_store::answer::Mark::Written,
        pagelog_store::answer::Position(0),
    );
    let seed = pagelog_testing::seed(1);
    let durable = fixture.log.append().0;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| (fixture.client(), seed * CLIENTS + number))
        .collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let talks: Vec<_> = clients
            .into_iter()
            .map(|(client, seed)| scope.spawn(move || converse(client, seed, durable)))
            .collect();
        let log = &mut fixture.log;
        let syncing = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                log.append();
                log.sync();
            }
        });
        let results: Vec<_> = talks.into_iter().map(|talk| talk.join()).collect();
        done.store(true, Ordering::Relaxed);
        syncing.join().unwrap();
        assert!(results.iter().all(Result::is_ok));
    });
    wait_until("all are gone", || fixture.server.connections() == 0);
    wait_until("nothing is held", || {
        fixture.server.counters().in_flight_bytes == 0
    });
}
