//! `pread` into a buffer, then `send`: two calls and two copies, and nothing that could be refused.

use std::io;
use std::os::unix::fs::FileExt;

use pagelog_os::send;

use super::{Front, Outcome, Path, of_socket_error};
use crate::paths::Paths;
use crate::sender::SendError;

/// What is read at a time.
const SIZE_MAX: usize = 64 * 1024;

pub(crate) fn send(front: Front<'_>, paths: &mut Paths) -> Result<Outcome, SendError> {
    let size = front.size().min(SIZE_MAX);
    paths.buffer.resize(SIZE_MAX, 0);
    let count = paths.counters.of(Path::Reference);
    count.calls += 1;
    let file = front.region.file().file();
    let read = match file.read_at(&mut paths.buffer[..size], front.region.at()) {
        Ok(0) => return Err(front.short()),
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Outcome::Again),
        Err(error) => return Err(front.unreadable(error)),
    };
    count.calls += 1;
    send_bytes(front, &paths.buffer[..read])
}

/// Sends bytes of a buffer. A refusal is the socket's end: there is no plainer way.
pub(crate) fn send_bytes(front: Front<'_>, bytes: &[u8]) -> Result<Outcome, SendError> {
    match send::send_gather(front.socket, &[send::Piece::Bytes(bytes)], false) {
        Ok(0) => Err(SendError::Socket(io::ErrorKind::WriteZero.into())),
        Ok(sent) => Ok(Outcome::Sent(sent as u64)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => of_socket_error(error),
            _ => Err(SendError::Socket(error)),
        },
    }
}
