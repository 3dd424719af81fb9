//! What each request means to the store: frames in, answers out, now or later.
//!
//! [`Kafka`] is shared by all connections; [`Kafka::open`] gives each its own [`Connection`]. One file per API. None of them
//! knows a socket, and none blocks: what may has to go to a worker says so with [`pagelog_store::answer::Answer::Work`].

mod acls;
mod api_versions;
mod authorized;
mod awaiting;
mod broker;
mod changes;
mod configs;
mod connection;
mod create_partitions;
mod create_topics;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod elect_leaders;
mod fetch;
mod fetch_rope;
mod find_coordinator;
mod groups;
mod init_producer_id;
mod landing;
mod leader_epoch;
mod list_offsets;
mod metadata;
mod muted;
mod options;
mod produce;
mod quotas;
mod reassignments;
mod room;
mod scram;

pub use broker::{Advertised, Kafka, NODE_ID};
pub use connection::Connection;
pub use options::KafkaOptions;
