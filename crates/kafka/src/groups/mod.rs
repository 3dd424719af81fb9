//! The coordinator of groups: who is in them, what they have been given, how far they have come.
//!
//! What has to outlive the process is in the store's groups ([`pagelog_store::Groups`]); here are the rules. Each group has a lock, under which
//! it is looked at and changed, its entries in the log included, so what the log says of a group is in the order in which it came about. What
//! runs out (sessions, rebalances) is done by whoever comes next, or by [`Coordinator::sweep`].

pub(crate) mod classic;
pub(crate) mod consumer;
mod kept;
mod options;
pub(crate) mod promise;
mod retention;
pub(crate) mod subscription;
mod turn;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use bytes::Bytes;
use pagelog_store::answer::Position;
use pagelog_store::{GroupName, LogError, Store, now_ms};

use classic::ClassicGroup;
use consumer::ConsumerGroup;
use kept::Kept;
pub use options::GroupOptions;
pub(crate) use turn::Turn;

/// The most groups that are remembered; more are refused.
const GROUPS_MAX: usize = 1_000_000;

/// All groups.
pub(crate) struct Coordinator {
    store: Arc<Store>,
    options: GroupOptions,
    groups: RwLock<HashMap<GroupName, Arc<Mutex<Group>>>>,
}

/// A group.
#[derive(Debug)]
pub(crate) enum Group {
    /// Its clients share out among themselves; or nobody does, and it has only committed.
    Classic(Box<ClassicGroup>),
    /// The coordinator shares out.
    Consumer(Box<ConsumerGroup>),
    /// It was forgotten while somebody was about to look at it: look again.
    Gone,
}

/// Why a group was not forgotten.
#[derive(Debug)]
pub(crate) enum NotDeleted {
    Unknown,
    HasMembers,
    Log(LogError),
}

/// There are [`GROUPS_MAX`] groups.
#[derive(Debug)]
pub(crate) struct TooManyGroups;

impl Coordinator {
    /// Takes up the groups of `store`: members that come back within their session's time go on.
    pub(crate) fn new(store: Arc<Store>, options: GroupOptions) -> Coordinator {
        let now = Instant::now();
        let names = store.groups().names();
        let groups = names.into_iter().map(|name| {
            let group = restored(&store, &name, &options, now);
            (name, Arc::new(Mutex::new(group)))
        });
        let groups = RwLock::new(groups.collect());
        Coordinator {
            groups,
            store,
            options,
        }
    }

    pub(crate) fn options(&self) -> &GroupOptions {
        &self.options
    }

