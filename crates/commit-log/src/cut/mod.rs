//! Cutting a log at a border between entries, for whoever cannot have the rest of it back.
//!
//! Nothing that lies behind the border is changed: its files move to a directory of their own, whole. The one that holds the border is replaced by a copy of
//! what is kept of it, which ends with an entry of a raised epoch.
//!
//! ```text
//!             0.log   8192.log              16384.log      to = 9000
//! 1 prepare           8192.log.new: the entries below 9000, verified, then the cut; synced
//! 2 mark      log.cut: from here on the log is refused until the cut is finished
//! 3 move              8192.log and 16384.log go to cut-9000/
//! 4 replace           8192.log.new becomes 8192.log
//! 5 unmark    log.cut goes
//! ```
//!
//! A crash before the mark leaves the log as it was, one behind it is gone on with from step 3, which is the same at every time.

mod marker;
mod replacement;
mod survey;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use pagelog_record::{Offset, StreamId};
use pagelog_segment::{Position, Run, Storage, file_name, new_file_name};

use crate::checkpoint::{is_checkpoint, is_unfinished};
use crate::error::OpenError;
use crate::index::{is_index, is_leftover};
use crate::recover::Entry;

use marker::Marker;
pub(crate) use marker::check_finished;
use replacement::Replacement;
use survey::Survey;

/// Why a log is not cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The position is not between two entries.
    #[error("position {position} is no entry's begin or end: the nearest are {before} and {after}")]
    NoBorder {
        /// The position that was asked for.
        position: Position,
        /// The nearest border before it.
        before: Position,
        /// The nearest one behind it.
        after: Position,
    },
    /// The position lies outside of what can be read.
    #[error("position {position} is not in the log, which can be read from {begin} to {end}")]
    Outside {
        /// The position that was asked for.
        position: Position,
        /// Where the log begins.
        begin: Position,
        /// Where its last entry ends that can be read.
        end: Position,
    },
    /// Nothing lies behind the position.
    #[error("nothing lies behind position {position}, where the log ends: there is nothing to cut")]
    Nothing {
        /// The position that was asked for.
        position: Position,
    },
    /// Another cut is to be finished first.
    #[error("a cut at position {begun} was begun and not finished: finish that first")]
    Unfinished {
        /// Where it was to be.
        begun: Position,
    },
    /// The place for what is cut is taken.
    #[error("{directory} is there already, from an earlier cut: move it elsewhere")]
    Taken {
        /// Its name in the data directory.
        directory: String,
    },
    /// The epochs are used up.
    #[error("no epoch can follow {0}")]
    Epochs(u32),
    /// The log cannot be read so far, or an entry that was whole is not any more.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A step failed. What was begun can be gone on with.
    #[error("cannot {action} {name}: {source}")]
    Io {
        /// What was tried, a verb.
        action: &'static str,
        /// On what.
        name: String,
        /// What the storage said.
        source: io::Error,
    },
}

/// A cut that has been thought through and not made.
#[derive(Debug)]
pub struct Cut {
    storage: Arc<dyn Storage>,
    marker: Marker,
    /// What comes before the mark; nothing, if that is there already.
    begin: Option<Beginning>,
}

#[derive(Debug)]
struct Beginning {
    replacement: Replacement,
    loss: Loss,
}

/// What a cut takes away from the log.
#[derive(Debug)]
pub struct Loss {
    /// Where the last entry ends that can be read.
    pub end: Position,
    /// Why nothing can be read behind it, unless the log just ends there.
    pub refusal: Option<OpenError>,
    /// The entries that stay.
    pub kept: u64,
    /// The entries that go, the log's own included.
    pub entries: u64,
    /// Those of the log and of the store among them.
    pub control: u64,
    /// Whether there may be more of them than could be read.
    pub unread: bool,
    /// What goes, by stream.
    pub streams: BTreeMap<StreamId, StreamLoss>,
    /// The files that move, the first of which comes back with what is kept of it.
    pub files: Vec<String>,
}

/// What a cut takes away from a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLoss {
    /// How many entries.
    pub entries: u64,
    /// How many records.
    pub records: u64,
    /// The first offset among them: from here on, offsets are given again.
    pub first: Offset,
    /// The offset after the last one among them.
    pub next: Offset,
}

