//! Reading a log without opening it: the same replay as recovery's, for tools that show, check or repair.

use std::sync::Arc;

use pagelog_record::{HEADER_SIZE, Header, Seed};
use pagelog_segment::{Position, Run, Segment, Storage, file_name};

use crate::cut;
use crate::error::OpenError;
use crate::evidence::Evidence;
use crate::meta::Meta;
use crate::recover::{self, Behind, Known, Recovery, Replay, Told, next_whole, read_error, source};
use crate::scan::{NotWhole, Progress, Scanner};
use crate::whole;

/// A log that is read and not opened: nothing is locked, written or made.
///
/// [`crate::Log::open`] reads by it, so what it says of a log is what an opening would say.
///
/// ```
/// use pagelog_commit_log::{ReadOnlyDirectory, Replayer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::sync::Arc;
/// # use pagelog_commit_log::{Log, LogOptions, Route};
/// # let place = tempfile::tempdir()?;
/// # let path = place.path();
/// # let options = LogOptions::new(4096, Route::Mapped, 64);
/// # let storage = Arc::new(pagelog_commit_log::Directory::open(path)?);
/// # Log::open(storage, options, &mut |_| Ok(()))?.sync.close()?;
/// let mut entries = 0;
/// let found = Replayer::open(&ReadOnlyDirectory::open(path)?)?.replay(&mut |_| {
///     entries += 1;
///     Ok(())
/// })?;
/// assert_eq!(entries, found.entries);
/// assert!(found.clean);
/// # Ok(())
/// # }
/// ```
pub struct Replayer {
    id: [u8; 16],
    seed: Seed,
    segments: Vec<Arc<Segment>>,
    /// How far the log is known to have been durable.
    known: Option<Known>,
    progress: Box<Progress>,
}

/// What lies at a place of the log, whether or not it is an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The place.
    pub position: Position,
    /// The name of the segment's file that holds it.
    pub file: String,
    /// Where in the file it lies, in bytes.
    pub at: u64,
    /// The bytes from there on: a header's, or fewer at the end of the file.
    pub header: Vec<u8>,
    /// The first bytes behind these, as many as were asked for: of the payload, if an entry begins here.
    pub payload: Vec<u8>,
    /// The entry's header, or why no whole entry begins here.
    pub entry: Result<Header, NotWhole>,
}

impl Replayer {
    /// Finds the log in `storage`: its identity and its segments. Reads no entry.
    ///
    /// # Errors
    ///
    /// [`OpenError::NoLog`], and whatever an opening is refused with before it reads entries.
    pub fn open(storage: &dyn Storage) -> Result<Replayer, OpenError> {
        cut::check_finished(storage)?;
        let meta = Meta::open(storage)?.ok_or(OpenError::NoLog)?;
        // Before the segments: of a log in use they hold what it is known to hold by then.
        let mut evidence = Evidence::find(storage, meta.id)?;
        evidence.checkpoints.look(storage);
        let segments = Run::find(storage)?.whole()?;
        let known = evidence.known(storage, &segments);
        Ok(Replayer::over(&meta, segments, known))
    }

    /// For a log that was durable as far as is `known`.
    pub(crate) fn over(meta: &Meta, segments: Vec<Arc<Segment>>, known: Option<Known>) -> Replayer {
        Replayer {
            id: meta.id,
            seed: Seed::from_secret(&meta.secret),
            segments,
            known,
            progress: Box::new(|_| {}),
        }
    }

    /// Has `progress` called with the position up to which the log has been read, about once for each mebibyte of it.
    #[must_use]
    pub fn with_progress(self, progress: impl Fn(Position) + Send + 'static) -> Replayer {
        Replayer {
            progress: Box::new(progress),
            ..self
        }
    }

    /// The log's id.
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    pub(crate) fn seed(&self) -> Seed {
        self.seed
    }

    /// Its segments, those included that were made ahead and hold nothing yet.
    pub fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// Gives every whole entry to `each` in order, and says where the log ends.
    ///
    /// Of a log that another process has open, what it appends meanwhile is read or not.
    ///
    /// # Errors
    ///
    /// As [`crate::Log::open`]; above all [`OpenError::Damaged`].
    pub fn replay(&self, each: &mut Replay<'_>) -> Result<Recovery, OpenError> {
        self.replay_behind(None, each)
    }

    /// As [`Replayer::replay`], from a checkpoint on if one is given.
    pub(crate) fn replay_behind(
        &self,
        behind: Option<Behind>,
        each: &mut Replay<'_>,
    ) -> Result<Recovery, OpenError> {
        let told = Told {
            known: self.known.as_ref(),
            behind,
        };
        recover::replay(&self.segments, self.seed, told, &*self.progress, each)
    }

    /// The first whole entry that begins at `from` or behind it, wherever the log ends: also a left-over of an earlier life.
    ///
    /// # Errors
    ///
    /// [`OpenError::Read`].
    pub fn next_whole(&self, from: Position) -> Result<Option<Header>, OpenError> {
        let behind = |segment: &&Arc<Segment>| segment.end() > from;
        for segment in self.segments.iter().filter(behind) {
            let at = from.max(segment.base()) - segment.base();
            let mut scanner = Scanner::new(&source(segment)?, self.seed, &*self.progress);
            if let Some(header) = next_whole(&mut scanner, segment, at)? {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// The whole entry that covers `position`, which need not begin there: its segment is read from its first entry on. `None` if damage or
    /// the end of the log comes before.
    ///
    /// # Errors
    ///
    /// [`OpenError::Read`].
    pub fn covering(&self, position: Position) -> Result<Option<Header>, OpenError> {
        let Some(segment) = self.segment(position) else {
            return Ok(None);
        };
        let mut scanner = Scanner::new(&source(segment)?, self.seed, &*self.progress);
        let mut at = 0;
        loop {
            let Ok(header) = scanner.entry(at).map_err(read_error(segment, at))? else {
                return Ok(None);
            };
            at += header.entry_size();
            if position < segment.base() + at {
                return Ok(Some(header));
            }
        }
    }

    fn segment(&self, position: Position) -> Option<&Arc<Segment>> {
        let holds = |segment: &&Arc<Segment>| segment.positions().contains(&position);
        self.segments.iter().find(holds)
    }

    /// What lies at `position`, with up to `payload_size` bytes behind the header. `None` if no segment holds the place.
    ///
    /// # Errors
    ///
    /// [`OpenError::Read`].
    pub fn place(
        &self,
        position: Position,
        payload_size: usize,
    ) -> Result<Option<Place>, OpenError> {
        let Some(segment) = self.segment(position) else {
            return Ok(None);
        };
        let at = position - segment.base();
        let mut scanner = Scanner::new(&source(segment)?, self.seed, &*self.progress);
        let entry = scanner.entry(at).map_err(read_error(segment, at))?;
        let left = (segment.end() - position) as usize;
        let behind = match &entry {
            Ok(header) => payload_size.min(header.payload_size as usize),
            Err(_) => payload_size,
        };
        let mut header = vec![0; left.min(HEADER_SIZE + behind)];
        let read = whole::read(&**segment.file(), at, &mut header);
        header.truncate(read.map_err(read_error(segment, at))?);
        let payload = header.split_off(header.len().min(HEADER_SIZE));
        Ok(Some(Place {
            position,
            file: file_name(segment.base()),
            at,
            header,
            payload,
            entry,
        }))
    }
}

impl std::fmt::Debug for Replayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replayer")
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}
