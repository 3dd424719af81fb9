//! One ordered log of entries over segment files: append, read, replay, recover, index.
//!
//! Streams of records share one log, so appending and syncing cost the same for one stream or for a hundred thousand. The log starts no thread,
//! opens no socket and decides no sync: [`SyncSide`] does what its holder (the `pagelog-flush` crate, or your own loop) decides.
//!
//! ```
//! use std::sync::Arc;
//! use std::os::unix::fs::FileExt;
//! use pagelog_commit_log::{Directory, Log, LogOptions, NewEntry, Offset, Opened, Route, StreamId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let storage = Arc::new(Directory::open(directory.path())?);
//! let options = LogOptions::new(1 << 20, Route::Staged { ring_size: 1 << 20 }, 1 << 16);
//! let Opened { log, mut sync, .. } = Log::open(storage, options, &mut |_| Ok(()))?;
//!
//! let stream = log.stream(StreamId(1));
//! let appended = log.append(&stream, &NewEntry::record(b"the first record"))?;
//! sync.write()?;
//! sync.sync()?;
//! assert!(log.durable().get() >= appended.end);
//!
//! let found = log.read(&stream, Offset(0), log.durable().get(), 1024, true)?;
//! let mut payload = vec![0; found[0].size as usize];
//! found[0].file.file().read_exact_at(&mut payload, found[0].at)?;
//! assert_eq!(payload, b"the first record");
//! # Ok(())
//! # }
//! ```

mod append;
mod checkpoint;
mod control;
mod cut;
mod error;
mod evidence;
mod follow;
mod front;
mod header;
mod index;
mod indexing;
mod landing;
mod log;
mod meta;
mod open;
mod options;
mod read;
mod read_at;
mod recover;
mod replayer;
mod rewrite;
mod ring;
mod run;
mod scan;
mod sleepers;
mod stream;
mod streams;
mod sync;
mod tail;
mod turns;
mod verify;
mod warm;
mod watermark;
mod whole;

pub use append::{Appended, Assigned, HEAD_SIZE_MAX, NewEntry};
pub use checkpoint::{CheckpointError, CheckpointWriteError, Derived, Draft};
pub use cut::{Cut, CutError, Loss, StreamLoss};
pub use error::{AppendError, Busy, LogFailure, OpenError};
pub use follow::Follower;
pub use front::{Carry, CarryError, Counting, RemoveFrontError};
pub use index::{IndexError, IndexReader, IndexWork, SealError};
pub use landing::{Body, Landing, LandingSize, Landings};
pub use log::Log;
pub use meta::MetaError;
pub use open::Opened;
pub use options::{LogOptions, OptionsError, Route, Warm};
pub use pagelog_os::receive::Incoming;
pub use pagelog_os::{MappedFile, Mapping};
pub use pagelog_record::{
    Epoch, Field, HEADER_SIZE, Header, Kind, Offset, Producer, StreamId, fields,
};
pub use pagelog_segment::{
    Directory, DirectoryError, Holder, Position, Progress, ReadOnlyDirectory, Storage,
};
pub use read::{Indexed, Payload, ReadError};
pub use recover::{Entry, Recovery, Replay};
pub use replayer::{Place, Replayer};
pub use scan::NotWhole;
pub use stream::{Bounds, Stream};
pub use sync::{Counters, SyncSide, Syncer, Waker};
pub use verify::{CheckpointContents, CheckpointReport, IndexReport};
pub use watermark::{Subscription, WaitOutcome, Watermark};
