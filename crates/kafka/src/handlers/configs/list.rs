//! ListConfigResources: what has a configuration.

use pagelog_store::answer::Answer;

use super::resource::{BROKER, TOPIC};
use crate::codec::ErrorCode;
use crate::codec::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use crate::handlers::broker::NODE_ID;
use crate::handlers::connection::{Call, Refusal};

/// Loggers, clients' measurements, groups: known to clients, and none has a configuration here.
const EMPTY_KINDS: [i8; 3] = [8, 16, 32];

pub(in crate::handlers) fn list(
    call: &Call,
    request: &ListConfigResourcesRequest,
) -> Result<Answer, Refusal> {
    let kinds = &request.resource_types;
    let is_known = |kind: &i8| *kind == TOPIC || *kind == BROKER || EMPTY_KINDS.contains(kind);
    if let Some(_unknown) = kinds.iter().find(|kind| !is_known(kind)) {
        return Ok(Answer::Now(call.respond(&ListConfigResourcesResponse {
            error: ErrorCode::UNSUPPORTED_VERSION,
            ..Default::default()
        })));
    }
    // Version 0 asks for clients' measurements alone; later an empty list asks for everything.
    let asks = |kind| call.version > 0 && (kinds.is_empty() || kinds.contains(&kind));
    let mut resources = Vec::new();
    if asks(TOPIC) {
        let topics = call.broker.store.topics();
        let resource = |name: &str| ConfigResource {
            name: name.to_owned(),
            resource_type: TOPIC,
        };
        resources.extend(topics.iter().map(|topic| resource(topic.name().as_str())));
    }
    if asks(BROKER) {
        resources.push(ConfigResource {
            name: NODE_ID.to_string(),
            resource_type: BROKER,
        });
    }
    Ok(Answer::Now(call.respond(&ListConfigResourcesResponse {
        resources,
        ..Default::default()
    })))
}
