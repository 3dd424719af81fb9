//! `pread` around the page cache, then `send`: for long reads far behind, which would push out what others need.
//!
//! What was read and not sent yet is kept by its sender: reading it again would be the disk's work.

use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::Path as FilePath;
use std::sync::{Arc, Weak};

use pagelog_os::{Buffer, BufferPool, DirectAccess, DirectError, DirectFile, MappedFile};

use super::reference::send_bytes;
use super::{Front, Held, Outcome, Path, Refusal, Staged, refusal_at_set_up};
use crate::paths::Paths;
use crate::sender::SendError;

/// What is read at a time.
const BUFFER_SIZE: usize = 256 * 1024;

/// Buffers that one thread's senders may hold.
const BUFFERS_MAX: usize = 16;

/// Files that are kept open a second time.
const FILES_MAX: usize = 4;

/// The buffers and the second descriptors of one thread.
#[derive(Debug, Default)]
pub(crate) struct DirectState {
    pool: Option<BufferPool>,
    files: Vec<(Weak<MappedFile>, DirectFile)>,
}

pub(crate) fn send(
    front: Front<'_>,
    paths: &mut Paths,
    held: &mut Held,
) -> Result<Outcome, SendError> {
    let (buffer, range) = match held.staged.take() {
        Some(Staged::Buffer(buffer, range)) => (buffer, range),
        _ => match fill(front, paths)? {
            Ok(filled) => filled,
            Err(refusal) => return Ok(Outcome::Refused(refusal)),
        },
    };
    paths.counters.of(Path::Direct).calls += 1;
    let size = range.len().min(front.size());
    let outcome = send_bytes(front, &buffer[range.start..range.start + size])?;
    let sent = match outcome {
        Outcome::Sent(sent) => sent as usize,
        _ => 0,
    };
    let left = range.start + sent..range.end;
    if !left.is_empty() {
        held.staged = Some(Staged::Buffer(buffer, left));
    }
    Ok(outcome)
}

/// Reads the front of the region into a buffer; gives the bytes of it in there.
fn fill(
    front: Front<'_>,
    paths: &mut Paths,
) -> Result<Result<(Buffer, Range<usize>), Refusal>, SendError> {
    let Some(mut buffer) = paths.direct.buffer() else {
        return Ok(Err(Refusal::Now));
    };
    paths.counters.of(Path::Direct).calls += 1;
    let file = match paths.direct.file(front.region.file()) {
        Ok(file) => file,
        Err(DirectError::Io(error)) => return Ok(Err(refusal_at_set_up(&error))),
        Err(_) => return Ok(Err(Refusal::Everywhere)),
    };
    let at = front.region.at();
    let aligned = at - at % u64::from(file.alignment().offset);
    let skipped = (at - aligned) as usize;
    // In whole units, and no more than the run has: a short one would else cost the disk a whole buffer. But not only what this step may send:
    // what is cut off would be a read of its own in the next one, and the disk takes as long for a little as for a buffer.
    let wanted = skipped.saturating_add(front.region.size() as usize);
    let unit = file.alignment().offset as usize;
    let size = wanted.checked_next_multiple_of(unit);
    let size = size.map_or(buffer.len(), |size| size.min(buffer.len()));
    match file.read_at(aligned, &mut buffer[..size]) {
        Ok(read) if read <= skipped => Err(front.short()),
        Ok(read) => {
            let end = read.min(skipped.saturating_add(front.region.size() as usize));
            Ok(Ok((buffer, skipped..end)))
        }
        Err(DirectError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidInput => {
            Ok(Err(Refusal::Everywhere))
        }
        Err(DirectError::Io(error)) => Err(front.unreadable(error)),
        Err(_) => Ok(Err(Refusal::Everywhere)),
    }
}

impl DirectState {
    fn buffer(&mut self) -> Option<Buffer> {
        if self.pool.is_none() {
            self.pool = BufferPool::new(BUFFER_SIZE, BUFFERS_MAX).ok();
        }
        self.pool.as_ref()?.try_reserve().ok()
    }

    /// The file, opened once more: the flag belongs to the open file, which others read through the cache.
    fn file(&mut self, file: &Arc<MappedFile>) -> Result<&DirectFile, DirectError> {
        // What nobody holds any more is not to be kept on the disk by this.
        self.files.retain(|(known, _)| known.strong_count() > 0);
        let found = self
            .files
            .iter()
            .position(|(known, _)| known.as_ptr() == Arc::as_ptr(file));
        let index = match found {
            Some(index) => index,
            None => {
                let name = format!("/proc/self/fd/{}", file.file().as_raw_fd());
                let direct = DirectFile::open(FilePath::new(&name), DirectAccess::Read)?;
                if self.files.len() == FILES_MAX {
                    self.files.remove(0);
                }
                self.files.push((Arc::downgrade(file), direct));
                self.files.len() - 1
            }
        };
        Ok(&self.files[index].1)
    }
}
