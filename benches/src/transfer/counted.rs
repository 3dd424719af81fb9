//! System calls, context switches and copies of each path, counted and not asserted: by `strace`, by the kernel's own counts, and by
//! the path's count of what went through its buffer.
//!
//! A copy is a byte of payload that a call takes out of this process's memory, or brings into it: what `pread64` returns, and what
//! `sendmsg` does without `MSG_ZEROCOPY`. Reads by io_uring no tracer sees; of these the path's own count is taken.

use std::os::fd::AsFd;
use std::path::{Path as FilePath, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use pagelog_transfer::{Path, Paths, Progress, Sender};

use super::BENCH;
use super::answer::{HEADER, Point};
use super::target::{Receiver, Sink, Target, sample_file};
use crate::figure::Figure;
use crate::settings::Settings;
use crate::statistics::Spread;

/// Answers in the shorter of two runs; the longer has as many more. What only the longer has done is counted.
const ANSWERS: u64 = 20;

const POINTS: [Point; 2] = [
    Point {
        size: 1 << 20,
        runs: 1,
    },
    Point {
        size: 4096,
        runs: 16,
    },
];

/// A process that only sends, so that it can be traced.
#[derive(Args)]
pub(crate) struct Options {
    path: String,
    directory: PathBuf,
    address: String,
    size: u64,
    runs: u64,
    answers: u64,
}

/// Sends so many answers, and says what was counted on one line: context switches, bytes through a buffer.
///
/// # Errors
/// Where there is no sink.
pub(crate) fn send(options: &Options) -> Result<()> {
    let point = Point {
        size: options.size,
        runs: options.runs,
    };
    let path: Path = options.path.parse()?;
    let file = sample_file(&options.directory, super::answer::FILE_SIZE)?;
    let mut target = Target::connect(&options.address)?;
    let (mut paths, mut sender) = (Paths::only(path), Sender::default());
    let before = context_switches()?;
    target.announce(options.answers * point.answer_size())?;
    for answer in 0..options.answers {
        sender.push(point.rope(&file, answer));
        loop {
            match sender.send(target.socket.as_fd(), &mut paths)? {
                Progress::Done => break,
                Progress::Blocked => target.wait_writable()?,
                Progress::Yielded | Progress::Cold => {}
            }
        }
    }
    target.wait_taken()?;
    let switches = context_switches()? - before;
    let counters = paths.counters();
    println!("{switches} {} {}", counters.copied_bytes, counters.refusals);
    Ok(())
}

/// Context switches of all threads of this process, those of the kernel's own for it included.
fn context_switches() -> Result<u64> {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        // A thread may end between the listing and the reading.
        let Ok(status) = std::fs::read_to_string(task?.path().join("status")) else {
            continue;
        };
        let numbers = status
            .lines()
            .filter(|line| line.contains("ctxt_switches"))
            .filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok());
        total += numbers.sum::<u64>();
    }
    Ok(total)
}

/// Runs the part.
///
/// # Errors
/// The first thing that fails; that there is no `strace` is none.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let sink = Sink::start(settings, Receiver::Discards)?;
    for point in POINTS {
        for path in Path::ALL {
            let case = format!("{path}, {point}");
            if settings.wants(&format!("{case}: counted")) && !(settings.quick && point.runs > 1) {
                figures.extend(one(settings, &sink, point, path).with_context(|| case)?);
            }
        }
    }
    Ok(figures)
}

fn one(settings: &Settings, sink: &Sink, point: Point, path: Path) -> Result<Vec<Figure>> {
    let child = Child {
        settings,
        address: sink.address()?,
        point,
        path,
    };
    let megabytes = (2 * ANSWERS * point.payload()) as f64 / 1e6;
    let counted = child.run(2 * ANSWERS)?;
    if counted.refusals > 0 {
        eprintln!("transfer: {path} is refused here and not counted");
        return Ok(Vec::new());
    }
    let mut figures = vec![figure(
        format!("{path}, {point}: context switches"),
        "/MB",
        counted.switches as f64 / megabytes,
    )?];
    let (Some(shorter), Some(longer)) = (child.trace(ANSWERS)?, child.trace(2 * ANSWERS)?) else {
        eprintln!("transfer: no strace here, so calls and copies are not counted");
        return Ok(figures);
    };
    let payload = (ANSWERS * point.payload()) as f64;
    let headers = (ANSWERS * point.runs * HEADER.len() as u64) as f64;
    let calls = longer.calls.saturating_sub(shorter.calls) as f64;
    figures.push(figure(
        format!("{path}, {point}: system calls"),
        "/MB",
        calls / (payload / 1e6),
    )?);
    let seen = longer.copied.saturating_sub(shorter.copied) as f64 - headers;
    let by_ring = if path == Path::UringRead {
        counted.buffered as f64 / 2.0
    } else {
        0.0
    };
    figures.push(figure(
        format!("{path}, {point}: copies to and from this process"),
        "",
        (seen.max(0.0) + by_ring) / payload,
    )?);
    Ok(figures)
}

