//! What was found in memory a moment ago is taken to be there still: asking costs 50 ns a page, sending it 80 to 300.
//!
//! One table for all threads. A range may be evicted after any look at it; this makes the time between the look and the use longer,
//! by [`KEPT_TICKS`] at most. Nothing but a look counts: a use says nothing about the rest of its chunk, and to look again five times
//! a second costs a chunk 16 µs.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use pagelog_os::MappedFile;

/// A range that is looked at as one, in bytes: 64 pages of 4 KiB.
pub(crate) const CHUNK_SIZE: usize = 256 * 1024;

/// Chunks that are remembered, 1 GiB of them; newer ones replace older ones.
const ENTRIES: usize = 4096;

const TICK_MS: u128 = 10;
/// 200 ms: shorter than the kernel's own ageing of a page that is in use, which takes two scans of its lists.
const KEPT_TICKS: u64 = 20;
const TICK_BITS: u32 = 24;
const TICK_MASK: u64 = (1 << TICK_BITS) - 1;

/// An entry is who it is of (40 bits of a hash) and when (24 bits of ticks).
static RECENT: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];

/// Now, in ticks since the first call.
pub(crate) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let ticks = START.get_or_init(Instant::now).elapsed().as_millis() / TICK_MS;
    // Never so small that the empty entry could be recent.
    (ticks as u64 + KEPT_TICKS + 1) & TICK_MASK
}

/// Whether this chunk of `file` was in memory not long before `now`.
pub(crate) fn holds(file: &MappedFile, chunk: usize, now: u64) -> bool {
    let hash = hash(file, chunk);
    let entry = RECENT[slot(hash)].load(Relaxed);
    let age = now.wrapping_sub(entry & TICK_MASK) & TICK_MASK;
    entry & !TICK_MASK == tag(hash) && age <= KEPT_TICKS
}

/// All of this chunk was in memory at `now`.
pub(crate) fn note(file: &MappedFile, chunk: usize, now: u64) {
    let hash = hash(file, chunk);
    RECENT[slot(hash)].store(tag(hash) | now, Relaxed);
}

/// This chunk is let go of.
pub(crate) fn forget(file: &MappedFile, chunk: usize) {
    RECENT[slot(hash(file, chunk))].store(0, Relaxed);
}

/// No two chunks of files of 1 PiB and less have the same.
fn hash(file: &MappedFile, chunk: usize) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = (file.number().rotate_left(32) ^ chunk as u64).wrapping_mul(ODD);
    (mixed ^ mixed >> 32).wrapping_mul(ODD)
}

/// The highest 12 bits; those below them are kept in the entry.
fn slot(hash: u64) -> usize {
    (hash >> (u64::BITS - ENTRIES.ilog2())) as usize
}

fn tag(hash: u64) -> u64 {
    hash << ENTRIES.ilog2() & !TICK_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_holds_for_a_while_and_for_its_chunk_alone() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        let file = MappedFile::new(file).unwrap();
        let now = now();
        assert!(!holds(&file, 1, now));
        note(&file, 1, now);
        assert!(holds(&file, 1, now) && holds(&file, 1, now + KEPT_TICKS));
        assert!(!holds(&file, 1, now + KEPT_TICKS + 1));
        assert!(!holds(&file, 2, now) && !holds(&file, 0, now));
        forget(&file, 1);
        assert!(!holds(&file, 1, now));
    }

    #[test]
    fn files_and_chunks_that_change_places_are_told_apart() {
        let files: Vec<MappedFile> = (0..20)
            .map(|_| MappedFile::new(tempfile::tempfile().unwrap()).unwrap())
            .collect();
        let chunks = files
            .iter()
            .flat_map(|file| (0..100).map(move |chunk| hash(file, chunk)));
        let mut hashes: Vec<u64> = chunks.collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 2_000);
    }

    #[test]
    fn chunks_of_a_file_seldom_share_an_entry() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        let file = MappedFile::new(file).unwrap();
        let now = now();
        (0..ENTRIES / 8).for_each(|chunk| note(&file, chunk, now));
        let held = (0..ENTRIES / 8).filter(|chunk| holds(&file, *chunk, now));
        // By chance a sixteenth of them is replaced.
        assert!(held.count() > ENTRIES / 8 / 10 * 8);
    }
}
