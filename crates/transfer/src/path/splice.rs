//! `splice` into a pipe and out of it: no copy by this process, two calls. What `sendfile` does with a pipe of the kernel's own.
//!
//! A pipe belongs to one sender while bytes are in it, so that a peer which takes nothing holds no other's up; a bound on the pipes
//! that are held keeps many such peers from using up descriptors and pages.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use pagelog_os::Pipe;
use rustix::io::Errno;

use super::{Front, Held, Outcome, Path, Refusal, Staged, of_socket_error, refusal};
use crate::paths::Paths;
use crate::sender::SendError;

/// What a pipe holds: as much as `sendfile` moves between two looks at the socket is enough, and an unprivileged user's pipes may
/// hold 64 MiB altogether (`pipe-user-pages-soft`, pipe(7)).
const PIPE_SIZE: usize = 256 * 1024;

/// Pipes that one thread's senders may hold.
const PIPES_MAX: usize = 64;

/// Empty pipes that are kept.
const FREE_MAX: usize = 4;

/// The pipes of one thread.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    free: Vec<Pipe>,
    /// Each pipe that is out has a clone.
    out: Arc<()>,
}

/// A pipe that is out; one with bytes in it is closed when it is dropped, and these were never sent.
#[derive(Debug)]
pub(crate) struct HeldPipe {
    pub(crate) pipe: Pipe,
    _out: Arc<()>,
}

impl Pipes {
    /// A pipe, if one is to be had.
    pub(crate) fn take(&mut self) -> Option<HeldPipe> {
        if self.out_count() >= PIPES_MAX {
            return None;
        }
        let pipe = match self.free.pop() {
            Some(pipe) => pipe,
            None => Pipe::new(PIPE_SIZE).ok()?,
        };
        Some(HeldPipe {
            pipe,
            _out: Arc::clone(&self.out),
        })
    }

    /// Takes back what is empty; a pipe that is not would mix two ropes.
    pub(crate) fn give_back(&mut self, held: HeldPipe) {
        if held.pipe.filled() == 0 && self.free.len() < FREE_MAX {
            self.free.push(held.pipe);
        }
    }

    pub(crate) fn out_count(&self) -> usize {
        Arc::strong_count(&self.out) - 1
    }
}

pub(crate) fn send(
    front: Front<'_>,
    paths: &mut Paths,
    held: &mut Held,
) -> Result<Outcome, SendError> {
    let mut pipe = match held.staged.take() {
        Some(Staged::Pipe(pipe)) => pipe,
        _ => match paths.pipes.take() {
            Some(pipe) => pipe,
            None => return Ok(Outcome::Refused(Refusal::Now)),
        },
    };
    if pipe.pipe.filled() == 0 {
        paths.counters.of(Path::Splice).calls += 1;
        if let Err(outcome) = fill(front, &mut pipe.pipe) {
            return outcome;
        }
    }
    paths.counters.of(Path::Splice).calls += 1;
    let size = front.size();
    let moved = pipe.pipe.splice_out(front.socket, None, size, false);
    settle(moved, pipe, paths, held)
}

/// Fills an empty pipe; else says how the step ends.
fn fill(front: Front<'_>, pipe: &mut Pipe) -> Result<(), Result<Outcome, SendError>> {
    let file = front.region.file().file().as_fd();
    match pipe.splice_in(file, Some(front.region.at()), front.size()) {
        Ok(0) => Err(Err(front.short())),
        Ok(_) => Ok(()),
        Err(error) => Err(of_file_error(front, error)),
    }
}

/// What an error of taking bytes out of the file means.
pub(crate) fn of_file_error(front: Front<'_>, error: io::Error) -> Result<Outcome, SendError> {
    match (refusal(&error), Errno::from_io_error(&error)) {
        (Some(refusal), _) => Ok(Outcome::Refused(refusal)),
        // A pipe that takes nothing though it is empty: the user has too many of them.
        (None, Some(Errno::AGAIN)) => Ok(Outcome::Refused(Refusal::Now)),
        _ => Err(front.unreadable(error)),
    }
}

/// After bytes were moved out of the pipe, or were not: what is left in it is held.
pub(crate) fn settle(
    moved: io::Result<usize>,
    pipe: HeldPipe,
    paths: &mut Paths,
    held: &mut Held,
) -> Result<Outcome, SendError> {
    let outcome = match moved {
        Ok(0) => return Err(SendError::Socket(io::ErrorKind::WriteZero.into())),
        Ok(moved) => Outcome::Sent(moved as u64),
        Err(error) => of_socket_error(error)?,
    };
    if let Outcome::Refused(_) = outcome {
        // The next path reads these bytes again.
        return Ok(outcome);
    }
    if pipe.pipe.filled() > 0 {
        held.staged = Some(Staged::Pipe(pipe));
    } else {
        paths.pipes.give_back(pipe);
    }
    Ok(outcome)
}
