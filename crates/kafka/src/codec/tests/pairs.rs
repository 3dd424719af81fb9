//! Which of our structs and fields is which of the `kafka-protocol` crate's.

use kafka_protocol::messages as theirs;

use super::convert::Convert;
use crate::codec as ours;

/// `ours => theirs { our field => their field, … }`; a field with a range is left alone in other versions, for the other codec refuses
/// to encode what a version lacks.
macro_rules! pairs {
    ($($ours:ty => $theirs:ty { $($field:ident => $their_field:ident $(in $versions:expr)?,)* })*) => {$(
        impl Convert<$theirs> for $ours {
            fn convert(&self, version: i16) -> $theirs {
                let _ = version;
                let mut theirs = <$theirs>::default();
                $(if true $(&& std::ops::RangeBounds::<i16>::contains(&($versions), &version))? {
                    theirs.$their_field = self.$field.convert(version);
                })*
                theirs
            }
        }
    )*};
}

pub(super) use pairs;

pairs! {
    ours::ApiVersionsRequest<'_> => theirs::ApiVersionsRequest {
        client_software_name => client_software_name,
        client_software_version => client_software_version,
    }
    ours::ApiVersionsResponse => theirs::ApiVersionsResponse {
        error => error_code,
        apis => api_keys,
        throttle_ms => throttle_time_ms,
        supported_features => supported_features,
        finalized_features_epoch => finalized_features_epoch,
        finalized_features => finalized_features,
        zk_migration_ready => zk_migration_ready,
    }
    ours::api_versions::ApiVersion => theirs::api_versions_response::ApiVersion {
        api_key => api_key,
        version_min => min_version,
        version_max => max_version,
    }
    ours::api_versions::SupportedFeature => theirs::api_versions_response::SupportedFeatureKey {
        name => name,
        version_min => min_version,
        version_max => max_version,
    }
    ours::api_versions::FinalizedFeature => theirs::api_versions_response::FinalizedFeatureKey {
        name => name,
        level_max => max_version_level,
        level_min => min_version_level,
    }

    ours::CreateTopicsRequest => theirs::CreateTopicsRequest {
        topics => topics,
        timeout_ms => timeout_ms,
        validate_only => validate_only,
    }
    ours::create_topics::CreatableTopic => theirs::create_topics_request::CreatableTopic {
        name => name,
        partition_count => num_partitions,
        replication_factor => replication_factor,
        assignments => assignments,
        configs => configs,
    }
    ours::create_topics::ReplicaAssignment => theirs::create_topics_request::CreatableReplicaAssignment {
        partition_index => partition_index,
        broker_ids => broker_ids,
    }
    ours::create_topics::CreatableTopicConfig => theirs::create_topics_request::CreatableTopicConfig {
        name => name,
        value => value,
    }
    ours::CreateTopicsResponse => theirs::CreateTopicsResponse {
        throttle_ms => throttle_time_ms,
        topics => topics,
    }
    ours::create_topics::CreatableTopicResult => theirs::create_topics_response::CreatableTopicResult {
        name => name,
        topic_id => topic_id,
        error => error_code,
        error_message => error_message,
        topic_config_error => topic_config_error_code,
        partition_count => num_partitions,
        replication_factor => replication_factor,
        configs => configs,
    }
    ours::create_topics::TopicConfig => theirs::create_topics_response::CreatableTopicConfigs {
        name => name,
        value => value,
        read_only => read_only,
        source => config_source,
        is_sensitive => is_sensitive,
    }

    ours::DeleteTopicsRequest => theirs::DeleteTopicsRequest {
        topics => topics,
        names => topic_names,
        timeout_ms => timeout_ms,
    }
    ours::delete_topics::DeleteTopicState => theirs::delete_topics_request::DeleteTopicState {
        name => name,
        topic_id => topic_id,
    }
    ours::DeleteTopicsResponse => theirs::DeleteTopicsResponse {
        throttle_ms => throttle_time_ms,
        topics => responses,
    }
    ours::delete_topics::DeletableTopicResult => theirs::delete_topics_response::DeletableTopicResult {
        name => name,
        topic_id => topic_id,
        error => error_code,
        error_message => error_message,
    }

    ours::FetchRequest<'_> => theirs::FetchRequest {
        cluster_id => cluster_id,
        replica_id => replica_id,
        replica_state => replica_state,
        wait_max_ms => max_wait_ms,
        bytes_min => min_bytes,
        bytes_max => max_bytes,
        isolation_level => isolation_level,
        session_id => session_id,
        session_epoch => session_epoch,
        topics => topics,
        forgotten_topics => forgotten_topics_data,
        rack_id => rack_id,
    }
    ours::fetch::ReplicaState => theirs::fetch_request::ReplicaState {
        replica_id => replica_id,
        replica_epoch => replica_epoch,
    }
    ours::fetch::FetchTopic<'_> => theirs::fetch_request::FetchTopic {
        name => topic,
        topic_id => topic_id,
        partitions => partitions,
    }
    ours::fetch::FetchPartition => theirs::fetch_request::FetchPartition {
        index => partition,
        current_leader_epoch => current_leader_epoch,
        fetch_offset => fetch_offset,
        last_fetched_epoch => last_fetched_epoch,
        log_start_offset => log_start_offset,
        bytes_max => partition_max_bytes,
        replica_directory_id => replica_directory_id,
    }
    ours::fetch::ForgottenTopic<'_> => theirs::fetch_request::ForgottenTopic {
        name => topic,
        topic_id => topic_id,
        partitions => partitions,
    }
    ours::FetchResponse<'_> => theirs::FetchResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        session_id => session_id,
        topics => responses,
        node_endpoints => node_endpoints,
    }
    ours::fetch::FetchTopicResponse<'_> => theirs::fetch_response::FetchableTopicResponse {
        name => topic,
        topic_id => topic_id,
        partitions => partitions,
    }
    ours::fetch::FetchPartitionResponse<'_> => theirs::fetch_response::PartitionData {
        index => partition_index,
        error => error_code,
        high_watermark => high_watermark,
        last_stable_offset => last_stable_offset,
        log_start_offset => log_start_offset,
        diverging_epoch => diverging_epoch,
        current_leader => current_leader,
        snapshot_id => snapshot_id,
        aborted_transactions => aborted_transactions,
        preferred_read_replica => preferred_read_replica,
        records => records,
    }
    ours::fetch::EpochEndOffset => theirs::fetch_response::EpochEndOffset {
        epoch => epoch,
        end_offset => end_offset,
    }
    ours::fetch::SnapshotId => theirs::fetch_response::SnapshotId {
        end_offset => end_offset,
        epoch => epoch,
    }
    ours::fetch::AbortedTransaction => theirs::fetch_response::AbortedTransaction {
        producer_id => producer_id,
        first_offset => first_offset,
    }
    ours::produce::LeaderIdAndEpoch => theirs::fetch_response::LeaderIdAndEpoch {
        leader_id => leader_id,
        leader_epoch => leader_epoch,
    }
    ours::produce::NodeEndpoint => theirs::fetch_response::NodeEndpoint {
        node_id => node_id,
        host => host,
        port => port,
        rack => rack,
    }

    ours::FindCoordinatorRequest<'_> => theirs::FindCoordinatorRequest {
        key => key,
        key_type => key_type,
        keys => coordinator_keys,
    }
    ours::FindCoordinatorResponse => theirs::FindCoordinatorResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        error_message => error_message in 1..=3,
        node_id => node_id in ..=3,
        host => host,
        port => port in ..=3,
        coordinators => coordinators,
    }
    ours::find_coordinator::Coordinator => theirs::find_coordinator_response::Coordinator {
        key => key,
        node_id => node_id,
        host => host,
        port => port,
        error => error_code,
        error_message => error_message,
    }

    ours::InitProducerIdRequest<'_> => theirs::InitProducerIdRequest {
        transactional_id => transactional_id,
        transaction_timeout_ms => transaction_timeout_ms,
        producer_id => producer_id,
        producer_epoch => producer_epoch,
    }
    ours::InitProducerIdResponse => theirs::InitProducerIdResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        producer_id => producer_id,
        producer_epoch => producer_epoch,
    }

    ours::ListOffsetsRequest<'_> => theirs::ListOffsetsRequest {
        replica_id => replica_id,
        isolation_level => isolation_level,
        topics => topics,
    }
    ours::list_offsets::ListOffsetsTopic<'_> => theirs::list_offsets_request::ListOffsetsTopic {
        name => name,
        partitions => partitions,
    }
    ours::list_offsets::ListOffsetsPartition => theirs::list_offsets_request::ListOffsetsPartition {
        index => partition_index,
        current_leader_epoch => current_leader_epoch,
        timestamp => timestamp,
    }
    ours::ListOffsetsResponse => theirs::ListOffsetsResponse {
        throttle_ms => throttle_time_ms,
        topics => topics,
    }
    ours::list_offsets::ListOffsetsTopicResponse => theirs::list_offsets_response::ListOffsetsTopicResponse {
        name => name,
        partitions => partitions,
    }
    ours::list_offsets::ListOffsetsPartitionResponse => theirs::list_offsets_response::ListOffsetsPartitionResponse {
        index => partition_index,
        error => error_code,
        timestamp => timestamp,
        offset => offset,
        leader_epoch => leader_epoch,
    }

    ours::MetadataRequest => theirs::MetadataRequest {
        topics => topics,
        allow_auto_topic_creation => allow_auto_topic_creation,
        include_cluster_authorized_operations => include_cluster_authorized_operations,
        include_topic_authorized_operations => include_topic_authorized_operations,
    }
    ours::metadata::MetadataRequestTopic => theirs::metadata_request::MetadataRequestTopic {
        topic_id => topic_id,
        name => name,
    }
    ours::MetadataResponse => theirs::MetadataResponse {
        throttle_ms => throttle_time_ms,
        brokers => brokers,
        cluster_id => cluster_id,
        controller_id => controller_id,
        topics => topics,
        cluster_authorized_operations => cluster_authorized_operations,
    }
    ours::metadata::MetadataBroker => theirs::metadata_response::MetadataResponseBroker {
        node_id => node_id,
        host => host,
        port => port,
        rack => rack,
    }
    ours::metadata::MetadataTopic => theirs::metadata_response::MetadataResponseTopic {
        error => error_code,
        name => name,
        topic_id => topic_id,
        is_internal => is_internal,
        partitions => partitions,
        topic_authorized_operations => topic_authorized_operations,
    }
    ours::metadata::MetadataPartition => theirs::metadata_response::MetadataResponsePartition {
        error => error_code,
        index => partition_index,
        leader_id => leader_id,
        leader_epoch => leader_epoch,
        replica_nodes => replica_nodes,
        isr_nodes => isr_nodes,
        offline_replicas => offline_replicas,
    }

    ours::OffsetForLeaderEpochRequest<'_> => theirs::OffsetForLeaderEpochRequest {
        replica_id => replica_id,
        topics => topics,
    }
    ours::offset_for_leader_epoch::EpochTopic<'_> => theirs::offset_for_leader_epoch_request::OffsetForLeaderTopic {
        name => topic,
        partitions => partitions,
    }
    ours::offset_for_leader_epoch::EpochPartition => theirs::offset_for_leader_epoch_request::OffsetForLeaderPartition {
        index => partition,
        current_leader_epoch => current_leader_epoch,
        leader_epoch => leader_epoch,
    }
    ours::OffsetForLeaderEpochResponse => theirs::OffsetForLeaderEpochResponse {
        throttle_ms => throttle_time_ms,
        topics => topics,
    }
    ours::offset_for_leader_epoch::EpochTopicResponse => theirs::offset_for_leader_epoch_response::OffsetForLeaderTopicResult {
        name => topic,
        partitions => partitions,
    }
    ours::offset_for_leader_epoch::EpochPartitionResponse => theirs::offset_for_leader_epoch_response::EpochEndOffset {
        error => error_code,
        index => partition,
        leader_epoch => leader_epoch,
        end_offset => end_offset,
    }

    ours::ProduceRequest<'_> => theirs::ProduceRequest {
        transactional_id => transactional_id,
        acks => acks,
        timeout_ms => timeout_ms,
        topics => topic_data,
    }
    ours::produce::ProduceTopic<'_> => theirs::produce_request::TopicProduceData {
        name => name,
        partitions => partition_data,
    }
    ours::produce::ProducePartition<'_> => theirs::produce_request::PartitionProduceData {
        index => index,
        records => records,
    }
    ours::ProduceResponse => theirs::ProduceResponse {
        topics => responses,
        throttle_ms => throttle_time_ms,
        node_endpoints => node_endpoints,
    }
    ours::produce::ProduceTopicResponse => theirs::produce_response::TopicProduceResponse {
        name => name,
        partitions => partition_responses,
    }
    ours::produce::ProducePartitionResponse => theirs::produce_response::PartitionProduceResponse {
        index => index,
        error => error_code,
        base_offset => base_offset,
        log_append_time_ms => log_append_time_ms,
        log_start_offset => log_start_offset,
        record_errors => record_errors,
        error_message => error_message,
        current_leader => current_leader,
    }
    ours::produce::RecordError => theirs::produce_response::BatchIndexAndErrorMessage {
        batch_index => batch_index,
        message => batch_index_error_message,
    }
    ours::produce::LeaderIdAndEpoch => theirs::produce_response::LeaderIdAndEpoch {
        leader_id => leader_id,
        leader_epoch => leader_epoch,
    }
    ours::produce::NodeEndpoint => theirs::produce_response::NodeEndpoint {
        node_id => node_id,
        host => host,
        port => port,
        rack => rack,
    }
}
