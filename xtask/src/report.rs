//! One line a case, and a summary.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Cases as they are run: their number, and the names of those that failed.
#[derive(Debug)]
pub(crate) struct Report {
    started: Instant,
    count: usize,
    failed: Vec<String>,
}

impl Report {
    /// No case yet.
    pub(crate) fn new() -> Report {
        Report {
            started: Instant::now(),
            count: 0,
            failed: Vec::new(),
        }
    }

    /// Runs one case and prints its line. A case that fails does not keep the next ones from running.
    pub(crate) fn case(&mut self, name: &str, run: impl FnOnce() -> Result<()>) -> bool {
        let started = Instant::now();
        let outcome = run();
        let elapsed = started.elapsed();
        self.count += 1;
        match outcome {
            Ok(()) => println!("ok    {:>6} ms  {name}", elapsed.as_millis()),
            Err(error) => {
                println!("FAIL  {:>6} ms  {name}: {error:#}", elapsed.as_millis());
                self.failed.push(name.to_owned());
                return false;
            }
        }
        true
    }

    /// Counts the cases of another report, too.
    pub(crate) fn absorb(&mut self, other: Report) {
        self.count += other.count;
        self.failed.extend(other.failed);
    }

    /// Prints the summary.
    ///
    /// # Errors
    /// A case failed.
    pub(crate) fn finish(self, what: &str) -> Result<Duration> {
        let elapsed = self.started.elapsed();
        let (count, failed) = (self.count, self.failed.len());
        println!(
            "{what}: {} of {count} cases passed in {:.1} s",
            count - failed,
            elapsed.as_secs_f64()
        );
        if failed > 0 {
            bail!(
                "{what}: {failed} of {count} cases failed:\n  {}",
                self.failed.join("\n  ")
            );
        }
        Ok(elapsed)
    }
}
