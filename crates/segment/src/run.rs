//! The run of segments that a storage holds: found, sorted, checked for gaps.

use std::io;
use std::sync::Arc;

use crate::{Position, Segment, Storage, base_of, file_name, name};

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
    /// A call to the storage failed, or a file cannot be a segment.
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

/// Opens every segment of `storage`, in order.
pub(crate) fn open(storage: &dyn Storage) -> Result<Vec<Arc<Segment>>, OpenError> {
    const DIRECTORY: &str = "the data directory";
    let names = storage.list().map_err(failed("list", DIRECTORY))?;
    remove_leftovers(storage, &names)?;
    let mut bases: Vec<_> = names.iter().filter_map(|name| base_of(name)).collect();
    bases.sort_unstable();
    if !bases.is_empty() {
        // Whoever made the files may have died between a rename and the sync of the directory.
        storage
            .sync_directory()
            .map_err(failed("sync", DIRECTORY))?;
    }
    let segments = bases.into_iter().map(|base| open_one(storage, base));
    let segments = segments.collect::<Result<Vec<_>, _>>()?;
    check_unbroken(&segments)?;
    Ok(segments)
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

fn open_one(storage: &dyn Storage, base: Position) -> Result<Arc<Segment>, OpenError> {
    let name = file_name(base);
    let file = storage.open(&name).map_err(failed("open", &name))?;
    let segment = Segment::new(base, file).map_err(failed("use", &name))?;
    Ok(Arc::new(segment))
}

fn check_unbroken(segments: &[Arc<Segment>]) -> Result<(), OpenError> {
    for pair in segments.windows(2) {
        let (end, begin) = (pair[0].end(), pair[1].base());
        let (previous, next) = (file_name(pair[0].base()), file_name(begin));
        if end < begin {
            return Err(OpenError::MissingSegment {
                previous,
                end,
                next,
            });
        }
        if end > begin {
            return Err(OpenError::Overlap {
                previous,
                end,
                next,
            });
        }
    }
    Ok(())
}
