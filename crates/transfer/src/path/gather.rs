//! One `sendmsg` of bytes in memory and ranges of mappings: one copy by the kernel, few calls for many small runs.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use pagelog_os::send;

use super::{Path, Refusal, is_fault, is_memory_fault, refusal};
use crate::paths::Paths;
use crate::rope::Piece;
use crate::sender::SendError;

/// What one call takes at most: IOV_MAX of Linux, see `readv(2)`.
pub(crate) const COUNT_MAX: usize = 1024;

/// The pieces at the front that go in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) count: usize,
    /// More follows at once.
    pub(crate) more: bool,
}

/// How a gathered send ended.
#[derive(Debug)]
pub(crate) enum Gathered {
    Sent(u64),
    /// The socket takes no more now.
    Blocked,
    /// Interrupted before anything moved.
    Again,
    /// The kernel does not take it so.
    Refused(Refusal, io::Error),
    /// A page of some mapping is not to be had, and the kernel does not say which; or some mapping was given up before
    /// for such a page, or does not reach so far. Nothing was sent.
    Fault,
}

/// Sends the first pieces, together at most `limit` bytes.
pub(crate) fn send(
    pieces: &VecDeque<Piece>,
    run: Run,
    socket: BorrowedFd<'_>,
    paths: &mut Paths,
    limit: u64,
) -> Result<Gathered, SendError> {
    if cut(pieces, run.count, limit).any(|(piece, _)| !is_in_mapping(piece)) {
        return Ok(Gathered::Fault);
    }
    paths.counters.of(Path::Gather).calls += 1;
    match send::send_pieces(socket, list(pieces, run.count, limit), run.more) {
        Ok(0) => Err(SendError::Socket(io::ErrorKind::WriteZero.into())),
        Ok(sent) => Ok(Gathered::Sent(sent as u64)),
        Err(error) if is_fault(&error) => Ok(Gathered::Fault),
        Err(error) => of_error(error),
    }
}

fn of_error(error: io::Error) -> Result<Gathered, SendError> {
    match error.kind() {
        io::ErrorKind::WouldBlock => return Ok(Gathered::Blocked),
        io::ErrorKind::Interrupted => return Ok(Gathered::Again),
        _ => {}
    }
    if is_memory_fault(&error) {
        return Err(SendError::Mapping(error));
    }
    match refusal(&error) {
        Some(refusal) => Ok(Gathered::Refused(refusal, error)),
        None => Err(SendError::Socket(error)),
    }
}

/// The first pieces, cut where `limit` ends.
fn cut(
    pieces: &VecDeque<Piece>,
    count: usize,
    limit: u64,
) -> impl Iterator<Item = (&Piece, u64)> + Clone {
    let mut left = limit;
    pieces.iter().take(count).map_while(move |piece| {
        let size = piece.size().min(left);
        left -= size;
        (size > 0).then_some((piece, size))
    })
}

/// Whether the mapping can be used for it: that has it, and has not been given up, which it is as a whole, though the file may be well
/// but for one page.
fn is_in_mapping(piece: &Piece) -> bool {
    match piece {
        Piece::Bytes(_) => true,
        Piece::Region(region) => {
            region.is_mapped() && region.file().mapping().check_fault().is_ok()
        }
    }
}

fn list(
    pieces: &VecDeque<Piece>,
    count: usize,
    limit: u64,
) -> impl Iterator<Item = send::Piece<'_>> + Clone {
    cut(pieces, count, limit).map(|(piece, size)| match piece {
        Piece::Bytes(bytes) => send::Piece::Bytes(&bytes[..size as usize]),
        Piece::Region(region) => {
            let at = region.at() as usize;
            send::Piece::Mapped(region.file().mapping(), at..at + size as usize)
        }
    })
}
