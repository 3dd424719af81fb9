//! The echo server: a fixed answer to every frame, by epoll on one thread per processor, as the
//! broker has its reactors.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

/// Most bytes taken from a socket at once; frames may be longer.
const CHUNK_SIZE: usize = 64 << 10;

type Connections = Arc<Mutex<Vec<Arc<Mutex<Connection>>>>>;

struct Connection {
    stream: TcpStream,
    /// Bytes of the next frame's length that have come.
    length: Vec<u8>,
    /// Bytes of the frame that are still to come.
    left: usize,
}

/// Serves until it is killed.
pub(super) fn serve(listener: &TcpListener, answer: Vec<u8>) -> Result<()> {
    let answer: Arc<[u8]> = answer.into();
    let mut sets = Vec::new();
    for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
        let poll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let connections = Connections::default();
        sets.push((Arc::clone(&poll), Arc::clone(&connections)));
        let answer = Arc::clone(&answer);
        std::thread::spawn(move || react(&poll, &connections, &answer));
    }
    for (number, stream) in listener.incoming().enumerate() {
        let (poll, connections) = &sets[number % sets.len()];
        adopt(stream?, poll, connections)?;
    }
    Ok(())
}

fn adopt(stream: TcpStream, poll: &OwnedFd, connections: &Connections) -> Result<()> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    // The lock is held until the connection can be found, so no event comes too early.
    let mut connections = connections.lock().expect("no thread panics with it");
    let index = connections.len() as u64;
    epoll::add(
        poll,
        &stream,
        epoll::EventData::new_u64(index),
        epoll::EventFlags::IN,
    )?;
    let connection = Connection {
        stream,
        length: Vec::with_capacity(4),
        left: 0,
    };
    connections.push(Arc::new(Mutex::new(connection)));
    Ok(())
}

fn react(poll: &OwnedFd, connections: &Connections, answer: &[u8]) -> Result<()> {
    let mut events = Vec::with_capacity(64);
    let mut buffer = vec![0; CHUNK_SIZE];
    loop {
        events.clear();
        epoll::wait(poll, spare_capacity(&mut events), None)?;
        for event in &events {
            let index = event.data.u64() as usize;
            let connection =
                Arc::clone(&connections.lock().expect("no thread panics with it")[index]);
            let mut connection = connection.lock().expect("no thread panics with it");
            if !connection.serve(&mut buffer, answer) {
                epoll::delete(poll, &connection.stream)?;
            }
        }
    }
}

impl Connection {
    /// Takes what has come and answers the frames that end in it; false where the peer is gone.
    fn serve(&mut self, buffer: &mut [u8], answer: &[u8]) -> bool {
        match rustix::net::recv(&self.stream, &mut *buffer, RecvFlags::empty()) {
            Ok((_, 0)) => false,
            Ok((_, count)) => (0..self.frames_in(&buffer[..count])).all(|_| {
                rustix::net::send(&self.stream, answer, SendFlags::NOSIGNAL) == Ok(answer.len())
            }),
            Err(errno) => errno == Errno::AGAIN,
        }
    }

    fn frames_in(&mut self, mut bytes: &[u8]) -> usize {
        let mut frames = 0;
        while !bytes.is_empty() {
            if self.left == 0 {
                let (first, rest) = bytes.split_at(bytes.len().min(4 - self.length.len()));
                self.length.extend_from_slice(first);
                bytes = rest;
                if let Ok(size) = <[u8; 4]>::try_from(self.length.as_slice()) {
                    self.left = u32::from_be_bytes(size) as usize;
                    self.length.clear();
                }
            } else {
                let taken = bytes.len().min(self.left);
                self.left -= taken;
                bytes = &bytes[taken..];
                frames += usize::from(self.left == 0);
            }
        }
        frames
    }
}
