//! Random messages in every version: the same bytes as the `kafka-protocol` crate's, and read back by both.

use bytes::Bytes;
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};
use pagelog_testing::{Random, seed};

use super::convert::Convert;
use super::{Sample, for_every_message};
use crate::codec::{
    self as ours, ApiKey, Encoding, Field, Reader, RequestHeader, Writer, frame::SIZE_PREFIX,
};

const ROUNDS: usize = 60;

/// Null is sampled wherever a field can be null in some version; here it is taken out of the versions that do not have it.
trait OnlyAllowedNulls {
    fn only_allowed_nulls(self, version: i16) -> Self;
}

macro_rules! nulls {
    ($($message:ty: |$value:ident, $version:ident| $fix:block)*) => {$(
        impl OnlyAllowedNulls for $message {
            #[allow(unused_mut, unused_variables, reason = "most messages have nothing to mend")]
            fn only_allowed_nulls(mut self, $version: i16) -> Self {
                let $value = &mut self;
                $fix
                self
            }
        }
    )*};
}

nulls! {
    ours::ApiVersionsRequest<'_>: |message, version| {}
    ours::ApiVersionsResponse: |message, version| {}
    ours::CreateTopicsRequest: |message, version| {}
    ours::CreateTopicsResponse: |message, version| {}
    ours::DeleteTopicsRequest: |message, version| {}
    ours::DeleteTopicsResponse: |message, version| {
        if version < 6 {
            message.topics.iter_mut().for_each(|topic| mend(&mut topic.name));
        }
    }
    ours::DeleteGroupsRequest<'_>: |message, version| {}
    ours::DeleteGroupsResponse: |message, version| {}
    ours::DescribeGroupsRequest<'_>: |message, version| {}
    ours::DescribeGroupsResponse: |message, version| {}
    ours::HeartbeatRequest<'_>: |message, version| {}
    ours::HeartbeatResponse: |message, version| {}
    ours::JoinGroupRequest<'_>: |message, version| {}
    ours::JoinGroupResponse: |message, version| {
        if version < 7 {
            mend(&mut message.protocol_name);
        }
    }
    ours::LeaveGroupRequest<'_>: |message, version| {}
    ours::LeaveGroupResponse: |message, version| {}
    ours::ListGroupsRequest<'_>: |message, version| {}
    ours::ListGroupsResponse: |message, version| {}
    ours::OffsetCommitRequest<'_>: |message, version| {}
    ours::OffsetCommitResponse: |message, version| {}
    ours::OffsetDeleteRequest<'_>: |message, version| {}
    ours::OffsetDeleteResponse: |message, version| {}
    ours::OffsetFetchRequest<'_>: |message, version| {
        if version < 2 {
            mend(&mut message.topics);
        }
    }
    ours::OffsetFetchResponse: |message, version| {}
    ours::SyncGroupRequest<'_>: |message, version| {}
    ours::SyncGroupResponse: |message, version| {}
    ours::ConsumerGroupHeartbeatRequest<'_>: |message, version| {}
    ours::ConsumerGroupHeartbeatResponse: |message, version| {}
    ours::ConsumerGroupDescribeRequest<'_>: |message, version| {}
    ours::ConsumerGroupDescribeResponse: |message, version| {}
    ours::FetchRequest<'_>: |message, version| {}
    ours::FetchResponse<'_>: |message, version| {}
    ours::FindCoordinatorRequest<'_>: |message, version| {}
    ours::FindCoordinatorResponse: |message, version| {}
    ours::InitProducerIdRequest<'_>: |message, version| {}
    ours::InitProducerIdResponse: |message, version| {}
    ours::ListOffsetsRequest<'_>: |message, version| {}
    ours::ListOffsetsResponse: |message, version| {}
    ours::MetadataRequest: |message, version| {
        if version < 1 {
            mend(&mut message.topics);
        }
        if version < 10 {
            message.topics.iter_mut().flatten().for_each(|topic| mend(&mut topic.name));
        }
    }
    ours::MetadataResponse: |message, version| {
        if version < 12 {
            message.topics.iter_mut().for_each(|topic| mend(&mut topic.name));
        }
    }
    ours::OffsetForLeaderEpochRequest<'_>: |message, version| {}
    ours::OffsetForLeaderEpochResponse: |message, version| {}
    ours::ProduceRequest<'_>: |message, version| {}
    ours::ProduceResponse: |message, version| {}
    ours::DescribeAclsRequest: |message, version| {}
    ours::DescribeAclsResponse: |message, version| {}
    ours::CreateAclsRequest: |message, version| {}
    ours::CreateAclsResponse: |message, version| {}
    ours::DeleteAclsRequest: |message, version| {}
    ours::DeleteAclsResponse: |message, version| {}
    ours::DescribeConfigsRequest: |message, version| {}
    ours::DescribeConfigsResponse: |message, version| {}
    ours::AlterConfigsRequest: |message, version| {}
    ours::AlterConfigsResponse: |message, version| {}
    ours::IncrementalAlterConfigsRequest: |message, version| {}
    ours::IncrementalAlterConfigsResponse: |message, version| {}
    ours::ListConfigResourcesRequest: |message, version| {}
    ours::ListConfigResourcesResponse: |message, version| {}
    ours::CreatePartitionsRequest: |message, version| {}
    ours::CreatePartitionsResponse: |message, version| {}
    ours::ElectLeadersRequest: |message, version| {}
    ours::ElectLeadersResponse: |message, version| {}
    ours::AlterPartitionReassignmentsRequest: |message, version| {}
    ours::AlterPartitionReassignmentsResponse: |message, version| {}
    ours::ListPartitionReassignmentsRequest: |message, version| {}
    ours::ListPartitionReassignmentsResponse: |message, version| {}
    ours::DescribeClientQuotasRequest: |message, version| {}
    ours::DescribeClientQuotasResponse: |message, version| {}
    ours::AlterClientQuotasRequest: |message, version| {}
    ours::AlterClientQuotasResponse: |message, version| {}
    ours::DescribeUserScramCredentialsRequest: |message, version| {}
    ours::DescribeUserScramCredentialsResponse: |message, version| {}
    ours::DescribeQuorumRequest: |message, version| {}
    ours::DescribeQuorumResponse: |message, version| {}
    ours::DeleteRecordsRequest: |message, version| {}
    ours::DeleteRecordsResponse: |message, version| {}
    ours::DescribeLogDirsRequest: |message, version| {}
    ours::DescribeLogDirsResponse: |message, version| {}
    ours::DescribeClusterRequest: |message, version| {}
    ours::DescribeClusterResponse: |message, version| {}
    ours::DescribeProducersRequest: |message, version| {}
    ours::DescribeProducersResponse: |message, version| {}
    ours::DescribeTopicPartitionsRequest: |message, version| {}
    ours::DescribeTopicPartitionsResponse: |message, version| {}
}

