//! The data directory: locked, and its log opened; every refusal is told apart for its exit code.

use std::io;
use std::path::Path;
use std::sync::Arc;

use pagelog_commit_log::{IndexError, LogFailure, MetaError, OpenError, Recovery};
use pagelog_os::probe::Overwrite;
use pagelog_segment::{Directory, DirectoryError, ReadOnlyDirectory};

use crate::exit::Failure;

/// Locks the data directory, and makes it when it is not there.
///
/// # Errors
/// Another process holds it, or it cannot be made, read or written.
pub(crate) fn lock(path: &Path) -> Result<Arc<Directory>, Failure> {
    Directory::open(path).map(Arc::new).map_err(|error| {
        let remedy = match &error {
            DirectoryError::Io { error, .. } => remedy(error),
            DirectoryError::Held { .. } => "",
        };
        not_opened(&error, remedy)
    })
}

/// What overwriting does to the disk's blocks in the data directory.
///
/// # Errors
/// No file can be made there.
pub(crate) fn overwrite(path: &Path) -> Result<Overwrite, Failure> {
    Overwrite::of(path).map_err(|error| {
        let (path, remedy) = (path.display(), remedy(&error));
        Failure::Data(format!("{path}: cannot make a file there: {error}{remedy}"))
    })
}

/// Takes the data directory to look at it; nothing is locked or made.
///
/// # Errors
/// It is not there or cannot be read.
pub(crate) fn look(path: &Path) -> Result<ReadOnlyDirectory, Failure> {
    ReadOnlyDirectory::open(path).map_err(|error| not_opened(&error, ""))
}

fn not_opened(error: &DirectoryError, remedy: &str) -> Failure {
    let shown = format!("{error}{remedy}");
    match error {
        DirectoryError::Held { .. } => Failure::DataInUse(shown),
        DirectoryError::Io { .. } => Failure::Data(shown),
    }
}

/// Whether a log that could not be opened is damaged, or the directory cannot be used.
pub(crate) fn refused(path: &Path, error: &OpenError) -> Failure {
    let shown = format!("{}: {error}{}", path.display(), way_out(path, error));
    match error {
        OpenError::Damaged { .. }
        | OpenError::Lost { .. }
        | OpenError::Ended { .. }
        | OpenError::SegmentSize { .. }
        | OpenError::SegmentUneven { .. }
        | OpenError::Foreign { .. }
        | OpenError::Replay { .. }
        | OpenError::CutUnfinished { .. }
        | OpenError::CutDamaged
        | OpenError::Meta(MetaError::Missing { .. } | MetaError::Damaged { .. })
        | OpenError::Segments(
            pagelog_segment::OpenError::MissingSegment { .. }
            | pagelog_segment::OpenError::Overlap { .. }
            | pagelog_segment::OpenError::Unusable { .. },
        ) => Failure::Damaged(shown),
        OpenError::NoLog | OpenError::Changed { .. } => Failure::Data(shown),
        OpenError::Failed(failure) => failed(failure),
        OpenError::Allocate(source) => Failure::Data(format!("{shown}{}", remedy(source))),
        OpenError::Read { source, .. }
        | OpenError::Rewrite { source, .. }
        | OpenError::Meta(MetaError::Io { source, .. })
        | OpenError::Segments(pagelog_segment::OpenError::Io { error: source, .. }) => {
            Failure::Data(format!("{shown}{}", remedy(source)))
        }
        OpenError::Index(error) => match &error.source {
            IndexError::Io(source) => Failure::Data(format!("{shown}{}", remedy(source))),
            _ => Failure::Data(shown),
        },
        OpenError::Options(_) | OpenError::Meta(MetaError::Random(_)) => {
            Failure::Other(anyhow::anyhow!(shown))
        }
    }
}

/// Which command shows or mends what a log is refused for.
fn way_out(path: &Path, error: &OpenError) -> String {
    let path = path.display();
    match error {
        OpenError::Damaged { position, .. } | OpenError::Lost { position, .. } => format!(
            "; `pagelog inspect {path} --entry {position}` shows the place, `pagelog repair {path} --to {position}` cuts the log there \
             if the file cannot be restored from a backup"
        ),
        OpenError::Ended { end, .. } => format!(
            "; restore it from a backup, or let `pagelog repair {path} --to {end}` say what of the log that leaves"
        ),
        OpenError::CutUnfinished { position } => {
            format!("; `pagelog repair {path} --to {position} --yes` does that")
        }
        _ => String::new(),
    }
}

/// The failure that ended the log.
pub(crate) fn failed(failure: &LogFailure) -> Failure {
    Failure::LogFailed(format!(
        "{failure}; nothing was acknowledged after it: see to the disk, and start again, which finds what is on it"
    ))
}

/// What to do about the usual reasons.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; give this user the directory, or choose another with --data-dir"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; segments are allocated in full and ahead of need, three in a new directory: make room, or choose a smaller --set segment.bytes"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; choose a directory that can be written with --data-dir"
        }
        _ => "",
    }
}

/// One line about what the opening found.
pub(crate) fn describe(recovery: &Recovery, epoch: u32, milliseconds: u128) {
    let Recovery {
        begin,
        from_checkpoint,
        segments,
        entries,
        end,
        epoch: _,
        proven_durable,
        clean,
        cut,
    } = recovery;
    let how = match (*entries, *from_checkpoint, *clean) {
        (0, false, _) => "a new log",
        (_, _, true) => "the log was closed cleanly",
        (_, _, false) => "the log was not closed cleanly",
    };
    tracing::info!(
        from_checkpoint,
        begin = begin.0,
        segments,
        entries,
        end = end.0,
        proven_durable = proven_durable.0,
        epoch,
        milliseconds,
        "{how}"
    );
    if let Some(cut) = cut {
        tracing::info!(
            "the log ends at position {}, where a torn tail was cut: {cut}",
            end.0
        );
    }
}
