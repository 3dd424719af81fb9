//! The bytes of Kafka's requests and responses, in both directions and both encodings, and nothing about what they mean.
//!
//! Layers: [`Reader`] and [`Writer`] know integers, strings, arrays and tag buffers; [`Field`] makes one trait of them; the
//! `message!` schema makes structs with version ranges; [`frame`] adds sizes and headers. Requests that carry much ([`produce`],
//! [`fetch`]) borrow from the frame, and the Fetch answer is laid round the records without touching them ([`fetch_answer`]).
//!
//! Nothing here allocates by a number from the wire that it has not compared with the bytes that are there.

mod api;
pub mod api_versions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_topics;
pub mod describe_groups;
mod error;
mod error_code;
pub mod fetch;
pub mod fetch_answer;
mod field;
pub mod find_coordinator;
pub mod frame;
pub mod heartbeat;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod list_offsets;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
mod reader;
pub(crate) mod schema;
pub mod sync_group;
#[cfg(test)]
pub(crate) mod tests;
pub mod varint;
mod writer;

pub use api::ApiKey;
pub use api_versions::{ApiVersionsRequest, ApiVersionsResponse};
pub use create_topics::{CreateTopicsRequest, CreateTopicsResponse};
pub use delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
pub use delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
pub use describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
pub use error::DecodeError;
pub use error_code::ErrorCode;
pub use fetch::{FetchRequest, FetchResponse};
pub use field::Field;
pub use find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
pub use frame::{
    Request, RequestHeader, Response, decode_response, encode_request, encode_response,
};
pub use heartbeat::{HeartbeatRequest, HeartbeatResponse};
pub use init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
pub use join_group::{JoinGroupRequest, JoinGroupResponse};
pub use leave_group::{LeaveGroupRequest, LeaveGroupResponse};
pub use list_groups::{ListGroupsRequest, ListGroupsResponse};
pub use list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
pub use metadata::{MetadataRequest, MetadataResponse};
pub use offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
pub use offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
pub use offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
pub use offset_for_leader_epoch::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
pub use produce::{ProduceRequest, ProduceResponse};
pub use reader::{ELEMENTS_MAX, Reader};
pub use sync_group::{SyncGroupRequest, SyncGroupResponse};
pub use writer::Writer;

/// How strings, arrays and optional fields are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Lengths of fixed size, no optional fields.
    Classic,
    /// Compact lengths, and a tag buffer at the end of every struct (KIP-482).
    Flexible,
}
