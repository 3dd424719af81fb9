//! What is drawn of the durable appends: latency over writers, and the rate beside the others'.

use crate::plot::{Cell, HeatMap, LinePlot, Plot, Point, Scale, Series};
use crate::rounds::{Metric, PAGELOG, Rounds};

/// What was measured with one number of writers.
pub(super) struct Case {
    writers: usize,
    latency: Vec<(String, Point)>,
    /// Who stands beside, and how many times its rate Pagelog's is.
    ratios: Vec<(&'static str, f64)>,
}

impl Case {
    /// Takes from the rounds what is drawn.
    pub(super) fn of(
        writers: usize,
        rounds: &Rounds,
        used_again: &'static str,
        beside: Vec<&'static str>,
        rate: &Metric,
    ) -> Case {
        let point = |name: &'static str, metric: &Metric| {
            let spread = rounds.spread(name, metric).ok()?;
            Some((format!("{name}, {}", metric.name), Point::from(spread)))
        };
        let own = [&Metric::P50, &Metric::P99].map(|metric| point(PAGELOG, metric));
        let others = [used_again].into_iter().chain(beside.iter().copied());
        let others = others.map(|name| point(name, &Metric::P50));
        let ratio = |name: &&'static str| Some((*name, rounds.beside(name, rate)?.ratio.median));
        Case {
            writers,
            latency: own.into_iter().chain(others).flatten().collect(),
            ratios: beside.iter().filter_map(ratio).collect(),
        }
    }
}

/// Both plots; none of fewer than two cases.
pub(super) fn plots(cases: &[Case]) -> Vec<Plot> {
    if cases.len() < 2 {
        return Vec::new();
    }
    vec![
        Plot {
            name: "storage-latency-over-writers",
            svg: latency(cases).svg(),
        },
        Plot {
            name: "storage-rate-beside-others",
            svg: ratios(cases).svg(),
        },
    ]
}

fn latency(cases: &[Case]) -> LinePlot {
    let points = |name: &String| Series {
        name: name.clone(),
        points: cases
            .iter()
            .map(|case| find(&case.latency, name).copied())
            .collect(),
    };
    LinePlot {
        title: "A durable append of 1 KiB: how long a writer waits".into(),
        across: "writers".into(),
        places: cases.iter().map(|case| case.writers.to_string()).collect(),
        up: "us, median of the rounds and its 95 % interval".into(),
        scale: Scale::Logarithmic,
        series: cases[0]
            .latency
            .iter()
            .map(|(name, _)| points(name))
            .collect(),
    }
}

fn ratios(cases: &[Case]) -> HeatMap {
    let cell = |ratio: &f64| Cell {
        value: ratio.log10(),
        text: format!("{ratio:.2} \u{d7}"),
    };
    let row = |name: &'static str| {
        let cells = cases
            .iter()
            .map(|case| find(&case.ratios, &name).map(cell))
            .collect();
        (name.to_owned(), cells)
    };
    HeatMap {
        title: "Durable appends of 1 KiB a second: how many times as many as".into(),
        across: "writers".into(),
        columns: cases.iter().map(|case| case.writers.to_string()).collect(),
        rows: cases[0].ratios.iter().map(|(name, _)| row(name)).collect(),
        value_name: "colour by the ratio's logarithm (base 10)".into(),
    }
}

fn find<'a, K: PartialEq, V>(pairs: &'a [(K, V)], key: &K) -> Option<&'a V> {
    pairs
        .iter()
        .find(|(found, _)| found == key)
        .map(|(_, value)| value)
}
