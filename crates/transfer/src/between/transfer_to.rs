//! From a place in a file to any descriptor.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use pagelog_os::file;

use super::{Meaning, PIPE_SIZE, Rung, STEP_SIZE, TransferError, Transfers, blocks, meaning};
use crate::kind::Kind;

impl Transfers {
    /// Moves up to `count` bytes of `from`, from byte `position` on, to `to`: at its own place, if it has one, which moves on. The
    /// place of `from` is left alone. How many bytes were moved: fewer where the file ends before, or where `to` is non-blocking and
    /// takes no more now; 0 from a position past the end.
    ///
    /// A target that blocks is waited for. What becomes of ranges of one file that overlap is not said.
    ///
    /// # Errors
    ///
    /// [`TransferError`], which says how much had arrived.
    pub fn transfer_to(
        &mut self,
        from: &File,
        position: u64,
        count: u64,
        to: BorrowedFd<'_>,
    ) -> Result<u64, TransferError> {
        let failed = |moved, source| TransferError {
            moved,
            unwritten: Vec::new(),
            source,
        };
        let size = from.metadata().map_err(|error| failed(0, error))?.len();
        let count = count.min(size.saturating_sub(position));
        let pair = (Kind::of(from.as_fd()), Kind::of(to));
        let rungs = rungs(pair);
        let blocks = blocks(to).map_err(|error| failed(0, error))?;
        let (mut moved, mut waits, mut not_permitted) = (0, false, 0);
        let mut skipped =
            usize::from(rungs[0] == Rung::CopyRange && self.are_apart(from.as_fd(), to));
        while moved < count {
            let rung = match waits {
                true => Rung::Plain,
                false => self.open(&rungs[skipped..], pair),
            };
            let step = (count - moved).min(STEP_SIZE);
            match self.step_to(rung, from, position + moved, step, to) {
                // Some file systems say so of files that are made up when they are read.
                Ok(0) if rung != Rung::Plain => skipped = 1 + below(rungs, rung),
                Ok(0) => break,
                Ok(size) => {
                    self.count(rung, size as u64);
                    self.refuse_all(std::mem::take(&mut not_permitted), pair);
                    moved += size as u64;
                    waits = false;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // `splice` does not wait, and writing does.
                    if !blocks || rung == Rung::Plain {
                        break;
                    }
                    waits = true;
                }
                Err(error) if rung == Rung::Plain => return Err(failed(moved, error)),
                Err(error) => match meaning(rung, &error) {
                    Meaning::Blocked | Meaning::Interrupted => {}
                    Meaning::Refused => self.refuse(rung, pair),
                    other => {
                        match other {
                            Meaning::Apart => self.set_apart(from.as_fd(), to),
                            Meaning::NotPermitted => not_permitted |= rung.bit(),
                            _ => {}
                        }
                        skipped = 1 + below(rungs, rung);
                    }
                },
            }
        }
        Ok(moved)
    }

    fn step_to(
        &mut self,
        rung: Rung,
        from: &File,
        at: u64,
        size: u64,
        to: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let mut place = at;
        let step = size as usize;
        match rung {
            Rung::CopyRange => Ok(rustix::fs::copy_file_range(
                from,
                Some(&mut place),
                to,
                None,
                step,
            )?),
            Rung::SendFile => Ok(rustix::fs::sendfile(to, from, Some(&mut place), step)?),
            Rung::Splice => self.splice_to(from, at, step, to),
            Rung::Plain => {
                let buffer = self.buffer(size);
                let read = file::read_at(from, at, buffer)?;
                match read {
                    0 => Ok(0),
                    _ => Ok(rustix::io::write(to, &buffer[..read])?),
                }
            }
        }
    }

    /// What does not go out of the pipe is dropped with it: the file has it still.
    fn splice_to(
        &mut self,
        from: &File,
        at: u64,
        size: usize,
        to: BorrowedFd<'_>,
    ) -> io::Result<usize> {
        let mut pipe = self.take_pipe()?;
        pipe.splice_in(from.as_fd(), Some(at), size.min(PIPE_SIZE))?;
        let mut moved = 0;
        while pipe.filled() > 0 {
            match pipe.splice_out(to, None, pipe.filled(), false) {
                Ok(0) => break,
                Ok(size) => moved += size,
                Err(_) if moved > 0 => break,
                Err(error) => return Err(error),
            }
        }
        self.keep(pipe);
        Ok(moved)
    }
}

fn rungs(pair: (Kind, Kind)) -> &'static [Rung] {
    match pair {
        (Kind::File, Kind::File) => &Rung::ALL,
        (Kind::File, _) => &[Rung::SendFile, Rung::Splice, Rung::Plain],
        _ => &[Rung::Plain],
    }
}

/// Where `rung` stands among `rungs`.
fn below(rungs: &[Rung], rung: Rung) -> usize {
    rungs.iter().position(|one| *one == rung).unwrap_or(0)
}