impl Cut {
    /// Looks what a cut at `to` would do; nothing is changed. Every entry that can be read in order is given to `each`.
    ///
    /// The log must be nobody else's meanwhile.
    ///
    /// # Errors
    ///
    /// [`CutError`]; the log may be damaged behind `to`, but not before it.
    pub fn plan(
        storage: Arc<dyn Storage>,
        to: Position,
        each: &mut dyn FnMut(&Entry<'_>),
    ) -> Result<Cut, CutError> {
        if let Some(marker) = Marker::read(&*storage)? {
            return Cut::go_on(storage, marker, to);
        }
        let survey = Survey::new(&*storage, to, each)?;
        let replacement = Replacement::new(&survey, to)?;
        let marker = Marker {
            position: to,
            base: replacement.base,
        };
        let directory = marker.directory();
        let names = list(&*storage)?;
        let inside = format!("{directory}/");
        if names
            .iter()
            .any(|name| *name == directory || name.starts_with(&inside))
        {
            return Err(CutError::Taken { directory });
        }
        let mut loss = survey.loss;
        let moved = to_move(&*storage, marker.base)?;
        loss.files = moved.into_iter().map(file_name).collect();
        Ok(Cut {
            storage,
            marker,
            begin: Some(Beginning { replacement, loss }),
        })
    }

    fn go_on(storage: Arc<dyn Storage>, marker: Marker, to: Position) -> Result<Cut, CutError> {
        if marker.position != to {
            let begun = marker.position;
            return Err(CutError::Unfinished { begun });
        }
        Ok(Cut {
            storage,
            marker,
            begin: None,
        })
    }

    /// What would be lost. `None` if the cut was begun before and is only gone on with.
    pub fn loss(&self) -> Option<&Loss> {
        self.begin.as_ref().map(|begin| &begin.loss)
    }

    /// The name of the directory, within the log's, that keeps what is cut.
    pub fn directory(&self) -> String {
        self.marker.directory()
    }

    /// Makes the cut. What was cut lies in [`Cut::directory`] then, and the log can be opened.
    ///
    /// # Errors
    ///
    /// [`CutError`]. The log is as it was, or refused until a cut at the same position has been finished.
    pub fn make(self) -> Result<(), CutError> {
        let storage = &*self.storage;
        if let Some(begin) = &self.begin {
            begin.replacement.write(storage)?;
            self.marker.write(storage)?;
        }
        finish(storage, &self.marker)
    }
}

/// Everything behind the mark. The replacement has its temporary name for as long as anything is to be moved.
fn finish(storage: &dyn Storage, marker: &Marker) -> Result<(), CutError> {
    let (new, name) = (new_file_name(marker.base), file_name(marker.base));
    for derived in list(storage)?
        .iter()
        .filter(|name| is_derived(name, marker))
    {
        remove_leftover(storage, derived)?;
    }
    if list(storage)?.contains(&new) {
        let directory = marker.directory();
        for base in to_move(storage, marker.base)?.into_iter().rev() {
            let moved = file_name(base);
            storage
                .set_aside(&moved, &directory)
                .map_err(failed("move aside", &moved))?;
        }
        storage
            .rename(&new, &name)
            .map_err(failed("rename", &new))?;
        sync_directory(storage)?;
    }
    marker.remove(storage)
}

/// Whether a file tells of what is cut, as any checkpoint may. Nothing is lost with it: it is made again.
fn is_derived(name: &str, marker: &Marker) -> bool {
    let unfinished = is_leftover(name) || is_unfinished(name);
    is_index(name).is_some_and(|base| base >= marker.base)
        || is_checkpoint(name).is_some()
        || unfinished
}

/// The segments that do not belong to the unbroken run below `base`.
fn to_move(storage: &dyn Storage, base: Position) -> Result<Vec<Position>, CutError> {
    let run = Run::find(storage).map_err(OpenError::from)?;
    let bases = run.segments.iter().map(|segment| segment.base());
    let mut moved: Vec<_> = bases.filter(|found| *found >= base).collect();
    moved.extend(run.broken.into_iter().flat_map(|broken| broken.behind));
    Ok(moved)
}

fn list(storage: &dyn Storage) -> Result<Vec<String>, CutError> {
    storage.list().map_err(failed("list", "the data directory"))
}

fn sync_directory(storage: &dyn Storage) -> Result<(), CutError> {
    storage
        .sync_directory()
        .map_err(failed("sync", "the data directory"))
}

/// Removes a left-over of a cut that ended before its mark was there.
fn remove_leftover(storage: &dyn Storage, name: &str) -> Result<(), CutError> {
    match storage.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("remove the unfinished", name)(error))
        }
        _ => Ok(()),
    }
}

fn failed(action: &'static str, name: &str) -> impl FnOnce(io::Error) -> CutError {
    let name = name.to_owned();
    move |source| CutError::Io {
        action,
        name,
        source,
    }
}
