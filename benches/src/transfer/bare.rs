//! The bare loops: the system calls of each path and nothing else, with no ladder, no count and no rope.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path as FilePath;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use pagelog_os::send::{Piece, send_file, send_gather};
use pagelog_os::uring::Ring;
use pagelog_os::{
    Buffer, BufferPool, DirectAccess, DirectError, DirectFile, MappedFile, Pipe, zero_copy,
};
use pagelog_transfer::Path;
use rustix::io::Errno;

use super::answer::{HEADER, Point};
use super::target::Target;

/// As the paths have them, so that only what is around the calls differs.
const READ_SIZE: usize = 64 << 10;
const PIPE_SIZE: usize = 256 << 10;
const DIRECT_SIZE: usize = 256 << 10;
const REGISTERED: (usize, usize) = (32 << 10, 4);
const OUTSTANDING_MAX: usize = 16;
/// Pages of a file that a socket may refer to are the kernel's to keep; a bare loop never changes the file.
type Outstanding = usize;

/// A loop, and what it needs between two calls.
pub(super) struct Bare {
    file: Arc<MappedFile>,
    way: Way,
}

enum Way {
    Read(Vec<u8>),
    Gather,
    SendFile,
    Splice(Pipe),
    ZeroCopy(Outstanding),
    UringSplice(Ring, Pipe),
    UringZeroCopy(Ring),
    UringRead(Ring),
    Direct(DirectFile, Buffer),
}

impl Bare {
    /// The loop that belongs to `path`.
    ///
    /// # Errors
    /// Where the kernel refuses it.
    pub(super) fn new(path: Path, file: &Arc<MappedFile>, target: &Target) -> Result<Bare> {
        let way = match path {
            Path::Reference => Way::Read(vec![0; READ_SIZE]),
            Path::Gather => Way::Gather,
            Path::SendFile => Way::SendFile,
            Path::Splice => Way::Splice(Pipe::new(PIPE_SIZE)?),
            Path::ZeroCopy => {
                zero_copy::enable(target.socket.as_fd())?;
                Way::ZeroCopy(0)
            }
            Path::UringSplice => Way::UringSplice(Ring::new()?, Pipe::new(PIPE_SIZE)?),
            Path::UringZeroCopy => Way::UringZeroCopy(Ring::new()?),
            Path::UringRead => {
                let mut ring = Ring::new()?;
                ring.register_buffer(REGISTERED.0, REGISTERED.1)?;
                Way::UringRead(ring)
            }
            Path::Direct => direct(file)?,
        };
        let file = Arc::clone(file);
        Ok(Bare { file, way })
    }

    /// Sends one answer.
    ///
    /// # Errors
    /// What the calls give.
    pub(super) fn send(&mut self, point: Point, answer: u64, target: &Target) -> Result<()> {
        if let Way::Gather = self.way {
            return send_gathered(&self.file, point, answer, target);
        }
        let more = !matches!(self.way, Way::Read(_) | Way::UringRead(_) | Way::Direct(..));
        for place in point.places(answer) {
            send_bytes(HEADER, target, more)?;
            let (mut at, end) = (place.start, place.end);
            while at < end {
                at += self.send_some(at, (end - at) as usize, target)? as u64;
            }
        }
        Ok(())
    }

