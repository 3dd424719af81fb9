//! When bytes become durable: group commit or interval flush, on a thread of its own.
//!
//! A [`Policy`] is a promise about what survives. [`Flush`] takes the one side of a log that can keep it, and is so the only one that says *durable*.
//!
//! ```
//! use std::sync::Arc;
//! use pagelog_flush::pagelog_commit_log::{Directory, Log, LogOptions, NewEntry, Route, StreamId, WaitOutcome};
//! use pagelog_flush::{Flush, Policy};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let options = LogOptions::new(1 << 20, Route::Staged { ring_size: 1 << 20 }, 1 << 16);
//! let storage = Arc::new(Directory::open(directory.path())?);
//! let opened = Log::open(storage, options, &mut |_| Ok(()))?;
//! let log = opened.log;
//! let flush = Flush::start(opened.sync, Policy::Sync)?;
//!
//! let stream = log.stream(StreamId(1));
//! let appended = log.append(&stream, &NewEntry::record(b"survives a power cut"))?;
//! assert_eq!(log.durable().wait(appended.end, None), WaitOutcome::Reached);
//! let report = flush.stop()?;
//! assert!(report.counters.syncs > 0);
//! # Ok(())
//! # }
//! ```

mod flush;
mod interval;
mod policy;

pub use flush::{Flush, Report, StartError};
/// The log whose entries become durable.
pub use pagelog_commit_log;
pub use policy::{Interval, Policy};
