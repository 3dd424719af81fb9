//! What a synced append of 1 KiB writes to the device, by both routes, in every preparation of a segment, on several file systems.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pagelog_commit_log::{AppendError, Log, LogOptions, Opened, Route, StreamId, SyncSide, Warm};
use pagelog_os::process::io_write_bytes;
use pagelog_segment::{Directory, State};

use super::BENCH;
use super::engine::{PAYLOAD_SIZE_MAX, STAGED, WARM_SYNCED, entry};
use super::file_systems::FileSystem;
use crate::figure::{Aim, Figure};
use crate::host;
use crate::settings::Settings;
use crate::statistics::Spread;

const SEGMENT_SIZE: u64 = 8 << 20;
/// Synced appends of which the mean is one value.
const APPENDS: u64 = 100;
/// The most that one may write.
const BYTES_MAX: f64 = 16.0 * 1024.0;
/// How many segments are filled until one has to be a file that was used before: a few more than are ready ahead.
const SEGMENTS_MAX: usize = 12;
/// Longer than the log asks the kernel to let go of a removed segment's pages.
const SPARE_TIMEOUT: Duration = Duration::from_secs(4);
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// How the segment that is appended to came to be what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preparation {
    New,
    Warmed,
    Pinned,
    Recycled,
    RecycledAndWarmed,
}

impl Preparation {
    fn name(self) -> &'static str {
        match self {
            Preparation::New => "new",
            Preparation::Warmed => "warmed",
            Preparation::Pinned => "warmed and pinned",
            Preparation::Recycled => "used again",
            Preparation::RecycledAndWarmed => "used again, warmed",
        }
    }

    fn warm(self) -> Option<Warm> {
        match self {
            Preparation::New | Preparation::Recycled => None,
            Preparation::Warmed | Preparation::RecycledAndWarmed => Some(WARM_SYNCED),
            // As much as any process may lock.
            Preparation::Pinned => Some(Warm {
                pin_window: 32 << 10,
                pin_max: 64 << 10,
                ..WARM_SYNCED
            }),
        }
    }

    fn is_recycled(self) -> bool {
        matches!(self, Preparation::Recycled | Preparation::RecycledAndWarmed)
    }
}

/// Warm-up is for the mapped route.
const STAGED_PREPARATIONS: [Preparation; 2] = [Preparation::New, Preparation::Recycled];
const MAPPED_PREPARATIONS: [Preparation; 5] = [
    Preparation::New,
    Preparation::Warmed,
    Preparation::Pinned,
    Preparation::Recycled,
    Preparation::RecycledAndWarmed,
];

/// Where files lie, and who counts what reaches the device.
struct Place {
    name: String,
    path: PathBuf,
    device: Option<FileSystem>,
    /// Whether the aim is meant for it.
    has_aim: bool,
}

impl Place {
    fn written_bytes(&self) -> Result<u64> {
        match &self.device {
            Some(device) => device.written_bytes(),
            None => Ok(io_write_bytes()?),
        }
    }
}

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let case = "device bytes a synced append";
    if !settings.wants(case) {
        return Ok(Vec::new());
    }
    let mut figures = Vec::new();
    for place in places(settings) {
        let routes = [
            ("staged", STAGED, &STAGED_PREPARATIONS[..]),
            ("mapped", Route::Mapped, &MAPPED_PREPARATIONS[..]),
        ];
        for (route_name, route, preparations) in routes {
            for preparation in preparations {
                let case = format!(
                    "{case}, {}, {route_name}, {}",
                    place.name,
                    preparation.name()
                );
                eprintln!("storage: {case}");
                let Some(value) = one(settings, &place, route, *preparation)? else {
                    eprintln!(
                        "storage: skipped: no file of a deleted segment was ever free to be used again"
                    );
                    continue;
                };
                figures.push(Figure {
                    aim: place.has_aim.then_some(Aim::ValueAtMost(BYTES_MAX)),
                    ..Figure::new(BENCH, case, "bytes", value)
                });
            }
        }
    }
    Ok(figures)
}

