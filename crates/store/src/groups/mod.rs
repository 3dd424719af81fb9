//! Groups of consumers: how far each has come in each partition, and what its protocol wants kept of it.
//!
//! A group comes to be with the first thing that is remembered of it. Everything is an entry of the log: the newest one of a group
//! and a place is the offset there, the newest state is the group's state. A group's lock is held while its entry is appended, so
//! the order of its entries is the order of its changes; lock order: the table, then a group, then whatever the log takes inside.
//!
//! What is committed in a topic that is deleted is gone with it. Offsets are kept by the topic's id, so a topic made again under the same
//! name begins with none.

mod entry;
mod name;
mod replay;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use uuid::Uuid;

use crate::answer::Position;
use crate::clock::now_ms;
use crate::core::Core;
use crate::error::LogError;
use crate::kept::{Carrier, Keeper, Kept, Paused};
use entry::GroupEntry;
pub use entry::GroupEntryError;
pub use name::{GROUP_NAME_SIZE_MAX, GroupName, GroupNameError};
pub(crate) use replay::GroupsReplay;

/// A commit of many places is cut into entries of about this size, in bytes, so that none holds others up.
const COMMITS_SIZE: usize = 64 << 10;

/// A partition that a group reads: the topic's id, and the index in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The topic.
    pub topic: Uuid,
    /// The partition's index.
    pub partition: u32,
}

/// How far a group has come in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Where.
    pub place: Place,
    /// The offset of the next record to read.
    pub offset: i64,
    /// The epoch in which the last record read was written, as the reader knows it; -1 if it does not.
    pub leader_epoch: i32,
    /// When it was committed, in milliseconds since 1970.
    pub time_ms: i64,
    /// When it ends by itself, in milliseconds since 1970, if the reader said so.
    pub expires_ms: Option<i64>,
    /// What the reader wants to be told with it again; at most 65,535 bytes.
    pub note: Box<str>,
}

/// All groups.
pub struct Groups {
    core: Arc<Core>,
    table: RwLock<HashMap<GroupName, Arc<Mutex<Group>>>>,
}

/// What is remembered of one.
#[derive(Debug, Default)]
pub(crate) struct Group {
    offsets: HashMap<Uuid, BTreeMap<u32, Kept<Commit>>>,
    state: Option<Kept<Bytes>>,
    /// The end of its newest entry of this opening.
    last_end: Position,
    /// It is in the table no more: look there again.
    deleted: bool,
}

impl Groups {
    pub(crate) fn new(core: Arc<Core>, table: HashMap<GroupName, Group>) -> Groups {
        let table = table
            .into_iter()
            .map(|(name, group)| (name, Arc::new(Mutex::new(group))));
        Groups {
            core,
            table: RwLock::new(table.collect()),
        }
    }

    /// Remembers how far `group` has come. Answer when the position returned is settled.
    ///
    /// # Errors
    ///
    /// The log did not take it; of many commits the first may have been taken, and may be made again.
    pub fn commit(&self, group: &GroupName, commits: &[Commit]) -> Result<Position, LogError> {
        let shared = self.get_or_insert(group);
        let mut state = lock(&shared);
        if state.deleted {
            drop(state);
            return self.commit(group, commits);
        }
        for part in parts(commits) {
            let entry = GroupEntry::Committed {
                group: group.clone(),
                commits: part.to_vec(),
            };
            let at = self.append(&mut state, &entry)?;
            for commit in part {
                state.commit(commit.clone(), at);
            }
        }
        Ok(state.last_end)
    }

    /// Forgets how far `group` has come in these places.
    ///
    /// # Errors
    ///
    /// The log did not take it; nothing has changed.
    pub fn uncommit(&self, group: &GroupName, places: &[Place]) -> Result<Position, LogError> {
        let Some(shared) = self.get(group.as_str()) else {
            return Ok(Position(0));
        };
        let mut state = lock(&shared);
        if !state.deleted && places.iter().any(|place| state.committed(*place).is_some()) {
            let entry = GroupEntry::Uncommitted {
                group: group.clone(),
                places: places.to_vec(),
            };
            self.append(&mut state, &entry)?;
            state.uncommit(places);
        }
        Ok(state.last_end)
    }