fn figure(case: String, unit: &'static str, value: f64) -> Result<Figure> {
    let spread = Spread::of(vec![value]).context("a number")?;
    Ok(Figure::new(BENCH, case, unit, spread))
}

/// The process that sends.
struct Child<'a> {
    settings: &'a Settings,
    address: String,
    point: Point,
    path: Path,
}

/// What it says itself.
struct Counted {
    switches: u64,
    buffered: u64,
    refusals: u64,
}

impl Child<'_> {
    fn arguments(&self, answers: u64) -> Result<Vec<String>> {
        let directory = self.settings.directory.to_str();
        let directory = directory.context("a path in UTF-8")?;
        let words = ["bare", "move", self.path.name(), directory, &self.address];
        let mut arguments = words.map(str::to_owned).to_vec();
        let numbers = [self.point.size, self.point.runs, answers];
        arguments.extend(numbers.map(|number| number.to_string()));
        Ok(arguments)
    }

    fn run(&self, answers: u64) -> Result<Counted> {
        let mut command = Command::new(std::env::current_exe()?);
        let output = command.args(self.arguments(answers)?).output()?;
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<u64> = words
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let [switches, buffered, refusals] = numbers[..] else {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            anyhow::bail!("it says {words:?}: {error}");
        };
        Ok(Counted {
            switches,
            buffered,
            refusals,
        })
    }

    /// What `strace` sees; none where there is no such program.
    fn trace(&self, answers: u64) -> Result<Option<Traced>> {
        let output = self.settings.directory.join("transfer-strace");
        let mut command = Command::new("strace");
        command
            .args(["-f", "-s", "0", "-o"])
            .arg(&output)
            .arg(std::env::current_exe()?)
            .args(self.arguments(answers)?);
        match command.output() {
            Ok(ended) => ensure!(ended.status.success(), "strace ended with {}", ended.status),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let traced = Traced::read(&output);
        std::fs::remove_file(&output)?;
        traced.map(Some)
    }
}

/// What a trace holds.
#[derive(Debug, PartialEq, Eq)]
struct Traced {
    calls: u64,
    /// Bytes that calls took out of the process's memory or brought into it.
    copied: u64,
}

impl Traced {
    fn read(path: &FilePath) -> Result<Traced> {
        Ok(Traced::of(&std::fs::read_to_string(path)?))
    }

    fn of(text: &str) -> Traced {
        let mut traced = Traced {
            calls: 0,
            copied: 0,
        };
        for line in text.lines() {
            // The number of the thread stands first.
            let Some((_, call)) = line.split_once(' ') else {
                continue;
            };
            let Some((name, rest)) = call.trim_start().split_once('(') else {
                continue;
            };
            traced.calls += 1;
            let copies = match name {
                "pread64" => true,
                "sendmsg" => !rest.contains("MSG_ZEROCOPY"),
                _ => false,
            };
            if copies {
                let result = rest.rsplit_once(" = ").map(|(_, result)| result);
                traced.copied += result.and_then(|result| result.parse().ok()).unwrap_or(0);
            }
        }
        traced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_counted_by_what_its_calls_return() {
        let trace = "7 pread64(3, \"\"..., 65536, 0) = 65536\n\
            7 sendmsg(4, {msg_name=NULL}, MSG_DONTWAIT|MSG_NOSIGNAL) = 1000\n\
            7 sendmsg(4, {msg_name=NULL}, MSG_DONTWAIT|MSG_ZEROCOPY) = 5000\n\
            7 sendmsg(4, {msg_name=NULL}, MSG_DONTWAIT) = -1 EAGAIN (Resource temporarily unavailable)\n\
            7 sendfile(4, 3, [0] => [9], 9) = 9\n\
            7 +++ exited with 0 +++\n";
        let counted = Traced {
            calls: 5,
            copied: 66_536,
        };
        assert_eq!(Traced::of(trace), counted);
    }
}
