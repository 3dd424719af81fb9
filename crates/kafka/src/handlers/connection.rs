//! One connection: a frame is recognised and goes to the file of its API.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use pagelog_store::answer::{Answer, CloseReason, Context, Handler};
use pagelog_transfer::Rope;

use super::broker::{Advertised, Broker};
use super::groups::Client;
use super::{
    api_versions, create_topics, delete_topics, fetch, find_coordinator, groups, init_producer_id,
    leader_epoch, list_offsets, metadata, produce,
};
use crate::codec::{
    ApiKey, DecodeError, Field, RequestHeader, Response, api_versions as versions, encode_response,
};

/// The Kafka side of one connection.
#[derive(Debug)]
pub struct Connection {
    broker: Arc<Broker>,
    advertised: Arc<Advertised>,
    peer: IpAddr,
}

/// What a handler needs of its request, beside the body.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) broker: Arc<Broker>,
    pub(super) advertised: Arc<Advertised>,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
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
        }
    }

    /// Who asks, for requests that make somebody known under a name.
    fn client(&self, id: Option<&str>) -> Client {
        Client {
            id: id.unwrap_or_default().to_owned(),
            host: format!("/{}", self.peer),
        }
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
        let call = Call {
            broker: Arc::clone(&self.broker),
            advertised: Arc::clone(&self.advertised),
            version,
            correlation_id,
        };
        match api {
            ApiKey::Produce => produce::handle(call, frame, context),
            ApiKey::Fetch => fetch::handle(call, &Field::decode(&mut body, version)?, context),
            ApiKey::ListOffsets => list_offsets::handle(call, &Field::decode(&mut body, version)?),
            ApiKey::Metadata => metadata::handle(call, Field::decode(&mut body, version)?),
            ApiKey::OffsetCommit => {
                groups::commit::handle(call, self.client(client_id), frame, context)
            }
            ApiKey::OffsetFetch => {
                groups::fetch::handle(call, Field::decode(&mut body, version)?, context.now)
            }
            ApiKey::FindCoordinator => {
                find_coordinator::handle(&call, &Field::decode(&mut body, version)?)
            }
            ApiKey::JoinGroup => groups::join::handle(call, self.client(client_id), frame, context),
            ApiKey::Heartbeat => {
                let request = Field::decode(&mut body, version)?;
                groups::heartbeat::handle(&call, &request, context.now)
            }
            ApiKey::LeaveGroup => {
                let request = Field::decode(&mut body, version)?;
                groups::leave::handle(&call, &request, context.now)
            }
            ApiKey::SyncGroup => groups::sync::handle(call, self.client(client_id), frame, context),
            ApiKey::DescribeGroups => {
                let request = Field::decode(&mut body, version)?;
                groups::describe::handle(&call, &request, context.now)
            }
            ApiKey::ListGroups => {
                let request = Field::decode(&mut body, version)?;
                groups::list::handle(&call, &request, context.now)
            }
            ApiKey::ApiVersions => api_versions::handle(&call, &Field::decode(&mut body, version)?),
            ApiKey::CreateTopics => {
                create_topics::handle(call, Field::decode(&mut body, version)?, context)
            }
            ApiKey::DeleteTopics => {
                delete_topics::handle(call, Field::decode(&mut body, version)?, context)
            }
            ApiKey::InitProducerId => {
                init_producer_id::handle(&call, &Field::decode(&mut body, version)?)
            }
            ApiKey::OffsetForLeaderEpoch => {
                leader_epoch::handle(&call, &Field::decode(&mut body, version)?)
            }
            ApiKey::DeleteGroups => {
                groups::delete::handle(call, &Field::decode(&mut body, version)?)
            }
            ApiKey::OffsetDelete => groups::forget::handle(call, frame),
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
        self.route(frame, context)
            .unwrap_or_else(|refusal| Answer::Close(refusal.into()))
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
