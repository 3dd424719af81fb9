//! One file's durable image, page by page, and how the page cache's content gets there.

use std::collections::BTreeMap;

use crate::random::Random;

/// What the kernel writes back at once, bytes.
pub const PAGE_SIZE: usize = 4096;
/// What a device writes whole or not at all, bytes.
pub const SECTOR_SIZE: usize = 512;

/// What the device holds of one file, and which cached pages the kernel wrongly takes for clean.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// The bytes a power cut leaves for certain.
    durable: Vec<u8>,
    /// Pages whose write-back failed and which the kernel nevertheless marked clean, with what they held then. Until they
    /// are written again no sync touches them (ext4; see `fsync(2)`, "Errors").
    falsely_clean: BTreeMap<usize, Vec<u8>>,
    /// A sync is under way: nobody else moves pages.
    pub(crate) syncing: bool,
}

/// Pages of a file that differ from the durable image, by page number.
pub(crate) type Dirty = BTreeMap<usize, Vec<u8>>;

impl Disk {
    pub(crate) fn with_durable(durable: Vec<u8>) -> Self {
        Self {
            durable,
            ..Self::default()
        }
    }

    pub(crate) fn durable(&self) -> &[u8] {
        &self.durable
    }

    /// The file now has `size` bytes on the device too, new ones zero.
    pub(crate) fn resize(&mut self, size: usize) {
        self.durable.resize(size, 0);
    }

    /// A write through the descriptor makes its pages dirty again, whatever they hold.
    pub(crate) fn touched(&mut self, at: usize, size: usize) {
        if size > 0 && !self.falsely_clean.is_empty() {
            let pages = at / PAGE_SIZE..=(at + size - 1) / PAGE_SIZE;
            self.falsely_clean.retain(|page, _| !pages.contains(page));
        }
    }

    /// The pages of `live` that a sync would write.
    pub(crate) fn dirty(&self, live: &[u8]) -> Dirty {
        let pages = live.chunks(PAGE_SIZE).enumerate();
        pages
            .filter(|(number, now)| *now != page_of(&self.durable, *number))
            .filter(|(number, now)| !self.is_falsely_clean(*number, now))
            .map(|(number, now)| (number, now.to_vec()))
            .collect()
    }

    fn is_falsely_clean(&self, page: usize, now: &[u8]) -> bool {
        self.falsely_clean
            .get(&page)
            .is_some_and(|then| then == now)
    }

    /// The page reaches the device.
    pub(crate) fn write_back(&mut self, page: usize, bytes: &[u8]) {
        let at = page * PAGE_SIZE;
        let end = at + bytes.len();
        if self.durable.len() < end {
            self.durable.resize(end, 0);
        }
        self.durable[at..end].copy_from_slice(bytes);
        self.falsely_clean.remove(&page);
    }

    /// The device refused the page, and the kernel takes it for clean all the same.
    pub(crate) fn mark_clean(&mut self, page: usize, bytes: Vec<u8>) {
        self.falsely_clean.insert(page, bytes);
    }

    /// The pages that memory pressure may drop although the device never got them, as the device holds them.
    pub(crate) fn evict_falsely_clean(&mut self, live: &[u8]) -> Dirty {
        let pages = std::mem::take(&mut self.falsely_clean);
        let still = pages
            .into_iter()
            .filter(|(page, then)| page_of(live, *page) == then.as_slice());
        still
            .map(|(page, _)| (page, page_of(&self.durable, page).to_vec()))
            .collect()
    }
}

/// The page's bytes, as far as the file reaches.
fn page_of(bytes: &[u8], page: usize) -> &[u8] {
    let at = bytes.len().min(page * PAGE_SIZE);
    &bytes[at..bytes.len().min(at + PAGE_SIZE)]
}

/// Writes `page` over `old` as a power cut may: whole, not at all, or some sectors of it.
pub(crate) fn tear(old: &mut [u8], page: &[u8], random: &mut Random) {
    match random.below(3) {
        0 => old.copy_from_slice(page),
        1 => {}
        _ => {
            for (old, new) in old.chunks_mut(SECTOR_SIZE).zip(page.chunks(SECTOR_SIZE)) {
                if random.one_in(2) {
                    old.copy_from_slice(new);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falsely_clean_page_stays_off_the_device_until_it_is_written_again() {
        let mut disk = Disk::with_durable(vec![0; 2 * PAGE_SIZE]);
        let live = vec![1; 2 * PAGE_SIZE];
        disk.mark_clean(0, vec![1; PAGE_SIZE]);
        assert_eq!(disk.dirty(&live).into_keys().collect::<Vec<_>>(), [1]);
        disk.touched(10, 1);
        assert_eq!(disk.dirty(&live).into_keys().collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn a_torn_page_is_whole_sectors_of_either() {
        let mut random = Random::new(5);
        let mut mixed = false;
        for _ in 0..50 {
            let mut page = [0_u8; PAGE_SIZE];
            tear(&mut page, &[1; PAGE_SIZE], &mut random);
            let firsts: Vec<u8> = page.chunks(SECTOR_SIZE).map(|sector| sector[0]).collect();
            assert!(
                page.chunks(SECTOR_SIZE)
                    .all(|sector| sector.iter().all(|byte| *byte == sector[0]))
            );
            mixed |= firsts.contains(&0) && firsts.contains(&1);
        }
        assert!(mixed, "no page of fifty was torn");
    }
}
