//! Which of our structs of administration are which of the `kafka-protocol` crate's.

use kafka_protocol::messages as theirs;

use super::convert::Convert;
use super::pairs::pairs;
use crate::codec as ours;

pairs! {
    ours::delete_records::DeleteRecordsRequest => theirs::DeleteRecordsRequest {
        topics => topics,
        timeout_ms => timeout_ms,
    }
    ours::delete_records::DeleteRecordsTopic => theirs::delete_records_request::DeleteRecordsTopic {
        name => name,
        partitions => partitions,
    }
    ours::delete_records::DeleteRecordsPartition => theirs::delete_records_request::DeleteRecordsPartition {
        index => partition_index,
        offset => offset,
    }
    ours::delete_records::DeleteRecordsResponse => theirs::DeleteRecordsResponse {
        throttle_ms => throttle_time_ms,
        topics => topics,
    }
    ours::delete_records::DeleteRecordsTopicResult => theirs::delete_records_response::DeleteRecordsTopicResult {
        name => name,
        partitions => partitions,
    }
    ours::delete_records::DeleteRecordsPartitionResult => theirs::delete_records_response::DeleteRecordsPartitionResult {
        index => partition_index,
        low_watermark => low_watermark,
        error => error_code,
    }
    ours::describe_log_dirs::DescribeLogDirsRequest => theirs::DescribeLogDirsRequest {
        topics => topics,
    }
    ours::describe_log_dirs::DescribableLogDirTopic => theirs::describe_log_dirs_request::DescribableLogDirTopic {
        topic => topic,
        partitions => partitions,
    }
    ours::describe_log_dirs::DescribeLogDirsResponse => theirs::DescribeLogDirsResponse {
        throttle_ms => throttle_time_ms,
        error => error_code in 3..,
        results => results,
    }
    ours::describe_log_dirs::DescribeLogDirsResult => theirs::describe_log_dirs_response::DescribeLogDirsResult {
        error => error_code,
        log_dir => log_dir,
        topics => topics,
        total_bytes => total_bytes in 4..,
        usable_bytes => usable_bytes in 4..,
    }
    ours::describe_log_dirs::DescribeLogDirsTopic => theirs::describe_log_dirs_response::DescribeLogDirsTopic {
        name => name,
        partitions => partitions,
    }
    ours::describe_log_dirs::DescribeLogDirsPartition => theirs::describe_log_dirs_response::DescribeLogDirsPartition {
        index => partition_index,
        size => partition_size,
        offset_lag => offset_lag,
        is_future_key => is_future_key,
    }
    ours::acls::AclFilter => theirs::DescribeAclsRequest {
        resource_type => resource_type_filter,
        resource_name => resource_name_filter,
        pattern_type => pattern_type_filter,
        principal => principal_filter,
        host => host_filter,
        operation => operation,
        permission_type => permission_type,
    }
    ours::acls::DescribeAclsResponse => theirs::DescribeAclsResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        error_message => error_message,
        resources => resources,
    }
    ours::acls::DescribeAclsResource => theirs::describe_acls_response::DescribeAclsResource {
        resource_type => resource_type,
        resource_name => resource_name,
        pattern_type => pattern_type,
        acls => acls,
    }
    ours::acls::AclDescription => theirs::describe_acls_response::AclDescription {
        principal => principal,
        host => host,
        operation => operation,
        permission_type => permission_type,
    }
    ours::acls::CreateAclsRequest => theirs::CreateAclsRequest {
        creations => creations,
    }
    ours::acls::AclCreation => theirs::create_acls_request::AclCreation {
        resource_type => resource_type,
        resource_name => resource_name,
        pattern_type => resource_pattern_type,
        principal => principal,
        host => host,
        operation => operation,
        permission_type => permission_type,
    }
    ours::acls::CreateAclsResponse => theirs::CreateAclsResponse {
        throttle_ms => throttle_time_ms,
        results => results,
    }
    ours::acls::AclCreationResult => theirs::create_acls_response::AclCreationResult {
        error => error_code,
        error_message => error_message,
    }
    ours::acls::DeleteAclsRequest => theirs::DeleteAclsRequest {
        filters => filters,
    }
    ours::acls::AclFilter => theirs::delete_acls_request::DeleteAclsFilter {
        resource_type => resource_type_filter,
        resource_name => resource_name_filter,
        pattern_type => pattern_type_filter,
        principal => principal_filter,
        host => host_filter,
        operation => operation,
        permission_type => permission_type,
    }
    ours::acls::DeleteAclsResponse => theirs::DeleteAclsResponse {
        throttle_ms => throttle_time_ms,
        results => filter_results,
    }
    ours::acls::DeleteAclsFilterResult => theirs::delete_acls_response::DeleteAclsFilterResult {
        error => error_code,
        error_message => error_message,
        matching => matching_acls,
    }
    ours::acls::DeleteAclsMatchingAcl => theirs::delete_acls_response::DeleteAclsMatchingAcl {
        error => error_code,
        error_message => error_message,
        resource_type => resource_type,
        resource_name => resource_name,
        pattern_type => pattern_type,
        principal => principal,
        host => host,
        operation => operation,
        permission_type => permission_type,
    }
    ours::describe_configs::DescribeConfigsRequest => theirs::DescribeConfigsRequest {
        resources => resources,
        include_synonyms => include_synonyms,
        include_documentation => include_documentation in 3..,
    }
    ours::describe_configs::DescribeConfigsResource => theirs::describe_configs_request::DescribeConfigsResource {
        resource_type => resource_type,
        resource_name => resource_name,
        keys => configuration_keys,
    }
    ours::describe_configs::DescribeConfigsResponse => theirs::DescribeConfigsResponse {
        throttle_ms => throttle_time_ms,
        results => results,
    }
    ours::describe_configs::DescribeConfigsResult => theirs::describe_configs_response::DescribeConfigsResult {
        error => error_code,
        error_message => error_message,
        resource_type => resource_type,
        resource_name => resource_name,
        configs => configs,
    }
    ours::describe_configs::DescribeConfigsEntry => theirs::describe_configs_response::DescribeConfigsResourceResult {
        name => name,
        value => value,
        read_only => read_only,
        source => config_source,
        is_sensitive => is_sensitive,
        synonyms => synonyms,
        config_type => config_type in 3..,
        documentation => documentation in 3..,
    }
    ours::describe_configs::DescribeConfigsSynonym => theirs::describe_configs_response::DescribeConfigsSynonym {
        name => name,
        value => value,
        source => source,
    }
    ours::alter_configs::AlterConfigsRequest => theirs::AlterConfigsRequest {
        resources => resources,
        validate_only => validate_only,
    }
    ours::alter_configs::AlterConfigsResource => theirs::alter_configs_request::AlterConfigsResource {
        resource_type => resource_type,
        resource_name => resource_name,
        configs => configs,
    }
    ours::alter_configs::AlterableConfig => theirs::alter_configs_request::AlterableConfig {
        name => name,
        value => value,
    }
    ours::alter_configs::AlterConfigsResponse => theirs::AlterConfigsResponse {
        throttle_ms => throttle_time_ms,
        responses => responses,
    }
    ours::alter_configs::AlterConfigsResult => theirs::alter_configs_response::AlterConfigsResourceResponse {
        error => error_code,
        error_message => error_message,
        resource_type => resource_type,
        resource_name => resource_name,
    }
    ours::incremental_alter_configs::IncrementalAlterConfigsRequest => theirs::IncrementalAlterConfigsRequest {
        resources => resources,
        validate_only => validate_only,
    }
    ours::incremental_alter_configs::IncrementalResource => theirs::incremental_alter_configs_request::AlterConfigsResource {
        resource_type => resource_type,
        resource_name => resource_name,
        configs => configs,
    }
    ours::incremental_alter_configs::IncrementalConfig => theirs::incremental_alter_configs_request::AlterableConfig {
        name => name,
        operation => config_operation,
        value => value,
    }
    ours::incremental_alter_configs::IncrementalAlterConfigsResponse => theirs::IncrementalAlterConfigsResponse {
        throttle_ms => throttle_time_ms,
        responses => responses,
    }
    ours::incremental_alter_configs::IncrementalResult => theirs::incremental_alter_configs_response::AlterConfigsResourceResponse {
        error => error_code,
        error_message => error_message,
        resource_type => resource_type,
        resource_name => resource_name,
    }
    ours::list_config_resources::ListConfigResourcesRequest => theirs::ListConfigResourcesRequest {
        resource_types => resource_types in 1..,
    }
    ours::list_config_resources::ListConfigResourcesResponse => theirs::ListConfigResourcesResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        resources => config_resources,
    }
    ours::list_config_resources::ConfigResource => theirs::list_config_resources_response::ConfigResource {
        name => resource_name,
        resource_type => resource_type in 1..,
    }
    ours::create_partitions::CreatePartitionsRequest => theirs::CreatePartitionsRequest {
        topics => topics,
        timeout_ms => timeout_ms,
        validate_only => validate_only,
    }
    ours::create_partitions::CreatePartitionsTopic => theirs::create_partitions_request::CreatePartitionsTopic {
        name => name,
        count => count,
        assignments => assignments,
    }
    ours::create_partitions::CreatePartitionsAssignment => theirs::create_partitions_request::CreatePartitionsAssignment {
        broker_ids => broker_ids,
    }
    ours::create_partitions::CreatePartitionsResponse => theirs::CreatePartitionsResponse {
        throttle_ms => throttle_time_ms,
        results => results,
    }
    ours::create_partitions::CreatePartitionsTopicResult => theirs::create_partitions_response::CreatePartitionsTopicResult {
        name => name,
        error => error_code,
        error_message => error_message,
    }
    ours::elect_leaders::ElectLeadersRequest => theirs::ElectLeadersRequest {
        election_type => election_type in 1..,
        topics => topic_partitions,
        timeout_ms => timeout_ms,
    }
    ours::elect_leaders::ElectLeadersTopic => theirs::elect_leaders_request::TopicPartitions {
        topic => topic,
        partitions => partitions,
    }
    ours::elect_leaders::ElectLeadersResponse => theirs::ElectLeadersResponse {
        throttle_ms => throttle_time_ms,
        error => error_code in 1..,
        results => replica_election_results,
    }
    ours::elect_leaders::ReplicaElectionResult => theirs::elect_leaders_response::ReplicaElectionResult {
        topic => topic,
        partitions => partition_result,
    }
    ours::elect_leaders::PartitionElectionResult => theirs::elect_leaders_response::PartitionResult {
        index => partition_id,
        error => error_code,
        error_message => error_message,
    }
    ours::alter_partition_reassignments::AlterPartitionReassignmentsRequest => theirs::AlterPartitionReassignmentsRequest {
        timeout_ms => timeout_ms,
        allow_replication_factor_change => allow_replication_factor_change in 1..,
        topics => topics,
    }
    ours::alter_partition_reassignments::ReassignableTopic => theirs::alter_partition_reassignments_request::ReassignableTopic {
        name => name,
        partitions => partitions,
    }
    ours::alter_partition_reassignments::ReassignablePartition => theirs::alter_partition_reassignments_request::ReassignablePartition {
        index => partition_index,
        replicas => replicas,
    }
    ours::alter_partition_reassignments::AlterPartitionReassignmentsResponse => theirs::AlterPartitionReassignmentsResponse {
        throttle_ms => throttle_time_ms,
        allow_replication_factor_change => allow_replication_factor_change in 1..,
        error => error_code,
        error_message => error_message,
        responses => responses,
    }
    ours::alter_partition_reassignments::ReassignableTopicResponse => theirs::alter_partition_reassignments_response::ReassignableTopicResponse {
        name => name,
        partitions => partitions,
    }
    ours::alter_partition_reassignments::ReassignablePartitionResponse => theirs::alter_partition_reassignments_response::ReassignablePartitionResponse {
        index => partition_index,
        error => error_code,
        error_message => error_message,
    }
    ours::list_partition_reassignments::ListPartitionReassignmentsRequest => theirs::ListPartitionReassignmentsRequest {
        timeout_ms => timeout_ms,
        topics => topics,
    }
    ours::list_partition_reassignments::ListReassignmentsTopic => theirs::list_partition_reassignments_request::ListPartitionReassignmentsTopics {
        name => name,
        partitions => partition_indexes,
    }
    ours::list_partition_reassignments::ListPartitionReassignmentsResponse => theirs::ListPartitionReassignmentsResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        error_message => error_message,
        topics => topics,
    }
    ours::list_partition_reassignments::OngoingTopicReassignment => theirs::list_partition_reassignments_response::OngoingTopicReassignment {
        name => name,
        partitions => partitions,
    }
    ours::list_partition_reassignments::OngoingPartitionReassignment => theirs::list_partition_reassignments_response::OngoingPartitionReassignment {
        index => partition_index,
        replicas => replicas,
        adding_replicas => adding_replicas,
        removing_replicas => removing_replicas,
    }
    ours::describe_client_quotas::DescribeClientQuotasRequest => theirs::DescribeClientQuotasRequest {
        components => components,
        strict => strict,
    }
    ours::describe_client_quotas::QuotaComponent => theirs::describe_client_quotas_request::ComponentData {
        entity_type => entity_type,
        match_type => match_type,
        name => _match,
    }
    ours::describe_client_quotas::DescribeClientQuotasResponse => theirs::DescribeClientQuotasResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        error_message => error_message,
        entries => entries,
    }
    ours::describe_client_quotas::QuotaEntry => theirs::describe_client_quotas_response::EntryData {
        entity => entity,
        values => values,
    }
    ours::describe_client_quotas::QuotaEntity => theirs::describe_client_quotas_response::EntityData {
        entity_type => entity_type,
        entity_name => entity_name,
    }
    ours::describe_client_quotas::QuotaValue => theirs::describe_client_quotas_response::ValueData {
        key => key,
        value => value,
    }
    ours::alter_client_quotas::AlterClientQuotasRequest => theirs::AlterClientQuotasRequest {
        entries => entries,
        validate_only => validate_only,
    }
    ours::alter_client_quotas::QuotaAlteration => theirs::alter_client_quotas_request::EntryData {
        entity => entity,
        ops => ops,
    }
    ours::alter_client_quotas::AlteredEntity => theirs::alter_client_quotas_request::EntityData {
        entity_type => entity_type,
        entity_name => entity_name,
    }
    ours::alter_client_quotas::QuotaOperation => theirs::alter_client_quotas_request::OpData {
        key => key,
        value => value,
        remove => remove,
    }
    ours::alter_client_quotas::AlterClientQuotasResponse => theirs::AlterClientQuotasResponse {
        throttle_ms => throttle_time_ms,
        entries => entries,
    }
    ours::alter_client_quotas::AlteredQuota => theirs::alter_client_quotas_response::EntryData {
        error => error_code,
        error_message => error_message,
        entity => entity,
    }
    ours::alter_client_quotas::AlteredQuotaEntity => theirs::alter_client_quotas_response::EntityData {
        entity_type => entity_type,
        entity_name => entity_name,
    }
    ours::describe_scram::DescribeUserScramCredentialsRequest => theirs::DescribeUserScramCredentialsRequest {
        users => users,
    }
    ours::describe_scram::ScramUser => theirs::describe_user_scram_credentials_request::UserName {
        name => name,
    }
    ours::describe_scram::DescribeUserScramCredentialsResponse => theirs::DescribeUserScramCredentialsResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        error_message => error_message,
        results => results,
    }
    ours::describe_scram::ScramResult => theirs::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult {
        user => user,
        error => error_code,
        error_message => error_message,
        credentials => credential_infos,
    }
    ours::describe_scram::ScramCredential => theirs::describe_user_scram_credentials_response::CredentialInfo {
        mechanism => mechanism,
        iterations => iterations,
    }
    ours::describe_quorum::DescribeQuorumRequest => theirs::DescribeQuorumRequest {
        topics => topics,
    }
    ours::describe_quorum::QuorumTopic => theirs::describe_quorum_request::TopicData {
        name => topic_name,
        partitions => partitions,
    }
    ours::describe_quorum::QuorumPartition => theirs::describe_quorum_request::PartitionData {
        index => partition_index,
    }
    ours::describe_quorum::DescribeQuorumResponse => theirs::DescribeQuorumResponse {
        error => error_code,
        error_message => error_message in 2..,
        topics => topics,
        nodes => nodes in 2..,
    }
    ours::describe_quorum::QuorumTopicResponse => theirs::describe_quorum_response::TopicData {
        name => topic_name,
        partitions => partitions,
    }
    ours::describe_quorum::QuorumPartitionResponse => theirs::describe_quorum_response::PartitionData {
        index => partition_index,
        error => error_code,
        error_message => error_message in 2..,
        leader_id => leader_id,
        leader_epoch => leader_epoch,
        high_watermark => high_watermark,
        voters => current_voters,
        observers => observers,
    }
    ours::describe_quorum::QuorumReplica => theirs::describe_quorum_response::ReplicaState {
        replica_id => replica_id,
        directory_id => replica_directory_id in 2..,
        log_end_offset => log_end_offset,
        last_fetch_ms => last_fetch_timestamp in 1..,
        last_caught_up_ms => last_caught_up_timestamp in 1..,
    }
    ours::describe_quorum::QuorumNode => theirs::describe_quorum_response::Node {
        node_id => node_id in 2..,
        listeners => listeners in 2..,
    }
    ours::describe_quorum::QuorumListener => theirs::describe_quorum_response::Listener {
        name => name in 2..,
        host => host in 2..,
        port => port in 2..,
    }
    ours::describe_cluster::DescribeClusterRequest => theirs::DescribeClusterRequest {
        include_authorized_operations => include_cluster_authorized_operations,
        endpoint_type => endpoint_type in 1..,
        include_fenced_brokers => include_fenced_brokers in 2..,
    }
    ours::describe_cluster::DescribeClusterResponse => theirs::DescribeClusterResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        error_message => error_message,
        endpoint_type => endpoint_type in 1..,
        cluster_id => cluster_id,
        controller_id => controller_id,
        brokers => brokers,
        authorized_operations => cluster_authorized_operations,
    }
    ours::describe_cluster::DescribeClusterBroker => theirs::describe_cluster_response::DescribeClusterBroker {
        id => broker_id,
        host => host,
        port => port,
        rack => rack,
        is_fenced => is_fenced in 2..,
    }
    ours::describe_producers::DescribeProducersRequest => theirs::DescribeProducersRequest {
        topics => topics,
    }
    ours::describe_producers::ProducersTopic => theirs::describe_producers_request::TopicRequest {
        name => name,
        partitions => partition_indexes,
    }
    ours::describe_producers::DescribeProducersResponse => theirs::DescribeProducersResponse {
        throttle_ms => throttle_time_ms,
        topics => topics,
    }
    ours::describe_producers::ProducersTopicResponse => theirs::describe_producers_response::TopicResponse {
        name => name,
        partitions => partitions,
    }
    ours::describe_producers::ProducersPartitionResponse => theirs::describe_producers_response::PartitionResponse {
        index => partition_index,
        error => error_code,
        error_message => error_message,
        producers => active_producers,
    }
    ours::describe_producers::ProducerState => theirs::describe_producers_response::ProducerState {
        id => producer_id,
        epoch => producer_epoch,
        last_sequence => last_sequence,
        last_timestamp => last_timestamp,
        coordinator_epoch => coordinator_epoch,
        transaction_start_offset => current_txn_start_offset,
    }
    ours::describe_topic_partitions::DescribeTopicPartitionsRequest => theirs::DescribeTopicPartitionsRequest {
        topics => topics,
        partition_limit => response_partition_limit,
        cursor => cursor,
    }
    ours::describe_topic_partitions::DescribedTopicName => theirs::describe_topic_partitions_request::TopicRequest {
        name => name,
    }
    ours::describe_topic_partitions::Cursor => theirs::describe_topic_partitions_request::Cursor {
        topic_name => topic_name,
        partition_index => partition_index,
    }
    ours::describe_topic_partitions::Cursor => theirs::describe_topic_partitions_response::Cursor {
        topic_name => topic_name,
        partition_index => partition_index,
    }
    ours::describe_topic_partitions::DescribeTopicPartitionsResponse => theirs::DescribeTopicPartitionsResponse {
        throttle_ms => throttle_time_ms,
        topics => topics,
        next_cursor => next_cursor,
    }
    ours::describe_topic_partitions::DescribedTopic => theirs::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic {
        error => error_code,
        name => name,
        topic_id => topic_id,
        is_internal => is_internal,
        partitions => partitions,
        authorized_operations => topic_authorized_operations,
    }
    ours::describe_topic_partitions::DescribedPartition => theirs::describe_topic_partitions_response::DescribeTopicPartitionsResponsePartition {
        error => error_code,
        index => partition_index,
        leader_id => leader_id,
        leader_epoch => leader_epoch,
        replica_nodes => replica_nodes,
        isr_nodes => isr_nodes,
        eligible_leader_replicas => eligible_leader_replicas,
        last_known_elr => last_known_elr,
        offline_replicas => offline_replicas,
    }
}
