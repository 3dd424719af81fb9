//! What removing old segments costs those who append meanwhile: `cargo run --release -p pagelog-store --example carry -- [DIR]`.
//!
//! Half a gibibyte in segments of 64 MiB, of which every tenth record is kept for ever. One appender waits for each of its records to be durable, at first
//! alone, then while everything that is kept is carried forward at the default rate, then without a limit.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use pagelog_flush::{Flush, Policy};
use pagelog_segment::Directory;
use pagelog_store::{
    Batch, ConfigValues, DiskLimits, Housekeeping, HousekeepingOptions, LogOptions, Opened,
    Partition, Producer, Route, Store, StoreOptions, TopicName, now_ms,
};

const SEGMENT_SIZE: u64 = 64 << 20;
const RECORD: [u8; 1024] = [7; 1024];
const RECORDS: usize = 512 << 10;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let place = tempfile::tempdir()?;
    let directory = std::env::args().nth(1).map(PathBuf::from);
    let directory = directory.unwrap_or_else(|| place.path().to_path_buf());
    println!("one appender, 1 KiB, each durable before the next; µs");
    for (name, rate) in [
        ("alone", None),
        ("carrying at 64 MiB/s", Some(64 << 20)),
        ("carrying without a limit", Some(u64::MAX)),
    ] {
        measure(&directory.join(name.replace([' ', '/'], "-")), name, rate)?;
    }
    Ok(())
}

/// Fills a log, and appends to it while it is shortened at `rate`, if there is one.
fn measure(directory: &std::path::Path, name: &str, rate: Option<u64>) -> Outcome<()> {
    std::fs::create_dir_all(directory)?;
    let ring_size = 16 << 20;
    let options = LogOptions::new(SEGMENT_SIZE, Route::Staged { ring_size }, 1 << 20);
    let storage = Arc::new(Directory::open(directory)?);
    let Opened { store, sync, .. } = Store::open(storage, &StoreOptions::new(options))?;
    let flush = Flush::start(sync, Policy::Sync)?;
    let (kept, busy) = (topic(&store, "kept", "-1")?, topic(&store, "busy", "0")?);
    for number in 0..RECORDS {
        append(&store, if number % 10 == 0 { &kept } else { &busy })?;
    }
    let before = store.log().size();
    let begun = Instant::now();
    let shortening = rate.map(|rate| shorten(&store, rate)).transpose()?;
    let is_short = || store.log().size() <= before / 4;
    let is_over = || match shortening {
        Some(_) => is_short() || begun.elapsed() > Duration::from_secs(60),
        None => begun.elapsed() > Duration::from_secs(3),
    };
    let stop = AtomicBool::new(false);
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let appender = scope.spawn(|| {
            let mut times = Vec::new();
            while !stop.load(SeqCst) {
                let begun = Instant::now();
                let end = append(&store, &kept)?;
                store.log().durable().wait(end, None);
                times.push(begun.elapsed());
            }
            Outcome::Ok(times)
        });
        while !is_over() {
            std::thread::sleep(Duration::from_millis(1));
        }
        stop.store(true, SeqCst);
        appender.join().expect("it does not panic")
    })?;
    let took = begun.elapsed();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_micros();
    println!(
        "{name:>25}: p50 {:>5}  p99 {:>6}  p99.9 {:>6}  slowest {:>7}; {} MiB became {} MiB in {:.2} s",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        before >> 20,
        store.log().size() >> 20,
        took.as_secs_f64(),
    );
    drop(shortening);
    flush.stop()?;
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

fn shorten(store: &Arc<Store>, rate: u64) -> Outcome<Housekeeping> {
    let options = HousekeepingOptions {
        retention_interval: Duration::from_millis(1),
        carry_bytes_per_second: rate,
        disk: DiskLimits::default(),
        measure: Arc::new(|| {
            Ok(pagelog_os::Space {
                used: 0,
                available: 1,
            })
        }),
    };
    Ok(Housekeeping::start(Arc::clone(store), options)?)
}

fn topic(store: &Store, name: &str, retention_bytes: &str) -> Outcome<Arc<Partition>> {
    let config = ("retention.bytes".to_owned(), retention_bytes.to_owned());
    let name = TopicName::new(name)?;
    let topic = store.create_configured_topic(&name, 1, &ConfigValues::from([config]))?;
    Ok(Arc::clone(&topic.partitions()[0]))
}

fn append(store: &Store, partition: &Partition) -> Outcome<pagelog_store::answer::Position> {
    let (head, body) = RECORD.split_at(16);
    let batch = Batch {
        count: 1,
        append_time_ms: now_ms(),
        record_time_max_ms: now_ms(),
        producer: Producer::NONE,
        head,
        body,
        patch: |_, _| {},
    };
    loop {
        match partition.append(&batch) {
            Ok(appended) => return Ok(appended.end),
            Err(error) => match error.busy() {
                Some(busy) => store.wait_room(busy, Duration::from_secs(1)),
                None => return Err(error.into()),
            },
        }
    }
}
