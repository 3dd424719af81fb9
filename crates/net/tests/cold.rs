//! What is not in memory is waited for by a fetcher, not by the thread that serves the socket.

mod support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, mpsc};

use pagelog_net::{ColdReads, Fetch, ServerOptions};
use pagelog_os::file::{self, FileAdvice};
use pagelog_os::{MappedFile, filter, page_size};
use pagelog_transfer::{Cold, SendError};
use support::{Fixture, ask, request, wait_until};

/// Several fetches.
const FILE_SIZE: usize = 16 << 20;

/// A file that the page cache does not hold, and what is in it.
fn cold_file() -> (Arc<MappedFile>, Vec<u8>) {
    let bytes: Vec<u8> = (0..FILE_SIZE).map(|at| (at / 1_000) as u8).collect();
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(&bytes).unwrap();
    file::sync_data(&file).unwrap();
    file::advise(&file, 0..FILE_SIZE as u64, FileAdvice::DontNeed).unwrap();
    let file = MappedFile::new(file).unwrap();
    assert_eq!(resident(&file), 0, "the pages cannot be let go of here");
    (Arc::new(file), bytes)
}

fn resident(file: &MappedFile) -> usize {
    file.mapping().resident_pages(0..FILE_SIZE).unwrap()
}

/// One reactor, and the cold file.
fn fixture(change: impl FnOnce(&mut ServerOptions)) -> (Fixture, Arc<MappedFile>, Vec<u8>) {
    let fixture = Fixture::with(|options| {
        options.reactors = 1;
        change(options);
    });
    let (file, bytes) = cold_file();
    *fixture.stage.file.lock().unwrap() = Some(Arc::clone(&file));
    (fixture, file, bytes)
}

#[test]
fn a_cold_read_does_not_delay_another_connection_of_its_reactor() {
    let (begun, begins) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let goes_on = std::sync::Mutex::new(goes_on);
    let (fixture, _file, bytes) = fixture(|options| {
        options.fetchers = 1;
        options.fetch = Fetch::by(move |cold: &Cold| {
            // Nobody listens after the first.
            let _ = begun.send(());
            // The disk takes as long as the test wants; an end of the test lets it go on.
            let _ = goes_on.lock().unwrap().recv();
            cold.fetch()
        });
    });
    let (mut slow, mut other) = (fixture.client(), fixture.client());
    slow.send(&request(ask::FILE, b""));
    begins.recv_timeout(support::PATIENCE).unwrap();
    for _ in 0..10 {
        other.send(&request(ask::NOW, b"not me"));
        assert_eq!(other.receive(), request(ask::NOW, b"not me"));
    }
    // The header may be there; the file is not.
    slow.0.read_exact(&mut [0; 4]).unwrap();
    assert!(slow.is_quiet());

    drop(go_on);
    let mut seen = vec![0; FILE_SIZE];
    slow.0.read_exact(&mut seen).unwrap();
    assert!(seen == bytes);
    let counters = fixture.server.counters();
    assert!(counters.fetches > 1 && counters.fetched_bytes <= FILE_SIZE as u64);
    assert_eq!(counters.transfer.copied_bytes, 0);
}

#[test]
fn little_is_fetched_at_a_time_while_somebody_waits_for_syncs() {
    for beside_syncs in [false, true] {
        let first = Arc::new(OnceLock::new());
        let seen = Arc::clone(&first);
        let (mut fixture, _file, bytes) = fixture(|options| {
            options.fetch = Fetch::by(move |cold: &Cold| {
                seen.get_or_init(|| cold.size());
                cold.fetch()
            });
        });
        if beside_syncs {
            fixture.log.append();
            fixture.log.sync();
        }
        let mut client = fixture.client();
        client.send(&request(ask::FILE, b""));
        assert!(client.receive() == bytes);
        let expected = if beside_syncs { 64 << 10 } else { 2 << 20 };
        assert_eq!(first.get(), Some(&expected));
    }
}

