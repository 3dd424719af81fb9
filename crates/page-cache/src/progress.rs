//! How far a warm-up is, for a person and for a program.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// How far a [`Warmer`](crate::Warmer) is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// What is to be warm in the end, in bytes of the file.
    pub range: Range<u64>,
    /// All before this byte of the file is warm; read ahead: is on its way.
    pub warmed_to: u64,
    /// The bytes that are pinned now.
    pub pinned: u64,
    /// Since the start, waits included.
    pub elapsed: Duration,
    /// What it does now.
    pub state: State,
}

/// What a [`Warmer`](crate::Warmer) does.
#[derive(Debug, Clone)]
pub enum State {
    /// It brings pages in.
    Warming,
    /// The window is warm; it waits for the writer.
    Waiting,
    /// The whole range is warm.
    Done,
    /// It was stopped before.
    Stopped,
    /// It gave up: the rest is brought in when it is used, as if there were no warm-up.
    Failed(Arc<io::Error>),
}

impl State {
    /// Whether nothing more will be warmed.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, State::Done | State::Stopped | State::Failed(_))
    }
}

impl PartialEq for State {
    /// Failures are equal when their kinds are.
    fn eq(&self, other: &State) -> bool {
        match (self, other) {
            (State::Failed(one), State::Failed(other)) => one.kind() == other.kind(),
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }
}

impl Progress {
    pub(crate) fn start(range: Range<u64>) -> Progress {
        Progress {
            warmed_to: range.start,
            range,
            pinned: 0,
            elapsed: Duration::ZERO,
            state: State::Warming,
        }
    }

    /// The bytes that have been warmed.
    #[must_use]
    pub fn warmed(&self) -> u64 {
        self.warmed_to - self.range.start
    }

    /// What share of the range is warm, 0 to 100; an empty range is.
    #[must_use]
    pub fn percent(&self) -> u8 {
        let all = u128::from(self.range.end.saturating_sub(self.range.start));
        let share = (u128::from(self.warmed()) * 100).checked_div(all);
        share.map_or(100, |percent| percent.min(100) as u8)
    }
}

impl fmt::Display for Progress {
    /// `warmed 380 of 1024 MiB (37 %) in 0.4 s, 16 MiB pinned`, and the state when it is not plain.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |bytes: u64| bytes >> 20;
        write!(
            formatter,
            "warmed {} of {} MiB ({} %) in {:.1} s",
            mebibytes(self.warmed()),
            mebibytes(self.range.end - self.range.start),
            self.percent(),
            self.elapsed.as_secs_f64()
        )?;
        if self.pinned > 0 {
            write!(formatter, ", {} MiB pinned", mebibytes(self.pinned))?;
        }
        match &self.state {
            State::Warming | State::Done => Ok(()),
            State::Waiting => write!(formatter, ", waiting for the writer"),
            State::Stopped => write!(formatter, ", stopped"),
            State::Failed(error) => write!(formatter, ", given up: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_how_far_it_is_and_what_it_does() {
        let progress = Progress {
            range: 4 << 20..1028 << 20,
            warmed_to: 384 << 20,
            pinned: 16 << 20,
            elapsed: Duration::from_millis(420),
            state: State::Warming,
        };
        let plain = "warmed 380 of 1024 MiB (37 %) in 0.4 s, 16 MiB pinned";
        assert_eq!(progress.to_string(), plain);
        let in_state = |state| {
            Progress {
                pinned: 0,
                state,
                ..progress.clone()
            }
            .to_string()
        };
        let plain = "warmed 380 of 1024 MiB (37 %) in 0.4 s";
        assert_eq!(in_state(State::Done), plain);
        assert_eq!(
            in_state(State::Waiting),
            format!("{plain}, waiting for the writer")
        );
        assert_eq!(in_state(State::Stopped), format!("{plain}, stopped"));
        let failed = State::Failed(Arc::new(io::ErrorKind::OutOfMemory.into()));
        assert_eq!(
            in_state(failed),
            format!("{plain}, given up: out of memory")
        );
    }

    #[test]
    fn a_share_is_told_of_any_range() {
        let percent = |range, warmed_to| {
            Progress {
                warmed_to,
                ..Progress::start(range)
            }
            .percent()
        };
        assert_eq!(percent(0..100, 0), 0);
        assert_eq!(percent(100..200, 199), 99);
        assert_eq!(percent(100..200, 200), 100);
        assert_eq!(percent(7..7, 7), 100);
        assert_eq!(percent(0..u64::MAX, u64::MAX / 2), 49);
    }
}
