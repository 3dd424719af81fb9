//! Producer ids: numbers that are never given twice in the life of a log.
//!
//! An id is the epoch of the log's opening in its upper half and a counter in its lower. The raised epoch is synced to the disk before
//! an opened log takes its first entry, so no later opening, after whatever end of this one, can give the same id, and giving one
//! costs no entry and no sync.

use std::sync::atomic::{AtomicU64, Ordering};

use pagelog_record::Epoch;

use crate::error::ProducerIdsExhausted;

/// How many ids one epoch has.
const IDS_PER_EPOCH: u64 = 1 << 32;

#[derive(Debug)]
pub(crate) struct ProducerIds {
    epoch: Epoch,
    next: AtomicU64,
}

impl ProducerIds {
    pub(crate) fn new(epoch: Epoch) -> ProducerIds {
        ProducerIds {
            epoch,
            next: AtomicU64::new(0),
        }
    }

    /// An id that nobody had before; never negative.
    pub(crate) fn give(&self) -> Result<i64, ProducerIdsExhausted> {
        // It would take centuries of giving to wrap the counter itself.
        let counter = self.next.fetch_add(1, Ordering::Relaxed);
        if counter >= IDS_PER_EPOCH {
            return Err(ProducerIdsExhausted);
        }
        let id = u64::from(self.epoch.0) << 32 | counter;
        i64::try_from(id).map_err(|_| ProducerIdsExhausted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_all_epochs_differ() {
        let mut seen = std::collections::HashSet::new();
        for epoch in 1..=3 {
            let ids = ProducerIds::new(Epoch(epoch));
            for _ in 0..100 {
                assert!(seen.insert(ids.give().expect("one is left")));
            }
        }
        assert!(seen.iter().all(|id| *id > 0));
    }

    #[test]
    fn it_ends_rather_than_repeats() {
        let ids = ProducerIds::new(Epoch(1));
        ids.next.store(IDS_PER_EPOCH - 1, Ordering::Relaxed);
        assert_eq!(ids.give(), Ok((1 << 33) - 1));
        assert_eq!(ids.give(), Err(ProducerIdsExhausted));
        assert_eq!(ids.give(), Err(ProducerIdsExhausted));
        assert_eq!(
            ProducerIds::new(Epoch(1 << 31)).give(),
            Err(ProducerIdsExhausted)
        );
    }
}