#[test]
fn one_range_at_a_time_is_fetched_while_somebody_waits_for_syncs() {
    const CLIENTS: u64 = 4;
    let (begun, begins) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let goes_on = std::sync::Mutex::new(goes_on);
    let (under_way, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let (mut fixture, _file, bytes) = fixture(move |options| {
        options.fetchers = CLIENTS as usize;
        options.fetch = Fetch::by(move |cold: &Cold| {
            // Where the machine is slow the sync is long ago, and more is fetched at a time again.
            if cold.size() > 64 << 10 {
                return cold.fetch();
            }
            let now = under_way.fetch_add(1, SeqCst) + 1;
            seen.fetch_max(now, SeqCst);
            let _ = begun.send(());
            let _ = goes_on.lock().unwrap().recv();
            under_way.fetch_sub(1, SeqCst);
            cold.fetch()
        });
    });
    fixture.log.append();
    fixture.log.sync();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| fixture.client()).collect();
    for client in &mut clients {
        client.send(&request(ask::FILE, b""));
    }
    begins.recv_timeout(support::PATIENCE).unwrap();
    wait_until("all want something", || {
        fixture.server.counters().fetches >= CLIENTS
    });
    assert_eq!(most.load(SeqCst), 1);
    drop(go_on);
    for client in &mut clients {
        assert!(client.receive() == bytes);
    }
}

#[test]
fn what_was_fetched_is_let_go_of_after_it_was_sent() {
    let (fixture, file, bytes) = fixture(|_| {});
    let mut client = fixture.client();
    client.send(&request(ask::FILE, b""));
    assert!(client.receive() == bytes);
    client.0.shutdown(Shutdown::Both).unwrap();
    // A few pages may still be referred to by what the kernel has not tidied up yet.
    let pages = FILE_SIZE / page_size();
    wait_until("most pages are gone", || resident(&file) < pages / 2);
}

#[test]
fn what_somebody_else_has_brought_in_is_not_let_go_of() {
    let (fixture, file, bytes) = fixture(|_| {});
    let hot = FILE_SIZE - (4 << 20)..FILE_SIZE;
    file::read_exact_at(file.file(), hot.start as u64, &mut vec![0; hot.len()]).unwrap();
    let mut client = fixture.client();
    client.send(&request(ask::FILE, b""));
    assert!(client.receive() == bytes);
    client.0.shutdown(Shutdown::Both).unwrap();
    let cold_pages = hot.start / page_size();
    wait_until("the cold pages are gone", || {
        file.mapping().resident_pages(0..hot.start).unwrap() < cold_pages / 2
    });
    let counters = fixture.server.counters();
    assert!(counters.fetched_bytes <= hot.start as u64, "{counters:?}");
}

#[test]
fn a_range_that_cannot_be_fetched_costs_its_connection_and_no_other() {
    for fails_by_panic in [false, true] {
        let (fixture, _file, _) = fixture(|options| {
            options.fetch = Fetch::by(move |_: &Cold| {
                assert!(!fails_by_panic, "asked to panic");
                let source = std::io::Error::from_raw_os_error(5);
                Err(SendError::File { at: 0, source })
            });
        });
        let mut client = fixture.client();
        client.send(&request(ask::FILE, b""));
        let mut seen = Vec::new();
        // A reset is an end as well.
        let _ = client.0.read_to_end(&mut seen);
        assert!(seen.len() <= 4, "{} bytes came", seen.len());
        fixture.check_service();
    }
}

#[test]
fn who_waits_for_the_disk_is_not_idle_and_may_leave() {
    let (go_on, goes_on) = mpsc::channel::<()>();
    let goes_on = std::sync::Mutex::new(goes_on);
    let (fixture, _file, _) = fixture(|options| {
        options.idle_timeout = std::time::Duration::from_millis(100);
        options.fetchers = 1;
        options.fetch = Fetch::by(move |cold: &Cold| {
            let _ = goes_on.lock().unwrap().recv();
            cold.fetch()
        });
    });
    let mut client = fixture.client();
    client.send(&request(ask::FILE, b""));
    client.0.read_exact(&mut [0; 4]).unwrap();
    wait_until("it is being fetched", || {
        fixture.server.counters().fetches == 1
    });
    // Somebody who is idle is closed in the meantime, and it is not.
    fixture.client().wait_closed();
    assert!(client.is_quiet());
    drop(client);
    drop(go_on);
    wait_until("it is gone", || fixture.server.connections() == 0);
}

