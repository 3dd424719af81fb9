//! JoinGroup: newcomers, members that come back, and static members that are somebody else now (KIP-345).

use std::time::{Duration, Instant};

use bytes::Bytes;
use pagelog_store::LogError;
use pagelog_store::answer::Position;
use uuid::Uuid;

use super::member::{self, Member};
use super::{ClassicGroup, State};
use crate::codec::{ErrorCode, JoinGroupRequest, JoinGroupResponse};
use crate::groups::promise::Promise;
use crate::groups::turn::Turn;

/// One that joins for the first time may be silent for as long as this while the others come back: it cannot know how long that takes.
const NEWCOMER_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// A request to join.
pub(crate) struct Join<'a> {
    pub(crate) request: &'a JoinGroupRequest<'a>,
    pub(crate) version: i16,
    pub(crate) client_id: &'a str,
    pub(crate) client_host: &'a str,
}

type Answer = Promise<JoinGroupResponse>;

impl Join<'_> {
    /// Version 0 has one time for both.
    fn rebalance_timeout(&self) -> Duration {
        match self.request.rebalance_timeout_ms {
            ms if self.version == 0 || ms < 0 => member::duration(self.request.session_timeout_ms),
            ms => member::duration(ms),
        }
    }

    fn new_member_id(&self) -> String {
        let name = self.request.group_instance_id.unwrap_or(self.client_id);
        format!("{name}-{}", Uuid::new_v4())
    }

    /// From version 4 on a dynamic member comes twice, so that one whose answer is lost is not counted twice (KIP-394).
    fn comes_twice(&self) -> bool {
        self.version >= 4 && self.request.group_instance_id.is_none()
    }

    fn member(&self, answer: &Answer, now: Instant) -> Member {
        let session_timeout = member::duration(self.request.session_timeout_ms);
        Member {
            instance_id: self.request.group_instance_id.map(str::to_owned),
            client_id: self.client_id.to_owned(),
            client_host: self.client_host.to_owned(),
            session_timeout,
            rebalance_timeout: self.rebalance_timeout(),
            protocols: member::protocols(&self.request.protocols),
            assignment: Bytes::new(),
            joining: Some(answer.clone()),
            syncing: None,
            synced: false,
            expires: now + session_timeout.max(NEWCOMER_PATIENCE),
        }
    }
}

/// The answer to one that does not join.
pub(crate) fn refused(error: ErrorCode, member_id: &str) -> JoinGroupResponse {
    JoinGroupResponse {
        error,
        member_id: member_id.to_owned(),
        ..Default::default()
    }
}

impl ClassicGroup {
    /// Lets a member join; `answer` is kept now or when the next generation begins.
    ///
    /// # Errors
    /// The log had no room; nothing has changed.
    pub(crate) fn join(
        &mut self,
        join: &Join<'_>,
        answer: &Answer,
        turn: &Turn<'_>,
    ) -> Result<(), LogError> {
        self.advance(turn);
        let request = join.request;
        let outcome = if !self.takes(request) {
            Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
        } else if !self.has_room(request, turn) {
            Err(ErrorCode::GROUP_MAX_SIZE_REACHED)
        } else if request.member_id.is_empty() {
            match request.group_instance_id {
                Some(instance_id) if self.instances.contains_key(instance_id) => {
                    return self.replace(instance_id, join, answer, turn);
                }
                _ => self.join_new(join, answer, turn),
            }
        } else if self.expected.remove(request.member_id).is_some() {
            self.add(request.member_id.to_owned(), join, answer, turn);
            Ok(())
        } else {
            self.join_again(join, answer, turn)
        };
        if let Err(error) = outcome {
            answer.keep(refused(error, request.member_id), Position(0));
        }
        Ok(())
    }

    /// Whether one with these protocols could be shared out to together with the members.
    fn takes(&self, request: &JoinGroupRequest<'_>) -> bool {
        let others = self
            .members
            .iter()
            .filter(|(id, _)| *id != request.member_id)
            .map(|(_, member)| member);
        let known_to_all = |name: &str| others.clone().all(|member| member.knows(name));
        let is_type =
            self.members.is_empty() || self.protocol_type.as_deref() == Some(request.protocol_type);
        is_type
            && !request.protocol_type.is_empty()
            && request.protocols.iter().any(|one| known_to_all(one.name))
    }

    /// Whether what its members say would still fit into one entry of the log, so that no member is let in whose group cannot be kept.
    fn has_room(&self, request: &JoinGroupRequest<'_>, turn: &Turn<'_>) -> bool {
        let asked = request.protocols.iter();
        let asked: usize = asked.map(|one| one.name.len() + one.metadata.len()).sum();
        let others = self
            .members
            .iter()
            .filter(|(id, _)| *id != request.member_id);
        let others: usize = others.map(|(_, member)| member.protocols_size()).sum();
        others.saturating_add(asked) <= turn.state_size_max
    }

