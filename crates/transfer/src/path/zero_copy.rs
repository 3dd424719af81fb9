//! `MSG_ZEROCOPY`: the socket refers to the pages of the mapping, and the error queue says when it no longer does.
//!
//! Headers do not go this way: their memory would have to be kept, and it is too little to be worth it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use pagelog_os::zero_copy::{self, Completion, EnableError};

use super::{
    Front, Held, Outcome, Path, Refusal, is_fault, of_socket_error, refusal, refusal_at_set_up,
};
use crate::paths::Paths;
use crate::region::Region;
use crate::sender::SendError;

/// From so many sends on that are not completed, completions are looked for before the next one.
const OUTSTANDING_MAX: usize = 16;

/// The sends of one socket whose pages the kernel may still refer to.
#[derive(Debug, Default)]
pub(crate) struct Sends {
    /// The number of the next one; the kernel counts with it, and wraps.
    next: u32,
    /// Keeps the files: what was sent is not gone.
    outstanding: VecDeque<(u32, Region)>,
    /// The kernel had to copy after all.
    copied: bool,
}

impl Sends {
    fn complete(&mut self, completion: &Completion) {
        let (first, last) = (*completion.sends.start(), *completion.sends.end());
        self.outstanding
            .retain(|(number, _)| number.wrapping_sub(first) > last.wrapping_sub(first));
        self.copied |= completion.copied;
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.len()
    }
}

/// Reads what the error queue says.
pub(crate) fn reap(socket: BorrowedFd<'_>, paths: &mut Paths, sends: &mut Sends) {
    // An error of the socket comes again with the next send.
    while let Ok(Some(completion)) = zero_copy::completion(socket) {
        let count = completion
            .sends
            .end()
            .wrapping_sub(*completion.sends.start());
        let count = u64::from(count) + 1;
        paths.counters.completions += count;
        if completion.copied {
            paths.counters.completions_copied += count;
        }
        sends.complete(&completion);
    }
}

pub(crate) fn send(
    front: Front<'_>,
    paths: &mut Paths,
    held: &mut Held,
) -> Result<Outcome, SendError> {
    let sends = match &mut held.zero_copy {
        Some(sends) => sends,
        none => match zero_copy::enable(front.socket) {
            Ok(()) => none.insert(Box::default()),
            Err(error) => return Ok(Outcome::Refused(not_enabled(&error))),
        },
    };
    if sends.outstanding.len() >= OUTSTANDING_MAX {
        reap(front.socket, paths, sends);
    }
    if sends.copied && !paths.is_forced() {
        // This peer is reached by copies anyway: the pinning is for nothing.
        return Ok(Outcome::Refused(Refusal::Now));
    }
    match attempt(front, paths, sends) {
        Ok(Outcome::Refused(Refusal::Now)) if !sends.outstanding.is_empty() => {
            reap(front.socket, paths, sends);
            attempt(front, paths, sends)
        }
        outcome => outcome,
    }
}

fn not_enabled(error: &EnableError) -> Refusal {
    match error {
        EnableError::Socket => Refusal::Kind,
        EnableError::Unsupported | EnableError::Refused(_) => Refusal::Everywhere,
        EnableError::Io(error) => refusal(error).unwrap_or_else(|| refusal_at_set_up(error)),
    }
}

fn attempt(front: Front<'_>, paths: &mut Paths, sends: &mut Sends) -> Result<Outcome, SendError> {
    let mapping = front.region.file().mapping();
    if mapping.check_fault().is_err() {
        return Ok(Outcome::Refused(Refusal::Now));
    }
    paths.counters.of(Path::ZeroCopy).calls += 1;
    match zero_copy::send(front.socket, mapping, front.in_memory()) {
        Ok(0) => Err(SendError::Socket(io::ErrorKind::WriteZero.into())),
        Ok(sent) => {
            let region = front.region.part(0..sent as u64);
            sends.outstanding.push_back((sends.next, region));
            sends.next = sends.next.wrapping_add(1);
            Ok(Outcome::Sent(sent as u64))
        }
        // A page that is not to be had: a path by the descriptor tells why.
        Err(error) if is_fault(&error) => Ok(Outcome::Refused(Refusal::Now)),
        Err(error) => of_socket_error(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagelog_os::MappedFile;
    use std::sync::Arc;

    #[test]
    fn completions_name_ranges_and_numbers_wrap() {
        let file = Arc::new(MappedFile::new(tempfile::tempfile().unwrap()).unwrap());
        let mut sends = Sends {
            next: u32::MAX - 1,
            ..Sends::default()
        };
        for _ in 0..4 {
            let region = Region::new(Arc::clone(&file), 0, 1);
            sends.outstanding.push_back((sends.next, region));
            sends.next = sends.next.wrapping_add(1);
        }
        let complete = |sends: &mut Sends, first, last| {
            sends.complete(&Completion {
                sends: first..=last,
                copied: last == 0,
            });
            (sends.outstanding(), sends.copied)
        };
        assert_eq!(complete(&mut sends, u32::MAX - 1, u32::MAX - 1), (3, false));
        assert_eq!(complete(&mut sends, u32::MAX, 0), (1, true));
        assert_eq!(complete(&mut sends, 7, 9), (1, true));
        assert_eq!(complete(&mut sends, 1, 1), (0, true));
    }
}
