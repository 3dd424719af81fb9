//! The end of what was committed long ago (KIP-211), and of groups that have nothing left.

use std::time::Instant;

use pagelog_store::{Commit, GroupName, Place};

use super::{Coordinator, Group, Turn, subscription};

impl Coordinator {
    /// Does what has run out in every group, lets go of committed offsets that are too old, and of groups with nothing left.
    pub(crate) fn sweep(&self, now: Instant) {
        for name in self.names() {
            self.with(&name, now, |group, turn| {
                group.advance(turn);
                self.let_go(&name, group, turn);
            });
        }
    }

    fn let_go(&self, name: &GroupName, group: &mut Group, turn: &Turn<'_>) {
        let groups = self.store.groups();
        let commits = groups.all_committed(name.as_str());
        let expired: Vec<Place> = commits
            .iter()
            .filter(|commit| self.has_expired(group, commit, turn.now_ms))
            .map(|commit| commit.place)
            .collect();
        let left = commits.len() - expired.len();
        let done = if left == 0 && group.is_idle() {
            self.forget(name, group).map(drop)
        } else if expired.is_empty() {
            Ok(())
        } else {
            groups.uncommit(name, &expired).map(drop)
        };
        if let Err(error) = done {
            // It is tried again at the next sweep.
            tracing::debug!(group = %name, "old offsets stay for now: {error}");
        }
    }

    fn has_expired(&self, group: &Group, commit: &Commit, now_ms: i64) -> bool {
        let Some(topic) = self.store.topics().by_id(commit.place.topic).cloned() else {
            return true;
        };
        let since = match group {
            Group::Classic(group) if group.is_empty() => {
                group.empty_since_ms().unwrap_or(commit.time_ms)
            }
            Group::Consumer(group) if group.is_empty() => group.empty_since_ms(),
            group if group.wants(topic.name().as_str()) => return false,
            _ => commit.time_ms,
        };
        let retention = self.options.offsets_retention.as_millis();
        let retention_ms = i64::try_from(retention).unwrap_or(i64::MAX);
        let ends = commit
            .expires_ms
            .unwrap_or_else(|| since.saturating_add(retention_ms));
        ends <= now_ms
    }
}

impl Group {
    /// Whether a member wants the topic; one whose wishes cannot be read may want any.
    pub(crate) fn wants(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) if group.is_empty() => false,
            Group::Classic(group) if group.protocol_type() != "consumer" => true,
            Group::Classic(group) => group.subscriptions().any(|metadata| {
                subscription::topics(&metadata).is_none_or(|topics| topics.contains(&topic))
            }),
            Group::Consumer(group) => group.wants(topic),
            Group::Gone => false,
        }
    }
}
