//! What is warm when, as the kernel counts it.

use std::fs::File;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pagelog_os::{Mapping, Populate, Touch, cache, file, page_size};
use pagelog_page_cache::{
    Budget, Means, PinAhead, Progress, Residency, STEP_SIZE, State, Target, WarmOptions, Warmer,
    let_go,
};

const LONG: Duration = Duration::from_secs(60);
const MEANS: [Means; 4] = [
    Means::Touch(Touch::Load),
    Means::Touch(Touch::Store),
    Means::Populate(Populate::Read),
    Means::Populate(Populate::Write),
];

fn allocated(size: u64) -> (File, Arc<Mapping>) {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, size).unwrap();
    file::sync_data(&file).unwrap();
    let memory = Mapping::shared(&file, size as usize).unwrap();
    (file, Arc::new(memory))
}

/// A file with bytes on the disk and none of them in memory.
fn cold(size: u64) -> File {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    assert_eq!(
        file::write_at(&file, 0, &vec![7; size as usize]).unwrap(),
        size as usize
    );
    file::sync_data(&file).unwrap();
    let_go(&file, 0..size).unwrap();
    file
}

fn resident(memory: &Mapping) -> u64 {
    (memory.resident_pages(0..memory.size()).unwrap() * page_size()) as u64
}

fn silent(_: &Progress) {}

fn window_of(range: u64, window: u64) -> WarmOptions {
    WarmOptions {
        window: Some(window),
        ..WarmOptions::whole(0..range)
    }
}

#[test]
fn every_means_warms_the_whole_and_changes_no_byte() {
    let size = 4 * STEP_SIZE + 100;
    for means in MEANS {
        let (_file, memory) = allocated(size);
        memory.copy_in(5_000, b"stays").unwrap();
        let target = Target::memory(Arc::clone(&memory), means);
        let warmer = Warmer::start(target, WarmOptions::whole(0..size), silent).unwrap();
        let progress = warmer.wait(size, LONG);
        assert_eq!((progress.state, progress.warmed_to), (State::Done, size));
        assert!(memory.is_loaded(0..size as usize).unwrap(), "{means:?}");
        let mut read = [0; 5];
        memory.copy_out(5_000, &mut read).unwrap();
        assert_eq!(&read, b"stays");
    }
}

