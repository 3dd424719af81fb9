//! Bare servers: a process that answers every frame with bytes that are ready, and does nothing else.
//!
//! *Echo* sends a fixed short answer: the limit of request and answer over loopback, and the proof
//! of what the load generator can do. *Send* answers with batches out of a file, cut exactly as the
//! broker's log is (an entry's header before each batch), by `sendfile` for each batch or by
//! gathered sends from a mapping: the limit of a Fetch of that shape.
//!
//! They run as a process of their own, like the broker, so that switches between address spaces and
//! processor time are counted alike.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use pagelog_os::MappedFile;
use pagelog_os::send::{Piece, send_file, send_gather};
use rustix::event::{PollFd, PollFlags, poll};

use crate::client::CORRELATION_ID;
use crate::shape::Shape;

/// The bare server, as the benches start it.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Subcommand)]
enum Kind {
    /// Answers each frame with a fixed answer of this many bytes in all.
    Echo { answer_size: usize },
    /// Takes all that it is sent, and says when it has it.
    Sink { receiver: Receiver },
    /// Receives frames straight into a mapping.
    Receive(super::receive::Options),
    /// Sends answers to a sink by one path, and says what was counted.
    Move(crate::transfer::MoveOptions),
    /// Answers each frame with the next answer of a shape.
    Send {
        path: SendPath,
        file: PathBuf,
        #[command(flatten)]
        shape: Shape,
    },
}

/// What a sink does with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Receiver {
    /// Has the kernel drop them.
    Discards,
    /// Copies them into a buffer.
    Copies,
}

/// How a bare server moves the bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SendPath {
    /// One `sendfile` for each run of bytes.
    Sendfile,
    /// The same under a congestion control that does not pace, which the broker chooses for peers on
    /// its own machine.
    Unpaced,
    /// As few `sendmsg` calls as the kernel takes, from a mapping of the file.
    Gather,
}

/// Serves until it is killed; prints `ready ADDRESS` first.
///
/// # Errors
/// Where it cannot listen.
pub(crate) fn serve(options: Options) -> Result<()> {
    if let Kind::Move(options) = &options.kind {
        return crate::transfer::send(options);
    }
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    println!("ready {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    match options.kind {
        Kind::Echo { answer_size } => super::echo::serve(&listener, head(answer_size, answer_size)),
        Kind::Move(_) => Ok(()),
        Kind::Receive(options) => {
            let answer = head(options.answer_size, options.answer_size);
            super::receive::serve(&listener, options, answer)
        }
        Kind::Sink { receiver } => super::sink::serve(&listener, receiver == Receiver::Discards),
        Kind::Send { path, file, shape } => {
            let opened = File::open(&file).with_context(|| format!("open {}", file.display()))?;
            serve_shape(&listener, path, MappedFile::new(opened)?, shape)
        }
    }
}

/// A blocking thread for each connection: there are few, and the calls are long.
fn serve_shape(
    listener: &TcpListener,
    path: SendPath,
    file: MappedFile,
    shape: Shape,
) -> Result<()> {
    let file = Arc::new(file);
    for stream in listener.incoming() {
        let stream = stream?;
        let file = Arc::clone(&file);
        // A peer that goes away ends its thread; there is nothing to report.
        std::thread::spawn(move || converse(stream, path, &file, &shape));
    }
    Ok(())
}

/// Reads frames one by one and answers each.
fn converse(mut stream: TcpStream, path: SendPath, file: &MappedFile, shape: &Shape) -> Result<()> {
    stream.set_nodelay(true)?;
    if path == SendPath::Unpaced {
        rustix::net::sockopt::set_tcp_congestion(&stream, "reno")?;
    }
    let mut frame = vec![0; 64 << 10];
    for number in 0.. {
        read_frame(&mut stream, &mut frame)?;
        send_answer(&stream, path, file, shape, number)?;
    }
    Ok(())
}

/// One frame; it is read in whole, mostly by one call, and not looked at.
fn read_frame(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    let mut read = 0;
    loop {
        if let Some(size) = buffer[..read].first_chunk::<4>() {
            let whole = 4 + u32::from_be_bytes(*size) as usize;
            if read >= whole {
                return Ok(());
            }
            buffer.resize(whole.max(buffer.len()), 0);
        }
        let count = stream.read(&mut buffer[read..])?;
        anyhow::ensure!(count > 0, "the peer is gone");
        read += count;
    }
}

/// The first `size` bytes of an answer that is `whole` bytes long.
fn head(size: usize, whole: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(size);
    head.extend((whole as u32 - 4).to_be_bytes());
    head.extend(CORRELATION_ID.to_be_bytes());
    head.resize(size, 0);
    head
}

fn send_answer(
    stream: &TcpStream,
    path: SendPath,
    file: &MappedFile,
    shape: &Shape,
    number: usize,
) -> Result<()> {
    let head = head(Shape::HEAD_SIZE, shape.answer_size());
    let between = [0; Shape::BETWEEN_SIZE];
    let pieces = shape.pieces(number, &head, &between, file.mapping());
    match path {
        SendPath::Gather => send_gathered(stream, pieces),
        SendPath::Sendfile | SendPath::Unpaced => send_files(stream, file, &pieces),
    }
}

fn send_gathered(stream: &TcpStream, mut pieces: Vec<Piece<'_>>) -> Result<()> {
    let mut first = 0;
    while first < pieces.len() {
        match send_gather(stream.as_fd(), &pieces[first..], false) {
            Ok(sent) => first = skip(&mut pieces, first, sent),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => wait_writable(stream)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Takes `sent` bytes off the pieces from `first` on; returns the first that is left.
fn skip(pieces: &mut [Piece<'_>], mut first: usize, mut sent: usize) -> usize {
    while sent > 0 {
        let size = pieces[first].size();
        if sent < size {
            match &mut pieces[first] {
                Piece::Bytes(bytes) => *bytes = &bytes[sent..],
                Piece::Mapped(_, range) => range.start += sent,
            }
            return first;
        }
        sent -= size;
        first += 1;
    }
    first
}

fn send_files(stream: &TcpStream, file: &MappedFile, pieces: &[Piece<'_>]) -> Result<()> {
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Bytes(bytes) => send_bytes(stream, bytes, index + 1 < pieces.len())?,
            Piece::Mapped(_, range) => {
                let mut at = range.start;
                while at < range.end {
                    // The socket blocks, so the call goes on in the kernel until all is sent.
                    let left = range.end - at;
                    at += send_file(stream.as_fd(), file.file().as_fd(), at as u64, left)?;
                }
            }
        }
    }
    Ok(())
}

/// Bytes beside the runs of the file; where more follows, the kernel may wait for it with the packet.
fn send_bytes(stream: &TcpStream, mut bytes: &[u8], more: bool) -> Result<()> {
    while !bytes.is_empty() {
        match send_gather(stream.as_fd(), &[Piece::Bytes(bytes)], more) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => wait_writable(stream)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn wait_writable(stream: &TcpStream) -> Result<()> {
    poll(&mut [PollFd::new(stream, PollFlags::OUT)], None)?;
    Ok(())
}
