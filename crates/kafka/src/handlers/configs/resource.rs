//! What a configuration belongs to, as requests name it.

use std::sync::Arc;

use pagelog_store::{ConfigKey, ConfigKind, Topic};

use crate::codec::ErrorCode;
use crate::handlers::broker::NODE_ID;
use crate::handlers::changes::Refused;
use crate::handlers::connection::Call;

/// The kinds of resources, as the protocol numbers them.
pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;

/// Something that has a configuration here.
pub(super) enum Resource {
    Topic(Arc<Topic>),
    Broker(ConfigKey),
}

impl Resource {
    /// The resource of this kind and name.
    pub(super) fn find(call: &Call, kind: i8, name: &str) -> Result<Resource, Refused> {
        match kind {
            TOPIC => match call.broker.topic(name) {
                Some(topic) => Ok(Resource::Topic(topic)),
                None => {
                    let message = format!("there is no topic {name}");
                    Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message))
                }
            },
            BROKER if name.is_empty() || name == NODE_ID.to_string() => {
                Ok(Resource::Broker(ConfigKey {
                    kind: ConfigKind::Broker,
                    name: name.to_owned(),
                }))
            }
            BROKER => {
                let message =
                    format!("there is broker {NODE_ID}, and the empty name for all, but no {name}");
                Err((ErrorCode::INVALID_REQUEST, message))
            }
            _ => {
                let message = format!(
                    "resources of type {kind} have no configuration here; topics ({TOPIC}) and brokers ({BROKER}) have"
                );
                Err((ErrorCode::INVALID_REQUEST, message))
            }
        }
    }
}
