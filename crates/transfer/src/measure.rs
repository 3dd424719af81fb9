//! What each path costs here: measured over loopback, with a file of the directory that the real ones lie in.
//!
//! The receiver drops the bytes in the kernel (`MSG_TRUNC`, tcp(7)), as a card would take them. What is found holds for peers on this
//! machine; a card that takes pages by itself makes the paths without copies cheaper than they look here.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pagelog_os::{MappedFile, file};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::net::{RecvFlags, recv};
use rustix::time::{ClockId, clock_gettime};

use crate::choices::{CLASS_COUNT, Choices, size_of};
use crate::path::Path;
use crate::paths::Paths;
use crate::region::Region;
use crate::rope::Rope;
use crate::sender::{Progress, Sender};

/// The sample file: more than a processor's second-level cache holds.
const SAMPLE_SIZE: u64 = 16 << 20;

/// Runs in an answer of many, each behind a header.
const RUNS: u64 = 16;

/// Times that each point is visited, by all paths in turn. The cheapest visit counts, since the others were disturbed.
const ROUNDS: usize = 5;

/// What another path has to save, of 100, before it replaces the usual one; and it has to be the cheaper one in every visit, since a
/// receiver that is woken on another processor makes any path look twice as dear for a while.
const SAVING_MIN: f64 = 15.0;

/// Paths that are measured: all but the one that reads the disk every time.
const MEASURED: [Path; 8] = [
    Path::Reference,
    Path::Gather,
    Path::SendFile,
    Path::Splice,
    Path::ZeroCopy,
    Path::UringSplice,
    Path::UringZeroCopy,
    Path::UringRead,
];

/// Those of [`measure_quickly`]: the paths whose work is all done within the calls of the thread that sends.
const MEASURED_QUICKLY: [Path; 4] = [Path::Reference, Path::Gather, Path::SendFile, Path::Splice];

