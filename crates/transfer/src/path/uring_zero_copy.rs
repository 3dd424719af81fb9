//! io_uring's `SEND_ZC`: as `MSG_ZEROCOPY`, but that notifications come by the ring, without a call.

use std::collections::VecDeque;
use std::io;

use super::{Front, Outcome, Path, Refusal, is_fault, of_socket_error};
use crate::paths::Paths;
use crate::region::Region;
use crate::sender::SendError;

/// The most sends without a notification, over all sockets of one thread: each holds its file.
const OUTSTANDING_MAX: usize = 1024;

/// The sends that the kernel may still refer to, by number.
#[derive(Debug, Default)]
pub(crate) struct Sends(VecDeque<(u64, Region)>);

pub(crate) fn send(front: Front<'_>, paths: &mut Paths) -> Result<Outcome, SendError> {
    if !paths
        .ring()
        .is_some_and(|ring| ring.operations.send_zero_copy)
    {
        return Ok(Outcome::Refused(paths.no_ring()));
    }
    reap(paths);
    if paths.uring_sends.0.len() >= OUTSTANDING_MAX {
        return Ok(Outcome::Refused(Refusal::Now));
    }
    let mapping = front.region.file().mapping();
    if mapping.check_fault().is_err() {
        return Ok(Outcome::Refused(Refusal::Now));
    }
    paths.counters.of(Path::UringZeroCopy).calls += 1;
    let Some(ring) = paths.ring() else {
        return Ok(Outcome::Refused(paths.no_ring()));
    };
    match ring
        .ring
        .send_zero_copy(front.socket, mapping, front.in_memory())
    {
        Ok(sent) if sent.size == 0 => Err(SendError::Socket(io::ErrorKind::WriteZero.into())),
        Ok(sent) => {
            if let Some(number) = sent.number {
                let region = front.region.part(0..sent.size as u64);
                paths.uring_sends.0.push_back((number, region));
            }
            Ok(Outcome::Sent(sent.size as u64))
        }
        Err(error) if is_fault(&error) => Ok(Outcome::Refused(Refusal::Now)),
        Err(error) => of_socket_error(error),
    }
}

/// Takes note of the notifications that have come.
fn reap(paths: &mut Paths) {
    let notifications = match paths.ring() {
        Some(ring) => ring.ring.notifications(),
        None => return,
    };
    for notification in notifications {
        let sends = &mut paths.uring_sends.0;
        let found = sends
            .iter()
            .position(|(number, _)| *number == notification.number);
        // A send that found the socket full is notified as well.
        if let Some(index) = found {
            sends.remove(index);
            paths.counters.completions += 1;
            paths.counters.completions_copied += u64::from(notification.copied);
        }
    }
}
