//! The checkpoints of a log as files: their names, and which of them an opening begins with.

use std::sync::Arc;

use pagelog_segment::{Position, Segment, Storage, file_name};

use super::format::{Checkpoint, HEADER_SIZE, Header, SIZE_MAX};
use super::{CheckpointError, Derived};
use crate::control::Control;
use crate::index::{IndexFile, index_name, number};
use crate::recover::Known;
use crate::whole;

const SUFFIX: &str = ".checkpoint";
const UNFINISHED: &str = ".checkpoint.new";

/// The checkpoint of this position.
pub(crate) fn checkpoint_name(position: Position) -> String {
    format!("{:020}{SUFFIX}", position.0)
}

/// The name under which it is written.
pub(crate) fn unfinished_name(position: Position) -> String {
    format!("{:020}{UNFINISHED}", position.0)
}

/// The position of the checkpoint that has this name.
pub(crate) fn is_checkpoint(name: &str) -> Option<Position> {
    number(name.strip_suffix(SUFFIX)?)
}

/// Whether a file of this name was never completed.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(UNFINISHED).and_then(number).is_some()
}

/// Reads a checkpoint, which holds what was written and belongs to the log.
pub(crate) fn read(
    storage: &dyn Storage,
    name: &str,
    log_id: &[u8; 16],
) -> Result<Checkpoint, CheckpointError> {
    let file = storage.open(name)?;
    let found = file.size()?;
    let mut bytes = vec![0; HEADER_SIZE];
    let read = whole::read(&*file, 0, &mut bytes)?;
    bytes.truncate(read);
    if let Some(header) = bytes.first_chunk() {
        let expected = Header::decode(header)?.file_size();
        if found != expected || expected > SIZE_MAX {
            return Err(CheckpointError::Size { found, expected });
        }
        bytes.resize(expected as usize, 0);
        let rest = whole::read(&*file, HEADER_SIZE as u64, &mut bytes[HEADER_SIZE..])?;
        bytes.truncate(HEADER_SIZE + rest);
    }
    let checkpoint = Checkpoint::decode(&bytes, log_id)?;
    match is_checkpoint(name) {
        Some(position) if position == checkpoint.position => Ok(checkpoint),
        _ => Err(CheckpointError::Fields { at: 24 }),
    }
}

/// The files that an opening finds, and what it makes of them.
#[derive(Debug)]
pub(crate) struct Candidates {
    log_id: [u8; 16],
    /// The newest first.
    names: Vec<String>,
    /// What no opening can use.
    useless: Vec<String>,
    /// The newest that is whole, used or not.
    newest: Option<(Position, Known)>,
}

impl Candidates {
    /// The checkpoints among the files of these names; reads none.
    pub(crate) fn of(listed: Vec<String>, log_id: [u8; 16]) -> Candidates {
        let is_one = |name: &&String| is_checkpoint(name).is_some();
        let mut names: Vec<_> = listed.iter().filter(is_one).cloned().collect();
        names.sort_unstable_by(|one, other| other.cmp(one));
        let useless = listed.into_iter().filter(|name| is_unfinished(name));
        Candidates {
            log_id,
            names,
            useless: useless.collect(),
            newest: None,
        }
    }

    /// Gives the newest checkpoint to `derived` with which the log can be opened. `None`: all entries are to be read.
    pub(crate) fn restore(
        &mut self,
        storage: &dyn Storage,
        segments: &[Arc<Segment>],
        indexes: &[Arc<IndexFile>],
        derived: &mut dyn Derived,
    ) -> Option<Checkpoint> {
        let mut refused = false;
        for name in self.names.clone() {
            let found = self.read(storage, &name).and_then(|found| {
                check(&found, segments, indexes)?;
                let restored = derived.restore(&found.told);
                restored.map_err(CheckpointError::Refused)?;
                Ok(found)
            });
            match found {
                Ok(found) => return Some(found),
                Err(error) => {
                    tracing::warn!(file = name, %error, "a checkpoint cannot be used");
                    refused = true;
                }
            }
        }
        if refused {
            tracing::warn!("no checkpoint can be used: every entry of the log is read");
        }
        None
    }

