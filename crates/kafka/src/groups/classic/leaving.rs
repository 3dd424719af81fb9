//! Heartbeats, commits, and members that go.

use super::{ClassicGroup, State};
use crate::codec::ErrorCode;
use crate::codec::leave_group::LeavingMember;
use crate::groups::turn::Turn;

impl ClassicGroup {
    /// A member is still there.
    pub(crate) fn heartbeat(
        &mut self,
        generation: i32,
        id: &str,
        instance_id: Option<&str>,
        turn: &Turn<'_>,
    ) -> Result<(), ErrorCode> {
        self.advance(turn);
        let member = self.find_in(generation, id, instance_id)?;
        member.touch(turn.now);
        match self.state {
            State::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::Preparing { .. } => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::Completing | State::Stable => Ok(()),
        }
    }

    /// Whether somebody may commit: a member of this generation, or nobody in particular while there are no members.
    pub(crate) fn check_commit(
        &mut self,
        generation: i32,
        id: &str,
        instance_id: Option<&str>,
        turn: &Turn<'_>,
    ) -> Result<(), ErrorCode> {
        self.advance(turn);
        if generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        let member = self.find_in(generation, id, instance_id)?;
        member.touch(turn.now);
        // While the others join again a member may still commit what it has read; once they share out anew, it is too late.
        match self.state {
            State::Completing => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            _ => Ok(()),
        }
    }

    /// A member goes, or is sent away by an administrator who knows its instance id.
    pub(crate) fn leave(
        &mut self,
        leaving: &LeavingMember<'_>,
        turn: &Turn<'_>,
    ) -> Result<(), ErrorCode> {
        self.advance(turn);
        let id = match leaving.group_instance_id {
            Some(instance_id) if leaving.member_id.is_empty() => {
                let owner = self.instances.get(instance_id);
                owner.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?.clone()
            }
            _ => leaving.member_id.to_owned(),
        };
        if self.expected.remove(&id).is_some() {
            self.look_whether_all_joined(turn);
            return Ok(());
        }
        self.find(&id, leaving.group_instance_id)?;
        tracing::debug!(member = id, reason = leaving.reason, "a member leaves");
        self.remove(&id, turn);
        Ok(())
    }
}
