//! Every path at every length of run, each beside a bare loop of its own system calls; and what the chooser makes of them.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pagelog_os::MappedFile;
use pagelog_transfer::{Choices, Path, Paths, Progress, Sender, measure};
use rustix::time::{ClockId, clock_gettime};

use super::BENCH;
use super::answer::{FILE_SIZE, Point};
use super::bare::Bare;
use super::target::{Receiver, Sink, Target, sample_file};
use crate::figure::{Aim, Figure};
use crate::plot::{Cell, HeatMap, Plot};
use crate::report::Report;
use crate::rounds::{Contender, Metric, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;

const SPEED: Metric = Metric {
    name: "speed",
    unit: "GB/s",
    read: Sample::gigabytes_a_second,
};
const COST: Metric = Metric {
    name: "processor",
    unit: "s/GB",
    read: Sample::processor_a_gigabyte,
};
const CHOOSER: &str = "chooser, measured";
const BUILT_IN: &str = "chooser, built in";
/// What the chooser measures before; as `pagelog doctor` does.
const MEASURED_FOR: Duration = Duration::from_secs(2);
/// A sample is to move so much at least, however short the round.
const BYTES_MIN: u64 = 1 << 20;

/// Names of the bare loops, by path.
fn bare_name(path: Path) -> &'static str {
    match path {
        Path::Reference => "bare read+write",
        Path::Gather => "bare mmap+writev",
        Path::SendFile => "bare sendfile",
        Path::Splice => "bare splice",
        Path::ZeroCopy => "bare zerocopy",
        Path::UringSplice => "bare uring-splice",
        Path::UringZeroCopy => "bare uring-zerocopy",
        Path::UringRead => "bare uring-read",
        Path::Direct => "bare direct",
    }
}

/// What is measured at all points.
struct Grid<'a> {
    settings: &'a Settings,
    file: Arc<MappedFile>,
    /// The table of a measurement on this machine.
    choices: Choices,
    /// Those that this machine has.
    paths: Vec<Path>,
}

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Report> {
    let grid = Grid::new(settings)?;
    let mut report = Report::default();
    for (receiver, speed_plot, cost_plot) in [
        (
            Receiver::Discards,
            "transfer-discards",
            "transfer-discards-cost",
        ),
        (Receiver::Copies, "transfer-copies", "transfer-copies-cost"),
    ] {
        let sink = Sink::start(settings, receiver)?;
        let mut columns = Vec::new();
        for point in grid.points() {
            let case = format!("{point}, receiver {}", receiver.word());
            if !settings.wants(&case) {
                continue;
            }
            eprintln!("transfer: {case}");
            let rounds = grid.rounds(point, &sink).with_context(|| case.clone())?;
            report.figures.extend(grid.figures(&case, &rounds)?);
            columns.push((point, rounds));
        }
        // A map of some points would replace that of all.
        if columns.len() < Point::all().len() {
            continue;
        }
        for (name, metric) in [(speed_plot, &SPEED), (cost_plot, &COST)] {
            let svg = grid.map(receiver, &columns, metric)?.svg();
            report.plots.push(Plot { name, svg });
        }
    }
    Ok(report)
}

