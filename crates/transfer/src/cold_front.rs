//! What is fetched at a time for a rope: the next ranges of it that are not in memory, from wherever they lie.
//!
//! One stream of many has its records far apart: they are read by themselves, many at once, since what lies between them is somebody
//! else's.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use pagelog_os::page_size;

use crate::cold::{Cold, Part};
use crate::region::Region;
use crate::rope::Piece;

/// Ranges that are read at once: more do not make a disk faster, and each of them is a call.
pub(crate) const PARTS_MAX: usize = 64;

/// What a short range counts as, in bytes: where somebody has little read at a time for the sake of others, few short ones are as much.
const PART_SIZE_MIN: u64 = 16 * 1024;

/// Pieces that are looked at: each look at a region is a call.
const PIECES_MAX: usize = 4 * PARTS_MAX;

/// What is to be fetched for the front of `pieces`, which is a region, and how many bytes of the rope that serves: about `limit` bytes
/// of files, at most [`PARTS_MAX`] ranges. What lies behind the first one and is in memory is passed over, and not let go of later.
pub(crate) fn front(pieces: &VecDeque<Piece>, limit: u64) -> Option<(Cold, u64)> {
    let Some(Piece::Region(first)) = pieces.front() else {
        return None;
    };
    let mut list = List::default();
    let (mut passed, mut served) = (0, 0);
    for (index, piece) in pieces.iter().take(PIECES_MAX).enumerate() {
        let left = limit.saturating_sub(passed.max(list.cost));
        if left == 0 {
            break;
        }
        let Piece::Region(region) = piece else {
            passed += piece.size();
            continue;
        };
        let size = region.size().min(left);
        if !region.is_mapped() {
            break;
        }
        let pages = pages(region, size);
        if index == 0 || !is_resident(region, &pages) {
            if !list.add(region, pages) {
                break;
            }
            served = passed + size;
        }
        if size < region.size() {
            break;
        }
        passed += size;
    }
    debug_assert!(served > 0 || !first.is_mapped());
    (served > 0).then(|| (Cold::new(list.parts), served))
}

/// What is to be read, so far.
#[derive(Default)]
struct List {
    parts: Vec<Part>,
    /// Of `limit`.
    cost: u64,
}

impl List {
    /// Adds `pages` of a region, to the last range if nothing or little lies between; false if there is no room for another one.
    fn add(&mut self, region: &Region, pages: Range<u64>) -> bool {
        if let Some(last) = self.parts.last_mut()
            && Arc::ptr_eq(&last.file, region.file())
            && pages.start >= last.range.start
            // What is read in vain is less than what is needed.
            && pages.start <= last.range.end.saturating_add(pages.end - pages.start)
        {
            let end = last.range.end.max(pages.end);
            self.cost += end - last.range.end;
            last.range.end = end;
            return true;
        }
        if self.parts.len() == PARTS_MAX {
            return false;
        }
        self.cost += (pages.end - pages.start).max(PART_SIZE_MIN);
        self.parts.push(Part {
            file: Arc::clone(region.file()),
            range: pages,
        });
        true
    }
}

/// The pages that hold the first `size` bytes of `region`, which the file has.
fn pages(region: &Region, size: u64) -> Range<u64> {
    let page = page_size() as u64;
    let end = (region.at() + size).next_multiple_of(page);
    region.at() / page * page..end.min(region.file().size())
}

/// Where the kernel cannot be asked, it is read: that is done soon if it was there.
fn is_resident(region: &Region, pages: &Range<u64>) -> bool {
    let bytes = pages.start as usize..pages.end as usize;
    let count = bytes.len().div_ceil(page_size());
    let resident = region.file().mapping().resident_pages(bytes);
    resident.is_ok_and(|resident| resident == count)
}

#[cfg(test)]
mod tests {
    use super::*;

    use pagelog_os::MappedFile;

    /// A file of holes, of which no page is in memory.
    fn file(pages: u64) -> Arc<MappedFile> {
        let file = tempfile::tempfile().unwrap();
        file.set_len(pages * page_size() as u64).unwrap();
        Arc::new(MappedFile::new(file).unwrap())
    }

