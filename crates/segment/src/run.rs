//! The run of segments that a storage holds: found, sorted, checked for gaps.

use std::cmp::Ordering;
use std::io;
use std::sync::Arc;

use crate::{Position, Segment, Storage, base_of, file_name, name};

const DIRECTORY: &str = "the data directory";

/// Why the segments of a storage cannot be opened. Nothing was changed, but for files that were
/// never completed, which are removed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The bytes between two segments are not there.
    #[error(
        "the log has a gap: {previous} ends at position {end} and the next file is {next}; restore \
         the missing file, or {previous} as it was if it has been cut short"
    )]
    MissingSegment {
        /// The last file before the gap.
        previous: String,
        /// Where it ends, by its size.
        end: Position,
        /// The first file behind the gap.
        next: String,
    },
    /// Two segments claim the same positions.
    #[error(
        "{previous} ends at position {end}, behind the begin of the next file, {next}: one of the \
         two is not of this log or has been changed"
    )]
    Overlap {
        /// The earlier file.
        previous: String,
        /// Where it ends, by its size.
        end: Position,
        /// The later file.
        next: String,
    },
    /// A file with a segment's name cannot be one: it is empty.
    #[error("{name} cannot be a segment: {error}; it was cut short, restore it from a backup")]
    Unusable {
        /// The file.
        name: String,
        /// Why it cannot.
        #[source]
        error: io::Error,
    },
    /// A call to the storage failed.
    #[error("cannot {action} {name}: {error}")]
    Io {
        /// What was tried, a verb.
        action: &'static str,
        /// The file, or the directory.
        name: String,
        /// What the storage said.
        #[source]
        error: io::Error,
    },
}

fn failed(action: &'static str, name: &str) -> impl FnOnce(io::Error) -> OpenError {
    move |error| OpenError::Io {
        action,
        name: name.to_owned(),
        error,
    }
}

/// The segments that a storage holds, as they are found without changing anything.
#[derive(Debug)]
pub struct Run {
    /// Those that follow one another without a gap, from the first on.
    pub segments: Vec<Arc<Segment>>,
    /// Why the run ends before the last file, if it does.
    pub broken: Option<Broken>,
}

/// Where a run of segments breaks off.
#[derive(Debug)]
pub struct Broken {
    /// What is wrong there.
    pub error: OpenError,
    /// The positions that the files behind are named by, in order.
    pub behind: Vec<Position>,
}

impl Run {
    /// Looks for the segments of `storage`.
    ///
    /// # Errors
    ///
    /// [`OpenError::Io`]. What is wrong with the run itself is in [`Run::broken`].
    pub fn find(storage: &dyn Storage) -> Result<Run, OpenError> {
        Run::of(storage, bases(&list(storage)?))
    }

    /// The segments, if they are one unbroken run.
    ///
    /// # Errors
    ///
    /// What breaks it.
    pub fn whole(self) -> Result<Vec<Arc<Segment>>, OpenError> {
        match self.broken {
            None => Ok(self.segments),
            Some(broken) => Err(broken.error),
        }
    }

    fn of(storage: &dyn Storage, bases: Vec<Position>) -> Result<Run, OpenError> {
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(bases.len());
        for (index, &base) in bases.iter().enumerate() {
            let next = open_segment(storage, base).and_then(|segment| {
                check_follows(segments.last(), base)?;
                Ok(segment)
            });
            match next {
                Ok(segment) => segments.push(segment),
                Err(error @ OpenError::Io { .. }) => return Err(error),
                Err(error) => {
                    let behind = bases[index..].to_vec();
                    let broken = Some(Broken { error, behind });
                    return Ok(Run { segments, broken });
                }
            }
        }
        let broken = None;
        Ok(Run { segments, broken })
    }
}

/// What an opening finds: the run, and the names of files that have left it.
pub(crate) struct Found {
    pub(crate) run: Vec<Arc<Segment>>,
    pub(crate) old: Vec<String>,
}

/// Opens every segment of `storage`, in order, and tidies up behind a process that died.
pub(crate) fn open(storage: &dyn Storage) -> Result<Found, OpenError> {
    let names = list(storage)?;
    remove_leftovers(storage, &names)?;
    let bases = bases(&names);
    if !bases.is_empty() {
        // Whoever made the files may have died between a rename and the sync of the directory.
        storage
            .sync_directory()
            .map_err(failed("sync", DIRECTORY))?;
    }
    let run = Run::of(storage, bases)?.whole()?;
    let old = names.into_iter().filter(|name| name::is_old_file(name));
    Ok(Found {
        run,
        old: old.collect(),
    })
}

fn list(storage: &dyn Storage) -> Result<Vec<String>, OpenError> {
    storage.list().map_err(failed("list", DIRECTORY))
}

/// The positions that the names of segments tell, in order.
fn bases(names: &[String]) -> Vec<Position> {
    let mut bases: Vec<_> = names.iter().filter_map(|name| base_of(name)).collect();
    bases.sort_unstable();
    bases
}

/// Removes what an allocation left that did not come to its end; no such file was ever in use.
fn remove_leftovers(storage: &dyn Storage, names: &[String]) -> Result<(), OpenError> {
    for name in names.iter().filter(|name| name::is_new_file(name)) {
        storage
            .remove(name)
            .map_err(failed("remove the incomplete file", name))?;
    }
    Ok(())
}

/// Opens the segment that begins at `base`, whatever lies before it.
///
/// # Errors
///
/// [`OpenError::Unusable`], [`OpenError::Io`].
pub fn open_segment(storage: &dyn Storage, base: Position) -> Result<Arc<Segment>, OpenError> {
    let name = file_name(base);
    let file = storage.open(&name).map_err(failed("open", &name))?;
    match Segment::new(base, file) {
        Ok(segment) => Ok(Arc::new(segment)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(OpenError::Unusable { name, error })
        }
        Err(error) => Err(failed("use", &name)(error)),
    }
}

/// Whether a segment that begins at `begin` goes on where `previous` ends.
fn check_follows(previous: Option<&Arc<Segment>>, begin: Position) -> Result<(), OpenError> {
    let Some(previous) = previous else {
        return Ok(());
    };
    let (end, next) = (previous.end(), file_name(begin));
    let previous = file_name(previous.base());
    match end.cmp(&begin) {
        Ordering::Equal => Ok(()),
        Ordering::Less => Err(OpenError::MissingSegment {
            previous,
            end,
            next,
        }),
        Ordering::Greater => Err(OpenError::Overlap {
            previous,
            end,
            next,
        }),
    }
}
