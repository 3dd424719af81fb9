//! io_uring's `READ_FIXED`: several reads at a time into buffers whose pages the kernel has at hand, then `send`.

use super::reference::send_bytes;
use super::{Front, Outcome, Path, Refusal};
use crate::paths::Paths;
use crate::sender::SendError;

/// What one read brings.
pub(crate) const PART_SIZE: usize = 32 * 1024;

/// How many are under way at a time.
pub(crate) const PART_COUNT: usize = 4;

pub(crate) fn send(front: Front<'_>, paths: &mut Paths) -> Result<Outcome, SendError> {
    let count = paths.counters.of(Path::UringRead);
    count.calls += 2;
    let Some(ring) = paths.ring().filter(|ring| ring.operations.read_fixed) else {
        paths.counters.of(Path::UringRead).calls -= 2;
        return Ok(Outcome::Refused(paths.no_ring()));
    };
    if !ring.has_buffer {
        if ring.ring.register_buffer(PART_SIZE, PART_COUNT).is_err() {
            // The limit on locked memory is too low.
            return Ok(Outcome::Refused(Refusal::Everywhere));
        }
        ring.has_buffer = true;
    }
    let (file, at) = (front.region.file().file(), front.region.at());
    match ring.ring.read(file, at, front.size()) {
        Ok([]) => Err(front.short()),
        Ok(bytes) => send_bytes(front, bytes),
        Err(error) => Err(front.unreadable(error)),
    }
}
