//! Appenders: several threads, several streams, payloads of all sizes, some waiting for the disk and some not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pagelog_commit_log::{
    AppendError, Appended, LandingSize, Log, NewEntry, Stream, StreamId, WaitOutcome,
};
use pagelog_flush::Policy;
use pagelog_testing::{Arriving, Random};

use crate::journal::{Record, STREAMS};
use crate::setup::PAYLOAD_SIZE_MAX;

/// Far longer than anything here takes; reaching it is a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// An appender ends after this many entries whatever else is awaited.
const ENTRIES_MAX: usize = 2_000;

/// Appends from `threads` threads as long as `more` holds. Answers what they appended.
pub(crate) fn append_while(
    log: &Arc<Log>,
    policy: Policy,
    seed: u64,
    threads: u64,
    more: &(dyn Fn() -> bool + Sync),
) -> Vec<Record> {
    // A landing keeps others away from its stream.
    let streams: Vec<_> = (0..STREAMS).map(|_| Mutex::new(())).collect();
    let streams = &streams;
    std::thread::scope(|scope| {
        let spawn = |thread: u64| {
            let random = Random::new(seed ^ (thread + 1) << 32);
            scope.spawn(move || appender(log, streams, policy, random, more))
        };
        let running: Vec<_> = (0..threads).map(spawn).collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().expect("an appender does not panic"))
            .collect()
    })
}

fn appender(
    log: &Log,
    streams: &[Mutex<()>],
    policy: Policy,
    mut random: Random,
    more: &(dyn Fn() -> bool + Sync),
) -> Vec<Record> {
    let mut records = Vec::new();
    while more() && records.len() < ENTRIES_MAX {
        records.push(append(log, streams, &mut random));
        let last = &records[records.len() - 1];
        match random.below(4) {
            0 if policy == Policy::Sync => {
                assert_eq!(
                    log.durable().wait(last.end, Some(PATIENCE)),
                    WaitOutcome::Reached
                );
            }
            1 => std::thread::yield_now(),
            _ => {}
        }
    }
    records
}

/// Appends one entry, however long there is no room.
fn append(log: &Log, streams: &[Mutex<()>], random: &mut Random) -> Record {
    let number = random.below(STREAMS as usize);
    let stream = log.stream(StreamId(1 + number as u32));
    let count = 1 + random.below(4) as u32;
    let payload = payload(random);
    let (head, body) = payload.split_at(payload.len().min(16));
    let new = NewEntry {
        count,
        append_time_ms: 1,
        record_time_max_ms: 1,
        head,
        ..NewEntry::record(body)
    };
    let lands = random.below(3);
    loop {
        let appended = {
            let _alone = streams[number].lock().expect("nobody panics");
            match lands {
                0 => land(log, &stream, &new, random),
                _ => log.append(&stream, &new),
            }
        };
        match appended {
            Ok(appended) => {
                return Record {
                    end: appended.end,
                    stream: stream.id(),
                    base_offset: appended.base_offset,
                    count,
                    payload,
                };
            }
            Err(AppendError::Busy(busy)) => log.wait_room(busy, Duration::from_millis(100)),
            Err(error) => panic!("append: {error}"),
        }
    }
}

/// As an append, but received into its place; now and then a first attempt falls short and becomes a filler.
fn land(
    log: &Log,
    stream: &Stream,
    new: &NewEntry<'_>,
    random: &mut Random,
) -> Result<Appended, AppendError> {
    let size = LandingSize {
        head: new.head.len(),
        body: new.body.len(),
    };
    let at_once = 1 + random.below(PAYLOAD_SIZE_MAX as usize);
    if random.one_in(3) && size.body > 0 {
        let mut landing = log.reserve(stream, size)?;
        let mut short = Arriving::new(&new.body[1..], at_once);
        landing.receive(&mut short, &mut []);
        assert!(!landing.is_whole());
    }
    let mut landing = log.reserve(stream, size)?;
    let mut arriving = Arriving::new(new.body, at_once);
    landing.receive(&mut arriving, &mut []);
    if random.one_in(2) {
        std::thread::yield_now();
    }
    landing.commit(&NewEntry { body: &[], ..*new })
}

/// Mostly small, some empty, some as large as they may be.
fn payload(random: &mut Random) -> Vec<u8> {
    let size = match random.below(10) {
        0 => 0,
        1 => PAYLOAD_SIZE_MAX as usize,
        2 | 3 => random.below(PAYLOAD_SIZE_MAX as usize),
        _ => random.below(200),
    };
    let mut payload = vec![0; size];
    random.fill(&mut payload);
    payload
}
