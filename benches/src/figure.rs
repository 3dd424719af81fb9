//! A figure: one answer of one bench, beside its limit and its peer, as a table row and a JSON line.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::host::Host;
use crate::statistics::Spread;

/// What stands beside a value: the limit, or the peer, measured in the same rounds.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    /// Value over limit (or peer), each taken within one round.
    pub(crate) ratio: Spread,
}

/// What a figure is to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    ValueAtMost(f64),
    ValueAtLeast(f64),
    RatioAtMost(f64),
    RatioAtLeast(f64),
}

/// Whether an aim was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The median reaches the aim.
    Met,
    /// The median does not, but the interval does: these rounds cannot tell.
    Open,
    /// The whole interval lies past the aim.
    Short,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Open => "open",
            Verdict::Short => "SHORT",
        }
    }
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) bench: &'static str,
    pub(crate) case: String,
    pub(crate) unit: &'static str,
    pub(crate) value: Spread,
    pub(crate) limit: Option<Beside>,
    pub(crate) peer: Option<Beside>,
    pub(crate) aim: Option<Aim>,
}

/// Fewer rounds than this are not judged.
const JUDGED_ROUNDS: usize = 10;

impl Figure {
    /// A figure with nothing beside it and no aim.
    pub(crate) fn new(
        bench: &'static str,
        case: String,
        unit: &'static str,
        value: Spread,
    ) -> Figure {
        Figure {
            bench,
            case,
            unit,
            value,
            limit: None,
            peer: None,
            aim: None,
        }
    }

    /// Whether the aim is met; none without an aim, with fewer than ten rounds, or where the aim is
    /// a ratio to no limit.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        if self.value.count < JUDGED_ROUNDS {
            return None;
        }
        let ratio = self.limit.as_ref().map(|limit| limit.ratio);
        match self.aim? {
            Aim::ValueAtMost(aim) => Some(at_most(&self.value, aim)),
            Aim::ValueAtLeast(aim) => Some(at_least(&self.value, aim)),
            Aim::RatioAtMost(aim) => ratio.map(|ratio| at_most(&ratio, aim)),
            Aim::RatioAtLeast(aim) => ratio.map(|ratio| at_least(&ratio, aim)),
        }
    }

    /// The line of the result file.
    pub(crate) fn to_json(&self, host: &Host) -> Value {
        let mut line = Map::new();
        let mut put = |key: &str, value: Value| line.insert(key.to_owned(), value);
        put("bench", json!(self.bench));
        put("case", json!(self.case));
        put("value", json!(rounded(self.value.median)));
        put("unit", json!(self.unit));
        put(
            "limit",
            json!(self.limit.as_ref().map(|limit| rounded(limit.value))),
        );
        put(
            "ratio",
            json!(self.limit.as_ref().map(|limit| rounded(limit.ratio.median))),
        );
        put("pairs", json!(self.value.count));
        put("value_spread", spread_json(&self.value));
        if let Some(limit) = &self.limit {
            put("limit_name", json!(limit.name));
            put("ratio_spread", spread_json(&limit.ratio));
        }
        if let Some(peer) = &self.peer {
            put("peer", json!(rounded(peer.value)));
            put("peer_ratio", json!(rounded(peer.ratio.median)));
            put("peer_name", json!(peer.name));
            put("peer_ratio_spread", spread_json(&peer.ratio));
        }
        if let (Some(aim), Some(verdict)) = (self.aim, self.verdict()) {
            put("aim", json!(aim_text(aim)));
            put("verdict", json!(verdict.word()));
        }
        put("commit", json!(host.commit));
        put("kernel", json!(host.kernel));
        put("filesystem", json!(host.filesystem));
        put("host", json!(host.description));
        put("congestion_control", json!(host.congestion_control));
        put("load_before", json!(host.load));
        Value::Object(line)
    }
}

fn at_most(spread: &Spread, aim: f64) -> Verdict {
    if spread.median <= aim {
        Verdict::Met
    } else if spread.low <= aim {
        Verdict::Open
    } else {
        Verdict::Short
    }
}

fn at_least(spread: &Spread, aim: f64) -> Verdict {
    if spread.median >= aim {
        Verdict::Met
    } else if spread.high >= aim {
        Verdict::Open
    } else {
        Verdict::Short
    }
}

fn spread_json(spread: &Spread) -> Value {
    json!({
        "low": rounded(spread.low), "high": rounded(spread.high),
        "least": rounded(spread.least), "most": rounded(spread.most),
    })
}

/// Four significant digits: more would be noise.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powf(3.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}

fn aim_text(aim: Aim) -> String {
    match aim {
        Aim::ValueAtMost(aim) => format!("<= {aim}"),
        Aim::ValueAtLeast(aim) => format!(">= {aim}"),
        Aim::RatioAtMost(aim) => format!("ratio <= {aim}"),
        Aim::RatioAtLeast(aim) => format!("ratio >= {aim}"),
    }
}

