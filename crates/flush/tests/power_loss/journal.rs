//! What the appenders were told, and whether a log that was found again keeps it.

use std::collections::HashMap;
use std::fmt;

use pagelog_commit_log::{Offset, Position, StreamId};

use crate::setup::Running;

/// How many streams the workload uses; they are numbered from 1.
pub(crate) const STREAMS: u32 = 5;

/// One entry, as its appender knows it or as a reader found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) end: Position,
    pub(crate) stream: StreamId,
    pub(crate) base_offset: Offset,
    pub(crate) count: u32,
    pub(crate) payload: Vec<u8>,
}

/// Everything that was appended, in the log's order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    records: Vec<Record>,
}

/// A broken promise.
#[derive(Debug)]
pub(crate) enum Violation {
    /// The log could not be opened.
    Refused(String),
    /// An entry below the promised position is not there.
    Lost {
        missing: String,
        promised: Position,
        found: usize,
    },
    /// Another entry than the one that was appended there.
    Differs {
        index: usize,
        found: String,
        expected: String,
    },
    /// More entries than were ever appended.
    Invented { found: String },
    /// A stream does not go on where it ended.
    NextOffset {
        stream: StreamId,
        found: Offset,
        expected: Offset,
    },
    /// Replay and the index disagree.
    Index { replayed: usize, read: usize },
}

impl Journal {
    /// Takes what the threads of one life appended.
    pub(crate) fn extend(&mut self, mut records: Vec<Record>) {
        records.sort_by_key(|record| record.end);
        self.records.extend(records);
        assert!(
            self.records
                .is_sorted_by(|left, right| left.end < right.end),
            "two entries in one place"
        );
        self.assert_offsets_are_dense();
    }

    fn assert_offsets_are_dense(&self) {
        let mut next: HashMap<StreamId, i64> = HashMap::new();
        for record in &self.records {
            let expected = next.entry(record.stream).or_default();
            assert_eq!(
                record.base_offset.0, *expected,
                "offsets of stream {} have a gap",
                record.stream
            );
            *expected += i64::from(record.count);
        }
    }

    /// What was found after a crash is all there ever was: the rest is forgotten.
    pub(crate) fn after_crash(&self, found: usize) -> Journal {
        Journal {
            records: self.records[..found].to_vec(),
        }
    }

    /// Whether the log holds a beginning of this journal that reaches at least to `promised`. Answers how many entries it holds.
    pub(crate) fn check(&self, running: &Running, promised: Position) -> Result<usize, Violation> {
        let found = read_all(running);
        for (index, record) in found.iter().enumerate() {
            match self.records.get(index) {
                Some(expected) if expected == record => {}
                Some(expected) => {
                    return Err(Violation::Differs {
                        index,
                        found: record.to_string(),
                        expected: expected.to_string(),
                    });
                }
                None => {
                    return Err(Violation::Invented {
                        found: record.to_string(),
                    });
                }
            }
        }
        if let Some(missing) = self
            .records
            .get(found.len())
            .filter(|missing| missing.end <= promised)
        {
            return Err(Violation::Lost {
                missing: missing.to_string(),
                promised,
                found: found.len(),
            });
        }
        if running.replayed.len() != found.len() {
            return Err(Violation::Index {
                replayed: running.replayed.len(),
                read: found.len(),
            });
        }
        check_next_offsets(running, &found)?;
        Ok(found.len())
    }
}

fn check_next_offsets(running: &Running, found: &[Record]) -> Result<(), Violation> {
    for stream in (1..=STREAMS).map(StreamId) {
        let last = found.iter().rfind(|record| record.stream == stream);
        let expected = last.map_or(Offset(0), |record| {
            Offset(record.base_offset.0 + i64::from(record.count))
        });
        let found = running.log.stream(stream).next_offset();
        if found != expected {
            return Err(Violation::NextOffset {
                stream,
                found,
                expected,
            });
        }
    }
    Ok(())
}

/// Every visible entry of every stream, with its payload, as readers get it.
fn read_all(running: &Running) -> Vec<Record> {
    let log = &running.log;
    let mut found = Vec::new();
    for id in (1..=STREAMS).map(StreamId) {
        let stream = log.stream(id);
        let entries = log.read(&stream, Offset(0), log.durable().get(), u64::MAX, true);
        for entry in entries.expect("the index is whole") {
            let mut payload = vec![0; entry.size as usize];
            let copied = entry
                .file
                .mapping()
                .copy_out(entry.at as usize, &mut payload);
            copied.expect("the file is as long as it was");
            found.push(Record {
                end: entry.end,
                stream: id,
                base_offset: entry.base_offset,
                count: entry.count,
                payload,
            });
        }
    }
    found.sort_by_key(|record| record.end);
    found
}

impl fmt::Display for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record {
            end,
            stream,
            base_offset,
            count,
            payload,
        } = self;
        write!(
            formatter,
            "entry of stream {stream}, offset {base_offset}+{count}, {} bytes, end {end}",
            payload.len()
        )
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Refused(error) => write!(formatter, "the log was refused: {error}"),
            Violation::Lost {
                missing,
                promised,
                found,
            } => {
                write!(
                    formatter,
                    "lost {missing}: {promised} was promised, {found} entries were found"
                )
            }
            Violation::Differs {
                index,
                found,
                expected,
            } => write!(formatter, "entry {index}: {found} instead of {expected}"),
            Violation::Invented { found } => write!(formatter, "never appended: {found}"),
            Violation::NextOffset {
                stream,
                found,
                expected,
            } => {
                write!(
                    formatter,
                    "stream {stream} goes on at {found} instead of {expected}"
                )
            }
            Violation::Index { replayed, read } => {
                write!(formatter, "{replayed} entries replayed, {read} read")
            }
        }
    }
}
