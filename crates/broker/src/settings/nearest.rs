//! The known keys nearest to one that is not known.

use super::table;

/// Kafka's names for what this program sets for every protocol at once.
const KAFKA_NAMES: &[(&str, &str)] = &[
    ("kafka.connections.max.idle.ms", "net.idle.timeout.ms"),
    ("kafka.socket.request.max.bytes", "net.frame.bytes.max"),
    ("kafka.max.connections", "net.connections.max"),
    ("kafka.num.network.threads", "net.reactors"),
    ("kafka.num.io.threads", "net.workers"),
    ("kafka.queued.max.request.bytes", "net.in-flight.bytes.max"),
    ("kafka.log.segment.bytes", "segment.bytes"),
    ("kafka.log.dirs", "data.dir"),
    ("kafka.log.dir", "data.dir"),
];

/// How many to name.
const COUNT: usize = 3;

/// Up to three known keys, the nearest first.
pub(crate) fn nearest(unknown: &str) -> Vec<&'static str> {
    let kafka = unknown.strip_prefix("kafka.").unwrap_or(unknown);
    let renamed = KAFKA_NAMES
        .iter()
        .find(|(name, _)| name.strip_prefix("kafka.") == Some(kafka));
    if let Some((_, ours)) = renamed {
        return vec![ours];
    }
    let mut known: Vec<&str> = table::ALL.iter().map(|setting| setting.name).collect();
    known.sort_by_key(|name| distance(unknown, name).min(1 + distance(unknown, last_words(name))));
    known.truncate(COUNT);
    known
}

/// The key without its first word: `num.partitions` is near to `kafka.num.partitions`.
fn last_words(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, rest)| rest)
}

/// Edits between two words (Levenshtein): insert, delete or replace one byte.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, byte) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(byte != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{KAFKA_NAMES, distance, nearest};
    use crate::settings::table;

    #[test]
    fn edits() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("abc", "abc", 0),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn a_slip_finds_its_key() {
        assert_eq!(nearest("kafka.num.partitons")[0], "kafka.num.partitions");
        assert_eq!(nearest("num.partitions")[0], "kafka.num.partitions");
        assert_eq!(nearest("segment.byte")[0], "segment.bytes");
        assert_eq!(nearest("log.segment.bytes"), ["segment.bytes"]);
    }

    #[test]
    fn a_renamed_key_is_not_also_a_key_and_points_at_one() {
        for (theirs, ours) in KAFKA_NAMES {
            assert!(table::ALL.iter().all(|setting| setting.name != *theirs));
            assert!(table::ALL.iter().any(|setting| setting.name == *ours));
        }
    }
}
