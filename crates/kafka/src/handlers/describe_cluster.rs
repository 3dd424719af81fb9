//! DescribeCluster: this node.

use pagelog_store::answer::Answer;

use super::authorized::{CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED};
use super::broker::NODE_ID;
use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};

/// What `endpoint_type` may ask for: brokers. Controllers have no addresses of their own here.
const BROKERS: i8 = 1;

pub(super) fn handle(call: &Call, request: &DescribeClusterRequest) -> Result<Answer, Refusal> {
    if request.endpoint_type != BROKERS {
        return Ok(Answer::Now(call.respond(&DescribeClusterResponse {
            // KIP-919: who asks a broker for controllers has come to the wrong place.
            error: ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            error_message: Some("this is a broker; it knows brokers (1) alone".to_owned()),
            endpoint_type: BROKERS,
            ..Default::default()
        })));
    }
    let operations = match request.include_authorized_operations {
        true => CLUSTER_OPERATIONS,
        false => OPERATIONS_NOT_ASKED,
    };
    Ok(Answer::Now(call.respond(&DescribeClusterResponse {
        cluster_id: call.broker.cluster_id.clone(),
        controller_id: NODE_ID,
        brokers: vec![DescribeClusterBroker {
            id: NODE_ID,
            host: call.advertised.host.clone(),
            port: i32::from(call.advertised.port),
            ..Default::default()
        }],
        authorized_operations: operations,
        ..Default::default()
    })))
}
