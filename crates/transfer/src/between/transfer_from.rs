//! From any descriptor to a place in a file.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use pagelog_os::{Pipe, file};

use super::{Meaning, PIPE_SIZE, Rung, STEP_SIZE, TransferError, Transfers, blocks, meaning};
use crate::kind::Kind;

/// What one step has done.
enum Step {
    /// Bytes that are in the file.
    Moved(usize),
    /// The source has come to its end.
    End,
    /// Nothing was taken from the source.
    Failed(io::Error),
    /// Bytes are in the file, others were taken and are not.
    Unwritten(usize, Vec<u8>, io::Error),
}

impl Transfers {
    /// Moves up to `count` bytes of `from`, from its own place on, which moves on, to byte `position` of `to`. The place of `to` is left
    /// alone. How many bytes were moved: fewer where the source ends before, or is non-blocking and has no more now; 0 to a position
    /// past the end of `to`.
    ///
    /// A source that blocks is waited for. `to` must not be open for appending.
    ///
    /// # Errors
    ///
    /// [`TransferError`], with what was taken from the source and could not be written.
    pub fn transfer_from(
        &mut self,
        from: BorrowedFd<'_>,
        to: &File,
        position: u64,
        count: u64,
    ) -> Result<u64, TransferError> {
        let failed = |moved, unwritten, source| TransferError {
            moved,
            unwritten,
            source,
        };
        let fail_first = |error| failed(0, Vec::new(), error);
        if position > to.metadata().map_err(fail_first)?.len() {
            return Ok(0);
        }
        let blocks = blocks(from).map_err(fail_first)?;
        let pair = (Kind::of(from), Kind::of(to.as_fd()));
        let rungs = rungs(pair);
        let (mut moved, mut waits, mut not_permitted) = (0, false, 0);
        let mut skipped =
            usize::from(rungs[0] == Rung::CopyRange && self.are_apart(from, to.as_fd()));
        while moved < count {
            let rung = match waits {
                true => Rung::Plain,
                false => self.open(&rungs[skipped..], pair),
            };
            let size = (count - moved).min(STEP_SIZE);
            match self.step_from(rung, from, to, position + moved, size) {
                Step::Moved(size) => {
                    self.count(rung, size as u64);
                    self.refuse_all(std::mem::take(&mut not_permitted), pair);
                    moved += size as u64;
                    waits = false;
                }
                Step::End if rung == Rung::CopyRange => skipped = 1,
                Step::End => break,
                Step::Unwritten(size, unwritten, error) => {
                    self.count(rung, size as u64);
                    return Err(failed(moved + size as u64, unwritten, error));
                }
                Step::Failed(error) => match (rung, meaning(rung, &error)) {
                    (_, Meaning::Interrupted) => {}
                    // `splice` does not wait, and reading does.
                    (Rung::Splice, Meaning::Blocked) if blocks => waits = true,
                    (_, Meaning::Blocked) => break,
                    (Rung::Plain, _) => return Err(failed(moved, Vec::new(), error)),
                    (_, Meaning::Refused) => self.refuse(rung, pair),
                    (_, other) => {
                        match other {
                            Meaning::Apart => self.set_apart(from, to.as_fd()),
                            Meaning::NotPermitted => not_permitted |= rung.bit(),
                            _ => {}
                        }
                        skipped = rungs.len() - 1;
                    }
                },
            }
        }
        Ok(moved)
    }

    fn step_from(
        &mut self,
        rung: Rung,
        from: BorrowedFd<'_>,
        to: &File,
        at: u64,
        size: u64,
    ) -> Step {
        match rung {
            Rung::CopyRange => {
                let mut place = at;
                let into = Some(&mut place);
                let copied = rustix::fs::copy_file_range(from, None, to, into, size as usize);
                Step::of(copied.map_err(io::Error::from))
            }
            Rung::Splice if Kind::of(from) == Kind::Pipe => {
                let mut place = at;
                let flags = rustix::pipe::SpliceFlags::MOVE | rustix::pipe::SpliceFlags::NONBLOCK;
                let into = Some(&mut place);
                let moved = rustix::pipe::splice(from, None, to, into, size as usize, flags);
                Step::of(moved.map_err(io::Error::from))
            }
            Rung::Splice => self.splice_from(from, to, at, size as usize),
            Rung::SendFile | Rung::Plain => self.plain_from(from, to, at, size),
        }
    }

    fn splice_from(&mut self, from: BorrowedFd<'_>, to: &File, at: u64, size: usize) -> Step {
        let mut pipe = match self.take_pipe() {
            Ok(pipe) => pipe,
            Err(error) => return Step::Failed(error),
        };
        match pipe.splice_in(from, None, size.min(PIPE_SIZE)) {
            Ok(0) => return Step::End,
            Ok(_) => {}
            Err(error) => return Step::Failed(error),
        }
        let mut moved = 0;
        while pipe.filled() > 0 {
            match pipe.splice_out(to.as_fd(), Some(at + moved as u64), pipe.filled(), false) {
                Ok(size) if size > 0 => moved += size,
                // What was taken out of the source has to get into the file, or to the caller.
                _ => return self.drain(pipe, to, at, moved),
            }
        }
        self.keep(pipe);
        Step::Moved(moved)
    }

    /// Copies what is in the pipe to the file.
    fn drain(&mut self, mut pipe: Pipe, to: &File, at: u64, mut moved: usize) -> Step {
        while pipe.filled() > 0 {
            let buffer = self.buffer(pipe.filled() as u64);
            let read = match pipe.read(buffer) {
                Ok(read) => read,
                Err(error) => return Step::Unwritten(moved, Vec::new(), error),
            };
            let (written, outcome) = write_all(to, at + moved as u64, &buffer[..read]);
            moved += written;
            if let Err(error) = outcome {
                let mut unwritten = buffer[written..read].to_vec();
                let mut rest = vec![0; pipe.filled()];
                let size = pipe.read(&mut rest).unwrap_or(0);
                unwritten.extend_from_slice(&rest[..size]);
                return Step::Unwritten(moved, unwritten, error);
            }
        }
        Step::Moved(moved)
    }

    fn plain_from(&mut self, from: BorrowedFd<'_>, to: &File, at: u64, size: u64) -> Step {
        let buffer = self.buffer(size);
        let read = match rustix::io::read(from, &mut *buffer) {
            Ok(0) => return Step::End,
            Ok(read) => read,
            Err(error) => return Step::Failed(error.into()),
        };
        match write_all(to, at, &buffer[..read]) {
            (_, Ok(())) => Step::Moved(read),
            (written, Err(error)) => {
                Step::Unwritten(written, buffer[written..read].to_vec(), error)
            }
        }
    }
}

impl Step {
    fn of(moved: io::Result<usize>) -> Step {
        match moved {
            Ok(0) => Step::End,
            Ok(moved) => Step::Moved(moved),
            Err(error) => Step::Failed(error),
        }
    }
}

/// Writes until all is written or an error comes.
fn write_all(to: &File, at: u64, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file::write_at(to, at + written as u64, &bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(size) => written += size,
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

fn rungs((from, _): (Kind, Kind)) -> &'static [Rung] {
    match from {
        Kind::File => &[Rung::CopyRange, Rung::Plain],
        Kind::Pipe | Kind::Socket | Kind::Local => &[Rung::Splice, Rung::Plain],
        Kind::Other => &[Rung::Plain],
    }
}