    /// Does something with a group, if there is one.
    pub(crate) fn with<R>(
        &self,
        name: &GroupName,
        now: Instant,
        act: impl FnOnce(&mut Group, &Turn<'_>) -> R,
    ) -> Option<R> {
        let shared = self.get(name)?;
        let mut group = lock(&shared);
        if matches!(*group, Group::Gone) {
            return None;
        }
        Some(self.act(name, &mut group, now, act))
    }

    /// Does something with a group, which is made if there is none.
    pub(crate) fn with_or_new<R>(
        &self,
        name: &GroupName,
        now: Instant,
        act: impl FnOnce(&mut Group, &Turn<'_>) -> R,
    ) -> Result<R, TooManyGroups> {
        loop {
            let shared = self.get_or_insert(name)?;
            let mut group = lock(&shared);
            if !matches!(*group, Group::Gone) {
                return Ok(self.act(name, &mut group, now, act));
            }
        }
    }

    fn act<R>(
        &self,
        name: &GroupName,
        group: &mut Group,
        now: Instant,
        act: impl FnOnce(&mut Group, &Turn<'_>) -> R,
    ) -> R {
        let keep = |state: &Bytes| self.store.groups().keep(name, state);
        let turn = Turn {
            now,
            now_ms: now_ms(),
            options: &self.options,
            state_size_max: self.store.log().options().payload_size_max as usize,
            keep: &keep,
        };
        act(group, &turn)
    }

    /// Does what has run out in a group. When the next thing does.
    pub(crate) fn advance(&self, name: &GroupName, now: Instant) -> Option<Instant> {
        self.with(name, now, |group, turn| {
            group.advance(turn);
            group.deadline()
        })?
    }

    /// Forgets a group that has no members, with everything it has committed.
    pub(crate) fn delete(&self, name: &GroupName, now: Instant) -> Result<Position, NotDeleted> {
        let deleted = self.with(name, now, |group, turn| {
            group.advance(turn);
            if !group.is_idle() {
                return Err(NotDeleted::HasMembers);
            }
            self.forget(name, group).map_err(NotDeleted::Log)
        });
        deleted.unwrap_or(Err(NotDeleted::Unknown))
    }

    /// Takes a group out of the table and of the log. Its lock is held.
    fn forget(&self, name: &GroupName, group: &mut Group) -> Result<Position, LogError> {
        let deleted = self.store.groups().delete(name)?;
        *group = Group::Gone;
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        groups.remove(name);
        Ok(deleted.unwrap_or(Position(0)))
    }

    /// The groups, ordered by name.
    pub(crate) fn names(&self) -> Vec<GroupName> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<GroupName> = groups.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    fn get(&self, name: &GroupName) -> Option<Arc<Mutex<Group>>> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups.get(name).cloned()
    }

    fn get_or_insert(&self, name: &GroupName) -> Result<Arc<Mutex<Group>>, TooManyGroups> {
        if let Some(found) = self.get(name) {
            return Ok(found);
        }
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        if groups.len() >= GROUPS_MAX {
            return Err(TooManyGroups);
        }
        let new = || {
            let group = ClassicGroup::new(now_ms());
            Arc::new(Mutex::new(Group::Classic(Box::new(group))))
        };
        Ok(Arc::clone(groups.entry(name.clone()).or_insert_with(new)))
    }
}

impl Group {
    /// The group as a classic one, which a group of the consumer protocol becomes when it has no members; what it has committed stays.
    pub(crate) fn as_classic(&mut self, turn: &Turn<'_>) -> Option<&mut ClassicGroup> {
        self.advance(turn);
        if let Group::Consumer(group) = self
            && group.is_empty()
        {
            let next = ClassicGroup::following(group.epoch(), turn.now_ms);
            *self = Group::Classic(Box::new(next));
        }
        match self {
            Group::Classic(group) => Some(group),
            Group::Consumer(_) | Group::Gone => None,
        }
    }

    /// The group as one of the consumer protocol, which a classic one becomes when it has no members; what it has committed stays.
    pub(crate) fn as_consumer(&mut self, turn: &Turn<'_>) -> Option<&mut ConsumerGroup> {
        self.advance(turn);
        if let Group::Classic(group) = self
            && group.is_idle()
        {
            let next = ConsumerGroup::new(group.generation(), turn.now_ms);
            *self = Group::Consumer(Box::new(next));
        }
        match self {
            Group::Consumer(group) => Some(group),
            Group::Classic(_) | Group::Gone => None,
        }
    }

    /// Does what has run out.
    pub(crate) fn advance(&mut self, turn: &Turn<'_>) {
        match self {
            Group::Classic(group) => group.advance(turn),
            Group::Consumer(group) => group.advance(turn),
            Group::Gone => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Group::Classic(group) => group.deadline(),
            Group::Consumer(group) => group.deadline(),
            Group::Gone => None,
        }
    }

    /// Whether it has no members, and nobody is about to become one.
    fn is_idle(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_idle(),
            Group::Consumer(group) => group.is_empty(),
            Group::Gone => true,
        }
    }
}

/// A group as it was kept. One whose state cannot be read has lost its members, who join again, and nothing else.
fn restored(store: &Store, name: &GroupName, options: &GroupOptions, now: Instant) -> Group {
    let empty = || Group::Classic(Box::new(ClassicGroup::new(now_ms())));
    let Some(state) = store.groups().kept(name.as_str()) else {
        return empty();
    };
    match Kept::decode(&state) {
        Ok(Kept::Classic(kept)) => Group::Classic(Box::new(ClassicGroup::restored(kept, now))),
        Ok(Kept::Consumer(kept)) => {
            let session = options.consumer_session_timeout;
            Group::Consumer(Box::new(ConsumerGroup::restored(&kept, now, session)))
        }
        Err(error) => {
            tracing::error!(group = %name, "its members have to join again: {error}");
            empty()
        }
    }
}

/// A panic under the lock may leave a group half changed; its members then find out by their next request, and join again.
fn lock(group: &Mutex<Group>) -> MutexGuard<'_, Group> {
    group.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Coordinator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Coordinator")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