#[test]
fn io_uring_fetches_where_it_is_allowed_and_threads_where_it_is_not() {
    let serve = |refused: bool| {
        let (fixture, _file, bytes) = fixture(|_| {});
        let mut clients: Vec<_> = (0..4).map(|_| fixture.client()).collect();
        for client in &mut clients {
            client.send(&request(ask::FILE, b""));
        }
        for client in &mut clients {
            assert!(client.receive() == bytes);
        }
        // What is counted is published when the reactor goes round.
        wait_until("all is counted", || {
            let counters = fixture.server.counters();
            counters.transfer.bytes() >= 4 * FILE_SIZE as u64
        });
        let counters = fixture.server.counters();
        let by_ring = if refused || !io_uring_is_allowed() {
            0
        } else {
            counters.fetches
        };
        assert!(counters.fetches > 0);
        assert_eq!(counters.ring_fetches, by_ring, "{counters:?}");
        assert_eq!(counters.transfer.copied_bytes, 0);
    };
    serve(false);
    let without = move || {
        // For this thread and all that the server starts from it.
        filter::refuse_io_uring().unwrap();
        serve(true);
    };
    std::thread::spawn(without).join().unwrap();
}

/// One stream of many: what lies between its records is not read, and many of them are read at once.
#[test]
fn records_that_lie_far_apart_are_read_by_themselves() {
    let serve = || {
        let (fixture, file, bytes) = fixture(|options| options.cold_reads = ColdReads::Keep);
        let unit = pages_at_a_time(&file);
        let mut client = fixture.client();
        client.send(&request(ask::RECORDS, b""));
        let expected: Vec<u8> = support::records(FILE_SIZE)
            .flat_map(|record| &bytes[record])
            .copied()
            .collect();
        assert!(client.receive() == expected);
        let counters = fixture.server.counters();
        let delivered = expected.len() as u64;
        assert!(counters.fetched_bytes <= 8 * delivered, "{counters:?}");
        let count = support::records(FILE_SIZE).count() as u64;
        assert!(counters.fetches <= count.div_ceil(64), "{counters:?}");
        // The kernel has added nothing of its own.
        let read = resident(&file) * page_size();
        assert!(
            read <= 8 * unit * expected.len(),
            "{read} of {delivered} bytes"
        );
    };
    serve();
    let without = move || {
        filter::refuse_io_uring().unwrap();
        serve();
    };
    std::thread::spawn(without).join().unwrap();
}

/// What this file system brings in where a page is asked for: no more, as a rule.
fn pages_at_a_time(file: &MappedFile) -> usize {
    let page = 5 * page_size() as u64..6 * page_size() as u64;
    file::advise(file.file(), page.clone(), FileAdvice::WillNeed).unwrap();
    file::read_exact_at(file.file(), page.start, &mut [0]).unwrap();
    let pages = resident(file);
    file::advise(file.file(), 0..FILE_SIZE as u64, FileAdvice::DontNeed).unwrap();
    pages
}

fn io_uring_is_allowed() -> bool {
    pagelog_os::uring::Ring::new().is_ok()
}

#[test]
fn without_looking_the_reactor_reads_itself() {
    let (fixture, _file, bytes) = fixture(|options| options.cold_reads = ColdReads::Wait);
    let mut client = fixture.client();
    client.send(&request(ask::FILE, b""));
    assert!(client.receive() == bytes);
    assert_eq!(fixture.server.counters().fetches, 0);
}

/// As one that waits for the disk after all: here the bytes that were sent are slow to let go of, within the send.
#[test]
fn a_send_that_takes_long_is_counted() {
    const COUNT: u64 = 3;
    let fixture = Fixture::with(|options| options.reactors = 1);
    let mut client = fixture.client();
    for _ in 0..COUNT {
        client.send(&request(ask::SLOW, b""));
        assert_eq!(client.receive(), b"slow");
    }
    wait_until("each of them is counted", || {
        fixture.server.counters().slow_sends >= COUNT
    });
}