    /// Keeps `state` for the group's protocol, in place of what was kept before.
    ///
    /// # Errors
    ///
    /// The log did not take it; nothing has changed.
    pub fn keep(&self, group: &GroupName, state: &Bytes) -> Result<Position, LogError> {
        let shared = self.get_or_insert(group);
        let mut kept = lock(&shared);
        if kept.deleted {
            drop(kept);
            return self.keep(group, state);
        }
        let entry = GroupEntry::Kept {
            group: group.clone(),
            state: state.clone(),
        };
        let at = self.append(&mut kept, &entry)?;
        let value = state.clone();
        kept.state = Some(Kept { value, at });
        Ok(kept.last_end)
    }

    /// Forgets a group and everything it had; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The log did not take it; nothing has changed.
    pub fn delete(&self, group: &GroupName) -> Result<Option<Position>, LogError> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let Some(shared) = table.get(group) else {
            return Ok(None);
        };
        let mut state = lock(shared);
        let entry = GroupEntry::Deleted {
            group: group.clone(),
        };
        self.append(&mut state, &entry)?;
        let last_end = state.last_end;
        *state = Group {
            deleted: true,
            ..Group::default()
        };
        drop(state);
        table.remove(group);
        Ok(Some(last_end))
    }

    /// How far `group` has come in one place.
    pub fn committed(&self, group: &str, place: Place) -> Option<Commit> {
        let shared = self.get(group)?;
        lock(&shared).committed(place).cloned()
    }

    /// Everything that `group` has committed, ordered by place.
    pub fn all_committed(&self, group: &str) -> Vec<Commit> {
        let Some(shared) = self.get(group) else {
            return Vec::new();
        };
        let state = lock(&shared);
        let kept = state.offsets.values().flat_map(BTreeMap::values);
        let mut commits: Vec<Commit> = kept.map(|kept| kept.value.clone()).collect();
        commits.sort_by_key(|commit| commit.place);
        commits
    }

    /// What is kept for the group's protocol.
    pub fn kept(&self, group: &str) -> Option<Bytes> {
        let shared = self.get(group)?;
        lock(&shared).state.as_ref().map(|kept| kept.value.clone())
    }

    /// Whether anything is remembered of the group.
    pub fn contains(&self, group: &str) -> bool {
        self.get(group).is_some()
    }

    /// The groups, in no order.
    pub fn names(&self) -> Vec<GroupName> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.keys().cloned().collect()
    }

    /// The end of the group's newest entry: when it is settled, nothing that is said of the group can be taken back.
    pub fn end(&self, group: &str) -> Position {
        self.get(group)
            .map_or(Position(0), |shared| lock(&shared).last_end)
    }

    /// Forgets what was committed in a topic. The topic's own entry says so already.
    pub(crate) fn topic_deleted(&self, topic: Uuid) {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        for shared in table.values() {
            lock(shared).offsets.remove(&topic);
        }
    }

    fn append(&self, group: &mut Group, entry: &GroupEntry) -> Result<Position, LogError> {
        let appended = self.core.log.append_control(&entry.encode(), now_ms())?;
        group.last_end = appended.end;
        Ok(appended.position)
    }

    fn get(&self, group: &str) -> Option<Arc<Mutex<Group>>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(group).cloned()
    }

    fn get_or_insert(&self, group: &GroupName) -> Arc<Mutex<Group>> {
        if let Some(found) = self.get(group.as_str()) {
            return found;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(table.entry(group.clone()).or_default())
    }
}

/// Each group is carried under its lock, so nothing overtakes a change of it.
impl Keeper for Groups {
    fn carry(&self, carrier: &mut Carrier<'_>) -> Result<(), Paused> {
        for name in self.names() {
            if let Some(shared) = self.get(name.as_str()) {
                lock(&shared).carry(&name, carrier)?;
            }
        }
        Ok(())
    }
}

