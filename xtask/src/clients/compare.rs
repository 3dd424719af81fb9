//! Holds what a client read against what another sent, byte by byte, as far as the client shows it.

use std::ops::RangeInclusive;

use anyhow::{Context, Result, ensure};

use super::client::Client;
use super::matrix::position;
use super::record::{Expected, Received, Record};

/// Insists that what was read is what was sent, offset by offset and byte by byte, as far as this client shows it.
pub(crate) fn compare(
    client: &dyn Client,
    expected: &[Expected],
    first: usize,
    received: &[Received],
) -> Result<()> {
    ensure!(
        received.len() == expected.len(),
        "{} records instead of {}",
        received.len(),
        expected.len()
    );
    for ((expected, received), index) in expected.iter().zip(received).zip(first..) {
        ensure!(
            received.offset == position(index),
            "offset {} where {index} was expected",
            received.offset
        );
        compare_time(&expected.timestamps, received.record.timestamp)
            .with_context(|| format!("offset {index}"))?;
        let wanted = Record {
            timestamp: received.record.timestamp,
            ..expected.record.clone()
        };
        let wanted = client.shows(wanted);
        let Record {
            key,
            value,
            headers,
            ..
        } = &received.record;
        ensure!(
            *key == wanted.key,
            "offset {index}: key {} instead of {}",
            show(key),
            show(&wanted.key)
        );
        ensure!(
            *value == wanted.value,
            "offset {index}: value {} instead of {}",
            show(value),
            show(&wanted.value)
        );
        ensure!(
            *headers == wanted.headers,
            "offset {index}: headers {headers:?} instead of {:?}",
            wanted.headers
        );
    }
    Ok(())
}

fn compare_time(expected: &RangeInclusive<i64>, received: i64) -> Result<()> {
    ensure!(
        expected.contains(&received),
        "time {received} instead of {expected:?}"
    );
    Ok(())
}

/// A time that the set in the middle of a partition has, three records after its first.
pub(crate) fn middle_time(expected: &[Expected]) -> i64 {
    let set = super::record::SET_COUNT;
    let middle = expected.len() / 2 / set * set + 4;
    let middle = expected.get(middle).or(expected.last());
    // Of a client that takes its own time, only "before all" is known.
    middle
        .filter(|one| one.timestamps.start() == one.timestamps.end())
        .map_or(0, |one| *one.timestamps.start())
}

/// The first record, in the order of offsets, that is not older than `timestamp`.
pub(crate) fn first_at(expected: &[Expected], timestamp: i64) -> Option<usize> {
    expected
        .iter()
        .position(|one| *one.timestamps.start() >= timestamp)
}

/// The beginning of some bytes, for a message.
fn show(bytes: &Option<Vec<u8>>) -> String {
    let Some(bytes) = bytes else {
        return "null".to_owned();
    };
    let shown = bytes[..bytes.len().min(40)].escape_ascii();
    format!("\"{shown}\" ({} bytes)", bytes.len())
}
