//! One round of one contender: what was done, in which time, at which processor cost.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency that is told from longer ones: a load gives up before.
const LATENCY_MAX: Duration = Duration::from_secs(60);

/// Latencies are kept in nanoseconds with three digits.
///
/// # Panics
/// Never: the bounds are allowed.
pub(crate) fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_MAX.as_nanos() as u64, 3).expect("bounds that are allowed")
}

/// What one contender did in one round.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) wall: Duration,
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
    /// Nanoseconds of each operation.
    pub(crate) latency: Histogram<u64>,
    /// Processor time of the process that served, all threads; zero where it is not asked.
    pub(crate) processor: Duration,
    /// Processor time of the thread that made the load.
    pub(crate) generator: Duration,
    /// Page faults of the thread that made the load; zero where it is not asked.
    pub(crate) faults: u64,
    /// Nanoseconds of each operation, less those in which its thread was ready to run and had no processor; nothing where it is not asked.
    pub(crate) unhindered: Option<Histogram<u64>>,
}

impl Sample {
    pub(crate) fn empty() -> Sample {
        Sample {
            wall: Duration::ZERO,
            operations: 0,
            bytes: 0,
            latency: new_histogram(),
            processor: Duration::ZERO,
            generator: Duration::ZERO,
            faults: 0,
            unhindered: None,
        }
    }

    /// Records one operation that took `nanoseconds` and moved `bytes`.
    pub(crate) fn record(&mut self, nanoseconds: u128, bytes: u64) {
        self.operations += 1;
        self.bytes += bytes;
        self.latency
            .saturating_record(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
    }

    /// Says how long the operation that was recorded last would have taken on a processor of its own.
    pub(crate) fn record_unhindered(&mut self, nanoseconds: u128) {
        let unhindered = self.unhindered.get_or_insert_with(new_histogram);
        unhindered.saturating_record(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
    }

    /// As [`Sample::microseconds_at`], on a processor of its own; not a number where that was not asked.
    pub(crate) fn unhindered_microseconds_at(&self, share: f64) -> f64 {
        let unhindered = self.unhindered.as_ref();
        unhindered.map_or(f64::NAN, |latency| {
            latency.value_at_quantile(share) as f64 / 1e3
        })
    }

    /// Operations a second.
    pub(crate) fn rate(&self) -> f64 {
        self.operations as f64 / self.wall.as_secs_f64()
    }

    /// Megabytes (10⁶) a second.
    pub(crate) fn megabytes_a_second(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.wall.as_secs_f64()
    }

    /// Gigabytes (10⁹) a second.
    pub(crate) fn gigabytes_a_second(&self) -> f64 {
        self.megabytes_a_second() / 1e3
    }

    /// Microseconds within which `share` (0..=1) of the operations were done.
    pub(crate) fn microseconds_at(&self, share: f64) -> f64 {
        self.latency.value_at_quantile(share) as f64 / 1e3
    }

    /// Processor seconds of the server for a million operations.
    pub(crate) fn processor_a_million(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / self.operations as f64
    }

    /// Processor seconds of the server for a gigabyte (10⁹).
    pub(crate) fn processor_a_gigabyte(&self) -> f64 {
        self.processor.as_secs_f64() * 1e9 / self.bytes as f64
    }

    /// Share of the round in which the load's thread was on a processor, 0..=1.
    pub(crate) fn generator_busy(&self) -> f64 {
        self.generator.as_secs_f64() / self.wall.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_knows_its_latencies() {
        let mut sample = Sample::empty();
        for milliseconds in 1..=100 {
            sample.record(milliseconds * 1_000_000, 10);
        }
        sample.wall = Duration::from_secs(1);
        assert!((sample.microseconds_at(0.5) - 50_000.0).abs() < 100.0);
        assert!((sample.microseconds_at(0.99) - 99_000.0).abs() < 100.0);
        assert_eq!((sample.rate(), sample.bytes), (100.0, 1_000));
    }
}
