//! The sink: takes what it is sent and says when it has all of it.
//!
//! The peer says first how many bytes will come, in eight bytes, big-endian; after the last of them the sink sends one byte back. So
//! whoever measures a sender measures until the receiver is done, and finds the next round with empty sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};
use rustix::net::{RecvFlags, recv};

/// Most bytes taken at once.
const CHUNK_SIZE: usize = 256 << 10;

/// Serves until it is killed, each connection by a thread that blocks.
pub(super) fn serve(listener: &TcpListener, discards: bool) -> Result<()> {
    for stream in listener.incoming() {
        let stream = stream?;
        // A peer that goes away ends its thread; there is nothing to report.
        std::thread::spawn(move || take_all(stream, discards));
    }
    Ok(())
}

fn take_all(mut stream: TcpStream, discards: bool) -> Result<()> {
    stream.set_nodelay(true)?;
    let flags = if discards {
        RecvFlags::TRUNC
    } else {
        RecvFlags::empty()
    };
    let mut buffer = vec![0; CHUNK_SIZE];
    loop {
        let mut size = [0; 8];
        stream.read_exact(&mut size)?;
        let mut left = usize::try_from(u64::from_be_bytes(size)).context("a size")?;
        while left > 0 {
            let wanted = left.min(CHUNK_SIZE);
            let (_, count) = recv(&stream, &mut buffer[..wanted], flags)?;
            ensure!(count > 0, "the peer is gone");
            left -= count;
        }
        stream.write_all(&[1])?;
    }
}
