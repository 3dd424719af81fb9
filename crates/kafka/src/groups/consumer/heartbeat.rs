//! ConsumerGroupHeartbeat: joining, staying, leaving.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_store::answer::Position;
use pagelog_store::{LogError, Topics};

use super::ConsumerGroup;
use super::assignor::Assignor;
use super::member::{AWAY, Member};
use super::parts::Parts;
use super::pattern::Pattern;
use crate::codec::ErrorCode;
use crate::codec::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
};
use crate::groups::turn::Turn;

/// The epoch of one that joins.
const JOINS: i32 = 0;
/// The epoch of one that leaves.
const LEAVES: i32 = -1;

/// A heartbeat.
pub(crate) struct Beat<'a> {
    pub(crate) request: &'a ConsumerGroupHeartbeatRequest<'a>,
    /// The member, whose id was made by the broker if the client has none.
    pub(crate) member_id: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) client_host: &'a str,
    pub(crate) topics: &'a Arc<Topics>,
}

/// Why a heartbeat is refused: for the client's program, and for its user.
pub(crate) type Refused = (ErrorCode, String);

/// The answer, and what has to be settled before it is given.
pub(crate) type Answered = (ConsumerGroupHeartbeatResponse, Position);

fn refused<T>(error: ErrorCode, message: &str) -> Result<T, Refused> {
    Err((error, message.to_owned()))
}

impl Beat<'_> {
    /// What can be said of the request without its group.
    ///
    /// # Errors
    /// It contradicts itself or the protocol.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        let request = self.request;
        let invalid = |message| refused(ErrorCode::INVALID_REQUEST, message);
        if request.instance_id == Some("") || request.rack_id == Some("") {
            return invalid("an instance or rack id is not empty");
        }
        if request.member_epoch < AWAY {
            return invalid("a member's epoch is -2 or more");
        }
        if request.member_epoch == AWAY && request.instance_id.is_none() {
            return invalid("only a member with an instance id leaves for a while");
        }
        if let Some(assignor) = request.server_assignor
            && Assignor::parse(assignor).is_none()
        {
            let message = "the ways of sharing out are uniform and range";
            return refused(ErrorCode::UNSUPPORTED_ASSIGNOR, message);
        }
        if request.member_epoch == JOINS {
            if request.rebalance_timeout_ms < 0 {
                return invalid("one that joins says how long it may take to give partitions back");
            }
            if request
                .topic_partitions
                .as_ref()
                .is_none_or(|own| !own.is_empty())
            {
                return invalid("one that joins has no partitions, and says so");
            }
            let names = request.subscribed_topic_names.as_ref();
            if names.is_none() && request.subscribed_topic_regex.is_none() {
                return invalid("one that joins names the topics that it wants");
            }
        }
        Ok(())
    }

    /// Whether the member says everything anew, and so is told everything.
    fn is_full(&self) -> bool {
        let request = self.request;
        let wishes =
            request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
        request.member_epoch == JOINS
            || (request.rebalance_timeout_ms >= 0 && wishes && request.topic_partitions.is_some())
    }

    fn pattern(&self) -> Result<Option<Option<Pattern>>, Refused> {
        match self.request.subscribed_topic_regex {
            None => Ok(None),
            Some("") => Ok(Some(None)),
            Some(text) => match Pattern::new(text) {
                Ok(pattern) => Ok(Some(Some(pattern))),
                Err(error) => Err((ErrorCode::INVALID_REGULAR_EXPRESSION, error.to_string())),
            },
        }
    }
}