/// How thoroughly is measured.
struct Plan {
    /// Each so many-th class is measured, and stands for those up to the next one.
    step: usize,
    paths: &'static [Path],
    /// How long each path is tried at each point, each time; one answer at least.
    slice: Duration,
    /// Answers of many runs are no longer than that, as far as two runs allow.
    answer_size_max: u64,
    /// Whose processor time counts.
    clock: ClockId,
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct Measurement {
    points: Vec<Point>,
    step: usize,
}

/// One length of run, alone or among many.
#[derive(Debug, Clone)]
struct Point {
    size: u64,
    many: bool,
    /// Processor time in nanoseconds per KiB, of each visit; `None` where the path was refused, or not tried.
    costs: [Option<[f64; ROUNDS]>; MEASURED.len()],
}

/// Measures every path at every other class of length, for about `duration` altogether.
///
/// # Errors
///
/// When no file can be made in `directory`, or no socket.
pub fn measure(directory: &FilePath, duration: Duration) -> io::Result<Measurement> {
    const STEP: usize = 2;
    let points = CLASS_COUNT.div_ceil(STEP) * 2;
    let visits = (points * MEASURED.len() * ROUNDS) as u32;
    carry_out(
        directory,
        &Plan {
            step: STEP,
            paths: &MEASURED,
            slice: duration / visits,
            answer_size_max: u64::MAX,
            // Of all threads, receiver included: some of these paths have the kernel's threads work for them.
            clock: ClockId::ProcessCPUTime,
        },
    )
}

/// Measures the plain paths at every fourth class, in some tenths of a second, whatever else this process does meanwhile: only
/// the time of the sending thread counts. To begin with, before [`measure`] was asked for.
///
/// # Errors
///
/// As [`measure`].
pub fn measure_quickly(directory: &FilePath) -> io::Result<Measurement> {
    carry_out(
        directory,
        &Plan {
            step: 4,
            paths: &MEASURED_QUICKLY,
            slice: Duration::from_micros(800),
            answer_size_max: 1 << 20,
            clock: ClockId::ThreadCPUTime,
        },
    )
}

fn carry_out(directory: &FilePath, plan: &Plan) -> io::Result<Measurement> {
    let sample = sample(directory)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let socket = TcpStream::connect(listener.local_addr()?)?;
    let (peer, _) = listener.accept()?;
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    thread::scope(|scope| {
        let reader = scope.spawn(move || drop_all(&peer));
        let points = measure_points(&sample, &socket, plan);
        drop(socket);
        reader
            .join()
            .map_err(|_| io::Error::other("the receiver panicked"))??;
        Ok(Measurement {
            points: points?,
            step: plan.step,
        })
    })
}

fn measure_points(
    sample: &Arc<MappedFile>,
    socket: &TcpStream,
    plan: &Plan,
) -> io::Result<Vec<Point>> {
    let places = (0..CLASS_COUNT).step_by(plan.step);
    let mut points: Vec<Point> = places
        .flat_map(|class| {
            [false, true].map(|many| Point {
                size: size_of(class),
                many,
                costs: [None; MEASURED.len()],
            })
        })
        .collect();
    for round in 0..ROUNDS {
        for point in &mut points {
            let paths = MEASURED.into_iter().zip(&mut point.costs);
            for (path, costs) in paths.filter(|(path, _)| plan.paths.contains(path)) {
                let found = visit(sample, socket, (point.size, point.many), path, plan)?;
                match found {
                    Some(cost) => costs.get_or_insert([f64::INFINITY; ROUNDS])[round] = cost,
                    None => *costs = None,
                }
            }
        }
    }
    Ok(points)
}

/// Sends answers by one path for a slice, one at least. What it cost; `None` if other paths had to take over.
fn visit(
    sample: &Arc<MappedFile>,
    socket: &TcpStream,
    (size, many): (u64, bool),
    path: Path,
    plan: &Plan,
) -> io::Result<Option<f64>> {
    let runs = if many {
        (plan.answer_size_max / size).clamp(2, RUNS)
    } else {
        1
    };
    let mut paths = Paths::only(path);
    let mut sender = Sender::default();
    let (begin, used) = (Instant::now(), processor_time(plan.clock));
    let mut payload = 0;
    for answer in 0.. {
        let rope = answer_of(sample, size, runs, answer);
        payload += rope.len() - rope.owned_size();
        sender.push(rope);
        send_all(&mut sender, socket, &mut paths)?;
        if begin.elapsed() >= plan.slice {
            break;
        }
    }
    let cost = processor_time(plan.clock).saturating_sub(used).as_nanos() as f64;
    let by_path = paths.counters()[path].bytes;
    Ok((by_path >= payload / 2).then(|| cost / (payload as f64 / 1024.0)))
}

fn send_all(sender: &mut Sender, socket: &TcpStream, paths: &mut Paths) -> io::Result<()> {
    loop {
        match sender
            .send(socket.as_fd(), paths)
            .map_err(io::Error::other)?
        {
            Progress::Done => return Ok(()),
            Progress::Blocked => {
                poll(&mut [PollFd::new(socket, PollFlags::OUT)], None)?;
            }
            Progress::Yielded | Progress::Cold => {}
        }
    }
}

fn answer_of(sample: &Arc<MappedFile>, size: u64, runs: u64, answer: u64) -> Rope {
    let mut rope = Rope::new();
    for run in 0..runs {
        rope.push_bytes(&[1; 64][..]);
        // Runs lie apart, as those of streams that share a log do.
        let at = (answer * runs + run) * (size + 4096) % (SAMPLE_SIZE - size);
        rope.push_region(Region::new(Arc::clone(sample), at, size));
    }
    rope
}

/// A file that nobody else sees; where the file system has none without a name, its name is removed at once.
fn nameless(directory: &FilePath) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    if let Ok(file) = rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR) {
        return Ok(file.into());
    }
    let path = directory.join(format!(".pagelog-measure-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn sample(directory: &FilePath) -> io::Result<Arc<MappedFile>> {
    let sample = nameless(directory)?;
    let bytes = vec![7; 1 << 20];
    let mut at = 0;
    while at < SAMPLE_SIZE {
        let size = (SAMPLE_SIZE - at).min(bytes.len() as u64) as usize;
        at += file::write_at(&sample, at, &bytes[..size])? as u64;
    }
    Ok(Arc::new(MappedFile::new(sample)?))
}

fn drop_all(socket: &TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match recv(socket, &mut buffer[..], RecvFlags::TRUNC) {
            Ok((_, 0)) => return Ok(()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn processor_time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

impl Measurement {
    /// The table that follows from it.
    pub fn choices(&self) -> Choices {
        let of = |many| {
            std::array::from_fn(|class| {
                let size = size_of(class / self.step * self.step);
                let point = self
                    .points
                    .iter()
                    .find(|point| point.size == size && point.many == many);
                point.map_or(Path::Gather, |point| point.choice().0)
            })
        };
        Choices::measured(of(false), of(true))
    }
}

impl Point {
    /// Of each visit.
    fn costs(&self, path: Path) -> Option<[f64; ROUNDS]> {
        let index = MEASURED.iter().position(|one| *one == path)?;
        self.costs[index]
    }

    /// Of the cheapest visit.
    fn cost(&self, path: Path) -> Option<f64> {
        self.costs(path).map(least)
    }

    /// Whether one path was cheaper than the other in every visit.
    fn always_cheaper(&self, one: Path, other: Path) -> bool {
        let pairs = self.costs(one).zip(self.costs(other));
        pairs.is_some_and(|(one, other)| one.iter().zip(other).all(|(one, other)| *one < other))
    }

    /// The path, and why.
    fn choice(&self) -> (Path, String) {
        let usual = Choices::default().of(self.size, self.many);
        let measured = MEASURED.into_iter().zip(self.costs);
        let best = measured
            // For a peer on this machine the kernel copies what is sent by these: they are shown, and for forcing.
            .filter(|(path, _)| !matches!(path, Path::ZeroCopy | Path::UringZeroCopy))
            .filter_map(|(path, costs)| Some((path, least(costs?))))
            .min_by(|a, b| a.1.total_cmp(&b.1));
        let (Some((best, cost)), Some(of_usual)) = (best, self.cost(usual)) else {
            return (usual, "nothing was measured".to_owned());
        };
        let saving = 100.0 * (1.0 - cost / of_usual);
        if best == usual {
            (usual, "the cheapest".to_owned())
        } else if saving >= SAVING_MIN && !self.always_cheaper(best, usual) {
            (usual, format!("{best} was not cheaper in every visit"))
        } else if saving >= SAVING_MIN {
            (best, format!("{saving:.0} % cheaper than {usual}"))
        } else {
            (usual, format!("{best} would save only {saving:.0} %"))
        }
    }
}

fn least(costs: [f64; ROUNDS]) -> f64 {
    costs.into_iter().fold(f64::INFINITY, f64::min)
}

impl fmt::Display for Measurement {
    /// A table for a person: a line for each length, a column for each path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Processor time of both ends in ns per KiB, over loopback, to a receiver that discards; - is refused."
        )?;
        write!(f, "{:>8} {:>5}", "run", "runs")?;
        for path in MEASURED {
            write!(f, " {:>14}", path.name())?;
        }
        writeln!(f, "  choice")?;
        for point in &self.points {
            let runs = if point.many { RUNS } else { 1 };
            write!(f, "{:>8} {runs:>5}", point.size)?;
            for costs in point.costs {
                match costs.map(least) {
                    Some(cost) => write!(f, " {cost:>14.0}")?,
                    None => write!(f, " {:>14}", "-")?,
                }
            }
            let (path, reason) = point.choice();
            writeln!(f, "  {path}: {reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_path_has_to_save_something() {
        let mut point = Point {
            size: 1 << 20,
            many: false,
            costs: [None; MEASURED.len()],
        };
        assert_eq!(point.choice().0, Path::SendFile);
        let mut set = |path: Path, dearest, cheapest| {
            let index = MEASURED.iter().position(|one| *one == path).unwrap();
            let mut costs = [dearest; ROUNDS];
            costs[1] = cheapest;
            point.costs[index] = Some(costs);
            point.choice()
        };
        assert_eq!(set(Path::SendFile, 120.0, 100.0).0, Path::SendFile);
        assert_eq!(set(Path::Splice, 110.0, 95.0).0, Path::SendFile);
        assert_eq!(set(Path::ZeroCopy, 10.0, 10.0).0, Path::SendFile);
        let (path, reason) = set(Path::Splice, 130.0, 60.0);
        assert_eq!(
            (path, &reason[..]),
            (Path::SendFile, "splice was not cheaper in every visit")
        );
        assert_eq!(set(Path::Splice, 110.0, 95.0).0, Path::SendFile);
        let (path, reason) = set(Path::UringSplice, 110.0, 70.0);
        assert_eq!(
            (path, &reason[..]),
            (Path::UringSplice, "30 % cheaper than sendfile")
        );
    }

    #[test]
    fn a_quick_measurement_gives_a_whole_table_of_plain_paths() {
        let directory = tempfile::tempdir().unwrap();
        let measurement = measure_quickly(directory.path()).unwrap();
        let choices = measurement.choices();
        assert_eq!(choices.to_string().parse(), Ok(choices));
        for class in 0..CLASS_COUNT {
            for many in [false, true] {
                let path = choices.of(size_of(class), many);
                assert!(MEASURED_QUICKLY.contains(&path), "{path}");
            }
        }
        let measured = |path| {
            measurement
                .points
                .iter()
                .all(|point| point.cost(path).is_some())
        };
        assert!(MEASURED_QUICKLY.into_iter().all(measured));
        assert!(!measured(Path::UringRead));
    }

    #[test]
    fn a_short_measurement_gives_a_whole_table() {
        let directory = tempfile::tempdir().unwrap();
        let measurement = measure(directory.path(), Duration::ZERO).unwrap();
        let choices = measurement.choices();
        assert_eq!(choices.to_string().parse(), Ok(choices));
        assert!(
            measurement
                .points
                .iter()
                .all(|point| point.cost(Path::Reference).is_some())
        );
        assert_eq!(
            measurement.to_string().lines().count(),
            2 + measurement.points.len()
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
