//! A storage's content at one moment, and the storages that may be found after it.

use std::collections::BTreeMap;

use crate::disk::{Dirty, PAGE_SIZE, tear};
use crate::memory::MemoryStorage;
use crate::names::{FileNumber, Names};
use crate::random::Random;

/// One file at that moment.
#[derive(Clone, Debug)]
pub(crate) struct FileImage {
    /// On the device.
    pub(crate) durable: Vec<u8>,
    /// In the page cache and not on the device.
    pub(crate) dirty: Dirty,
    /// What a reader sees: all of the page cache.
    pub(crate) live: Vec<u8>,
}

/// All files at one moment: what the page cache held and what the device held.
#[derive(Clone, Debug)]
pub struct Image {
    pub(crate) names: Names,
    pub(crate) files: BTreeMap<FileNumber, FileImage>,
}

impl Image {
    /// A storage as a power cut at that moment may leave it: each dirty page kept, lost or torn, each name that was not
    /// synced kept or lost, as `seed` chooses.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> MemoryStorage {
        let mut random = Random::new(seed);
        let names = self.names.after_power_cut(&mut random);
        let mut storage = MemoryStorage::builder(seed);
        for (name, file) in names {
            let bytes = self.files[&file].torn(&mut random);
            storage.add(name, &bytes, bytes.clone());
        }
        storage.build()
    }

    /// The power cut that loses all that can be lost.
    #[must_use]
    pub fn power_cut_losing_all(&self) -> MemoryStorage {
        let mut storage = MemoryStorage::builder(0);
        for (name, file) in self.names.durable() {
            let bytes = &self.files[file].durable;
            storage.add(name.clone(), bytes, bytes.clone());
        }
        storage.build()
    }

    /// The storage as the death of the process alone leaves it: the page cache holds everything, the device what it held. Names count as
    /// synced.
    #[must_use]
    pub fn process_death(&self) -> MemoryStorage {
        let mut storage = MemoryStorage::builder(0);
        for (name, file) in self.names.live() {
            let file = &self.files[file];
            storage.add(name.clone(), &file.live, file.durable.clone());
        }
        storage.build()
    }
}

impl FileImage {
    fn torn(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (page, content) in &self.dirty {
            let at = page * PAGE_SIZE;
            if bytes.len() < at + content.len() {
                // The file was being made longer: the new size may be lost as a whole.
                if random.one_in(2) {
                    continue;
                }
                bytes.resize(at + content.len(), 0);
            }
            tear(&mut bytes[at..at + content.len()], content, random);
        }
        bytes
    }
}
