//! SyncGroup: the leader's parts are kept in the log, then told.

use bytes::Bytes;
use pagelog_store::LogError;
use pagelog_store::answer::Position;

use super::{ClassicGroup, State};
use crate::codec::{ErrorCode, SyncGroupRequest, SyncGroupResponse};
use crate::groups::promise::Promise;
use crate::groups::turn::Turn;

type Answer = Promise<SyncGroupResponse>;

/// The answer to one that gets no part.
pub(crate) fn refused(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse {
        error,
        ..Default::default()
    }
}

impl ClassicGroup {
    /// Asks for a member's part, and of the leader takes everyone's; `answer` is kept when there is one.
    ///
    /// # Errors
    /// The log had no room; nothing has changed.
    pub(crate) fn sync(
        &mut self,
        request: &SyncGroupRequest<'_>,
        answer: &Answer,
        turn: &Turn<'_>,
    ) -> Result<(), LogError> {
        self.advance(turn);
        if let Err(error) = self.check_sync(request) {
            answer.keep(refused(error), Position(0));
            return Ok(());
        }
        let id = request.member_id;
        match self.state {
            State::Completing if self.leader.as_deref() == Some(id) => {
                return self.share_out(request, answer, turn);
            }
            State::Completing => {
                if let Some(member) = self.members.get_mut(id) {
                    member.synced = true;
                    member.syncing = Some(answer.clone());
                }
            }
            _ => self.answer_sync(id, answer, turn, Position(0)),
        }
        Ok(())
    }

    fn check_sync(&mut self, request: &SyncGroupRequest<'_>) -> Result<(), ErrorCode> {
        let id = request.member_id;
        self.find_in(request.generation_id, id, request.group_instance_id)?;
        let differs = |asked: Option<&str>, own: &Option<String>| {
            asked.is_some_and(|asked| own.as_deref() != Some(asked))
        };
        if differs(request.protocol_type, &self.protocol_type)
            || differs(request.protocol_name, &self.protocol)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        match self.state {
            State::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::Preparing { .. } => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::Completing | State::Stable => Ok(()),
        }
    }

    /// Everyone's part is in the log before anyone is told: after a restart all of them go on with it.
    fn share_out(
        &mut self,
        request: &SyncGroupRequest<'_>,
        answer: &Answer,
        turn: &Turn<'_>,
    ) -> Result<(), LogError> {
        let before: Vec<(String, Bytes)> = self
            .members
            .iter_mut()
            .map(|(id, member)| (id.clone(), std::mem::take(&mut member.assignment)))
            .collect();
        for one in &request.assignments {
            if let Some(member) = self.members.get_mut(one.member_id) {
                member.assignment = Bytes::copy_from_slice(one.assignment);
            }
        }
        match self.keep(turn) {
            Ok(after) => {
                self.state = State::Stable;
                self.unkept = false;
                self.answer_syncs(after, turn);
                self.answer_sync(request.member_id, answer, turn, after);
                Ok(())
            }
            Err(error @ LogError::Busy(_)) => {
                for (id, assignment) in before {
                    if let Some(member) = self.members.get_mut(&id) {
                        member.assignment = assignment;
                    }
                }
                Err(error)
            }
            Err(error) => {
                self.sharing_failed(&error, answer, turn);
                Ok(())
            }
        }
    }

    /// The parts cannot be kept: everyone is told, and joins again.
    fn sharing_failed(&mut self, error: &LogError, answer: &Answer, turn: &Turn<'_>) {
        tracing::warn!("the parts of a group's members cannot be kept: {error}");
        let code = match error {
            // More members, or more to say of them, than one entry of the log holds.
            LogError::TooLarge { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
            _ => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        };
        answer.keep(refused(code), Position(0));
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(syncing) = member.syncing.take() {
                member.touch(turn.now);
                syncing.keep(refused(code), Position(0));
            }
        }
        self.rebalance("the parts could not be kept", turn);
    }

    fn answer_syncs(&mut self, after: Position, turn: &Turn<'_>) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let waiting = self
                .members
                .get_mut(&id)
                .and_then(|member| member.syncing.take());
            if let Some(syncing) = waiting {
                self.answer_sync(&id, &syncing, turn, after);
            }
        }
    }

    fn answer_sync(&mut self, id: &str, answer: &Answer, turn: &Turn<'_>, after: Position) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        member.synced = true;
        member.touch(turn.now);
        let part = SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment: member.assignment.clone(),
            ..Default::default()
        };
        answer.keep(part, after);
        if self.members.values().all(|member| member.synced) {
            self.sync_until = None;
        }
    }

    /// Those who have joined and never ask for their part hold it and read nothing: they are sent away.
    pub(super) fn expire_syncs(&mut self, turn: &Turn<'_>) {
        if self.sync_until.is_none_or(|until| until > turn.now) {
            return;
        }
        self.sync_until = None;
        let missing = self.members.iter().filter(|(_, member)| !member.synced);
        let missing: Vec<String> = missing.map(|(id, _)| id.clone()).collect();
        for id in missing {
            tracing::debug!(member = id, "has not asked for its part in time");
            self.remove(&id, turn);
        }
    }
}
