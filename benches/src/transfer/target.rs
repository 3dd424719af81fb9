//! Where the bytes go: a connection to a sink, in another process, and the file they come from.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use pagelog_os::{MappedFile, file};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt;

use crate::process;
use crate::settings::Settings;

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receiver {
    /// Dropped in the kernel, as a card would take them.
    Discards,
    /// Copied into a buffer, as a client does.
    Copies,
}

impl Receiver {
    pub(super) fn word(self) -> &'static str {
        match self {
            Receiver::Discards => "discards",
            Receiver::Copies => "copies",
        }
    }
}

/// A sink of its own process.
pub(super) struct Sink {
    server: process::Server,
}

impl Sink {
    /// # Errors
    /// Where it does not start.
    pub(super) fn start(settings: &Settings, receiver: Receiver) -> Result<Sink> {
        let arguments = ["sink", receiver.word()].map(str::to_owned);
        let server = settings.bare(&arguments)?;
        Ok(Sink { server })
    }

    /// The address, as text.
    pub(super) fn address(&self) -> Result<String> {
        Ok(process::address(&self.server.ready)?.to_string())
    }

    pub(super) fn connect(&self) -> Result<Target> {
        Target::connect(&self.address()?)
    }
}

/// A connection to a sink, non-blocking.
pub(super) struct Target {
    pub(super) socket: TcpStream,
}

impl Target {
    /// Under a congestion control that does not pace, as the broker has it for peers on its own machine.
    ///
    /// # Errors
    /// Where nobody listens.
    pub(super) fn connect(address: &str) -> Result<Target> {
        let socket =
            TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        socket.set_nodelay(true)?;
        // Where it is refused all are paced alike.
        let _ = sockopt::set_tcp_congestion(&socket, "reno");
        socket.set_nonblocking(true)?;
        Ok(Target { socket })
    }

    /// Says how many bytes are to come.
    pub(super) fn announce(&mut self, size: u64) -> Result<()> {
        // The socket is empty: eight bytes fit.
        Ok(self.socket.write_all(&size.to_be_bytes())?)
    }

    /// Waits until the sink has them all.
    pub(super) fn wait_taken(&mut self) -> Result<()> {
        // Not by `poll`, which would come back for what the error queue says.
        self.socket.set_nonblocking(false)?;
        self.socket.read_exact(&mut [0])?;
        Ok(self.socket.set_nonblocking(true)?)
    }

    /// Waits until the error queue has something to say.
    pub(super) fn wait_error(&self) -> Result<()> {
        poll(&mut [PollFd::new(&self.socket, PollFlags::ERR)], None)?;
        Ok(())
    }

    pub(super) fn wait_writable(&self) -> Result<()> {
        poll(&mut [PollFd::new(&self.socket, PollFlags::OUT)], None)?;
        Ok(())
    }
}

/// A file of `size` bytes without a name, written through the page cache as the flush thread writes its own.
///
/// # Errors
/// Where none can be made in `directory`.
pub(super) fn sample_file(directory: &Path, size: u64) -> Result<Arc<MappedFile>> {
    let path = directory.join(format!("transfer-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(true);
    let opened = opened
        .open(&path)
        .with_context(|| format!("create {}", path.display()))?;
    fs::remove_file(&path)?;
    let bytes: Vec<u8> = (0..1 << 20).map(|at: usize| (at / 7) as u8).collect();
    let mut at = 0;
    while at < size {
        let part = (size - at).min(bytes.len() as u64) as usize;
        at += file::write_at(&opened, at, &bytes[..part])? as u64;
    }
    // What is read around the cache has to be on the disk.
    file::sync_data(&opened)?;
    Ok(Arc::new(MappedFile::new(opened)?))
}
