//! What the entries of a log amount to for its groups.

use std::collections::HashMap;

use uuid::Uuid;

use super::entry::{GroupEntry, GroupEntryError};
use super::{Group, GroupName};
use crate::answer::Position;
use crate::kept::Kept;

/// The groups as far as the log has been read.
#[derive(Debug, Default)]
pub(crate) struct GroupsReplay {
    groups: HashMap<GroupName, Group>,
}

impl GroupsReplay {
    /// Takes up a control entry that lies at `at`; whether it was one of a group.
    pub(crate) fn take(&mut self, payload: &[u8], at: Position) -> Result<bool, GroupEntryError> {
        if !GroupEntry::is_one(payload) {
            return Ok(false);
        }
        match GroupEntry::decode(payload)? {
            GroupEntry::Committed { group, commits } => {
                let group = self.groups.entry(group).or_default();
                for commit in commits {
                    group.commit(commit, at);
                }
            }
            GroupEntry::Uncommitted { group, places } => {
                if let Some(group) = self.groups.get_mut(&group) {
                    group.uncommit(&places);
                }
            }
            GroupEntry::Kept { group, state } => {
                let value = state;
                self.groups.entry(group).or_default().state = Some(Kept { value, at });
            }
            GroupEntry::Deleted { group } => {
                self.groups.remove(&group);
            }
        }
        Ok(true)
    }

    /// The groups, without what they committed in topics that there are no more.
    pub(crate) fn finish(self, exists: impl Fn(Uuid) -> bool) -> HashMap<GroupName, Group> {
        let mut groups = self.groups;
        for group in groups.values_mut() {
            group.offsets.retain(|topic, _| exists(*topic));
        }
        groups
    }
}
