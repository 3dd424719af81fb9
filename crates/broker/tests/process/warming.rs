//! A person watches how far the memory ahead of the appends is.

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::broker::{Broker, SMALL, at, pagelog};

/// The segment and the percentage of a line like `… segment 00000000000004194304: warmed 1 of 4 MiB (31 %) in 0.0 s`.
fn progress_in(line: &str) -> Option<(String, u8)> {
    let (_, told) = line.split_once("segment ")?;
    let (segment, told) = told.split_once(": warmed ")?;
    let (_, told) = told.split_once(" MiB (")?;
    let (percent, _) = told.split_once(" %) in ")?;
    Some((segment.to_owned(), percent.parse().unwrap()))
}

/// As `docs/operations.md` says how; a tenth after the other, to the end.
#[test]
fn the_warm_up_of_each_segment_is_told_by_tenths() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = pagelog(&at(directory.path()));
    command.args(SMALL).args([
        "--flush",
        "interval",
        "--set",
        "log.route=mapped",
        "--set",
        "warm.ahead=whole",
    ]);
    command.env("PAGELOG_LOG", "info,pagelog_segment=debug");
    let mut broker = Broker::spawn(&mut command);
    let mut log = broker.take_log();
    let mut told: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    // The next segment is warmed whole, without anybody who appends.
    let next = loop {
        let mut line = String::new();
        let size = log.read_line(&mut line).unwrap();
        assert!(size > 0 && !line.contains("given up"), "{line}: {told:?}");
        let Some((segment, percent)) = progress_in(&line) else {
            continue;
        };
        let percents = told.entry(segment.clone()).or_default();
        percents.push(percent);
        if percent == 100 && percents.len() == 10 {
            break segment;
        }
    };
    let tenths: Vec<u8> = told[&next].iter().map(|percent| percent / 10).collect();
    assert_eq!(tenths, (1..=10).collect::<Vec<u8>>());
}