/// The benches' own directory, counted by what this process made dirty; the others by what their device was given, journal included.
fn places(settings: &Settings) -> Vec<Place> {
    let directory = &settings.directory;
    let own = host::filesystem(directory).unwrap_or_else(|| "unknown".into());
    let mut places = vec![Place {
        name: own,
        path: directory.clone(),
        device: None,
        has_aim: true,
    }];
    if settings.quick {
        eprintln!("storage: skipped in a quick run: loop devices");
        return places;
    }
    places.extend(
        ["ext4", "xfs", "btrfs"]
            .iter()
            .filter_map(|kind| loop_device(kind, directory)),
    );
    places
}

fn loop_device(kind: &str, directory: &Path) -> Option<Place> {
    let device = FileSystem::mount(kind, directory)?;
    Some(Place {
        name: format!("{kind} on a loop device"),
        path: device.path(),
        device: Some(device),
        has_aim: kind != "btrfs",
    })
}

fn one(
    settings: &Settings,
    place: &Place,
    route: Route,
    preparation: Preparation,
) -> Result<Option<Spread>> {
    let directory = tempfile::Builder::new()
        .prefix("log-")
        .tempdir_in(&place.path)?;
    let storage = Arc::new(Directory::open(directory.path())?);
    let options = LogOptions {
        spares_max: 2,
        warm: preparation.warm(),
        ..LogOptions::new(SEGMENT_SIZE, route, PAYLOAD_SIZE_MAX)
    };
    let Opened { log, mut sync, .. } = Log::open(storage, options, &mut |_| Ok(()))?;
    if preparation.is_recycled() && !recycle(&log, &mut sync)? {
        return Ok(None);
    }
    wait_until("the segments are warm", || {
        log.warm_up().iter().all(|one| one.state == State::Done)
    })?;
    for _ in 0..APPENDS {
        append_synced(&log, &mut sync)?;
    }
    let round = |_| -> Result<f64> {
        let before = place.written_bytes()?;
        for _ in 0..APPENDS {
            append_synced(&log, &mut sync)?;
        }
        Ok((place.written_bytes()? - before) as f64 / APPENDS as f64)
    };
    let values = (0..settings.rounds).map(round).collect::<Result<_>>()?;
    Spread::of(values).context("no rounds").map(Some)
}

/// Fills segments and removes them until one is begun in a file that was used before. Whether there was one: a file system may hold on to
/// the pages of every file, and then none is.
fn recycle(log: &Log, sync: &mut SyncSide) -> Result<bool> {
    let stream = log.stream(StreamId(1));
    let mut recycled = None;
    for _ in 0..SEGMENTS_MAX {
        // From here on until the next is taken nobody makes a segment, and a spare that there is stays one.
        wait_until("two segments are ready", || log.segments_ready() == 2)?;
        let active = active(log);
        if recycled == Some(active) {
            return Ok(true);
        }
        if recycled.is_none() && has_spare(log) {
            // Two are ready without it.
            recycled = Some(active + 3);
        }
        while self::active(log) == active {
            append(log, &[7; 1 << 18])?;
            sync.write()?;
        }
        sync.sync()?;
        log.set_start(&stream, stream.next_offset());
        while let Some(front) = log.front() {
            if log.remove_front(&front).is_err() {
                break;
            }
        }
    }
    Ok(false)
}

/// The number of the segment that is appended to.
fn active(log: &Log) -> u64 {
    log.reserved().0 / SEGMENT_SIZE
}

/// Waits until a file of a removed segment is kept to be used again, for as long as the kernel may take to let go of its pages.
fn has_spare(log: &Log) -> bool {
    let began = Instant::now();
    while log.segments_spare() == 0 && began.elapsed() < SPARE_TIMEOUT {
        std::thread::sleep(Duration::from_millis(1));
    }
    log.segments_spare() > 0
}

fn append_synced(log: &Log, sync: &mut SyncSide) -> Result<()> {
    append(log, &[7; 1024])?;
    sync.write()?;
    sync.sync()?;
    Ok(())
}

fn append(log: &Log, payload: &[u8]) -> Result<()> {
    let stream = log.stream(StreamId(1));
    loop {
        match log.append(&stream, &entry(payload)) {
            Ok(_) => return Ok(()),
            Err(AppendError::Busy(busy)) => log.wait_room(busy, Duration::from_secs(1)),
            Err(error) => return Err(error.into()),
        }
    }
}

fn wait_until(what: &str, reached: impl Fn() -> bool) -> Result<()> {
    let began = Instant::now();
    while !reached() {
        ensure!(
            began.elapsed() < READY_TIMEOUT,
            "it never happens that {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