#[test]
fn a_file_alone_is_read_ahead() {
    let size = 3 * STEP_SIZE + 1;
    let file = cold(size);
    let memory = Mapping::shared_read_only(&file, size as usize).unwrap();
    let target = Target::file(file.try_clone().unwrap());
    let warmer = Warmer::start(target, WarmOptions::whole(0..size), silent).unwrap();
    assert_eq!(warmer.wait(size, LONG).state, State::Done);
    let deadline = std::time::Instant::now() + LONG;
    while !memory.is_loaded(0..size as usize).unwrap() {
        assert!(
            std::time::Instant::now() < deadline,
            "what was asked for never arrived"
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_was_written_before_is_read_and_touched() {
    let size = 20 * STEP_SIZE;
    for means in MEANS {
        let file = cold(size);
        let memory = Arc::new(Mapping::shared(&file, size as usize).unwrap());
        let target = Target::file_and_memory(file, Arc::clone(&memory), means);
        let warmer = Warmer::start(target, WarmOptions::whole(0..size), silent).unwrap();
        assert_eq!(warmer.wait(size, LONG).state, State::Done);
        assert!(memory.is_loaded(0..size as usize).unwrap());
        let mut read = [0];
        memory.copy_out(size as usize - 1, &mut read).unwrap();
        assert_eq!(read, [7]);
    }
}

#[test]
fn a_window_is_warm_and_moves_with_the_writer() {
    let (size, window) = (64 * STEP_SIZE, 8 * STEP_SIZE);
    let (_file, memory) = allocated(size);
    let target = Target::memory(Arc::clone(&memory), Means::Populate(Populate::Write));
    let warmer = Warmer::start(target, window_of(size, window), silent).unwrap();
    let progress = warmer.wait(window, LONG);
    assert_eq!(
        (progress.warmed(), progress.state),
        (window, State::Waiting)
    );
    assert_eq!(resident(&memory), window);

    // Less than a step: nothing moves. A step: the window does.
    warmer.writer_at(STEP_SIZE - 1);
    warmer.writer_at(STEP_SIZE);
    warmer.writer_at(5);
    let progress = warmer.wait(window + STEP_SIZE, LONG);
    assert_eq!(progress.warmed(), window + STEP_SIZE);
    assert_eq!(resident(&memory), window + STEP_SIZE);

    warmer.writer_at(u64::MAX);
    assert_eq!(warmer.wait(size, LONG).state, State::Done);
}

#[test]
fn what_the_writer_has_passed_is_not_warmed() {
    let (size, window) = (64 * STEP_SIZE, 4 * STEP_SIZE);
    let (_file, memory) = allocated(size);
    let target = Target::memory(Arc::clone(&memory), Means::Touch(Touch::Store));
    let warmer = Warmer::start(target, window_of(size, window), silent).unwrap();
    let _ = warmer.wait(window, LONG);
    warmer.writer_at(40 * STEP_SIZE);
    assert_eq!(warmer.wait(44 * STEP_SIZE, LONG).state, State::Waiting);
    assert_eq!(resident(&memory), 8 * STEP_SIZE);
}

#[test]
fn a_writer_that_never_waits_finds_every_window_warm_in_the_end() {
    let size = 32 * STEP_SIZE;
    let (_file, memory) = allocated(size);
    let target = Target::memory(Arc::clone(&memory), Means::Populate(Populate::Write));
    let warmer = Warmer::start(target, window_of(size, 2 * STEP_SIZE), silent).unwrap();
    for at in (0..size).step_by(1_000) {
        memory.copy_in(at as usize, &[1]).unwrap();
        warmer.writer_at(at);
    }
    assert_eq!(warmer.wait(size, LONG).state, State::Done);
}

#[test]
fn small_windows_move_too() {
    let size = 2 * STEP_SIZE;
    let (_file, memory) = allocated(size);
    let target = Target::memory(Arc::clone(&memory), Means::Touch(Touch::Store));
    let warmer = Warmer::start(target, window_of(size, 10_000), silent).unwrap();
    for at in (0..=size).step_by(5_000) {
        warmer.writer_at(at);
        let progress = warmer.wait(at + 1, LONG);
        assert!(progress.warmed_to > at.min(size - 1), "{at}: {progress}");
    }
}

#[test]
fn progress_is_told_in_order_and_ends() {
    let size = 8 * STEP_SIZE;
    let (_file, memory) = allocated(size);
    let told = Arc::new(Mutex::new(Vec::new()));
    let report = {
        let told = Arc::clone(&told);
        move |progress: &Progress| told.lock().unwrap().push(progress.clone())
    };
    let target = Target::memory(memory, Means::Populate(Populate::Write));
    let warmer = Warmer::start(target, WarmOptions::whole(0..size), report).unwrap();
    assert_eq!(warmer.wait(size, LONG).percent(), 100);
    drop(warmer);
    let told = told.lock().unwrap();
    let warmed: Vec<_> = told.iter().map(Progress::warmed).collect();
    assert_eq!(
        warmed,
        (1..=8).map(|step| step * STEP_SIZE).collect::<Vec<_>>()
    );
    assert_eq!(told.last().unwrap().state, State::Done);
    assert!(
        told.last()
            .unwrap()
            .to_string()
            .starts_with("warmed 1 of 1 MiB (100 %)")
    );
}

#[test]
fn a_paced_warm_up_takes_its_time_and_stops_at_once() {
    let size = 64 * STEP_SIZE;
    let (_file, memory) = allocated(size);
    let options = WarmOptions {
        bytes_per_second: NonZeroU64::new(1),
        ..WarmOptions::whole(0..size)
    };
    let target = Target::memory(Arc::clone(&memory), Means::Touch(Touch::Store));
    let warmer = Warmer::start(target, options, silent).unwrap();
    let progress = warmer.wait(STEP_SIZE, LONG);
    assert_eq!(
        (progress.warmed(), progress.state),
        (STEP_SIZE, State::Warming)
    );
    // The next step is due in 36 hours; this returns.
    drop(warmer);
    assert_eq!(resident(&memory), STEP_SIZE);
}

#[test]
fn flushed_as_it_goes_nothing_is_dirty_in_the_end() {
    let size = 8 * STEP_SIZE;
    for (flush_every, clean) in [(NonZeroU64::new(3 * STEP_SIZE), true), (None, false)] {
        let (file, memory) = allocated(size);
        let options = WarmOptions {
            flush_every,
            ..WarmOptions::whole(0..size)
        };
        let target = Target::memory(Arc::clone(&memory), Means::Touch(Touch::Store));
        let warmer = Warmer::start(target, options, silent).unwrap();
        assert_eq!(warmer.wait(size, LONG).state, State::Done);
        if let Ok(counts) = cache::count_pages(&file, 0..size) {
            assert_eq!(counts.dirty + counts.write_back == 0, clean, "{counts:?}");
        }
    }
}

#[test]
fn a_file_cut_short_ends_the_warm_up_with_its_reason() {
    let size = 8 * STEP_SIZE;
    for means in MEANS {
        let (file, memory) = allocated(size);
        file.set_len(2 * STEP_SIZE).unwrap();
        let target = Target::memory(memory, means);
        let warmer = Warmer::start(target, WarmOptions::whole(0..size), silent).unwrap();
        let progress = warmer.wait(size, LONG);
        assert!(matches!(progress.state, State::Failed(_)), "{progress}");
        assert!(progress.to_string().contains("given up"), "{progress}");
    }
}

#[test]
fn a_range_that_is_not_there_is_refused() {
    let (_file, memory) = allocated(1_000);
    #[expect(clippy::reversed_empty_ranges, reason = "it is to be refused")]
    for range in [0..1_001, 5..4] {
        let target = Target::memory(Arc::clone(&memory), Means::Touch(Touch::Load));
        let error = Warmer::start(target, WarmOptions::whole(range), silent).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
    let target = Target::memory(memory, Means::Touch(Touch::Load));
    let warmer = Warmer::start(target, WarmOptions::whole(7..7), silent).unwrap();
    assert_eq!(warmer.wait(0, LONG).percent(), 100);
}

#[test]
fn a_report_that_panics_leaves_nobody_waiting() {
    let (_file, memory) = allocated(4 * STEP_SIZE);
    let target = Target::memory(memory, Means::Touch(Touch::Load));
    let options = WarmOptions::whole(0..4 * STEP_SIZE);
    let warmer = Warmer::start(target, options, |_| panic!("a report that panics")).unwrap();
    assert_eq!(warmer.wait(4 * STEP_SIZE, LONG).state, State::Stopped);
}

#[test]
fn the_pinned_window_moves_with_the_writer_and_is_let_go() {
    let (size, window) = (32 * STEP_SIZE, 2 * STEP_SIZE);
    let (_file, memory) = allocated(size);
    // 256 KiB can be locked by any process.
    let budget = Arc::new(Budget::ask(window, 50).unwrap());
    let options = WarmOptions {
        pin: Some(PinAhead {
            budget: Arc::clone(&budget),
            window,
        }),
        ..window_of(size, 8 * STEP_SIZE)
    };
    let target = Target::memory(memory, Means::Populate(Populate::Write));
    let warmer = Warmer::start(target, options, silent).unwrap();
    let progress = warmer.wait(8 * STEP_SIZE, LONG);
    assert_eq!((progress.pinned, budget.used()), (window, window));

    warmer.writer_at(20 * STEP_SIZE);
    let progress = warmer.wait(28 * STEP_SIZE, LONG);
    assert_eq!((progress.pinned, budget.used()), (window, window));

    // Near the end there is less to pin, and at the end nothing.
    warmer.writer_at(size - STEP_SIZE);
    let _ = warmer.wait(size, LONG);
    warmer.writer_at(size);
    let deadline = std::time::Instant::now() + LONG;
    while budget.used() > 0 {
        assert!(std::time::Instant::now() < deadline, "{budget}");
        std::thread::yield_now();
    }
    assert_eq!(warmer.progress().state, State::Done);
}

#[test]
fn what_was_pinned_is_let_go_on_drop() {
    let size = 4 * STEP_SIZE;
    let (file, memory) = allocated(size);
    let budget = Arc::new(Budget::ask(STEP_SIZE, 50).unwrap());
    let options = WarmOptions {
        pin: Some(PinAhead {
            budget: Arc::clone(&budget),
            window: size,
        }),
        ..WarmOptions::whole(0..size)
    };
    let target = Target::memory(Arc::clone(&memory), Means::Touch(Touch::Store));
    let warmer = Warmer::start(target, options, silent).unwrap();
    // The budget holds a quarter of the window.
    assert_eq!(warmer.wait(size, LONG).pinned, STEP_SIZE);
    drop(warmer);
    assert_eq!(budget.used(), 0);
    assert!(
        Residency::of(&file, &memory, 0..size as usize)
            .unwrap()
            .is_whole()
    );
}