    fn join_new(
        &mut self,
        join: &Join<'_>,
        answer: &Answer,
        turn: &Turn<'_>,
    ) -> Result<(), ErrorCode> {
        if self.members.len() + self.expected.len() >= turn.options.size_max {
            return Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        let id = join.new_member_id();
        if join.comes_twice() {
            let session = member::duration(join.request.session_timeout_ms);
            self.expected.insert(id.clone(), turn.now + session);
            let required = refused(ErrorCode::MEMBER_ID_REQUIRED, &id);
            answer.keep(required, Position(0));
        } else {
            self.add(id, join, answer, turn);
        }
        Ok(())
    }

    fn add(&mut self, id: String, join: &Join<'_>, answer: &Answer, turn: &Turn<'_>) {
        let member = join.member(answer, turn.now);
        if let Some(instance_id) = &member.instance_id {
            self.instances.insert(instance_id.clone(), id.clone());
        }
        if self.members.is_empty() {
            self.protocol_type = Some(join.request.protocol_type.to_owned());
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.members.insert(id, member);
        self.empty_since_ms = None;
        if let State::Preparing {
            first: Some(first), ..
        } = &mut self.state
        {
            first.grew = true;
        }
        self.rebalance("a member has joined", turn);
    }

    /// A member comes back, to say something new or because its answer was lost.
    fn join_again(
        &mut self,
        join: &Join<'_>,
        answer: &Answer,
        turn: &Turn<'_>,
    ) -> Result<(), ErrorCode> {
        let request = join.request;
        let id = request.member_id;
        let same = self
            .find(id, request.group_instance_id)?
            .matches(&request.protocols);
        let is_leader = self.leader.as_deref() == Some(id);
        match self.state {
            State::Completing if same => answer.keep(self.joined(id, false), Position(0)),
            State::Stable if same && !is_leader => answer.keep(self.joined(id, false), Position(0)),
            State::Empty => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
            _ => {
                self.update(id, join, answer, turn);
                self.rebalance("a member has joined again", turn);
                return Ok(());
            }
        }
        if let Some(member) = self.members.get_mut(id) {
            member.touch(turn.now);
        }
        Ok(())
    }

    fn update(&mut self, id: &str, join: &Join<'_>, answer: &Answer, turn: &Turn<'_>) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        let assignment = std::mem::take(&mut member.assignment);
        // Whoever asked before gets no answer of this group: the client has given it up.
        let before = member.joining.take();
        *member = Member {
            instance_id: member.instance_id.clone(),
            assignment,
            ..join.member(answer, turn.now)
        };
        if let Some(before) = before {
            before.keep(refused(ErrorCode::UNKNOWN_MEMBER_ID, id), Position(0));
        }
    }

    /// A static member has come back under a new id, and goes on where it was.
    fn replace(
        &mut self,
        instance_id: &str,
        join: &Join<'_>,
        answer: &Answer,
        turn: &Turn<'_>,
    ) -> Result<(), LogError> {
        let old_id = self.instances[instance_id].clone();
        let id = join.new_member_id();
        let Some(old) = self.members.remove(&old_id) else {
            let unknown = refused(ErrorCode::UNKNOWN_MEMBER_ID, "");
            answer.keep(unknown, Position(0));
            return Ok(());
        };
        let leader_before = self.leader.clone();
        self.rename(instance_id, &old_id, &id);
        let mut new = join.member(answer, turn.now);
        new.assignment = old.assignment.clone();
        new.synced = old.synced;
        self.members.insert(id.clone(), new);
        if self.state == State::Stable && self.select() == self.protocol {
            let after = match self.keep(turn) {
                Ok(after) => after,
                Err(error) => {
                    self.members.remove(&id);
                    self.members.insert(old_id.clone(), old);
                    self.rename(instance_id, &id, &old_id);
                    return Err(error);
                }
            };
            self.answer_replaced(&id, leader_before, join, (answer, after), turn);
        } else if self.state == State::Stable || self.state == State::Completing {
            self.rebalance("a static member has come back with something new", turn);
        } else {
            self.look_whether_all_joined(turn);
        }
        fence(old, &old_id);
        Ok(())
    }

    fn rename(&mut self, instance_id: &str, old_id: &str, id: &str) {
        self.instances.insert(instance_id.to_owned(), id.to_owned());
        if self.leader.as_deref() == Some(old_id) {
            self.leader = Some(id.to_owned());
        }
    }

    /// The parts stay as they are. A leader that is told so (version 9, KIP-814) learns who is there and leaves them; an older one is told that
    /// somebody else leads, for it would share out again and nobody would hear of it.
    fn answer_replaced(
        &mut self,
        id: &str,
        leader_before: Option<String>,
        join: &Join<'_>,
        (answer, after): (&Answer, Position),
        turn: &Turn<'_>,
    ) {
        let mut joined = self.joined(id, join.version >= 9);
        if join.version < 9 {
            joined.leader = leader_before.unwrap_or_default();
            joined.members.clear();
        }
        if let Some(member) = self.members.get_mut(id) {
            member.joining = None;
            member.touch(turn.now);
        }
        answer.keep(joined, after);
    }

    /// What one of this generation is told.
    pub(super) fn joined(&self, id: &str, keeps_assignment: bool) -> JoinGroupResponse {
        let is_leader = self.leader.as_deref() == Some(id);
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let shown = self.members.iter().filter(|_| is_leader);
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: Some(protocol.to_owned()),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: is_leader && keeps_assignment,
            member_id: id.to_owned(),
            members: shown
                .map(|(id, member)| member.shown(id, protocol))
                .collect(),
            ..Default::default()
        }
    }
}

/// Somebody else has this one's place.
fn fence(old: Member, id: &str) {
    let error = ErrorCode::FENCED_INSTANCE_ID;
    if let Some(joining) = old.joining {
        joining.keep(refused(error, id), Position(0));
    }
    if let Some(syncing) = old.syncing {
        syncing.keep(super::syncing::refused(error), Position(0));
    }
}
