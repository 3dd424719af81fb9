//! One connection: a frame is recognised and goes to the file of its API.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use pagelog_store::answer::{Answer, CloseReason, Context, Handler, Land};
use pagelog_transfer::Rope;

use super::broker::{Advertised, Broker};
use super::groups::Client;
use super::muted::Muted;
use super::quotas::Throttle;
use super::{
    acls, api_versions, configs, create_partitions, create_topics, delete_records, delete_topics,
    describe_cluster, describe_log_dirs, describe_producers, describe_quorum,
    describe_topic_partitions, elect_leaders, fetch, find_coordinator, groups, init_producer_id,
    leader_epoch, list_offsets, metadata, produce, quotas, reassignments, scram,
};
use crate::codec::{
    ApiKey, DecodeError, Field, Reader, RequestHeader, Response, api_versions as versions,
    encode_response,
};

/// A request of so many bytes may name a thousand partitions, and takes as long as hundreds of others: a worker reads it and does what it
/// asks. Produce is not among them: its bytes are records.
const LONG_REQUEST_SIZE: usize = 16 << 10;

/// The Kafka side of one connection.
#[derive(Clone, Debug)]
pub struct Connection {
    broker: Arc<Broker>,
    advertised: Arc<Advertised>,
    peer: IpAddr,
    muted: Arc<Muted>,
}

/// How requests of these APIs begin.
const PRODUCE: [u8; 2] = (ApiKey::Produce as i16).to_be_bytes();
const CONSUMER_GROUP_HEARTBEAT: [u8; 2] = (ApiKey::ConsumerGroupHeartbeat as i16).to_be_bytes();

/// What a handler needs of its request, beside the body.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) broker: Arc<Broker>,
    pub(super) advertised: Arc<Advertised>,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
    /// The quotas of the client; `None`: it has none.
    pub(super) throttle: Option<Throttle>,
}

/// Why a request ends its connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("request cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    #[error("{api:?} request of version {version} is not served (served: {first} to {last})")]
    Version {
        api: ApiKey,
        version: i16,
        first: i16,
        last: i16,
    },
}

impl Connection {
    pub(super) fn new(
        broker: Arc<Broker>,
        advertised: Arc<Advertised>,
        peer: IpAddr,
    ) -> Connection {
        Connection {
            broker,
            advertised,
            peer,
            muted: Arc::new(Muted::new()),
        }
    }

    /// Who asks, for requests that make somebody known under a name.
    fn client(&self, id: Option<&str>) -> Client {
        Client {
            id: id.unwrap_or_default().to_owned(),
            host: format!("/{}", self.peer),
        }
    }

    /// Whether a request takes so long that a worker is to read and answer it.
    fn is_long(&self, frame: &[u8]) -> bool {
        // A heartbeat may have everything shared out anew.
        let shares_out = frame.starts_with(&CONSUMER_GROUP_HEARTBEAT);
        (frame.len() >= LONG_REQUEST_SIZE && !frame.starts_with(&PRODUCE))
            || (shares_out && self.broker.has_many_partitions())
    }

    fn answer(&self, frame: &[u8], context: &Context<'_>) -> Answer {
        self.route(frame, context)
            .unwrap_or_else(|refusal| Answer::Close(refusal.into()))
    }

    fn route(&self, frame: &[u8], context: &Context<'_>) -> Result<Answer, Refusal> {
        let (header, mut body) = RequestHeader::decode(frame)?;
        let RequestHeader {
            api,
            version,
            correlation_id,
            client_id,
        } = header;
        if !api.served().contains(&version) {
            // KIP-511: the one request that is answered in a version that nobody knows, so that client and broker can agree.
            if api == ApiKey::ApiVersions {
                return Ok(Answer::Now(Rope::from(versions::fallback(correlation_id))));
            }
            let (first, last) = (*api.served().start(), *api.served().end());
            return Err(Refusal::Version {
                api,
                version,
                first,
                last,
            });
        }
        let call = self.call(version, correlation_id, client_id, context.now);
        self.handle(header, call, frame, &mut body, context)
    }

    /// What the handlers of a request need beside its body.
    pub(super) fn call(
        &self,
        version: i16,
        correlation_id: i32,
        client_id: Option<&str>,
        now: Instant,
    ) -> Call {
        let quotas = &self.broker.quotas;
        Call {
            throttle: quotas.throttle(client_id, &self.muted, now),
            broker: Arc::clone(&self.broker),
            advertised: Arc::clone(&self.advertised),
            version,
            correlation_id,
        }
    }

    pub(super) fn broker(&self) -> &Broker {
        &self.broker
    }