fn mend<T: Default>(field: &mut Option<T>) {
    field.get_or_insert_default();
}

fn encode<'a>(message: &impl Field<'a>, api: ApiKey, version: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut Writer::new(&mut bytes, api.encoding(version)), version);
    bytes
}

macro_rules! check_body {
    ($api:ident, $message:ident) => {
        let mut random = Random::new(seed(0x9a9e));
        for version in ApiKey::$api.served() {
            for _ in 0..ROUNDS {
                let message =
                    ours::$message::sample(&mut random, version).only_allowed_nulls(version);
                let converted: theirs::$message = message.convert(version);
                let mut expected = Vec::new();
                let encoded = converted.encode(&mut expected, version);
                encoded.unwrap_or_else(|error| panic!("version {version} of {message:?}: {error}"));
                let bytes = encode(&message, ApiKey::$api, version);
                assert_eq!(bytes, expected, "version {version} of {message:?}");
                let mut reader = Reader::new(&expected, ApiKey::$api.encoding(version));
                let decoded = ours::$message::decode(&mut reader, version);
                assert_eq!(decoded.as_ref(), Ok(&message), "version {version}");
                assert!(reader.remaining().is_empty());
                let theirs = theirs::$message::decode(&mut Bytes::from(bytes), version).unwrap();
                assert_eq!(theirs, converted, "version {version}");
                assert!(ours::$message::size_min(version, reader.encoding()) <= expected.len());
            }
        }
    };
}

macro_rules! check {
    ($api:ident, $request:ident, $response:ident) => {{
        check_body!($api, $request);
        check_body!($api, $response);
    }};
}

#[test]
fn every_message_has_the_bytes_of_the_other_codec() {
    for_every_message!(check);
}

macro_rules! check_headers {
    ($api:ident, $request:ident, $response:ident) => {
        for version in ApiKey::$api.served() {
            let request_header = theirs::$request::header_version(version);
            assert_eq!(
                request_header == 2,
                ApiKey::$api.encoding(version) == Encoding::Flexible
            );
            let response_header = theirs::$response::header_version(version);
            let flexible = ApiKey::$api.response_header_encoding(version) == Encoding::Flexible;
            assert_eq!(response_header == 1, flexible);

            let frame = ours::encode_request(version, 77, Some("me"), &ours::$request::default());
            let mut bytes = Bytes::copy_from_slice(&frame[SIZE_PREFIX..]);
            let header = theirs::RequestHeader::decode(&mut bytes, request_header).unwrap();
            assert_eq!(header.request_api_key, ApiKey::$api.code());
            assert_eq!(
                (header.request_api_version, header.correlation_id),
                (version, 77)
            );
            assert_eq!(header.client_id.as_deref(), Some("me"));

            let mut bytes = Vec::new();
            header.encode(&mut bytes, request_header).unwrap();
            let (read, body) = RequestHeader::decode(&bytes).unwrap();
            assert_eq!((read.api, read.version), (ApiKey::$api, version));
            assert_eq!((read.correlation_id, read.client_id), (77, Some("me")));
            assert!(body.remaining().is_empty());
        }
    };
}

#[test]
fn headers_are_those_of_the_other_codec() {
    for_every_message!(check_headers);
}

#[test]
fn the_advertised_ranges_are_known_to_the_other_codec() {
    for &api in ApiKey::ALL {
        let theirs = kafka_protocol::messages::ApiKey::try_from(api.code()).unwrap();
        let known = theirs.valid_versions();
        assert!(
            api.served()
                .all(|version| (known.min..=known.max).contains(&version)),
            "{api:?}"
        );
    }
}
