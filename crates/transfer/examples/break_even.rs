//! Measures from which run length on `sendfile` is cheaper than a gathered send of the mapping:
//! the figure behind `SEND_FILE_SIZE_MIN`.
//!
//! Answers of 16 runs, each behind a header of 100 bytes, go over loopback by either path, in turns;
//! printed is the processor time of the sending thread and the rate, the median of nine turns each.
//! Run it with `--release`.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pagelog_transfer::{MappedFile, Path, Paths, Progress, Region, Rope, Sender};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvFlags, recv};
use rustix::time::{ClockId, clock_gettime};

const FILE_SIZE: u64 = 64 << 20;
const RUNS: u64 = 16;
const BYTES_PER_TURN: u64 = 96 << 20;
const TURNS: usize = 9;

#[derive(Clone, Copy, Debug)]
enum Receiver {
    Discards,
    Copies,
}

fn main() -> io::Result<()> {
    let mut file = tempfile::tempfile()?;
    for _ in 0..FILE_SIZE >> 20 {
        file.write_all(&vec![7; 1 << 20])?;
    }
    let file = Arc::new(MappedFile::new(file)?);
    for receiver in [Receiver::Discards, Receiver::Copies] {
        println!("the receiver {receiver:?}; GB/s and sender's processor ns/KiB");
        println!(
            "{:>8}  {:>16}  {:>16}  {:>16}",
            "run", "reference", "gather", "sendfile"
        );
        for shift in 10..=20 {
            let size = 1u64 << shift;
            let figures = [Path::Reference, Path::Gather, Path::SendFile]
                .map(|path| measure(&file, size, path, receiver).map(|figure| figure.to_string()));
            let [reference, gather, send_file] = figures;
            println!(
                "{size:>8}  {:>16}  {:>16}  {:>16}",
                reference?, gather?, send_file?
            );
        }
    }
    Ok(())
}

struct Figure {
    rate: f64,
    cost: f64,
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{:.2} {:>6.0}", self.rate, self.cost))
    }
}

fn measure(
    file: &Arc<MappedFile>,
    size: u64,
    path: Path,
    receiver: Receiver,
) -> io::Result<Figure> {
    let mut turns = (0..TURNS)
        .map(|_| turn(file, size, path, receiver))
        .collect::<io::Result<Vec<_>>>()?;
    turns.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    Ok(turns.swap_remove(TURNS / 2))
}

fn turn(file: &Arc<MappedFile>, size: u64, path: Path, receiver: Receiver) -> io::Result<Figure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let sending = TcpStream::connect(listener.local_addr()?)?;
    let (receiving, _) = listener.accept()?;
    sending.set_nonblocking(true)?;
    sending.set_nodelay(true)?;
    let reader = thread::spawn(move || read_all(receiving, receiver));
    let mut paths = Paths::only(path);
    let answers = (BYTES_PER_TURN / (RUNS * size)).max(2);
    let (begin, cpu) = (Instant::now(), thread_time());
    for answer in 0..answers {
        send_all(answer_of(file, size, answer), &sending, &mut paths)?;
    }
    let (cost, time) = (thread_time() - cpu, begin.elapsed());
    drop(sending);
    reader
        .join()
        .map_err(|_| io::Error::other("the reader panicked"))??;
    let bytes = (answers * RUNS * size) as f64;
    Ok(Figure {
        rate: bytes / time.as_secs_f64() / 1e9,
        cost: cost.as_nanos() as f64 / (bytes / 1024.0),
    })
}

fn answer_of(file: &Arc<MappedFile>, size: u64, answer: u64) -> Rope {
    let mut rope = Rope::new();
    for run in 0..RUNS {
        rope.push_bytes(vec![1; 100]);
        // Runs lie apart, as those of partitions that share a log do.
        let at = (answer * RUNS + run) * (size + 4096) % (FILE_SIZE - size);
        rope.push_region(Region::new(Arc::clone(file), at, size));
    }
    rope
}

fn send_all(rope: Rope, socket: &TcpStream, paths: &mut Paths) -> io::Result<()> {
    let mut sender = Sender::new(rope);
    loop {
        match sender
            .send(socket.as_fd(), paths)
            .map_err(io::Error::other)?
        {
            Progress::Done => return Ok(()),
            // Where the bytes lie is not looked at here.
            Progress::Yielded | Progress::Cold => {}
            Progress::Blocked => {
                poll(&mut [PollFd::new(socket, PollFlags::OUT)], None)?;
            }
        }
    }
}

fn read_all(mut socket: TcpStream, receiver: Receiver) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        let size = match receiver {
            Receiver::Copies => socket.read(&mut buffer)?,
            // MSG_TRUNC drops the bytes in the kernel, as tcp(7) says.
            Receiver::Discards => recv(&socket, &mut buffer[..], RecvFlags::TRUNC)?.1,
        };
        if size == 0 {
            return Ok(());
        }
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