    /// One row an API, by rising key.
    fn handle(
        &self,
        header: RequestHeader<'_>,
        call: Call,
        frame: &[u8],
        body: &mut Reader<'_>,
        context: &Context<'_>,
    ) -> Result<Answer, Refusal> {
        let RequestHeader {
            api,
            version,
            client_id,
            ..
        } = header;
        /// The body of the request.
        macro_rules! read {
            () => {
                Field::decode(body, version)?
            };
        }
        match api {
            ApiKey::Produce => produce::handle(call, frame, context),
            ApiKey::Fetch => fetch::handle(call, &read!(), context),
            ApiKey::ListOffsets => list_offsets::handle(call, &read!()),
            ApiKey::Metadata => metadata::handle(call, read!()),
            ApiKey::OffsetCommit => {
                groups::commit::handle(call, self.client(client_id), frame, context)
            }
            ApiKey::OffsetFetch => groups::fetch::handle(call, read!(), context.now),
            ApiKey::FindCoordinator => find_coordinator::handle(&call, &read!()),
            ApiKey::JoinGroup => groups::join::handle(call, self.client(client_id), frame, context),
            ApiKey::Heartbeat => groups::heartbeat::handle(&call, &read!(), context.now),
            ApiKey::LeaveGroup => groups::leave::handle(&call, &read!(), context.now),
            ApiKey::SyncGroup => groups::sync::handle(call, self.client(client_id), frame, context),
            ApiKey::DescribeGroups => groups::describe::handle(&call, &read!(), context.now),
            ApiKey::ListGroups => groups::list::handle(&call, &read!(), context.now),
            ApiKey::ApiVersions => api_versions::handle(&call, &read!()),
            ApiKey::CreateTopics => create_topics::handle(call, read!(), context),
            ApiKey::DeleteTopics => delete_topics::handle(call, read!(), context),
            ApiKey::DeleteRecords => delete_records::handle(call, read!(), context),
            ApiKey::InitProducerId => init_producer_id::handle(&call, &read!()),
            ApiKey::OffsetForLeaderEpoch => leader_epoch::handle(&call, &read!()),
            ApiKey::DescribeAcls => acls::describe(&call),
            ApiKey::CreateAcls => acls::create(&call, &read!()),
            ApiKey::DeleteAcls => acls::delete(&call, &read!()),
            ApiKey::DescribeConfigs => configs::describe(&call, &read!()),
            ApiKey::AlterConfigs => configs::alter(call, read!(), context),
            ApiKey::DescribeLogDirs => describe_log_dirs::handle(call, read!()),
            ApiKey::CreatePartitions => create_partitions::handle(call, read!(), context),
            ApiKey::DeleteGroups => groups::delete::handle(call, &read!()),
            ApiKey::ElectLeaders => elect_leaders::handle(&call, &read!()),
            ApiKey::IncrementalAlterConfigs => configs::incremental(call, read!(), context),
            ApiKey::AlterPartitionReassignments => reassignments::alter(&call, &read!()),
            ApiKey::ListPartitionReassignments => reassignments::list(&call),
            ApiKey::OffsetDelete => groups::forget::handle(call, frame),
            ApiKey::DescribeClientQuotas => quotas::describe(&call, &read!()),
            ApiKey::AlterClientQuotas => quotas::alter(call, read!(), context),
            ApiKey::DescribeUserScramCredentials => scram::handle(&call, &read!()),
            ApiKey::DescribeQuorum => describe_quorum::handle(&call, &read!()),
            ApiKey::DescribeCluster => describe_cluster::handle(&call, &read!()),
            ApiKey::DescribeProducers => describe_producers::handle(&call, &read!()),
            ApiKey::ConsumerGroupHeartbeat => {
                let client = self.client(client_id);
                groups::consumer_heartbeat::handle(call, &client, &read!(), context)
            }
            ApiKey::ConsumerGroupDescribe => {
                groups::consumer_describe::handle(&call, &read!(), context.now)
            }
            ApiKey::ListConfigResources => configs::list(&call, &read!()),
            ApiKey::DescribeTopicPartitions => describe_topic_partitions::handle(&call, &read!()),
        }
    }
}

impl Call {
    /// The whole answer.
    pub(super) fn respond<'a, R: Response<'a>>(&self, body: &R) -> Rope {
        Rope::from(encode_response(self.version, self.correlation_id, body))
    }
}

impl Handler for Connection {
    fn frame(&mut self, frame: &[u8], context: &Context<'_>) -> Answer {
        if !self.is_long(frame) {
            return self.answer(frame, context);
        }
        let (connection, frame) = (self.clone(), frame.to_vec());
        let (notify, token) = (Arc::clone(context.notify), context.token);
        Answer::Work(Box::new(move || {
            let context = Context {
                now: Instant::now(),
                notify: &notify,
                token,
            };
            connection.answer(&frame, &context)
        }))
    }

    fn landing(&self, front: &[u8], size: usize, now: Instant) -> Option<Land> {
        let plan = self.plan(front, size, now)?;
        Some(Box::new(move |front, incoming, context| {
            plan.carry_out(front, incoming, context)
        }))
    }

    fn muted_until(&self) -> Option<Instant> {
        self.muted.end()
    }
}

impl From<Refusal> for CloseReason {
    fn from(refusal: Refusal) -> CloseReason {
        CloseReason::new(refusal.to_string())
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Call")
            .field("version", &self.version)
            .field("correlation_id", &self.correlation_id)
            .finish_non_exhaustive()
    }
}
