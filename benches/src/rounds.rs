//! Interleaved rounds: every contender runs in every round, in an order that turns and, every other round, goes backwards, so that a
//! slow minute of the machine meets all of them, nobody always follows the same one, and a ratio is taken within its own round.

use anyhow::{Context, Result};

use crate::figure::{Beside, Figure};
use crate::sample::Sample;
use crate::statistics::Spread;

/// The contender whose figures are shown; all others stand beside it.
pub(crate) const PAGELOG: &str = "pagelog";

/// How one number is read from a sample.
#[derive(Clone, Copy)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) read: fn(&Sample) -> f64,
}

impl Metric {
    pub(crate) const P50: Metric = Metric {
        name: "p50",
        unit: "us",
        read: |sample| sample.microseconds_at(0.5),
    };
    pub(crate) const P99: Metric = Metric {
        name: "p99",
        unit: "us",
        read: |sample| sample.microseconds_at(0.99),
    };
    pub(crate) const P999: Metric = Metric {
        name: "p99.9",
        unit: "us",
        read: |sample| sample.microseconds_at(0.999),
    };
}

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
                let index = turn_of(round, turn, contenders.len());
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

    fn of(&self, name: &str) -> &[Sample] {
        self.samples
            .iter()
            .find(|(contender, _)| *contender == name)
            .map_or(&[], |(_, samples)| samples)
    }

    /// The spread of one metric of one contender.
    ///
    /// # Errors
    /// Where it did not take part, or measured nothing.
    pub(crate) fn spread(&self, name: &str, metric: &Metric) -> Result<Spread> {
        let values = self.of(name).iter().map(metric.read).collect();
        Spread::of(values).with_context(|| format!("{name} has no {}", metric.name))
    }

    /// Pagelog's figure of a metric, with nothing beside it yet.
    ///
    /// # Errors
    /// As [`Rounds::spread`].
    pub(crate) fn figure(
        &self,
        bench: &'static str,
        case: String,
        metric: &Metric,
    ) -> Result<Figure> {
        Ok(Figure::new(
            bench,
            case,
            metric.unit,
            self.spread(PAGELOG, metric)?,
        ))
    }

    /// Another contender's value, and Pagelog's over it, round by round; none where it took no part.
    pub(crate) fn beside(&self, name: &'static str, metric: &Metric) -> Option<Beside> {
        self.pair(PAGELOG, name, metric)
    }

    /// The same of any two: the value of `name`, and that of `own` over it, round by round.
    pub(crate) fn pair(&self, own: &str, name: &'static str, metric: &Metric) -> Option<Beside> {
        let value = self.spread(name, metric).ok()?.median;
        let pairs = self.of(own).iter().zip(self.of(name));
        let ratios = pairs.map(|(own, other)| (metric.read)(own) / (metric.read)(other));
        Some(Beside {
            name,
            value,
            ratio: Spread::of(ratios.collect())?,
        })
    }
}

/// Whose turn it is.
fn turn_of(round: usize, turn: usize, count: usize) -> usize {
    let turn = if round.is_multiple_of(2) {
        turn
    } else {
        count - 1 - turn
    };
    (round / 2 + turn) % count
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn in_pairs_of_rounds_everyone_goes_before_and_behind_each_neighbour() {
        let orders = (0..8).map(|round| [0, 1, 2, 3].map(|turn| turn_of(round, turn, 4)));
        let mut before = 0;
        for order in orders {
            let place = |one| order.iter().position(|other| *other == one);
            assert!((0..4).all(|one| place(one).is_some()), "{order:?}");
            before += usize::from(place(0) < place(1));
        }
        assert_eq!(before, 4);
    }

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
        let rounds = Rounds::run(2, vec![contender(PAGELOG, 6), contender("b", 3)]).unwrap();
        assert_eq!(
            order.into_inner(),
            [PAGELOG, "b", "b", PAGELOG, "b", PAGELOG]
        );
        let operations = Metric {
            name: "operations",
            unit: "1",
            read: |sample| sample.operations as f64,
        };
        let beside = rounds.beside("b", &operations).unwrap();
        assert_eq!(
            (beside.value, beside.ratio.median, beside.ratio.count),
            (3.0, 2.0, 2)
        );
        assert!(rounds.beside("c", &operations).is_none());
    }
}
