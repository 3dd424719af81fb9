//! A non-blocking connection in an epoll set, and the check of an answer.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, ensure};
use rustix::event::epoll;
use rustix::io::Errno;

use super::Expect;
use crate::client::CORRELATION_ID;

/// The first bytes of an answer, which are kept whatever becomes of the others.
pub(super) const HEAD_SIZE: usize = 64;

/// Connects and registers for both directions, edge-triggered, under the number `index`.
pub(super) fn connect(address: SocketAddr, poll: &OwnedFd, index: u64) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
    epoll::add(poll, &stream, epoll::EventData::new_u64(index), flags)?;
    Ok(stream)
}

/// None where the socket would block.
pub(super) fn unless_blocked<T>(result: rustix::io::Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(std::io::Error::from(errno).into()),
    }
}

/// The size of the answer whose first bytes are `head`, its length included.
pub(super) fn answer_size(head: &[u8]) -> Option<usize> {
    let size = i32::from_be_bytes(head.get(..4)?.try_into().ok()?);
    Some(4 + usize::try_from(size).ok()?)
}

/// Whether the answer is the one that was to come.
pub(super) fn check(head: &[u8], size: usize, expect: Expect) -> Result<()> {
    ensure!(
        head.get(4..8) == Some(&CORRELATION_ID.to_be_bytes()),
        "an answer to another request"
    );
    match expect {
        Expect::Size(expected) => {
            ensure!(
                size == expected,
                "an answer of {size} bytes, not {expected}"
            );
        }
        Expect::NoErrorAt(at) => {
            let code = head
                .get(at..at + 2)
                .context("an answer that is too short")?;
            ensure!(
                code == [0, 0],
                "error code {}",
                i16::from_be_bytes([code[0], code[1]])
            );
        }
    }
    Ok(())
}
