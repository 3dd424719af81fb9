//! Interleaved rounds: every contender runs in every round, in an order that turns, so that a slow
//! minute of the machine meets all of them and a ratio is taken within its own round.

use anyhow::{Context, Result};

use crate::sample::Sample;
use crate::statistics::Spread;

/// One of those that are measured beside each other.
pub(crate) struct Contender<'a> {
    pub(crate) name: &'static str,
    run: Box<dyn FnMut() -> Result<Sample> + 'a>,
}

impl<'a> Contender<'a> {
    /// `run` is called once a round.
    pub(crate) fn new(
        name: &'static str,
        run: impl FnMut() -> Result<Sample> + 'a,
    ) -> Contender<'a> {
        Contender {
            name,
            run: Box::new(run),
        }
    }
}

/// The samples of all rounds, by contender.
pub(crate) struct Rounds {
    samples: Vec<(&'static str, Vec<Sample>)>,
}

impl Rounds {
    /// Runs `count` rounds after one that is thrown away.
    ///
    /// # Errors
    /// The first failure of a contender, with its name.
    pub(crate) fn run(count: usize, mut contenders: Vec<Contender<'_>>) -> Result<Rounds> {
        let mut samples: Vec<_> = contenders
            .iter()
            .map(|contender| (contender.name, Vec::new()))
            .collect();
        for round in 0..=count {
            for turn in 0..contenders.len() {
                let index = (round + turn) % contenders.len();
                let contender = &mut contenders[index];
                let sample = (contender.run)()
                    .with_context(|| format!("{} in round {round}", contender.name))?;
                if round > 0 {
                    samples[index].1.push(sample);
                }
            }
        }
        Ok(Rounds { samples })
    }

    /// Whether `name` took part.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|(contender, _)| *contender == name)
    }

    fn of(&self, name: &str) -> &[Sample] {
        self.samples
            .iter()
            .find(|(contender, _)| *contender == name)
            .map_or(&[], |(_, samples)| samples)
    }

    /// The spread of one metric of one contender.
    pub(crate) fn spread(&self, name: &str, metric: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(self.of(name).iter().map(metric).collect())
    }

    /// The spread of a metric of one contender over the metric of another of the same round.
    pub(crate) fn ratio(
        &self,
        name: &str,
        metric: impl Fn(&Sample) -> f64,
        other: &str,
        other_metric: impl Fn(&Sample) -> f64,
    ) -> Option<Spread> {
        let pairs = self.of(name).iter().zip(self.of(other));
        Spread::of(
            pairs
                .map(|(mine, theirs)| metric(mine) / other_metric(theirs))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn every_round_has_everyone_and_the_first_is_thrown_away() {
        let order = RefCell::new(Vec::new());
        let contender = |name: &'static str, operations: u64| {
            let order = &order;
            Contender::new(name, move || {
                order.borrow_mut().push(name);
                Ok(Sample {
                    operations,
                    ..Sample::empty()
                })
            })
        };
        let rounds = Rounds::run(2, vec![contender("a", 6), contender("b", 3)]).unwrap();
        assert_eq!(order.into_inner(), ["a", "b", "b", "a", "a", "b"]);
        let operations = |sample: &Sample| sample.operations as f64;
        let ratio = rounds.ratio("a", operations, "b", operations).unwrap();
        assert_eq!((ratio.median, ratio.count), (2.0, 2));
        assert!(rounds.spread("c", operations).is_none());
    }
}
