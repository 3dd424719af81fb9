//! Many journals in one log, without a thread: lines are appended to the journal whose number they begin with, and read again from any line on.
//!
//! ```sh
//! seq 1 9 | sed 's/.*/1 line & of the first\n2 line & of the second/' \
//!     | cargo run --release -p pagelog-commit-log --example journal -- DIRECTORY append
//! cargo run --release -p pagelog-commit-log --example journal -- DIRECTORY read 2 5
//! ```
//!
//! The program itself decides when to sync: after so many lines, however many journals they went to. One sync serves them all.

use std::error::Error;
use std::io::BufRead;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use pagelog_commit_log::{
    AppendError, Directory, Log, LogOptions, NewEntry, Offset, Opened, Route, StreamId, SyncSide,
};

/// Lines that one sync serves.
const LINES_A_SYNC: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let usage = "DIRECTORY append, or DIRECTORY read JOURNAL FROM_LINE";
    let (directory, task) = words.split_first().ok_or(usage)?;
    let storage = Arc::new(Directory::open(*directory)?);
    let options = LogOptions::new(64 << 20, Route::Staged { ring_size: 4 << 20 }, 1 << 20);
    let opened = Log::open(storage, options, &mut |_| Ok(()))?;
    if let Some(cut) = &opened.recovery.cut {
        println!("the last life ended in the middle of an entry: {cut:?}");
    }
    let Opened { log, mut sync, .. } = opened;
    match task {
        ["append"] => append_all(&log, &mut sync)?,
        ["read", journal, from] => read(&log, StreamId(journal.parse()?), from.parse()?)?,
        _ => return Err(usage.into()),
    }
    // Says in the log that all is well, and where it ends.
    sync.close()?;
    Ok(())
}

fn append_all(log: &Log, sync: &mut SyncSide) -> Result<(), Box<dyn Error>> {
    let mut count = 0;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (journal, text) = line
            .split_once(' ')
            .ok_or("a journal's number, and a text")?;
        append(log, sync, StreamId(journal.parse()?), text.as_bytes())?;
        count += 1;
        if count % LINES_A_SYNC == 0 {
            sync.write()?;
            sync.sync()?;
        }
    }
    sync.write()?;
    let durable = sync.sync()?;
    println!("{count} lines would survive a power cut; the log ends at {durable}");
    Ok(())
}

fn append(
    log: &Log,
    sync: &mut SyncSide,
    journal: StreamId,
    text: &[u8],
) -> Result<(), Box<dyn Error>> {
    let entry = NewEntry::record(text);
    loop {
        match log.append(&log.stream(journal), &entry) {
            Ok(_) => return Ok(()),
            // An append never waits. Who may wait makes room.
            Err(AppendError::Busy(busy)) => {
                sync.write()?;
                log.wait_room(busy, std::time::Duration::from_millis(10));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn read(log: &Log, journal: StreamId, from: i64) -> Result<(), Box<dyn Error>> {
    let stream = log.stream(journal);
    let end = log.durable().get();
    let mut next = Offset(from);
    loop {
        // Places in files, of a megabyte at a time; the bytes are read here.
        let places = log.read(&stream, next, end, 1 << 20, true)?;
        let Some(last) = places.last() else {
            return Ok(());
        };
        next = Offset(last.base_offset.0 + i64::from(last.count));
        for place in &places {
            let mut text = vec![0; place.size as usize];
            place.file.file().read_exact_at(&mut text, place.at)?;
            let text = String::from_utf8_lossy(&text);
            println!("{}: {text}", place.base_offset);
        }
    }
}
