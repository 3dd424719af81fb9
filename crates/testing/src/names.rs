//! The directory: which names lead to which files, now and after a power cut.

use std::collections::{BTreeMap, BTreeSet};

use crate::random::Random;

/// A file by number, whatever its names.
pub(crate) type FileNumber = usize;

#[derive(Clone, Debug)]
enum Change {
    Insert(String, FileNumber),
    Rename(String, String, FileNumber),
    Remove(String),
}

/// Live names, durable names, and the changes between the two in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    live: BTreeMap<String, FileNumber>,
    durable: BTreeMap<String, FileNumber>,
    pending: Vec<Change>,
}

impl Names {
    pub(crate) fn get(&self, name: &str) -> Option<FileNumber> {
        self.live.get(name).copied()
    }

    pub(crate) fn list(&self) -> Vec<String> {
        self.live.keys().cloned().collect()
    }

    pub(crate) fn live(&self) -> &BTreeMap<String, FileNumber> {
        &self.live
    }

    pub(crate) fn insert(&mut self, name: &str, file: FileNumber) {
        self.change(Change::Insert(name.to_owned(), file));
    }

    /// Returns false if there is no `from`.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> bool {
        let file = self.get(from);
        if let Some(file) = file {
            self.change(Change::Rename(from.to_owned(), to.to_owned(), file));
        }
        file.is_some()
    }

    /// Returns false if there is no such name.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let there = self.get(name).is_some();
        if there {
            self.change(Change::Remove(name.to_owned()));
        }
        there
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.live, &change);
        self.pending.push(change);
    }

    /// Everything so far survives a power cut.
    pub(crate) fn sync(&mut self) {
        self.durable = self.live.clone();
        self.pending.clear();
    }

    /// What a power cut leaves: each change since the last sync is kept or lost on its own.
    pub(crate) fn after_power_cut(&self, random: &mut Random) -> BTreeMap<String, FileNumber> {
        let mut names = self.durable.clone();
        for change in &self.pending {
            if random.one_in(2) {
                apply(&mut names, change);
            }
        }
        names
    }

    /// Every file that some name leads to, or may lead to after a power cut.
    pub(crate) fn reachable(&self) -> BTreeSet<FileNumber> {
        let pending = self.pending.iter().filter_map(|change| match change {
            Change::Insert(_, file) | Change::Rename(_, _, file) => Some(*file),
            Change::Remove(_) => None,
        });
        self.live
            .values()
            .chain(self.durable.values())
            .copied()
            .chain(pending)
            .collect()
    }

    pub(crate) fn durable(&self) -> &BTreeMap<String, FileNumber> {
        &self.durable
    }
}

fn apply(names: &mut BTreeMap<String, FileNumber>, change: &Change) {
    match change {
        Change::Insert(name, file) => {
            names.insert(name.clone(), *file);
        }
        Change::Rename(from, to, file) => {
            names.remove(from);
            names.insert(to.clone(), *file);
        }
        Change::Remove(name) => {
            names.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_certain_only_after_a_sync() {
        let mut names = Names::default();
        names.insert("a", 0);
        names.sync();
        names.rename("a", "b");
        let outcomes: Vec<_> = (0..32)
            .map(|seed| names.after_power_cut(&mut Random::new(seed)))
            .collect();
        assert!(
            outcomes.iter().all(|names| names.len() == 1),
            "a rename is whole or not there"
        );
        assert!(outcomes.iter().any(|names| names.contains_key("a")));
        assert!(outcomes.iter().any(|names| names.contains_key("b")));
        names.sync();
        assert!(names.after_power_cut(&mut Random::new(0)).contains_key("b"));
    }
}
