//! io_uring's `SPLICE`, twice and linked: from the file into a pipe and on into the socket, by one call.

use super::{Front, Held, Outcome, Path, Refusal, Staged, splice};
use crate::paths::Paths;
use crate::sender::SendError;

pub(crate) fn send(
    front: Front<'_>,
    paths: &mut Paths,
    held: &mut Held,
) -> Result<Outcome, SendError> {
    if let Some(Staged::Pipe(_)) = held.staged {
        return splice::send(front, paths, held);
    }
    if !paths.ring().is_some_and(|ring| ring.operations.splice) {
        return Ok(Outcome::Refused(paths.no_ring()));
    }
    let Some(mut pipe) = paths.pipes.take() else {
        return Ok(Outcome::Refused(Refusal::Now));
    };
    paths.counters.of(Path::UringSplice).calls += 1;
    let (file, at) = (front.region.file().file(), front.region.at());
    let Some(ring) = paths.ring() else {
        return Ok(Outcome::Refused(paths.no_ring()));
    };
    let moved = ring
        .ring
        .splice_through(file, at, &mut pipe.pipe, front.socket, front.size());
    match moved {
        Ok((0, _)) => Err(front.short()),
        // Nothing came out: the plain call says why, or goes on.
        Ok((_, 0)) => {
            held.staged = Some(Staged::Pipe(pipe));
            splice::send(front, paths, held)
        }
        Ok((_, out)) => splice::settle(Ok(out), pipe, paths, held),
        Err(error) => splice::of_file_error(front, error),
    }
}
