//! When to kill: in the midst of work, while starting, right when a segment ends, while stopping.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::world::World;
use crate::broker::Broker;
use crate::random::Random;

/// A start lasts about so long; kills during one fall into this span, so most fall into recovery.
const START_SPAN_US: u64 = 60_000;

/// A roll that does not come is not waited for.
const ROLL_PATIENCE: Duration = Duration::from_millis(400);

/// The moment of one kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// So long after the process was started, ready or not.
    WhileStarting(Duration),
    /// So long after it began to serve.
    AtWork(Duration),
    /// Once producers have got so many answers more.
    AfterAnswers(u64),
    /// So long after a new segment appeared.
    AtRoll(Duration),
    /// So long after it was asked to stop.
    WhileStopping(Duration),
}

impl Moment {
    /// Any moment.
    pub(crate) fn choose(random: &mut Random) -> Moment {
        let micros = |random: &mut Random, end: u64| Duration::from_micros(random.below(end));
        match random.below(10) {
            0..=2 => Moment::WhileStarting(micros(random, START_SPAN_US)),
            3..=5 => Moment::AtWork(micros(random, 300_000)),
            6 => Moment::AfterAnswers(random.within(1..200)),
            7..=8 => Moment::AtRoll(micros(random, 2_000)),
            _ => Moment::WhileStopping(micros(random, 10_000)),
        }
    }

    /// Waits for the moment in the life of a process that was just started. It is declared ready to `world` once it is.
    ///
    /// # Errors
    /// The process does not start.
    pub(crate) fn wait(self, broker: &mut Broker, world: &World, data: &Path) -> Result<()> {
        if let Moment::WhileStarting(after) = self {
            thread::sleep(after);
            return Ok(());
        }
        let address = broker.wait_ready(crate::broker::PATIENCE)?;
        world.move_to(Some(address));
        match self {
            Moment::WhileStarting(_) => {}
            Moment::AtWork(after) => thread::sleep(after),
            Moment::AfterAnswers(count) => {
                let goal = world.answers() + count;
                wait_until(|| world.answers() >= goal);
            }
            Moment::AtRoll(after) => {
                let before = newest_segment(data);
                wait_until(|| newest_segment(data) != before);
                thread::sleep(after);
            }
            Moment::WhileStopping(after) => {
                thread::sleep(Duration::from_millis(30));
                // It closes connections now, as it should.
                world.move_to(None);
                broker.terminate()?;
                thread::sleep(after);
            }
        }
        Ok(())
    }
}

/// Waits for a condition, for a while.
fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + ROLL_PATIENCE;
    while !condition() && Instant::now() < deadline {
        thread::sleep(Duration::from_micros(100));
    }
}

/// The name of the last segment, in the order of positions, which is that of the names.
fn newest_segment(data: &Path) -> Option<String> {
    let entries = std::fs::read_dir(data).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.ends_with(".log")).max()
}
