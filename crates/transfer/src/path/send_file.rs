//! `sendfile`: one call, no copy by this process; the socket refers to the pages of the page cache.

use pagelog_os::send;
use rustix::io::Errno;
use std::os::fd::AsFd;

use super::{Front, Outcome, Path, of_socket_error};
use crate::paths::Paths;
use crate::sender::SendError;

pub(crate) fn send(front: Front<'_>, paths: &mut Paths) -> Result<Outcome, SendError> {
    paths.counters.of(Path::SendFile).calls += 1;
    let region = front.region;
    let file = region.file().file().as_fd();
    match send::send_file(front.socket, file, region.at(), front.size()) {
        // sendfile(2) moves nothing, and says so, at the end of the file.
        Ok(0) => Err(front.short()),
        Ok(sent) => Ok(Outcome::Sent(sent as u64)),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => {
            Err(front.unreadable(error))
        }
        Err(error) => of_socket_error(error),
    }
}
