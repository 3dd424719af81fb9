//! A program that keeps lines: each line of standard input is acknowledged once it would survive a power cut. Started again, it says
//! how many there are.
//!
//! ```sh
//! seq 100000 | cargo run --release -p pagelog-flush --example durable_lines -- DIRECTORY [sync|interval] [staged|mapped]
//! ```
//!
//! Nothing waits for one line before it takes the next: one sync serves all that came meanwhile.

use std::error::Error;
use std::io::BufRead;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_flush::pagelog_commit_log::{
    AppendError, Appended, Directory, Log, LogOptions, NewEntry, Opened, Route, Stream, StreamId,
    WaitOutcome,
};
use pagelog_flush::{Flush, Policy};

/// How long one who found no room waits before he looks again.
const ROOM_TIMEOUT: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let directory = arguments.first().ok_or("which directory?")?;
    let policy = match arguments.get(1).map(String::as_str) {
        None | Some("sync") => Policy::Sync,
        Some("interval") => Policy::INTERVAL,
        Some(other) => return Err(format!("{other} is neither sync nor interval").into()),
    };
    let route = match arguments.get(2).map(String::as_str) {
        None | Some("staged") => Route::Staged { ring_size: 4 << 20 },
        Some("mapped") => Route::Mapped,
        Some(other) => return Err(format!("{other} is neither staged nor mapped").into()),
    };
    let options = LogOptions::new(64 << 20, route, 1 << 20);
    let storage = Arc::new(Directory::open(directory)?);
    let Opened { log, sync, .. } = Log::open(storage, options, &mut |_| Ok(()))?;
    let lines = log.stream(StreamId(1));
    println!("{} lines are there", lines.next_offset());

    let flush = Flush::start(sync, policy)?;
    let began = Instant::now();
    let mut last = None;
    for line in std::io::stdin().lock().lines() {
        last = Some(append(&log, &lines, line?.as_bytes())?);
    }
    if let Some(last) = last {
        // What is asked for decides what is waited for: here, a power cut.
        match log.durable().wait(last.end, Some(Duration::from_secs(60))) {
            WaitOutcome::Reached => println!("{} lines are durable", lines.next_offset()),
            WaitOutcome::TimedOut => println!("a minute was not enough"),
            WaitOutcome::Closed => println!("the log was closed before"),
            WaitOutcome::Failed => println!("the log has failed: {:?}", log.failure()),
        }
    }
    let elapsed = began.elapsed();
    let report = flush.stop()?;
    println!(
        "{} syncs and {} writes in {elapsed:.2?}",
        report.counters.syncs, report.counters.writes
    );
    Ok(())
}

fn append(log: &Log, stream: &Stream, line: &[u8]) -> Result<Appended, AppendError> {
    let entry = NewEntry::record(line);
    loop {
        match log.append(stream, &entry) {
            Err(AppendError::Busy(busy)) => log.wait_room(busy, ROOM_TIMEOUT),
            other => return other,
        }
    }
}
