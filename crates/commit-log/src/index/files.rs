//! The index files of a log, from the oldest to the newest, and their names.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pagelog_segment::Position;

use super::IndexFile;

const DIGITS: usize = 20;

/// The index of the segment that begins at `base`.
pub(crate) fn index_name(base: Position) -> String {
    format!("{:0DIGITS$}.index", base.0)
}

/// The run whose first entry would lie at `from`.
pub(crate) fn run_name(from: Position) -> String {
    format!("{:0DIGITS$}.run", from.0)
}

/// The base of the segment whose index has this name.
pub(crate) fn is_index(name: &str) -> Option<Position> {
    number(name.strip_suffix(".index")?)
}

/// Whether a file of this name is of no use to a process that opens the log.
pub(crate) fn is_leftover(name: &str) -> bool {
    let run = name.strip_suffix(".run").and_then(number);
    let unfinished = name.strip_suffix(".new").is_some_and(|name| {
        let whole = name.split_once(".index").map(|(digits, _)| digits);
        whole.and_then(number).is_some()
    });
    run.is_some() || unfinished
}

/// The position that a name's 20 digits tell.
pub(crate) fn number(digits: &str) -> Option<Position> {
    let canonical = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    canonical
        .then(|| digits.parse().ok().map(Position))
        .flatten()
}

/// Index files and runs, in the order of what they are about, which nowhere overlaps.
#[derive(Debug, Default)]
pub(crate) struct Files(ArcSwap<Vec<Arc<IndexFile>>>);

impl Files {
    /// Those that there are now.
    pub(crate) fn snapshot(&self) -> Arc<Vec<Arc<IndexFile>>> {
        self.0.load_full()
    }

    /// Takes `file` in, and takes out those that are about a part of the same.
    ///
    /// Only one thread at a time may do so.
    pub(crate) fn replace(&self, file: IndexFile) -> Vec<Arc<IndexFile>> {
        let (from, to) = (file.header().from, file.header().to);
        let all = self.snapshot();
        let before = all.partition_point(|other| other.header().to <= from);
        let behind = all.partition_point(|other| other.header().from < to);
        let mut next = all.to_vec();
        let behind = behind.max(before);
        let taken_out = next.splice(before..behind, [Arc::new(file)]).collect();
        self.0.store(Arc::new(next));
        taken_out
    }

    /// Takes out those that are about the segments below `end`.
    pub(crate) fn remove_below(&self, end: Position) -> Vec<Arc<IndexFile>> {
        let mut next = self.snapshot().to_vec();
        let count = next.partition_point(|file| file.header().base < end);
        let taken_out = next.drain(..count).collect();
        self.0.store(Arc::new(next));
        taken_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let base = Position(8192);
        assert_eq!(index_name(base), "00000000000000008192.index");
        assert_eq!(is_index(&index_name(base)), Some(base));
        assert_eq!(is_index("8192.index"), None);
        assert_eq!(is_index("00000000000000008192.log"), None);
        assert!(is_leftover(&run_name(base)));
        assert!(is_leftover("00000000000000008192.index.new"));
        assert!(is_leftover("00000000000000008192.index.part-0.new"));
        assert!(!is_leftover("00000000000000008192.index"));
        assert!(!is_leftover("00000000000000008192.log.new"));
        assert!(!is_leftover("notes.index.new"));
    }
}
