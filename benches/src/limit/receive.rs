//! The bare receiver: frames of one size go from the socket straight into a mapping, and each is answered by bytes that are ready.
//!
//! One call waits until a whole frame is there (`SO_RCVLOWAT`), one takes it, one answers. The files that it fills live like a log's
//! segments: allocated, advised and populated ahead by a thread and, if it is asked for, synced every half a second by another one.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use pagelog_os::{Advice, Mapping, Populate, file, receive};
use pagelog_record::crc32c;
use rustix::event::{PollFd, PollFlags, poll};

/// The name of the threads that serve sockets.
pub(crate) const THREADS: &str = "receiver";

/// Bytes of a file.
pub(crate) const FILE_SIZE: usize = 128 << 20;
/// Files that are ready ahead of the one that is being filled, beside the one that is being made so.
const READY: usize = 1;
/// How much is populated by a call, as the log's warm-up does.
const STEP_SIZE: usize = 128 << 10;
/// As the broker's `flush.interval.ms`.
const FLUSH_INTERVAL: Duration = Duration::from_millis(500);
/// How much is looked at at a time for a checksum.
const WINDOW_SIZE: usize = 8 << 10;

/// What the bare receiver does.
#[derive(Args)]
pub(super) struct Options {
    directory: PathBuf,
    frame_size: usize,
    pub(super) answer_size: usize,
    /// Makes one CRC-32C of each frame.
    #[arg(long)]
    checksum: bool,
    /// Syncs every half a second.
    #[arg(long)]
    sync: bool,
}

/// The files, one after the other.
struct Files {
    ready: Receiver<Arc<Filled>>,
    filled: Arc<Mutex<Vec<Arc<Filled>>>>,
    now: Option<(Arc<Filled>, usize)>,
}

struct Filled {
    file: File,
    memory: Mapping,
}

/// Serves until it is killed, each connection by a thread.
pub(super) fn serve(listener: &TcpListener, options: Options, answer: Vec<u8>) -> Result<()> {
    let files = Arc::new(Mutex::new(Files::start(&options)?));
    let (options, answer): (_, Arc<[u8]>) = (Arc::new(options), answer.into());
    for stream in listener.incoming() {
        let (stream, files) = (stream?, Arc::clone(&files));
        let (options, answer) = (Arc::clone(&options), Arc::clone(&answer));
        let thread = std::thread::Builder::new().name(THREADS.to_owned());
        // A peer that goes away ends its thread; there is nothing to report.
        thread.spawn(move || converse(&stream, &options, &files, &answer))?;
    }
    Ok(())
}

fn converse(
    mut stream: &TcpStream,
    options: &Options,
    files: &Mutex<Files>,
    answer: &[u8],
) -> Result<()> {
    stream.set_nodelay(true)?;
    let size = options.frame_size;
    // Where the socket cannot hold a frame, it comes in parts.
    receive::set_low_water(stream.as_fd(), size)?;
    loop {
        let place = {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            files.place(size)?
        };
        take(stream, &place, size)?;
        if options.checksum {
            std::hint::black_box(checksum(&place, size)?);
        }
        stream.write_all(answer)?;
    }
}

/// Receives a frame; the end of the peer is an error.
fn take(stream: &TcpStream, (filled, at): &(Arc<Filled>, usize), size: usize) -> Result<()> {
    let (mut from, end) = (*at, at + size);
    while from < end {
        poll(&mut [PollFd::new(stream, PollFlags::IN)], None)?;
        match receive::receive_into(stream.as_fd(), &filled.memory, from..end, &mut []) {
            Ok(0) => anyhow::bail!("the peer is gone"),
            Ok(count) => from += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn checksum((filled, at): &(Arc<Filled>, usize), size: usize) -> Result<u32> {
    let mut window = [0; WINDOW_SIZE];
    let mut sum = 0;
    for from in (0..size).step_by(WINDOW_SIZE) {
        let window = &mut window[..WINDOW_SIZE.min(size - from)];
        filled.memory.copy_out(at + from, window)?;
        sum = crc32c::append(sum, window);
    }
    Ok(sum)
}

impl Files {
    fn start(options: &Options) -> Result<Files> {
        let (sender, ready) = sync_channel(READY);
        let directory = options.directory.clone();
        std::thread::spawn(move || make_ahead(&directory, &sender));
        let filled = Arc::new(Mutex::new(Vec::new()));
        let (looked_after, sync) = (Arc::clone(&filled), options.sync);
        std::thread::spawn(move || look_after(&looked_after, sync));
        Ok(Files {
            ready,
            filled,
            now: None,
        })
    }

    /// Where the next frame goes.
    fn place(&mut self, size: usize) -> Result<(Arc<Filled>, usize)> {
        match &mut self.now {
            Some((filled, at)) if *at + 2 * size <= FILE_SIZE => {
                *at += size;
                Ok((Arc::clone(filled), *at))
            }
            now => {
                let filled = self.ready.recv().context("no file could be made")?;
                let mut all = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(Arc::clone(&filled));
                *now = Some((Arc::clone(&filled), 0));
                Ok((filled, 0))
            }
        }
    }
}

fn make_ahead(directory: &Path, ready: &SyncSender<Arc<Filled>>) -> Result<()> {
    loop {
        let file = tempfile::tempfile_in(directory)?;
        file::allocate(&file, FILE_SIZE as u64)?;
        file.sync_all()?;
        let memory = Mapping::shared(&file, FILE_SIZE)?;
        memory.advise(0..FILE_SIZE, Advice::Random)?;
        for from in (0..FILE_SIZE).step_by(STEP_SIZE) {
            memory.populate(from..from + STEP_SIZE, Populate::Write)?;
        }
        ready.send(Arc::new(Filled { file, memory }))?;
    }
}

/// Syncs what was filled, and lets go of it once it is full: of its pages too, so that the kernel finds no reason to write them where
/// nobody asks for a sync.
fn look_after(filled: &Mutex<Vec<Arc<Filled>>>, sync: bool) -> Result<()> {
    loop {
        std::thread::sleep(FLUSH_INTERVAL);
        let files = filled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if sync {
            files
                .iter()
                .try_for_each(|filled| file::sync_data(&filled.file))?;
        }
        let full = files.len().saturating_sub(1);
        filled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..full);
    }
}
