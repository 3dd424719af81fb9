//! What the store derives from the entries of its log, as a checkpoint holds it.
//!
//! It is what carrying everything forward would append: the payload of a control entry for each value that there is, with the position of the
//! entry that holds it now. It is taken value by value while others go on, so beside each stands how far the log had come just then: of the same
//! owner's entries, those below are taken in, and are passed over when they are met again.
//!
//! ```text
//!   version │ at, as of, size, payload │ at, as of, size, payload │ …
//! ```

use pagelog_commit_log::{CheckpointWriteError, Derived, Draft, Entry};

use crate::answer::Position;
use crate::error::ReplayError;
use crate::kept::Carrier;
use crate::replay::Replay;
use crate::store::{Store, take_up};

const VERSION: [u8; 4] = 1_u32.to_le_bytes();
/// At, as of, size.
const RECORD_HEAD_SIZE: usize = 8 + 8 + 4;

/// Values that are being written down.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) bytes: Vec<u8>,
    /// What is written down next holds what its owner's entries below say.
    pub(crate) as_of: Position,
}

impl Default for Records {
    fn default() -> Records {
        Records {
            bytes: VERSION.to_vec(),
            as_of: Position(0),
        }
    }
}

impl Records {
    /// Adds the value that the entry at `at` holds.
    pub(crate) fn push(&mut self, payload: &[u8], at: Position) {
        self.bytes.extend_from_slice(&at.0.to_le_bytes());
        self.bytes.extend_from_slice(&self.as_of.0.to_le_bytes());
        let size = payload.len() as u32;
        self.bytes.extend_from_slice(&size.to_le_bytes());
        self.bytes.extend_from_slice(payload);
    }
}

/// A value that was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Where the entry lies that holds it; of a producer, where it ends.
    pub(crate) at: Position,
    /// It holds what its owner's entries below say.
    pub(crate) as_of: Position,
    /// The payload of a control entry.
    pub(crate) payload: &'a [u8],
    /// Where this begins among what was written down.
    pub(crate) begin: usize,
}

/// Reads what was written down, one value after the other.
fn records(told: &[u8]) -> impl Iterator<Item = Result<Record<'_>, ReplayError>> {
    let mut rest = told.strip_prefix(&VERSION);
    let mut version = rest.is_none().then_some(Err(ReplayError::Told { at: 0 }));
    std::iter::from_fn(move || {
        if let Some(refused) = version.take() {
            return Some(refused);
        }
        let bytes = rest.filter(|bytes| !bytes.is_empty())?;
        let begin = told.len() - bytes.len();
        let read = record(bytes, begin);
        rest = read.map(|(_, behind)| behind);
        Some(match read {
            Some((record, _)) => Ok(record),
            None => Err(ReplayError::Told { at: begin }),
        })
    })
}

fn record(bytes: &[u8], begin: usize) -> Option<(Record<'_>, &[u8])> {
    let (head, behind) = bytes.split_first_chunk::<RECORD_HEAD_SIZE>()?;
    let (at, rest) = head.split_first_chunk::<8>()?;
    let (as_of, size) = rest.split_first_chunk::<8>()?;
    let size = u32::from_le_bytes(size.try_into().ok()?);
    let (payload, behind) = behind.split_at_checked(size as usize)?;
    let record = Record {
        at: Position(u64::from_le_bytes(*at)),
        as_of: Position(u64::from_le_bytes(*as_of)),
        payload,
        begin,
    };
    Some((record, behind))
}

/// The store's state while its log is opened.
pub(crate) struct State {
    now_ms: i64,
    producer_expiration_ms: i64,
    pub(crate) replay: Replay,
}

impl State {
    pub(crate) fn new(now_ms: i64, producer_expiration_ms: i64) -> State {
        State {
            now_ms,
            producer_expiration_ms,
            replay: Replay::new(now_ms, producer_expiration_ms),
        }
    }
}

