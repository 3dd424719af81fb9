//! Taking a checkpoint of a log in use, and writing it when all that it tells is durable.

use std::io;

use pagelog_record::Epoch;
use pagelog_segment::{Position, Storage};

use super::files::{checkpoint_name, is_checkpoint, unfinished_name};
use super::format::{Checkpoint, SIZE_MAX, StreamMark};
use crate::index::remove;
use crate::log::Log;
use crate::whole;

/// A checkpoint that has been taken and not written.
#[derive(Debug)]
pub struct Draft {
    position: Position,
    epoch: Epoch,
    needs: Position,
    streams: Vec<StreamMark>,
    told: Vec<u8>,
}

impl Draft {
    /// From here on an opening reads entries.
    pub fn position(&self) -> Position {
        self.position
    }

    /// It can be written when the log is durable up to here: it may tell of everything below.
    pub fn needs(&self) -> Position {
        self.needs
    }
}

/// Why a checkpoint was not written. Nothing is lost by it: the next opening reads more.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointWriteError {
    /// It would tell of entries that a power cut may take.
    #[error("a checkpoint needs the log to be durable up to {needs}, and it is up to {durable}")]
    NotDurable {
        /// See [`Draft::needs`].
        needs: Position,
        /// How far it is.
        durable: Position,
    },
    /// No opening would read so large a file.
    #[error("a checkpoint of {size} bytes is larger than {SIZE_MAX}")]
    TooLarge {
        /// Its size.
        size: u64,
    },
    /// The storage refused.
    #[error("cannot write {file}: {source}")]
    Io {
        /// The file's name.
        file: String,
        /// What the system says.
        source: io::Error,
    },
}

impl Log {
    /// Takes a checkpoint of the log, and of what `told` says that its owner derives from the entries; `None` if none would be newer than the last one.
    ///
    /// It begins where index files tell of everything before, so [`Log::index_next`] or [`Log::index_all`] is to be called before. Others may append
    /// meanwhile: what `told` gives has to hold what the entries below [`Log::indexed`] amount to, and may hold more. An opening gives the
    /// entries from there on to its owner behind what was told.
    pub fn take_checkpoint(&self, told: impl FnOnce() -> Vec<u8>) -> Option<Draft> {
        let position = self.indexed();
        let newest = *self.newest_checkpoint();
        if newest.is_some_and(|newest| position <= newest) {
            return None;
        }
        let epoch = self.epoch_before(position)?;
        let streams = self.streams();
        let streams = streams.iter().filter_map(|stream| stream.mark()).collect();
        let told = told();
        Some(Draft {
            position,
            epoch,
            // Read last: what has been taken in was given its place before.
            needs: self.reserved(),
            streams,
            told,
        })
    }

    /// Up to where index files tell of every entry. Behind a clean stop it is where the last entry begins, which says that it was one.
    pub fn indexed(&self) -> Position {
        let indexed = self.indexes().reached().indexed;
        self.stopped_at()
            .map_or(indexed, |stopped| stopped.min(indexed))
    }

    /// Writes a checkpoint: under another name, synced, renamed, the directory synced. The one before it stays, older ones go.
    ///
    /// Waits for the disk.
    ///
    /// # Errors
    ///
    /// [`CheckpointWriteError`]; those that were there are there.
    pub fn write_checkpoint(&self, draft: Draft) -> Result<Position, CheckpointWriteError> {
        let (needs, durable) = (draft.needs, self.durable().get());
        if durable < needs {
            return Err(CheckpointWriteError::NotDurable { needs, durable });
        }
        let Draft {
            position,
            epoch,
            streams,
            told,
            ..
        } = draft;
        let checkpoint = Checkpoint {
            log_id: self.id(),
            position,
            durable,
            epoch,
            streams,
            told,
        };
        let bytes = checkpoint.encode();
        let size = bytes.len() as u64;
        if size > SIZE_MAX {
            return Err(CheckpointWriteError::TooLarge { size });
        }
        let mut newest = self.newest_checkpoint();
        let storage = &**self.segments().storage();
        let name = checkpoint_name(position);
        let failed = |source| CheckpointWriteError::Io {
            file: name.clone(),
            source,
        };
        write(storage, position, &bytes).map_err(failed)?;
        let before = newest.replace(position);
        remove_others(storage, position, before);
        tracing::debug!(file = name, size, "a checkpoint was written");
        Ok(position)
    }
}

fn write(storage: &dyn Storage, position: Position, bytes: &[u8]) -> io::Result<()> {
    let (new, name) = (unfinished_name(position), checkpoint_name(position));
    remove(storage, &new)?;
    let file = storage.create(&new, bytes.len() as u64)?;
    whole::write(&*file, 0, bytes)?;
    file.sync_data()?;
    storage.rename(&new, &name)?;
    storage.sync_directory()
}

/// Only the newest and the one before it are of use. What cannot be removed now is removed next time.
fn remove_others(storage: &dyn Storage, newest: Position, before: Option<Position>) {
    let removed = storage.list().and_then(|names| {
        let is_other = |name: &&String| {
            is_checkpoint(name).is_some_and(|one| one != newest && Some(one) != before)
        };
        names
            .iter()
            .filter(is_other)
            .try_for_each(|name| remove(storage, name))
    });
    if let Err(error) = removed {
        tracing::warn!(%error, "an old checkpoint cannot be removed");
    }
}
