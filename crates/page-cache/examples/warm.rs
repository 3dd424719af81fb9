//! What warming a file up is worth: the same appends into a file as it was allocated, warmed, warmed and pinned,
//! and behind a moving window.
//!
//! ```sh
//! cargo run --release -p pagelog-page-cache --example warm -- DIRECTORY [MEBIBYTES [BYTES_PER_SECOND]]
//! ```
//!
//! It makes one file at a time, in DIRECTORY, and removes it. Mappings and figures are those of `pagelog-os`, which `pagelog-page-cache` brings along.

use std::error::Error;
use std::fs::File;
use std::io::IsTerminal;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_page_cache::pagelog_os::probe::{FileSystem, Kernel};
use pagelog_page_cache::pagelog_os::process::{Scope, usage};
use pagelog_page_cache::pagelog_os::{Advice, Mapping, Populate, file};
use pagelog_page_cache::{
    Budget, Means, PinAhead, Progress, Residency, STEP_SIZE, Target, WarmOptions, Warmer,
};

const ENTRY: usize = 1_024;
const WINDOW: u64 = 64 << 20;

/// What was asked for on the command line.
struct Arguments {
    directory: PathBuf,
    size: u64,
    bytes_per_second: Option<NonZeroU64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    println!("{}", Kernel::probe());
    println!("{}\n", FileSystem::probe(&arguments.directory)?);
    let whole = arguments.options(None);
    let window = arguments.options(Some(WINDOW));
    let budget = Arc::new(Budget::ask(arguments.size, 50)?);
    let pinned = WarmOptions {
        pin: Some(PinAhead {
            budget: Arc::clone(&budget),
            window: arguments.size,
        }),
        ..whole.clone()
    };
    println!(
        "{:<20} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "", "GB/s", "median ns", "p99.99 us", "max us", "faults"
    );
    append("as allocated", &arguments, None)?;
    append("warmed", &arguments, Some(whole))?;
    append("warmed and pinned", &arguments, Some(pinned))?;
    append("behind a window", &arguments, Some(window))?;
    println!("\n{budget}");
    Ok(())
}

impl Arguments {
    fn parse() -> Result<Arguments, Box<dyn Error>> {
        let mut words = std::env::args().skip(1);
        let directory = words
            .next()
            .ok_or("usage: warm DIRECTORY [MEBIBYTES [BYTES_PER_SECOND]]")?;
        let mebibytes: u64 = words.next().map_or(Ok(256), |word| word.parse())?;
        let rate = words.next().map(|word| word.parse()).transpose()?;
        Ok(Arguments {
            directory: directory.into(),
            size: mebibytes.max(1) << 20,
            bytes_per_second: rate,
        })
    }

    fn options(&self, window: Option<u64>) -> WarmOptions {
        WarmOptions {
            window,
            bytes_per_second: self.bytes_per_second,
            ..WarmOptions::whole(0..self.size)
        }
    }
}

/// Fills a new file by entries of one kibibyte, and shows how long they took.
fn append(
    what: &str,
    arguments: &Arguments,
    warm: Option<WarmOptions>,
) -> Result<(), Box<dyn Error>> {
    let path = arguments.directory.join(".pagelog-warm-example");
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    file::allocate(&file, arguments.size)?;
    file.sync_all()?;
    let memory = Arc::new(Mapping::shared(&file, arguments.size as usize)?);
    memory.advise(0..memory.size(), Advice::Random)?;
    let warmer = warm.map(|options| start(&memory, options)).transpose()?;

    // Filled before, so that its own memory costs no fault while times are taken.
    let mut times = vec![Duration::MAX; memory.size() / ENTRY];
    let before = faults()?;
    for (time, at) in times.iter_mut().zip((0..memory.size()).step_by(ENTRY)) {
        if let Some(warmer) = &warmer
            && (at as u64).is_multiple_of(STEP_SIZE)
        {
            // Nothing else is done here but appending, so the writer would outrun any warm-up. A real one has
            // less to write, or waits for room.
            let _ = warmer.wait(at as u64 + STEP_SIZE, Duration::from_secs(10));
        }
        let start = Instant::now();
        memory.copy_in(at, &[1; ENTRY])?;
        *time = start.elapsed();
        if let Some(warmer) = &warmer {
            warmer.writer_at((at + ENTRY) as u64);
        }
    }
    show(what, &mut times, faults()? - before);
    drop(warmer);
    eprintln!("    {}", Residency::of(&file, &memory, 0..memory.size())?);
    Ok(())
}

/// The page faults of this thread so far.
fn faults() -> std::io::Result<u64> {
    let used = usage(Scope::Thread)?;
    Ok(used.minor_faults + used.major_faults)
}

/// Waits for what is to be warm before the first append: the window, or all.
fn start(memory: &Arc<Mapping>, options: WarmOptions) -> Result<Warmer, Box<dyn Error>> {
    let first = options.window.unwrap_or(u64::MAX).min(options.range.end);
    let target = Target::memory(Arc::clone(memory), Means::Populate(Populate::Write));
    let mut shown = None;
    let watched = std::io::stderr().is_terminal();
    let warmer = Warmer::start(target, options, move |progress: &Progress| {
        if watched && shown.replace(progress.percent()) != Some(progress.percent()) {
            eprint!("\r    {progress}");
        }
    })?;
    while warmer.wait(first, Duration::from_secs(1)).warmed() < first {
        if warmer.progress().state.is_final() {
            return Err(warmer.progress().to_string().into());
        }
    }
    eprintln!("\r    {}", warmer.progress());
    Ok(warmer)
}

fn show(what: &str, times: &mut [Duration], faults: u64) {
    let all: Duration = times.iter().sum();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{what:<20} {:>10.2} {:>10} {:>10.1} {:>10.1} {faults:>10}",
        (times.len() * ENTRY) as f64 / all.as_secs_f64() / 1e9,
        at(0.5).as_nanos(),
        at(0.9999).as_secs_f64() * 1e6,
        at(1.0).as_secs_f64() * 1e6,
    );
}
