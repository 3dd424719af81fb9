//! How far the reading of a log has come: a bar on a terminal, a line for each segment elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pagelog_commit_log::{Position, Replayer};
use pagelog_segment::{Segment, file_name};

/// How often the bar is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// The bar's width in characters.
const WIDTH: usize = 30;

/// Back to the line's begin, and what stood there goes.
const CLEAR: &str = "\r\x1b[2K";

/// Has the replayer show on standard error how far it has come, until the value returned is dropped.
pub(super) fn shown(replayer: Replayer) -> (Replayer, Shown) {
    let state = Arc::new(Mutex::new(State::new(replayer.segments())));
    let shown = Shown(Arc::clone(&state));
    let replayer = replayer.with_progress(move |position| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.reached(position);
    });
    (replayer, shown)
}

/// Takes the bar away when it is dropped.
pub(super) struct Shown(Arc<Mutex<State>>);

impl Drop for Shown {
    fn drop(&mut self) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.drawn.is_some() {
            eprint!("{CLEAR}");
        }
    }
}

struct State {
    is_terminal: bool,
    begin: Position,
    /// Where the last byte lies that was ever written.
    end: Position,
    /// Those that have not been read to their end.
    ahead: Vec<(Position, String)>,
    count: usize,
    started: Instant,
    drawn: Option<Instant>,
}

impl State {
    fn new(segments: &[Arc<Segment>]) -> State {
        let written = |segment: &Arc<Segment>| {
            let size = segment.file().data_end().unwrap_or(segment.size());
            (size > 0).then(|| segment.base() + size.min(segment.size()))
        };
        let name = |segment: &Arc<Segment>| (segment.end(), file_name(segment.base()));
        let begin = segments.first().map_or(Position(0), |first| first.base());
        State {
            is_terminal: std::io::stderr().is_terminal(),
            begin,
            end: segments.iter().filter_map(written).max().unwrap_or(begin),
            ahead: segments.iter().rev().map(name).collect(),
            count: segments.len(),
            started: Instant::now(),
            drawn: None,
        }
    }

    fn reached(&mut self, position: Position) {
        if self.is_terminal {
            let due = |drawn: Instant| drawn.elapsed() >= REDRAW;
            if self.drawn.is_none_or(due) {
                self.drawn = Some(Instant::now());
                let done = position.max(self.begin) - self.begin;
                let all = self.end.max(position) - self.begin;
                eprint!("{CLEAR}{}", bar(done, all, self.started.elapsed()));
                // Standard error that takes nothing is no reason to stop.
                let _ = std::io::stderr().flush();
            }
            return;
        }
        while let Some((_, name)) = self.ahead.pop_if(|(end, _)| *end <= position) {
            let number = self.count - self.ahead.len();
            eprintln!("read {name} ({number} of {})", self.count);
        }
    }
}

/// `[#####.....]  50 %  512 of 1024 MiB, 256 MiB/s`.
fn bar(done: u64, all: u64, elapsed: Duration) -> String {
    let share = done as f64 / all.max(1) as f64;
    let filled = (share * WIDTH as f64) as usize;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let rate = mebibytes(done) / elapsed.as_secs_f64().max(0.001);
    format!(
        "[{}{}] {:3.0} %  {:.0} of {:.0} MiB, {rate:.0} MiB/s",
        "#".repeat(filled),
        ".".repeat(WIDTH - filled),
        share * 100.0,
        mebibytes(done),
        mebibytes(all),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_with_what_is_done() {
        let second = Duration::from_secs(2);
        let expected = [
            (
                0,
                "[..............................]   0 %  0 of 1024 MiB, 0 MiB/s",
            ),
            (
                1 << 29,
                "[###############...............]  50 %  512 of 1024 MiB, 256 MiB/s",
            ),
            (
                1 << 30,
                "[##############################] 100 %  1024 of 1024 MiB, 512 MiB/s",
            ),
        ];
        for (done, text) in expected {
            assert_eq!(bar(done, 1 << 30, second), text);
        }
        assert!(bar(0, 0, Duration::ZERO).starts_with("[...."));
    }
}