impl ConsumerGroup {
    /// A member is there, joins or leaves.
    ///
    /// # Errors
    /// Why it is no member; or the log did not take what has changed, and the member is to come again.
    pub(crate) fn beat(&mut self, beat: &Beat<'_>, turn: &Turn<'_>) -> Result<Answered, Refused> {
        self.advance(turn);
        let outcome = match beat.request.member_epoch {
            LEAVES | AWAY => self.leave(beat, turn),
            _ => self.stay(beat, turn),
        }?;
        if !self.unkept {
            return Ok((outcome, Position(0)));
        }
        match self.keep(turn) {
            Ok(after) => Ok((outcome, after)),
            Err(error @ LogError::TooLarge { .. }) => {
                self.remove(beat.member_id, turn);
                tracing::warn!(
                    member = beat.member_id,
                    "sent away, since its group has become too large to be kept: {error}"
                );
                let message =
                    format!("with this member the group is too large to be kept: {error}");
                Err((ErrorCode::GROUP_MAX_SIZE_REACHED, message))
            }
            Err(error) => {
                let message = format!("the log takes nothing at the moment: {error}");
                Err((ErrorCode::COORDINATOR_NOT_AVAILABLE, message))
            }
        }
    }

    fn leave(
        &mut self,
        beat: &Beat<'_>,
        turn: &Turn<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        let request = beat.request;
        let id = beat.member_id;
        self.check_instance(beat)?;
        let Some(member) = self.members.get_mut(id) else {
            return refused(ErrorCode::UNKNOWN_MEMBER_ID, "the group has no such member");
        };
        if request.member_epoch == AWAY {
            member.epoch = AWAY;
            self.unkept = true;
        } else {
            self.remove(id, turn);
        }
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(id.to_owned()),
            member_epoch: request.member_epoch,
            ..Default::default()
        })
    }

    fn stay(
        &mut self,
        beat: &Beat<'_>,
        turn: &Turn<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refused> {
        let id = beat.member_id;
        let pattern = beat.pattern()?;
        if beat.request.member_epoch == JOINS {
            self.take_in(beat, turn)?;
        } else {
            self.check_member(beat)?;
        }
        self.update(beat, pattern, turn);
        self.look_at_topics(beat.topics);
        self.share_out(beat.topics);
        let owned = beat.request.topic_partitions.as_deref().map(Parts::of);
        let changed = self.reconcile(id, owned.as_ref());
        self.unkept |= changed;
        let Some(member) = self.members.get_mut(id) else {
            return refused(ErrorCode::UNKNOWN_MEMBER_ID, "the group has no such member");
        };
        member.expires = turn.now + turn.options.consumer_session_timeout;
        if !member.revoking.is_empty() {
            let until = turn.now + member.rebalance_timeout;
            member.revoke_until.get_or_insert(until);
        }
        let tells = changed || beat.is_full();
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(id.to_owned()),
            member_epoch: member.epoch,
            heartbeat_interval_ms: milliseconds(turn.options.consumer_heartbeat_interval),
            assignment: tells.then(|| Assignment {
                topic_partitions: member.assigned.to_topics(),
            }),
            ..Default::default()
        })
    }

    /// One that joins: a new one, one that was fenced off and begins anew, or a static one that comes back.
    fn take_in(&mut self, beat: &Beat<'_>, turn: &Turn<'_>) -> Result<(), Refused> {
        let id = beat.member_id;
        let instance_id = beat.request.instance_id;
        if let Some(owner) = instance_id.and_then(|one| self.instances.get(one).cloned())
            && owner != id
        {
            return self.take_over(&owner, beat);
        }
        if let Some(member) = self.members.get_mut(id) {
            // It has let go of everything, and says so.
            member.epoch = JOINS;
            member.assigned = Parts::default();
            member.revoking = Parts::default();
            member.revoke_until = None;
            self.unkept = true;
            return Ok(());
        }
        if self.members.len() >= turn.options.consumer_size_max {
            let message = "the group has as many members as are allowed";
            return refused(ErrorCode::GROUP_MAX_SIZE_REACHED, message);
        }
        if let Some(instance_id) = instance_id {
            self.instances.insert(instance_id.to_owned(), id.to_owned());
        }
        self.members.insert(id.to_owned(), newcomer(beat, turn.now));
        self.raise_epoch();
        Ok(())
    }

    /// A static member comes back under another id, and is to have what it had.
    fn take_over(&mut self, owner: &str, beat: &Beat<'_>) -> Result<(), Refused> {
        let is_away = self.members.get(owner).is_some_and(|one| one.epoch == AWAY);
        if !is_away {
            let message = "another member still has the instance id";
            return refused(ErrorCode::UNRELEASED_INSTANCE_ID, message);
        }
        let id = beat.member_id.to_owned();
        if let Some(mut member) = self.members.remove(owner) {
            member.epoch = JOINS;
            member.assigned = Parts::default();
            member.revoking = Parts::default();
            member.revoke_until = None;
            if let Some(instance_id) = member.instance_id.clone() {
                self.instances.insert(instance_id, id.clone());
            }
            self.members.insert(id.clone(), member);
        }
        if let Some(target) = self.targets.remove(owner) {
            self.targets.insert(id, target);
        }
        self.unkept = true;
        Ok(())
    }

    fn check_instance(&self, beat: &Beat<'_>) -> Result<(), Refused> {
        match beat.request.instance_id.map(|one| self.instances.get(one)) {
            Some(None) => refused(ErrorCode::UNKNOWN_MEMBER_ID, "nobody has the instance id"),
            Some(Some(owner)) if owner != beat.member_id => refused(
                ErrorCode::FENCED_INSTANCE_ID,
                "another member has the instance id",
            ),
            _ => Ok(()),
        }
    }

    /// The epoch is the member's; or the one before, of a member that has not heard of the newer one.
    fn check_member(&self, beat: &Beat<'_>) -> Result<(), Refused> {
        self.check_instance(beat)?;
        let Some(member) = self.members.get(beat.member_id) else {
            return refused(ErrorCode::UNKNOWN_MEMBER_ID, "the group has no such member");
        };
        let epoch = beat.request.member_epoch;
        let owned = beat.request.topic_partitions.as_deref().map(Parts::of);
        let lost_answer = epoch == member.previous_epoch
            && owned.is_some_and(|owned| owned.is_within(&member.assigned));
        if epoch == member.epoch || lost_answer {
            return Ok(());
        }
        let message = format!("the member is at epoch {}, not {epoch}", member.epoch);
        Err((ErrorCode::FENCED_MEMBER_EPOCH, message))
    }

    /// Takes what the member says; what it leaves out has not changed.
    fn update(&mut self, beat: &Beat<'_>, pattern: Option<Option<Pattern>>, turn: &Turn<'_>) {
        let request = beat.request;
        let Some(member) = self.members.get_mut(beat.member_id) else {
            return;
        };
        let wishes = |member: &Member| {
            let pattern = member.pattern.as_ref().map(|one| one.text().to_owned());
            (member.topic_names.clone(), pattern, member.assignor)
        };
        let before = wishes(member);
        if let Some(names) = &request.subscribed_topic_names {
            member.topic_names = names.iter().map(|&name| name.to_owned()).collect();
        }
        if let Some(pattern) = pattern {
            member.pattern = pattern;
        }
        if let Some(assignor) = request.server_assignor {
            member.assignor = Assignor::parse(assignor);
        }
        if request.rebalance_timeout_ms >= 0 {
            member.rebalance_timeout = duration(request.rebalance_timeout_ms);
        }
        if let Some(rack_id) = request.rack_id {
            member.rack_id = Some(rack_id.to_owned());
        }
        member.expires = turn.now + turn.options.consumer_session_timeout;
        if wishes(member) != before {
            self.raise_epoch();
        }
    }
}

fn newcomer(beat: &Beat<'_>, now: Instant) -> Member {
    Member {
        epoch: JOINS,
        previous_epoch: JOINS,
        instance_id: beat.request.instance_id.map(str::to_owned),
        rack_id: None,
        client_id: beat.client_id.to_owned(),
        client_host: beat.client_host.to_owned(),
        rebalance_timeout: Duration::ZERO,
        topic_names: BTreeSet::new(),
        pattern: None,
        assignor: None,
        assigned: Parts::default(),
        revoking: Parts::default(),
        waits: false,
        expires: now,
        revoke_until: None,
    }
}

/// A time of the protocol; a negative one is none.
fn duration(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
