//! What deleting a large file costs those who append beside it: the slowest store into a warmed mapping and the slowest synced
//! write, with nothing deleted, with a segment that leaves the run (its file goes bit by bit), and with a file that is removed at
//! once.
//!
//! ```sh
//! cargo run --release -p pagelog-segment --example delete -- DIRECTORY [MEBIBYTES]
//! ```
//!
//! It works in a directory of its own in DIRECTORY, and removes it. Room for seven files of MEBIBYTES (1024 by default) is needed.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pagelog_segment::{Directory, Position, Segment, Segments, SegmentsOptions, State, WarmAhead};

const ENTRY: [u8; 1024] = [7; 1024];
const LONG: Duration = Duration::from_secs(300);
/// The part of a file that is appended to, over and over, in bytes.
const REGION: usize = 1 << 20;
const PACE: Duration = Duration::from_micros(20);
/// How long nothing is deleted, for comparison.
const REST: Duration = Duration::from_secs(1);

/// Times of one kind of append.
#[derive(Default)]
struct Times {
    nanoseconds: Vec<u64>,
}

impl Times {
    fn take(&mut self, began: Instant) {
        self.nanoseconds.push(began.elapsed().as_nanos() as u64);
    }

    fn show(mut self) -> String {
        self.nanoseconds.sort_unstable();
        let at = |share: f64| {
            let last = self.nanoseconds.len().saturating_sub(1);
            let place = (last as f64 * share) as usize;
            self.nanoseconds.get(place).copied().unwrap_or(0) as f64 / 1_000.0
        };
        let (median, high, most) = (at(0.5), at(0.999), at(1.0));
        format!("{median:>9.1} {high:>9.1} {most:>9.1}")
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("which directory?")?);
    let mebibytes: u64 = match arguments.next() {
        Some(text) => text.to_str().ok_or("a number, please")?.parse()?,
        None => 1024,
    };
    let place = directory.join(format!("pagelog-delete-{}", std::process::id()));
    let measured = measure(&place, mebibytes << 20);
    fs::remove_dir_all(&place)?;
    measured
}

fn measure(place: &Path, size: u64) -> Result<(), Box<dyn Error>> {
    let whole = WarmAhead {
        window: None,
        bytes_per_second: None,
        flush_every: None,
        pin: None,
    };
    let options = SegmentsOptions {
        warm: Some(whole),
        ..SegmentsOptions::of_size(size)
    };
    let segments = Segments::open(Arc::new(Directory::open(place)?), options)?;
    segments.start_ahead(Position(0))?;
    // Two to be deleted, full and in memory, as a log's oldest segments may be; one to append to.
    for _ in 0..2 {
        segments.wait_next(LONG)?;
        fill(&*segments.take_next()?)?;
    }
    let removed_at_once = place.join("removed-at-once");
    fs::copy(place.join("00000000000000000000.log"), &removed_at_once)?;
    fs::File::open(&removed_at_once)?.sync_all()?;
    segments.wait_next(LONG)?;
    let active = segments.take_next()?;
    while segments
        .warm_up()
        .iter()
        .any(|one| one.state != State::Done)
        || segments.ready() < 2
    {
        std::thread::sleep(Duration::from_millis(50));
    }

    segments.wait_next(LONG)?;
    let synced = segments.take_next()?;
    for segment in segments.snapshot().iter() {
        segment.file().sync_data()?;
    }
    let files = Files { active, synced };

    println!("microseconds                   median    99.9 %   slowest");
    beside("nothing deleted", &files, || {
        std::thread::sleep(REST);
        Ok(())
    })?;
    beside("left the run", &files, || {
        segments.remove_front(Position(0))?;
        while segments.leaving() > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    })?;
    beside("removed at once", &files, || {
        Ok(fs::remove_file(&removed_at_once)?)
    })
}

/// Where it is appended: apart, since a sync of a file waits for all that is stored into it.
struct Files {
    active: Arc<Segment>,
    synced: Arc<Segment>,
}

fn fill(segment: &Segment) -> std::io::Result<()> {
    let chunk = vec![1; 1 << 20];
    for at in (0..segment.size()).step_by(chunk.len()) {
        segment.file().write_at(at, &chunk)?;
    }
    segment.file().sync_data()
}

/// Appends by both ways until `delete` is done.
fn beside(
    name: &str,
    files: &Files,
    delete: impl FnOnce() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stores = scope.spawn(|| stores(&files.active, &stop));
        let syncs = scope.spawn(|| synced_writes(&files.synced, &stop));
        let began = Instant::now();
        let deleted = delete();
        let took = began.elapsed();
        stop.store(true, Relaxed);
        let stores = stores.join().map_err(|_| "a thread has panicked")??;
        let syncs = syncs.join().map_err(|_| "a thread has panicked")??;
        println!("{name:<17} store      {}", stores.show());
        println!(
            "{name:<17} write+sync {}   ({took:.2?} in all)",
            syncs.show()
        );
        deleted
    })
}

/// Through the mapping, at a steady rate.
fn stores(active: &Segment, stop: &AtomicBool) -> std::io::Result<Times> {
    let memory = active.append_mapping()?;
    let mut times = Times::default();
    let mut at = 0;
    while !stop.load(Relaxed) {
        let began = Instant::now();
        memory.copy_in(at, &ENTRY)?;
        times.take(began);
        at = (at + ENTRY.len()) % REGION;
        std::thread::sleep(PACE);
    }
    Ok(times)
}

/// By the descriptor, one sync after the other.
fn synced_writes(synced: &Segment, stop: &AtomicBool) -> std::io::Result<Times> {
    let mut times = Times::default();
    let mut at = 0;
    while !stop.load(Relaxed) {
        let began = Instant::now();
        synced.file().write_at(at, &ENTRY)?;
        synced.file().sync_data()?;
        times.take(began);
        at = (at + ENTRY.len() as u64) % REGION as u64;
    }
    Ok(times)
}
