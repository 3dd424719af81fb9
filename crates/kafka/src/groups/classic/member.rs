//! A member of a classic group.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::codec::join_group::{JoinGroupMember, JoinGroupProtocol};
use crate::codec::{JoinGroupResponse, SyncGroupResponse};
use crate::groups::kept::{KeptClassicMember, KeptProtocol};
use crate::groups::promise::Promise;

/// A way of sharing out that a member knows, and what it says to whoever shares out by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Protocol {
    pub(super) name: String,
    pub(super) metadata: Bytes,
}

/// A member.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    /// Who waits for the next generation.
    pub(super) joining: Option<Promise<JoinGroupResponse>>,
    /// Who waits for its part.
    pub(super) syncing: Option<Promise<SyncGroupResponse>>,
    /// Whether it has asked for its part in this generation.
    pub(super) synced: bool,
    /// When it counts as gone, unless it waits for an answer.
    pub(super) expires: Instant,
}

impl Member {
    /// It was heard of.
    pub(super) fn touch(&mut self, now: Instant) {
        self.expires = now + self.session_timeout;
    }

    /// When it counts as gone; `None` while it waits for an answer, for then it is the group that is late.
    pub(super) fn expires(&self) -> Option<Instant> {
        let waits = self.joining.is_some() || self.syncing.is_some();
        (!waits).then_some(self.expires)
    }

    /// Whether it knows exactly these ways, saying the same.
    pub(super) fn matches(&self, protocols: &[JoinGroupProtocol<'_>]) -> bool {
        self.protocols.len() == protocols.len()
            && self
                .protocols
                .iter()
                .zip(protocols)
                .all(|(own, asked)| own.name == asked.name && own.metadata == asked.metadata)
    }

    /// The bytes of what it says.
    pub(super) fn protocols_size(&self) -> usize {
        let sizes = self.protocols.iter();
        sizes.map(|own| own.name.len() + own.metadata.len()).sum()
    }

    pub(super) fn knows(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|own| own.name == protocol)
    }

    /// What it says to whoever shares out by `protocol`.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|own| own.name == protocol)
            .map(|own| own.metadata.clone())
            .unwrap_or_default()
    }

    /// As its leader sees it.
    pub(super) fn shown(&self, id: &str, protocol: &str) -> JoinGroupMember {
        JoinGroupMember {
            member_id: id.to_owned(),
            group_instance_id: self.instance_id.clone(),
            metadata: self.metadata(protocol),
        }
    }

    pub(super) fn kept(&self, id: &str) -> KeptClassicMember {
        let protocols = self.protocols.iter().map(|protocol| KeptProtocol {
            name: protocol.name.clone(),
            metadata: protocol.metadata.clone(),
        });
        KeptClassicMember {
            id: id.to_owned(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            session_timeout_ms: milliseconds(self.session_timeout),
            rebalance_timeout_ms: milliseconds(self.rebalance_timeout),
            protocols: protocols.collect(),
            assignment: self.assignment.clone(),
        }
    }

    /// One that was kept; it has its whole session to be heard of again.
    pub(super) fn restored(kept: KeptClassicMember, now: Instant) -> Member {
        let session_timeout = duration(kept.session_timeout_ms);
        let protocols = kept.protocols.into_iter().map(|protocol| Protocol {
            name: protocol.name,
            metadata: protocol.metadata,
        });
        Member {
            instance_id: kept.instance_id,
            client_id: kept.client_id,
            client_host: kept.client_host,
            session_timeout,
            rebalance_timeout: duration(kept.rebalance_timeout_ms),
            protocols: protocols.collect(),
            assignment: kept.assignment,
            joining: None,
            syncing: None,
            synced: true,
            expires: now + session_timeout,
        }
    }
}

/// A way of sharing out as a request names it.
pub(super) fn protocols(asked: &[JoinGroupProtocol<'_>]) -> Vec<Protocol> {
    let own = |one: &JoinGroupProtocol<'_>| Protocol {
        name: one.name.to_owned(),
        metadata: Bytes::copy_from_slice(one.metadata),
    };
    asked.iter().map(own).collect()
}

/// A time of the protocol; a negative one is none.
pub(super) fn duration(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
