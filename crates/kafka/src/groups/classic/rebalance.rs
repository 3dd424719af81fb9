//! From one generation to the next.

use std::time::Duration;

use pagelog_store::answer::Position;

use super::joining;
use super::member::Member;
use super::{ClassicGroup, First, State, syncing};
use crate::codec::ErrorCode;
use crate::groups::turn::Turn;

impl ClassicGroup {
    /// Has every member join again, unless that is under way.
    pub(super) fn rebalance(&mut self, reason: &str, turn: &Turn<'_>) {
        match self.state {
            State::Preparing { .. } => {}
            State::Empty => {
                let delay = turn.options.initial_rebalance_delay;
                self.prepare(Some(delay), turn);
            }
            State::Completing | State::Stable => {
                tracing::debug!(generation = self.generation, "shared out anew: {reason}");
                self.prepare(None, turn);
            }
        }
        self.look_whether_all_joined(turn);
    }

    /// `delay`: how long a group that was empty waits for more of them at least.
    fn prepare(&mut self, delay: Option<Duration>, turn: &Turn<'_>) {
        let timeout = self.rebalance_timeout();
        for member in self.members.values_mut() {
            member.synced = false;
            if let Some(syncing) = member.syncing.take() {
                member.touch(turn.now);
                let error = syncing::refused(ErrorCode::REBALANCE_IN_PROGRESS);
                syncing.keep(error, Position(0));
            }
        }
        self.sync_until = None;
        self.state = match delay {
            Some(delay) => State::Preparing {
                until: turn.now + delay,
                first: Some(First {
                    grew: false,
                    left: timeout.saturating_sub(delay),
                }),
            },
            None => State::Preparing {
                until: turn.now + timeout,
                first: None,
            },
        };
    }

    /// The group waits as long as its most patient member.
    fn rebalance_timeout(&self) -> Duration {
        let timeouts = self.members.values().map(|member| member.rebalance_timeout);
        timeouts.max().unwrap_or_default()
    }

    /// Begins the next generation if nobody is missing. A group that was empty waits for its time all the same.
    pub(super) fn look_whether_all_joined(&mut self, turn: &Turn<'_>) {
        let State::Preparing { first: None, .. } = self.state else {
            self.expire_rebalance(turn);
            return;
        };
        let are_here = self.members.values().all(|member| member.joining.is_some());
        if are_here && self.expected.is_empty() {
            self.begin_generation(turn);
        }
    }

    /// Begins the next generation if the time is over.
    pub(super) fn expire_rebalance(&mut self, turn: &Turn<'_>) {
        let State::Preparing { until, first } = self.state else {
            return;
        };
        if until > turn.now {
            return;
        }
        match first {
            Some(First { grew: true, left }) if !left.is_zero() => {
                let delay = turn.options.initial_rebalance_delay.min(left);
                self.state = State::Preparing {
                    until: turn.now + delay,
                    first: Some(First {
                        grew: false,
                        left: left.saturating_sub(delay),
                    }),
                };
            }
            _ => self.begin_generation(turn),
        }
    }

    fn begin_generation(&mut self, turn: &Turn<'_>) {
        self.drop_missing();
        let joining = |member: &Member| member.joining.is_some();
        if !self.members.is_empty() && !self.members.values().any(joining) {
            // Static members alone are left, and each may still come back within its session.
            self.prepare(None, turn);
            return;
        }
        self.elect();
        self.generation = if self.generation == i32::MAX {
            1
        } else {
            self.generation + 1
        };
        self.protocol = self.select();
        if self.members.is_empty() {
            self.become_empty(turn);
            return;
        }
        self.state = State::Completing;
        self.sync_until = Some(turn.now + self.rebalance_timeout());
        self.answer_joins(turn);
    }

    /// Those who have not come back are gone, but for static members, who may until their session ends.
    fn drop_missing(&mut self) {
        let instances = &mut self.instances;
        self.members.retain(|id, member| {
            let stays = member.joining.is_some() || member.instance_id.is_some();
            if !stays {
                tracing::debug!(member = id, "has not joined again in time");
            }
            stays
        });
        instances.retain(|_, id| self.members.contains_key(id));
    }

    fn elect(&mut self) {
        let has_joined = |id: &String| {
            self.members
                .get(id)
                .is_some_and(|member| member.joining.is_some())
        };
        if !self.leader.as_ref().is_some_and(has_joined) {
            self.leader = self.members.keys().find(|id| has_joined(id)).cloned();
        }
    }

    /// The way of sharing out that all know and most like best.
    pub(super) fn select(&self) -> Option<String> {
        let first = self.members.values().next()?;
        let known_to_all = |name: &str| self.members.values().all(|member| member.knows(name));
        let candidates: Vec<&str> = first
            .protocols
            .iter()
            .map(|protocol| protocol.name.as_str())
            .filter(|name| known_to_all(name))
            .collect();
        let vote = |member: &Member| {
            let known = |name: &&&str| {
                let place = |protocol: &super::member::Protocol| protocol.name == **name;
                member.protocols.iter().position(place)
            };
            candidates.iter().min_by_key(|name| known(name)).copied()
        };
        let votes: Vec<&str> = self.members.values().filter_map(vote).collect();
        // Of equals, the one that the first member likes better.
        let count = |name: &str| votes.iter().filter(|vote| **vote == name).count();
        let best = candidates.iter().rev().max_by_key(|name| count(name))?;
        Some((*best).to_owned())
    }

    fn become_empty(&mut self, turn: &Turn<'_>) {
        self.state = State::Empty;
        self.leader = None;
        self.empty_since_ms = Some(turn.now_ms);
        // Nobody waits for this entry; if the log has no room now, it is tried again.
        self.unkept = self.keep(turn).is_err();
    }

    fn answer_joins(&mut self, turn: &Turn<'_>) {
        let waiting = |(id, member): (&String, &mut Member)| {
            member.synced = false;
            let joining = member.joining.take()?;
            member.touch(turn.now);
            Some((id.clone(), joining))
        };
        let waiting: Vec<_> = self.members.iter_mut().filter_map(waiting).collect();
        for (id, joining) in waiting {
            joining.keep(self.joined(&id, false), Position(0));
        }
    }

    /// Takes a member out; whoever it kept waiting goes on.
    pub(super) fn remove(&mut self, id: &str, turn: &Turn<'_>) {
        let Some(member) = self.members.remove(id) else {
            return;
        };
        if let Some(instance_id) = &member.instance_id {
            self.instances.remove(instance_id);
        }
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        if let Some(joining) = member.joining {
            let gone = joining::refused(ErrorCode::UNKNOWN_MEMBER_ID, id);
            joining.keep(gone, Position(0));
        }
        if let Some(syncing) = member.syncing {
            let gone = syncing::refused(ErrorCode::UNKNOWN_MEMBER_ID);
            syncing.keep(gone, Position(0));
        }
        self.rebalance("a member has gone", turn);
    }
}
