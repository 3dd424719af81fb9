//! DescribeCluster: the brokers (KIP-700).

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Who is there.
    pub struct DescribeClusterRequest {
        /// Whether to say what the client may do.
        include_authorized_operations: bool [0..],
        /// 1: brokers, 2: controllers.
        endpoint_type: i8 [1..] = 1,
        /// Whether to name those that are shut out.
        include_fenced_brokers: bool [2..],
    }
}

message! {
    /// Who is there.
    pub struct DescribeClusterResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// Why nothing is said.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// What was asked for.
        endpoint_type: i8 [1..] = 1,
        /// The cluster.
        cluster_id: String [0..],
        /// The broker to send changes to.
        controller_id: i32 [0..] = -1,
        /// The brokers.
        brokers: Vec<DescribeClusterBroker> [0..],
        /// What the client may do, as bits.
        authorized_operations: i32 [0..] = i32::MIN,
    }
}

message! {
    /// One broker.
    pub struct DescribeClusterBroker {
        /// Its number.
        id: i32 [0..],
        /// Where it is.
        host: String [0..],
        /// Its port.
        port: i32 [0..],
        /// Its rack.
        rack: Option<String> [0..],
        /// Whether it is shut out.
        is_fenced: bool [2..],
    }
}

api!(DescribeCluster: DescribeClusterRequest => DescribeClusterResponse);