    /// Regions of a file: the first byte's page and how far into it, and how many bytes.
    fn pieces(file: &Arc<MappedFile>, regions: &[(u64, u64, u64)]) -> VecDeque<Piece> {
        let page = page_size() as u64;
        let region = |&(at, into, size)| Region::new(Arc::clone(file), at * page + into, size);
        regions.iter().map(region).map(Piece::Region).collect()
    }

    /// What is fetched, in pages, and how much of the rope that serves.
    fn fetched(pieces: &VecDeque<Piece>, limit: u64) -> (Vec<(u64, u64)>, u64) {
        let page = page_size() as u64;
        let (cold, served) = front(pieces, limit).unwrap();
        let sizes: u64 = cold
            .parts()
            .iter()
            .map(|part| part.range.end - part.range.start)
            .sum();
        assert_eq!(cold.size(), sizes);
        let parts = cold.parts().iter();
        let ranges = parts.map(|part| (part.range.start / page, part.range.end.div_ceil(page)));
        (ranges.collect(), served)
    }

    #[test]
    fn what_lies_apart_is_read_apart_and_what_touches_together() {
        let file = file(1_000);
        let rope = pieces(
            &file,
            &[
                (1, 10, 100),
                (1, 200, 100),
                (2, 0, 100),
                (700, 0, 50),
                (10, 0, 50),
            ],
        );
        let (ranges, served) = fetched(&rope, 1 << 20);
        assert_eq!(ranges, [(1, 3), (700, 701), (10, 11)]);
        assert_eq!(served, 400);
    }

    #[test]
    fn a_gap_is_read_where_it_is_no_longer_than_what_lies_behind_it() {
        let (file, page) = (file(1_000), page_size() as u64);
        let rope = pieces(&file, &[(0, 0, page), (4, 0, 3 * page), (11, 0, 3 * page)]);
        let (ranges, _) = fetched(&rope, 1 << 20);
        assert_eq!(ranges, [(0, 7), (11, 14)]);
        // Of a long region only its front is read now.
        let rope = pieces(&file, &[(0, 0, 10), (300, 0, 600 * page)]);
        let (ranges, _) = fetched(&rope, 2 * page.max(PART_SIZE_MIN));
        assert!(matches!(ranges[..], [(0, 1), (300, _)]), "{ranges:?}");
    }

    #[test]
    fn it_ends_with_the_limit_the_count_and_a_region_that_the_file_has_not() {
        let (file, page) = (file(1_000), page_size() as u64);
        let rope = pieces(&file, &[(0, 0, 30 * page), (100, 0, 30 * page)]);
        assert_eq!(fetched(&rope, 2 * page), (vec![(0, 2)], 2 * page));
        let both = vec![(0, 30), (100, 110)];
        assert_eq!(fetched(&rope, 40 * page), (both, 40 * page));
        let far: Vec<_> = (0..100).map(|number| (number * 9, 0, 10)).collect();
        let (ranges, served) = fetched(&pieces(&file, &far), 1 << 30);
        assert_eq!((ranges.len(), served), (PARTS_MAX, 10 * PARTS_MAX as u64));
        assert_eq!(
            fetched(&pieces(&file, &far), 4 * page.max(PART_SIZE_MIN))
                .0
                .len(),
            4
        );
        let rope = pieces(&file, &[(0, 0, 10), (1_000, 0, 10), (3, 0, 10)]);
        assert_eq!(fetched(&rope, 1 << 20), (vec![(0, 1)], 10));
        assert!(front(&pieces(&file, &[(999, 1, page)]), 1 << 20).is_none());
    }

    #[test]
    fn what_is_in_memory_is_passed_over() {
        use std::os::unix::fs::FileExt;
        let (file, page) = (file(1_000), page_size() as u64);
        // A hole that was read has a page.
        file.file().read_exact_at(&mut [0; 1], 500 * page).unwrap();
        if file
            .mapping()
            .resident_pages(500 * page as usize..501 * page as usize)
            .unwrap()
            == 0
        {
            eprintln!("skipped: this file system keeps no page of a hole");
            return;
        }
        let rope = pieces(
            &file,
            &[(0, 0, 10), (500, 0, 10), (800, 0, 10), (500, 20, 10)],
        );
        let (ranges, served) = fetched(&rope, 1 << 20);
        assert_eq!((ranges, served), (vec![(0, 1), (800, 801)], 30));
    }
}