/// A number as a reader wants it: three digits that count.
fn readable(value: f64) -> String {
    let size = value.abs();
    if size >= 10_000.0 {
        format!("{:.1} k", value / 1e3)
    } else if size >= 100.0 || size == 0.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

fn beside_text(beside: Option<&Beside>) -> [String; 2] {
    let Some(beside) = beside else {
        return [String::new(), String::new()];
    };
    let ratio = &beside.ratio;
    [
        format!("{} {}", readable(beside.value), beside.name),
        format!(
            "{} [{}, {}]",
            readable(ratio.median),
            readable(ratio.low),
            readable(ratio.high)
        ),
    ]
}

fn row(figure: &Figure) -> Vec<String> {
    let value = &figure.value;
    let mut cells = vec![
        figure.bench.to_owned(),
        figure.case.clone(),
        readable(value.median),
        figure.unit.to_owned(),
        format!("{}..{}", readable(value.least), readable(value.most)),
    ];
    cells.extend(beside_text(figure.limit.as_ref()));
    cells.extend(beside_text(figure.peer.as_ref()));
    cells.push(match (figure.aim, figure.verdict()) {
        (Some(aim), Some(verdict)) => format!("{} {}", aim_text(aim), verdict.word()),
        _ => String::new(),
    });
    cells
}

const HEADINGS: [&str; 10] = [
    "bench",
    "case",
    "median",
    "unit",
    "least..most",
    "limit",
    "ratio [95 %]",
    "peer",
    "to peer [95 %]",
    "aim",
];

/// The table of `figures`, in Markdown, columns aligned; columns in which nothing stands are left out.
pub(crate) fn table(figures: &[Figure]) -> String {
    let rows: Vec<Vec<String>> = figures.iter().map(row).collect();
    let used: Vec<usize> = (0..HEADINGS.len())
        .filter(|&column| rows.iter().any(|row| !row[column].is_empty()))
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = used.iter().map(|&column| width(column)).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!(" {cell:width$} |"));
        format!("|{}\n", padded.collect::<String>())
    };
    let rule = widths
        .iter()
        .map(|width| format!("{}|", "-".repeat(width + 2)));
    let mut text = line(used.iter().map(|&column| HEADINGS[column]).collect());
    text.push_str(&format!("|{}\n", rule.collect::<String>()));
    for row in &rows {
        text.push_str(&line(
            used.iter().map(|&column| row[column].as_str()).collect(),
        ));
    }
    text
}

/// Appends a JSON line for each figure to `BENCH.jsonl` in `results`.
///
/// # Errors
/// Where the directory or a file in it cannot be written.
pub(crate) fn write_lines(figures: &[Figure], host: &Host, results: &Path) -> Result<()> {
    fs::create_dir_all(results).with_context(|| format!("create {}", results.display()))?;
    for figure in figures {
        let path = results.join(format!("{}.jsonl", figure.bench));
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("open {}", path.display()))?;
        writeln!(file, "{}", figure.to_json(host))
            .with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(low: f64, median: f64, high: f64) -> Spread {
        Spread {
            median,
            low,
            high,
            least: low,
            most: high,
            count: 10,
        }
    }

    fn figure(ratio: Spread, aim: Aim) -> Figure {
        let limit = Beside {
            name: "fdatasync",
            value: 155.0,
            ratio,
        };
        Figure {
            limit: Some(limit),
            aim: Some(aim),
            ..Figure::new("append", "a case".into(), "us", spread(300.0, 310.0, 320.0))
        }
    }

    #[test]
    fn only_a_whole_interval_past_the_aim_is_short() {
        let verdict = |ratio, aim| figure(ratio, aim).verdict();
        let at_most = Aim::RatioAtMost(2.0);
        assert_eq!(verdict(spread(1.8, 1.9, 2.2), at_most), Some(Verdict::Met));
        assert_eq!(verdict(spread(1.9, 2.1, 2.2), at_most), Some(Verdict::Open));
        assert_eq!(
            verdict(spread(2.1, 2.2, 2.3), at_most),
            Some(Verdict::Short)
        );
        let at_least = Aim::RatioAtLeast(0.9);
        assert_eq!(verdict(spread(0.8, 0.9, 1.0), at_least), Some(Verdict::Met));
        assert_eq!(
            verdict(spread(0.7, 0.8, 0.95), at_least),
            Some(Verdict::Open)
        );
        assert_eq!(
            verdict(spread(0.7, 0.8, 0.85), at_least),
            Some(Verdict::Short)
        );
    }

    #[test]
    fn a_line_has_the_fields_that_readers_rely_on() {
        let host = Host {
            commit: "abc".into(),
            kernel: "6".into(),
            filesystem: "ext4".into(),
            description: "a host".into(),
            congestion_control: "cubic".into(),
            load: 0.0,
        };
        let line = figure(spread(1.8, 1.9, 2.2), Aim::RatioAtMost(2.0)).to_json(&host);
        for key in [
            "bench", "case", "value", "unit", "limit", "ratio", "commit", "kernel", "host",
        ] {
            assert!(
                line.get(key).is_some_and(|value| !value.is_null()),
                "{key} in {line}"
            );
        }
        assert_eq!(line["verdict"], "met");
        assert!(line.get("peer").is_none());
    }

    #[test]
    fn empty_columns_are_left_out() {
        let text = table(&[figure(spread(1.8, 1.9, 2.2), Aim::RatioAtMost(2.0))]);
        assert!(
            text.contains("ratio [95 %]") && !text.contains("peer"),
            "{text}"
        );
        assert_eq!(rounded(123_456.0), 123_500.0);
    }
}