impl Grid<'_> {
    fn new(settings: &Settings) -> Result<Grid<'_>> {
        let duration = if settings.quick {
            Duration::ZERO
        } else {
            MEASURED_FOR
        };
        let measurement = measure(&settings.directory, duration)?;
        eprintln!("{measurement}");
        let choices = measurement.choices();
        let file = sample_file(&settings.directory, FILE_SIZE)?;
        let sink = Sink::start(settings, Receiver::Discards)?;
        let target = sink.connect()?;
        let is_there = |path: &Path| match Bare::new(*path, &file, &target) {
            Ok(_) => true,
            Err(error) => {
                eprintln!("transfer: {path} is not to be had here: {error:#}");
                false
            }
        };
        let paths = Path::ALL.into_iter().filter(is_there).collect();
        Ok(Grid {
            settings,
            file,
            choices,
            paths,
        })
    }

    fn points(&self) -> Vec<Point> {
        let all = Point::all();
        if self.settings.quick {
            return [0, all.len() / 2 + 1].map(|index| all[index]).to_vec();
        }
        all
    }

    fn rounds(&self, point: Point, sink: &Sink) -> Result<Rounds> {
        let mut contenders = Vec::new();
        for &path in &self.paths {
            let paths = Paths::only(path);
            contenders.push(self.sender(path.name(), point, sink, paths)?);
            contenders.push(self.bare(path, point, sink)?);
        }
        let measured = Paths::choosing(self.choices);
        contenders.push(self.sender(CHOOSER, point, sink, measured)?);
        contenders.push(self.sender(BUILT_IN, point, sink, Paths::new())?);
        Rounds::run(self.settings.rounds, contenders)
    }

    fn sender<'a>(
        &'a self,
        name: &'static str,
        point: Point,
        sink: &Sink,
        mut paths: Paths,
    ) -> Result<Contender<'a>> {
        let mut sender = Sender::default();
        self.contender(name, point, sink.connect()?, move |answer, target| {
            sender.push(point.rope(&self.file, answer));
            send_all(&mut sender, target, &mut paths)
        })
    }

    fn bare<'a>(&'a self, path: Path, point: Point, sink: &Sink) -> Result<Contender<'a>> {
        let target = sink.connect()?;
        let mut bare = Bare::new(path, &self.file, &target)?;
        self.contender(bare_name(path), point, target, move |answer, target| {
            bare.send(point, answer, target)
        })
    }

    /// Sends so many answers that they take about a round; how many these are is found out in the round that is thrown away.
    fn contender<'a>(
        &self,
        name: &'static str,
        point: Point,
        mut target: Target,
        mut send: impl FnMut(u64, &Target) -> Result<()> + 'a,
    ) -> Result<Contender<'a>> {
        let round = self.settings.round;
        let mut count = None;
        let mut next = 0;
        let mut run = move |count: u64| -> Result<Sample> {
            let mut sample = Sample::empty();
            target.announce(count * point.answer_size())?;
            let (began, processor) = (Instant::now(), processor_time());
            for _ in 0..count {
                send(next, &target)?;
                next += 1;
            }
            target.wait_taken()?;
            sample.wall = began.elapsed();
            sample.processor = processor_time().saturating_sub(processor);
            sample.bytes = count * point.payload();
            sample.operations = count;
            Ok(sample)
        };
        Ok(Contender::new(name, move || {
            let count = match count {
                Some(count) => count,
                None => *count.insert(answers_of(round, point, &mut run)?),
            };
            run(count)
        }))
    }

    fn figures(&self, case: &str, rounds: &Rounds) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        for &path in &self.paths {
            for metric in [&SPEED, &COST] {
                let is_speed = metric.name == SPEED.name;
                let spread = rounds.spread(path.name(), metric)?;
                let name = format!("{path}, {case}: {}", metric.name);
                figures.push(Figure {
                    limit: rounds.pair(path.name(), bare_name(path), metric),
                    aim: is_speed.then_some(Aim::RatioAtLeast(0.95)),
                    ..Figure::new(BENCH, name, metric.unit, spread)
                });
            }
        }
        for chooser in [CHOOSER, BUILT_IN] {
            figures.extend(self.chosen(chooser, case, rounds)?);
        }
        Ok(figures)
    }

    /// What a chooser reaches, beside the path that is the best at this point.
    fn chosen(&self, chooser: &str, case: &str, rounds: &Rounds) -> Result<[Figure; 2]> {
        let speed = self.by_metric(&SPEED, rounds)?;
        let best = |a: &Path, b: &Path| speed[a].total_cmp(&speed[b]);
        let fastest = self.paths.iter().copied().max_by(best).context("no path")?;
        let cost = self.by_metric(&COST, rounds)?;
        let best = |a: &Path, b: &Path| cost[a].total_cmp(&cost[b]);
        let cheapest = self.paths.iter().copied().min_by(best).context("no path")?;
        Ok([
            Figure {
                limit: rounds.pair(chooser, fastest.name(), &SPEED),
                aim: Some(Aim::RatioAtLeast(0.95)),
                ..Figure::new(
                    BENCH,
                    format!("{chooser}, {case}: speed"),
                    SPEED.unit,
                    rounds.spread(chooser, &SPEED)?,
                )
            },
            Figure {
                limit: rounds.pair(chooser, cheapest.name(), &COST),
                ..Figure::new(
                    BENCH,
                    format!("{chooser}, {case}: processor"),
                    COST.unit,
                    rounds.spread(chooser, &COST)?,
                )
            },
        ])
    }

    fn by_metric(&self, metric: &Metric, rounds: &Rounds) -> Result<HashMap<Path, f64>> {
        let one = |path: &Path| Ok((*path, rounds.spread(path.name(), metric)?.median));
        self.paths.iter().map(one).collect()
    }

    /// A row for each path, a column for each point.
    fn map(
        &self,
        receiver: Receiver,
        columns: &[(Point, Rounds)],
        metric: &Metric,
    ) -> Result<HeatMap> {
        let names = self.paths.iter().map(|path| path.name());
        let row = |name: &'static str| {
            let cells = columns.iter().map(|(_, rounds)| {
                let value = rounds.spread(name, metric)?.median;
                let text = format!("{value:.2}");
                // Figures lie apart by a hundred times: the colour is that of their size.
                let value = value.log10();
                Ok(Some(Cell { value, text }))
            });
            Ok((name.to_owned(), cells.collect::<Result<Vec<_>>>()?))
        };
        Ok(HeatMap {
            title: format!(
                "{} in {} over loopback, the receiver {}",
                metric.name,
                metric.unit,
                receiver.word()
            ),
            across: "runs".into(),
            columns: columns.iter().map(|(point, _)| point.to_string()).collect(),
            rows: names
                .chain([CHOOSER, BUILT_IN])
                .map(row)
                .collect::<Result<_>>()?,
            value_name: format!("colour by the logarithm (base 10) of the {}", metric.unit),
        })
    }
}

/// How many answers take about `round`.
fn answers_of(
    round: Duration,
    point: Point,
    run: &mut impl FnMut(u64) -> Result<Sample>,
) -> Result<u64> {
    let least = BYTES_MIN.div_ceil(point.payload() * 16).max(1);
    let mut count = least;
    loop {
        let sample = run(count)?;
        if sample.wall * 2 >= round {
            let wanted = round.as_secs_f64() / sample.wall.as_secs_f64();
            return Ok(((count as f64 * wanted) as u64).max(least));
        }
        count *= 2;
    }
}

/// Processor time of this process, the kernel's threads that work for it included.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

fn send_all(sender: &mut Sender, target: &Target, paths: &mut Paths) -> Result<()> {
    loop {
        match sender.send(target.socket.as_fd(), paths)? {
            Progress::Done => return Ok(()),
            Progress::Blocked => target.wait_writable()?,
            Progress::Yielded | Progress::Cold => {}
        }
    }
}