impl Group {
    /// Commits are carried many to an entry, as they were made.
    fn carry(&mut self, name: &GroupName, carrier: &mut Carrier<'_>) -> Result<(), Paused> {
        carrier.locked();
        if !carrier.joins() {
            return self.record(name, carrier);
        }
        if let Some(state) = &mut self.state {
            carrier.carry(state, |state| {
                let (group, state) = (name.clone(), state.clone());
                GroupEntry::Kept { group, state }.encode()
            })?;
        }
        let until = carrier.until();
        let kept = self.offsets.values().flat_map(BTreeMap::values);
        let old: Vec<Commit> = kept
            .filter(|kept| kept.at < until)
            .map(|kept| kept.value.clone())
            .collect();
        for part in parts(&old) {
            // They are only counted, and lie where they were.
            let entry = committed(name, part).encode();
            let Some(at) = carrier.append(&entry, Position(0))? else {
                continue;
            };
            for commit in part {
                self.commit(commit.clone(), at);
            }
        }
        Ok(())
    }

    /// Gives all of it, each commit with the place of its own entry.
    fn record(&mut self, name: &GroupName, carrier: &mut Carrier<'_>) -> Result<(), Paused> {
        // That there is a group says an entry without commits too.
        carrier.append(&committed(name, &[]).encode(), Position(0))?;
        if let Some(Kept { value, at }) = &self.state {
            let (group, state) = (name.clone(), value.clone());
            carrier.append(&GroupEntry::Kept { group, state }.encode(), *at)?;
        }
        let kept = self.offsets.values().flat_map(BTreeMap::values);
        let mut kept: Vec<&Kept<Commit>> = kept.collect();
        kept.sort_unstable_by_key(|kept| kept.at);
        for of_entry in kept.chunk_by(|one, next| one.at == next.at) {
            let commits: Vec<Commit> = of_entry.iter().map(|kept| kept.value.clone()).collect();
            carrier.append(&committed(name, &commits).encode(), of_entry[0].at)?;
        }
        Ok(())
    }

    fn commit(&mut self, commit: Commit, at: Position) {
        let Place { topic, partition } = commit.place;
        let kept = Kept { value: commit, at };
        self.offsets
            .entry(topic)
            .or_default()
            .insert(partition, kept);
    }

    fn uncommit(&mut self, places: &[Place]) {
        for place in places {
            if let Some(topic) = self.offsets.get_mut(&place.topic) {
                topic.remove(&place.partition);
                if topic.is_empty() {
                    self.offsets.remove(&place.topic);
                }
            }
        }
    }

    fn committed(&self, place: Place) -> Option<&Commit> {
        let topic = self.offsets.get(&place.topic)?;
        topic.get(&place.partition).map(|kept| &kept.value)
    }
}

fn committed(group: &GroupName, commits: &[Commit]) -> GroupEntry {
    GroupEntry::Committed {
        group: group.clone(),
        commits: commits.to_vec(),
    }
}

/// Runs of commits that make entries of a fair size; one commit is never cut.
fn parts(commits: &[Commit]) -> impl Iterator<Item = &[Commit]> {
    let mut rest = commits;
    std::iter::from_fn(move || {
        let mut size = 0;
        let fit = rest.iter().take_while(|commit| {
            size += entry::commit_size(commit);
            size <= COMMITS_SIZE
        });
        let count = fit.count().max(1).min(rest.len());
        let (part, left) = rest.split_at(count);
        rest = left;
        (!part.is_empty()).then_some(part)
    })
}

/// A panic while the lock was held leaves the group whole: the entry is appended before, and the changes are a few insertions.
fn lock(group: &Mutex<Group>) -> MutexGuard<'_, Group> {
    group.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Groups {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Groups")
            .field("count", &self.names().len())
            .finish_non_exhaustive()
    }
}
