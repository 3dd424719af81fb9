//! Opens a log: identity, segments, replay, the tail written again, a raised epoch.

use std::sync::Arc;
use std::time::Duration;

use pagelog_record::{Epoch, Seed};
use pagelog_segment::{NextError, Position, Segment, Segments, Storage};

use crate::checkpoint::{Derived, EveryEntry};
use crate::control::Control;
use crate::cut;
use crate::error::{AppendError, OpenError};
use crate::evidence::Evidence;
use crate::index::{Indexes, Indexing};
use crate::log::{Log, Parts};
use crate::meta::Meta;
use crate::options::{LogOptions, Route};
use crate::recover::{Behind, Recovery, Replay};
use crate::replayer::Replayer;
use crate::rewrite::{Epochs, rewrite_tail};
use crate::ring::Ring;
use crate::sync::SyncSide;
use crate::tail::Tail;
use crate::warm::{prewrite_active, segments_options, warm_active};

/// How long the making of a segment may take at an opening.
const NEXT_SEGMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// A log that is open.
#[derive(Debug)]
pub struct Opened {
    /// The log, for everyone who appends and reads.
    pub log: Arc<Log>,
    /// The one side that makes it durable.
    pub sync: SyncSide,
    /// What was found.
    pub recovery: Recovery,
}

impl Log {
    /// Opens the log in `storage`, or begins one if there is none.
    ///
    /// Every whole entry is given to `replay` in order. Then the tail, which the last sync may not have reached although it can be read, is written
    /// and synced again, and a control entry with a raised epoch is appended and synced. What was found is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; above all [`OpenError::Damaged`] when an entry that had been durable is no longer whole.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: LogOptions,
        replay: &mut Replay<'_>,
    ) -> Result<Opened, OpenError> {
        Log::open_with(storage, options, From::First, &mut EveryEntry(replay))
    }

    /// As [`Log::open`], but reads only the entries behind a checkpoint, if there is one that can be used: what it holds of the owner's is given to
    /// `derived`, and then every whole entry behind its position. Without one, every entry is read.
    ///
    /// Entries before the position are not verified, and neither are index files but for their header and their table of checksums.
    ///
    /// # Errors
    ///
    /// As [`Log::open`], as far as entries are read.
    pub fn open_at_checkpoint(
        storage: Arc<dyn Storage>,
        options: LogOptions,
        derived: &mut dyn Derived,
    ) -> Result<Opened, OpenError> {
        Log::open_with(storage, options, From::Checkpoint, derived)
    }

    fn open_with(
        storage: Arc<dyn Storage>,
        options: LogOptions,
        from: From,
        derived: &mut dyn Derived,
    ) -> Result<Opened, OpenError> {
        options.check()?;
        cut::check_finished(&*storage)?;
        let meta = Meta::open_or_create(&*storage)?;
        let segments = Segments::open(Arc::clone(&storage), segments_options(&options))?;
        let seed = Seed::from_secret(&meta.secret);
        let indexes = Indexes::new(storage, meta.id, seed);
        let mut indexing = Indexing::begin(&indexes, segments.snapshot().to_vec())?;
        let mut evidence = Evidence::find(&**segments.storage(), meta.id)?;
        let checkpoint = match from {
            From::First => {
                evidence.checkpoints.look(&**segments.storage());
                None
            }
            From::Checkpoint => {
                let (run, files) = (segments.snapshot(), indexes.files.snapshot());
                let checkpoints = &mut evidence.checkpoints;
                checkpoints.restore(&**segments.storage(), &run, &files, derived)
            }
        };
        let behind = checkpoint.as_ref().map(|checkpoint| {
            indexing.recall(&checkpoint.streams);
            Behind {
                position: checkpoint.position,
                epoch: checkpoint.epoch,
            }
        });
        let mut epochs = match behind {
            Some(Behind { position, epoch }) => Epochs::behind(position, epoch),
            None => Epochs::default(),
        };
        let known = evidence.known(&**segments.storage(), &segments.snapshot());
        let replayer = Replayer::over(&meta, segments.snapshot().to_vec(), known);
        let recovery = replayer.replay_behind(behind, &mut |entry| {
            indexing.take_up(entry.header);
            epochs.met(entry.header);
            derived.take(entry)
        })?;
        rewrite_tail(&segments.snapshot(), seed, &epochs, &recovery)?;
        let active = active_segment(&segments, recovery.end)?;
        warm_active(segments.options(), &active, recovery.end);
        let ring = match options.route {
            Route::Staged { ring_size } => {
                Some(Ring::new(ring_size).map_err(|error| OpenError::Allocate(Arc::new(error)))?)
            }
            Route::Mapped => None,
        };
        let cursor = ring.as_ref().map(Ring::cursor);
        evidence.checkpoints.tidy(&**segments.storage());
        let epoch = Epoch(recovery.epoch.0 + 1);
        epochs.begun(recovery.end, epoch);
        let log = Log::new(Parts {
            id: meta.id,
            seed,
            epoch,
            epochs,
            newest_checkpoint: evidence.checkpoints.newest(),
            options,
            segments,
            tail: Tail::new(active, recovery.end, cursor),
            ring,
            indexes,
        });
        let mut sync = SyncSide::new(Arc::clone(&log));
        begin_epoch(&log, &mut sync)?;
        prewrite_active(&log);
        Ok(Opened {
            log,
            sync,
            recovery,
        })
    }
}

/// Where an opening begins to read.
#[derive(Clone, Copy, Debug)]
enum From {
    /// With the first entry that there is.
    First,
    /// With the newest checkpoint.
    Checkpoint,
}

/// The segment that the log goes on in, which is the one that holds its end, or a new one if the log is empty or its last segment is full to
/// the last byte. What lies behind it, a crash has cut off; allocation ahead hands it out again.
fn active_segment(segments: &Segments, end: Position) -> Result<Arc<Segment>, OpenError> {
    let active = segments.find(end);
    let after = active.as_ref().map_or(end, |active| active.end());
    let allocate = |source: std::io::Error| OpenError::Allocate(Arc::new(source));
    segments.start_ahead(after).map_err(allocate)?;
    if let Some(active) = active {
        return Ok(active);
    }
    let failed = |error| match error {
        NextError::Failed(source) => OpenError::Allocate(source),
        NextError::NotReady => allocate(std::io::ErrorKind::TimedOut.into()),
    };
    segments.wait_next(NEXT_SEGMENT_TIMEOUT).map_err(failed)?;
    segments.take_next().map_err(failed)
}

/// Appends and syncs the entry with the raised epoch, before anything else can be appended.
fn begin_epoch(log: &Log, sync: &mut SyncSide) -> Result<(), OpenError> {
    let append = || -> Result<(), AppendError> {
        {
            let mut tail = log.tail();
            if tail.position == tail.segment.base().0 {
                log.begin_segment(&mut tail)?;
            }
        }
        loop {
            match log.append_own(&Control::plain(Control::OPENED), 0) {
                Err(AppendError::Busy(busy)) => log.wait_room(busy, NEXT_SEGMENT_TIMEOUT),
                other => return other.map(drop),
            }
        }
    };
    append().map_err(|error| match error {
        AppendError::Failed(failure) => OpenError::Failed(failure),
        AppendError::NoSpace(source) => OpenError::Allocate(source),
        other => OpenError::Allocate(Arc::new(std::io::Error::other(other.to_string()))),
    })?;
    sync.write()
        .and_then(|_| sync.sync())
        .map_err(OpenError::Failed)?;
    Ok(())
}