    /// Looks only how far the log is known to have been durable.
    pub(crate) fn look(&mut self, storage: &dyn Storage) {
        for name in self.names.clone() {
            match self.read(storage, &name) {
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(file = name, %error, "a checkpoint cannot be used");
                }
            }
        }
    }

    fn read(&mut self, storage: &dyn Storage, name: &str) -> Result<Checkpoint, CheckpointError> {
        let found = read(storage, name, &self.log_id);
        match &found {
            Ok(found) => {
                let known = Known {
                    durable: found.durable,
                    file: name.to_owned(),
                };
                self.newest.get_or_insert((found.position, known));
            }
            // What cannot be read today may be read tomorrow.
            Err(CheckpointError::Io(_)) => {}
            Err(_) => self.useless.push(name.to_owned()),
        }
        found
    }

    /// Up to where the log was durable when the newest one was written.
    pub(crate) fn known(&self) -> Option<&Known> {
        self.newest.as_ref().map(|(_, known)| known)
    }

    /// The position of the newest that is whole.
    pub(crate) fn newest(&self) -> Option<Position> {
        self.newest.as_ref().map(|(position, _)| *position)
    }

    /// Removes what no opening can use. If it stays, the next opening removes it.
    pub(crate) fn tidy(&self, storage: &dyn Storage) {
        for name in &self.useless {
            if let Err(error) = storage.remove(name) {
                tracing::warn!(file = name, %error, "a file that is of no use any more cannot be removed");
            }
        }
    }
}

/// Whether the log can be read from the checkpoint's position on: index files tell of what lies before.
fn check(
    checkpoint: &Checkpoint,
    segments: &[Arc<Segment>],
    indexes: &[Arc<IndexFile>],
) -> Result<(), CheckpointError> {
    let position = checkpoint.position;
    let from = segments.first().map_or(Position(0), |first| first.base());
    let to = segments.last().map_or(Position(0), |last| last.end());
    if position < from || position > to {
        return Err(CheckpointError::OtherPlace { position, from, to });
    }
    for segment in segments.iter().filter(|one| one.base() < position) {
        let needed = position.min(segment.end());
        let tells = |index: &Arc<IndexFile>| {
            index.header().from == segment.base() && index.header().to >= needed
        };
        if !indexes.iter().any(tells) {
            let file = index_name(segment.base());
            return Err(CheckpointError::Index { file });
        }
    }
    let within = |one: &&Arc<Segment>| one.base() < position && position < one.end();
    match segments.iter().find(within) {
        Some(segment) => check_head(segment),
        None => Ok(()),
    }
}

/// Of the segment that is read from its middle on: who made it made it as long as it is.
fn check_head(segment: &Segment) -> Result<(), CheckpointError> {
    let mut payload = [0; 16];
    let at = pagelog_record::HEADER_SIZE as u64;
    let read = whole::read(&**segment.file(), at, &mut payload)?;
    match Control::segment_size(&payload[..read]) {
        Some(size) if size == segment.size() => Ok(()),
        _ => Err(CheckpointError::Head {
            file: file_name(segment.base()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let position = Position(8192);
        assert_eq!(checkpoint_name(position), "00000000000000008192.checkpoint");
        assert_eq!(is_checkpoint(&checkpoint_name(position)), Some(position));
        assert_eq!(is_checkpoint(&unfinished_name(position)), None);
        assert_eq!(is_checkpoint("8192.checkpoint"), None);
        assert!(is_unfinished(&unfinished_name(position)));
        assert!(!is_unfinished(&checkpoint_name(position)));
        assert!(!is_unfinished("notes.checkpoint.new"));
    }
}