    /// Sends some of the bytes of the file from `at` on, at most `size`.
    fn send_some(&mut self, at: u64, size: usize, target: &Target) -> Result<usize> {
        let file = self.file.file();
        let socket = target.socket.as_fd();
        let range = at as usize..at as usize + size;
        match &mut self.way {
            Way::Gather => bail!("gathers go all at once"),
            Way::Read(buffer) => {
                let wanted = size.min(buffer.len());
                let read = file.read_at(&mut buffer[..wanted], at)?;
                send_bytes(&buffer[..read], target, false)?;
                Ok(read)
            }
            Way::SendFile => retried(target, || send_file(socket, file.as_fd(), at, size)),
            Way::Splice(pipe) => {
                let filled = pipe.splice_in(file.as_fd(), Some(at), size)?;
                empty(pipe, target)?;
                Ok(filled)
            }
            Way::ZeroCopy(outstanding) => {
                if *outstanding >= OUTSTANDING_MAX {
                    *outstanding -= completions(target)?;
                }
                let mapping = self.file.mapping();
                loop {
                    match zero_copy::send(socket, mapping, range.clone()) {
                        Ok(sent) => {
                            *outstanding += 1;
                            return Ok(sent);
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            target.wait_writable()?;
                        }
                        // The socket's memory for what is not completed is used up: completions give it back.
                        Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => {
                            target.wait_error()?;
                            *outstanding -= completions(target)?;
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Way::UringSplice(ring, pipe) => {
                let (moved_in, _) = ring.splice_through(file, at, pipe, socket, size)?;
                empty(pipe, target)?;
                Ok(moved_in)
            }
            Way::UringZeroCopy(ring) => {
                let _ = ring.notifications();
                let mapping = self.file.mapping();
                let mut send = || ring.send_zero_copy(socket, mapping, range.clone());
                Ok(retried(target, || send().map(|sent| sent.size))?)
            }
            Way::UringRead(ring) => {
                let bytes = ring.read(file, at, size)?;
                send_bytes(bytes, target, false)?;
                Ok(bytes.len())
            }
            Way::Direct(direct, buffer) => {
                let aligned = at - at % u64::from(direct.alignment().offset);
                let skipped = (at - aligned) as usize;
                let unit = direct.alignment().offset as usize;
                let wanted = (skipped + size).next_multiple_of(unit).min(buffer.len());
                let read = direct.read_at(aligned, &mut buffer[..wanted]);
                let read = read.map_err(of_direct)?;
                let end = read.min(skipped + size);
                send_bytes(&buffer[skipped..end], target, false)?;
                Ok(end - skipped)
            }
        }
    }
}

fn of_direct(error: DirectError) -> anyhow::Error {
    anyhow::Error::from(error).context("read around the cache")
}

fn direct(file: &MappedFile) -> Result<Way> {
    use std::os::fd::AsRawFd;
    let name = format!("/proc/self/fd/{}", file.file().as_raw_fd());
    let opened = DirectFile::open(FilePath::new(&name), DirectAccess::Read).map_err(of_direct)?;
    let pool = BufferPool::new(DIRECT_SIZE, 1)?;
    let buffer = pool.try_reserve().context("the only buffer")?;
    Ok(Way::Direct(opened, buffer))
}

/// Calls until the socket has taken something.
fn retried(target: &Target, mut call: impl FnMut() -> std::io::Result<usize>) -> Result<usize> {
    loop {
        match call() {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                target.wait_writable()?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Moves all that is in the pipe into the socket.
fn empty(pipe: &mut Pipe, target: &Target) -> Result<()> {
    while pipe.filled() > 0 {
        retried(target, || {
            pipe.splice_out(target.socket.as_fd(), None, usize::MAX >> 1, false)
        })?;
    }
    Ok(())
}

fn send_bytes(mut bytes: &[u8], target: &Target, more: bool) -> Result<()> {
    while !bytes.is_empty() {
        let sent = retried(target, || {
            send_gather(target.socket.as_fd(), &[Piece::Bytes(bytes)], more)
        })?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

/// Headers and ranges of the mapping, as few calls as the kernel takes.
fn send_gathered(file: &MappedFile, point: Point, answer: u64, target: &Target) -> Result<()> {
    let mut pieces: Vec<Piece<'_>> = Vec::with_capacity(2 * point.runs as usize);
    for place in point.places(answer) {
        pieces.push(Piece::Bytes(HEADER));
        let range = place.start as usize..place.end as usize;
        pieces.push(Piece::Mapped(file.mapping(), range));
    }
    let mut first = 0;
    while first < pieces.len() {
        let left = &pieces[first..];
        let mut sent = retried(target, || send_gather(target.socket.as_fd(), left, false))?;
        while sent > 0 {
            let size = pieces[first].size();
            if sent < size {
                match &mut pieces[first] {
                    Piece::Bytes(bytes) => *bytes = &bytes[sent..],
                    Piece::Mapped(_, range) => range.start += sent,
                }
                break;
            }
            sent -= size;
            first += 1;
        }
    }
    Ok(())
}

/// Sends that the error queue says are done.
fn completions(target: &Target) -> Result<usize> {
    let mut count = 0;
    while let Some(completion) = zero_copy::completion(target.socket.as_fd())? {
        let sends = completion.sends;
        count += sends.end().wrapping_sub(*sends.start()) as usize + 1;
    }
    Ok(count)
}