impl Derived for State {
    fn restore(&mut self, told: &[u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut replay = Replay::new(self.now_ms, self.producer_expiration_ms);
        for record in records(told) {
            replay.told(&record?)?;
        }
        self.replay = replay;
        Ok(())
    }

    fn take(&mut self, entry: &Entry<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(take_up(&mut self.replay, entry)?)
    }
}

impl Store {
    /// Takes a checkpoint, which [`pagelog_commit_log::Log::write_checkpoint`] writes when the log is durable up to [`Draft::needs`]. `None` if there is
    /// nothing new to tell.
    pub fn take_checkpoint(&self) -> Option<Draft> {
        self.log().take_checkpoint(|| {
            let mut carrier = Carrier::recording(self.log());
            // Writing down appends nothing, and so is never paused.
            let _ = self.carry_all(&mut carrier);
            carrier.into_records()
        })
    }
}

/// Checkpoints that are taken now and written when the log is durable so far.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    draft: Option<Draft>,
    /// Another is due when that one is written.
    again: bool,
}

impl Checkpoints {
    /// A segment got its index.
    pub(crate) fn due(&mut self, store: &Store) {
        self.again = self.draft.is_some();
        if !self.again {
            self.draft = store.take_checkpoint();
        }
    }

    /// Writes what can be written, and asks to be called when the rest can be.
    pub(crate) fn go_on(&mut self, store: &Store) -> Result<(), CheckpointWriteError> {
        let log = store.log();
        while let Some(draft) = self.draft.take() {
            let needs = draft.needs();
            if log.durable().get() < needs {
                self.draft = Some(draft);
                log.wake_index_work_at(needs);
                // It may have come there before anybody was asked to say so.
                if log.durable().get() < needs {
                    return Ok(());
                }
                continue;
            }
            let written = log.write_checkpoint(draft);
            if std::mem::take(&mut self.again) {
                self.draft = store.take_checkpoint();
            }
            written?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read() {
        let mut written = Records {
            as_of: Position(500),
            ..Records::default()
        };
        written.push(b"one", Position(100));
        written.push(b"", Position(u64::MAX));
        let read: Vec<_> = records(&written.bytes)
            .map(|one| one.expect("whole"))
            .collect();
        let found = |record: &Record<'_>| (record.at.0, record.as_of.0, record.payload.to_vec());
        let found: Vec<_> = read.iter().map(found).collect();
        assert_eq!(
            found,
            [(100, 500, b"one".to_vec()), (u64::MAX, 500, Vec::new())]
        );
        assert_eq!((read[0].begin, read[1].begin), (4, 4 + 20 + 3));
        let whole = [4, 4 + 20 + 3];
        for size in (0..written.bytes.len()).filter(|size| !whole.contains(size)) {
            let cut = records(&written.bytes[..size]).find_map(Result::err);
            assert!(
                matches!(cut, Some(ReplayError::Told { .. })),
                "cut at {size}"
            );
        }
        let other = records(&[2, 0, 0, 0]).find_map(Result::err);
        assert!(matches!(other, Some(ReplayError::Told { at: 0 })));
    }

    #[test]
    fn what_cannot_be_understood_changes_nothing() {
        let mut state = State::new(0, 1_000);
        let mut written = Records::default();
        written.push(&[18, 0, 0, 0, 77, 0, 0, 0], Position(100));
        state.restore(&written.bytes).expect("streams were given");
        assert_eq!(state.replay.streams_given().value, 77);
        // A deletion is never carried, and so never told.
        let mut deletion = vec![17, 0, 0, 0];
        deletion.extend([0; 16]);
        for payload in [&deletion[..], &[99, 0], &[18, 0, 0, 0]] {
            let mut other = Records::default();
            other.push(&[18, 0, 0, 0, 78, 0, 0, 0], Position(100));
            other.push(payload, Position(200));
            assert!(state.restore(&other.bytes).is_err(), "{payload:?}");
            assert_eq!(state.replay.streams_given().value, 77);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_state_or_an_error(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let told = [&VERSION[..], &bytes].concat();
            let _ = State::new(0, 1_000).restore(&told);
            let mut written = Records::default();
            written.push(&bytes, Position(3));
            let _ = State::new(0, 1_000).restore(&written.bytes);
        }
    }
}
