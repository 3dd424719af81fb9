//! Serves the files of a directory over TCP, from the page cache, without a broker.
//!
//! A client sends a name and a line feed; it gets the size in decimal and a line feed, then the bytes, or `-1` for a name that is not
//! there. `cargo run --release -p pagelog-transfer --example serve_directory -- DIR 127.0.0.1:7000`, then
//! `echo Cargo.toml | nc -N 127.0.0.1 7000`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread;

use pagelog_transfer::{MappedFile, Paths, Progress, Region, Rope, Sender};
use rustix::event::{PollFd, PollFlags, poll};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("serve_directory DIR ADDRESS"));
    };
    let directory = Arc::new(PathBuf::from(directory));
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for socket in listener.incoming() {
        let (socket, directory) = (socket?, Arc::clone(&directory));
        thread::spawn(move || {
            if let Err(error) = serve(&socket, &directory) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

/// Answers one line after the other; one set of paths for each thread.
fn serve(socket: &TcpStream, directory: &Path) -> io::Result<()> {
    let mut paths = Paths::new();
    for line in BufReader::new(socket).lines() {
        let rope = answer(directory, Path::new(&line?));
        // `sendfile` waits for a socket that does; the sender is never to.
        socket.set_nonblocking(true)?;
        send(rope, socket, &mut paths)?;
        socket.set_nonblocking(false)?;
    }
    println!("{:?}", paths.counters());
    Ok(())
}

/// A header and the file, named and not read.
fn answer(directory: &Path, name: &Path) -> Rope {
    let is_inside = name
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let file = match is_inside {
        true => File::open(directory.join(name)).and_then(MappedFile::new),
        false => Err(io::ErrorKind::NotFound.into()),
    };
    let Ok(file) = file else {
        return Rope::from(&b"-1\n"[..]);
    };
    let size = file.size();
    let mut rope = Rope::from(format!("{size}\n").into_bytes());
    rope.push_region(Region::new(Arc::new(file), 0, size));
    rope
}

fn send(rope: Rope, socket: &TcpStream, paths: &mut Paths) -> io::Result<()> {
    let mut sender = Sender::new(rope);
    loop {
        match sender
            .send(socket.as_fd(), paths)
            .map_err(io::Error::other)?
        {
            Progress::Done => return Ok(()),
            Progress::Blocked => {
                poll(&mut [PollFd::new(socket, PollFlags::OUT)], None)?;
            }
            // A thread of its own may wait for the disk.
            Progress::Yielded | Progress::Cold => {}
        }
    }
}
