//! The conversation before the load: a blocking client that makes topics, learns offsets, and lays
//! out the frames that the load sends again and again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    CreateTopicsRequest, FetchRequest, FetchResponse, ListOffsetsRequest, MetadataRequest,
    ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

/// Versions that Pagelog and Kafka 4 both serve, flexible, with topics by name.
const PRODUCE_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 12;
const CREATE_TOPICS_VERSION: i16 = 5;
const LIST_OFFSETS_VERSION: i16 = 6;
const METADATA_VERSION: i16 = 9;

/// Every prepared frame has this correlation id: a connection has the answers in its order anyway.
pub(crate) const CORRELATION_ID: i32 = 7;

/// Code 6: a leader is named, but does not serve yet (seen after Kafka made a topic).
const NOT_LEADER: i16 = 6;
/// Code 3, answered by Kafka for a topic that is not everywhere known yet.
const UNKNOWN_TOPIC: i16 = 3;

/// A topic as the benches make it.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    pub(crate) partitions: i32,
    pub(crate) settings: Vec<(&'static str, &'static str)>,
}

/// One connection that asks and waits.
pub(crate) struct Client {
    stream: TcpStream,
}

impl Client {
    /// # Errors
    /// Where nobody listens.
    pub(crate) fn connect(address: SocketAddr) -> Result<Client> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Client { stream })
    }

    fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response>
    where
        R::Response: HeaderVersion,
    {
        let answer = self.exchange(&frame(version, request)?)?;
        decode::<R::Response>(version, answer)
    }

    /// Sends a whole frame and returns the answer without its length.
    pub(crate) fn exchange(&mut self, frame: &[u8]) -> Result<Bytes> {
        self.send(frame)?;
        self.receive()
    }

    /// Makes a topic and waits until every partition of it serves.
    ///
    /// # Errors
    /// A refusal, or a partition that does not serve within 30 s.
    pub(crate) fn create(&mut self, topic: &Topic) -> Result<()> {
        self.create_all(std::slice::from_ref(topic))?;
        self.wait_until_served(topic)
    }

    /// Makes topics by one request.
    ///
    /// # Errors
    /// A refusal.
    pub(crate) fn create_all(&mut self, topics: &[Topic]) -> Result<()> {
        let request = CreateTopicsRequest::default()
            .with_topics(topics.iter().map(creatable).collect())
            .with_timeout_ms(30_000);
        let response = self.call(CREATE_TOPICS_VERSION, &request)?;
        for made in &response.topics {
            let name = made.name.as_str();
            ensure!(
                made.error_code == 0,
                "topic {name}: error {}",
                made.error_code
            );
        }
        Ok(())
    }

    /// Asks for the metadata of these topics, or of all; how many partitions the answer names.
    ///
    /// # Errors
    /// A broken connection or an answer that does not decode.
    pub(crate) fn metadata(&mut self, topics: Option<&[Topic]>) -> Result<usize> {
        let asked =
            |topic: &Topic| MetadataRequestTopic::default().with_name(Some(topic_name(topic.name)));
        let request = MetadataRequest::default()
            .with_topics(topics.map(|topics| topics.iter().map(asked).collect()));
        let response = self.call(METADATA_VERSION, &request)?;
        Ok(response.topics.iter().map(|one| one.partitions.len()).sum())
    }

    /// Sends a whole frame, whose answer is [`Client::receive`]d later.
    ///
    /// # Errors
    /// A broken connection.
    pub(crate) fn send(&mut self, frame: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frame)?)
    }

    /// The next answer, without its length.
    ///
    /// # Errors
    /// A broken connection, or no answer within a minute.
    pub(crate) fn receive(&mut self) -> Result<Bytes> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size))?];
        self.stream.read_exact(&mut answer)?;
        Ok(answer.into())
    }

    fn wait_until_served(&mut self, topic: &Topic) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.is_served(topic)? {
            ensure!(
                Instant::now() < deadline,
                "topic {} is not served",
                topic.name
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn is_served(&mut self, topic: &Topic) -> Result<bool> {
        let partitions = (0..topic.partitions)
            .map(|index| {
                ListOffsetsPartition::default()
                    .with_partition_index(index)
                    .with_timestamp(-1)
            })
            .collect();
        let listed = ListOffsetsTopic::default()
            .with_name(topic_name(topic.name))
            .with_partitions(partitions);
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_topics(vec![listed]);
        let response = self.call(LIST_OFFSETS_VERSION, &request)?;
        let codes = response.topics.iter().flat_map(|topic| &topic.partitions);
        for code in codes.map(|partition| partition.error_code) {
            match code {
                0 => {}
                NOT_LEADER | UNKNOWN_TOPIC => return Ok(false),
                code => bail!("offsets of {}: error {code}", topic.name),
            }
        }
        Ok(true)
    }

    /// Asks one prepared Fetch and decodes the answer, for the walk before a load.
    ///
    /// # Errors
    /// A broken connection or an answer that does not decode.
    pub(crate) fn fetch(&mut self, frame: &[u8]) -> Result<(usize, FetchResponse)> {
        let answer = self.exchange(frame)?;
        let size = answer.len() + 4;
        Ok((size, decode::<FetchResponse>(FETCH_VERSION, answer)?))
    }
}

/// The whole frame of a Produce of one batch to each of `partitions`.
///
/// # Errors
/// Where the codec refuses a field.
pub(crate) fn produce_frame(
    topic: &str,
    partitions: &[i32],
    batch: &[u8],
    acks: i16,
) -> Result<Vec<u8>> {
    let records = Bytes::copy_from_slice(batch);
    let partition_data = partitions
        .iter()
        .map(|&index| {
            PartitionProduceData::default()
                .with_index(index)
                .with_records(Some(records.clone()))
        })
        .collect();
    let data = TopicProduceData::default()
        .with_name(topic_name(topic))
        .with_partition_data(partition_data);
    let request = ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![data]);
    frame(PRODUCE_VERSION, &request)
}

/// Where the error code of the only partition stands in the answer to a [`produce_frame`], its
/// length included: length 4, correlation 4, tags 1, topics 1, name, partitions 1, index 4.
pub(crate) fn produce_error_at(topic: &str) -> usize {
    4 + 4 + 1 + 1 + 1 + topic.len() + 1 + 4
}

/// The whole frame of a Fetch of `partitions`, each with its offset.
///
/// # Errors
/// Where the codec refuses a field.
pub(crate) fn fetch_frame(
    topic: &str,
    partitions: &[(i32, i64)],
    partition_bytes_max: i32,
    bytes_max: i32,
) -> Result<Vec<u8>> {
    let topic = fetch_topic(topic, partitions, partition_bytes_max);
    let request = fetch_request(vec![topic], bytes_max).with_max_wait_ms(500);
    frame(FETCH_VERSION, &request)
}

/// The whole frame of a Fetch of every partition of topics, each from its offset on, which is answered when there is something to read or
/// after `wait_max`.
///
/// # Errors
/// Where the codec refuses a field.
pub(crate) fn poll_frame<'a>(
    topics: impl IntoIterator<Item = (&'a Topic, i64)>,
    wait_max: Duration,
) -> Result<Vec<u8>> {
    let topics = topics.into_iter().map(|(topic, offset)| {
        let partitions: Vec<(i32, i64)> = (0..topic.partitions).map(|one| (one, offset)).collect();
        fetch_topic(topic.name, &partitions, 1 << 20)
    });
    let wait_ms = i32::try_from(wait_max.as_millis())?;
    let request = fetch_request(topics.collect(), 50 << 20).with_max_wait_ms(wait_ms);
    frame(FETCH_VERSION, &request)
}

fn fetch_topic(topic: &str, partitions: &[(i32, i64)], bytes_max: i32) -> FetchTopic {
    let partition = |&(index, offset): &(i32, i64)| {
        FetchPartition::default()
            .with_partition(index)
            .with_current_leader_epoch(-1)
            .with_fetch_offset(offset)
            .with_last_fetched_epoch(-1)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(bytes_max)
    };
    FetchTopic::default()
        .with_topic(topic_name(topic))
        .with_partitions(partitions.iter().map(partition).collect())
}

fn fetch_request(topics: Vec<FetchTopic>, bytes_max: i32) -> FetchRequest {
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_min_bytes(1)
        .with_max_bytes(bytes_max)
        .with_session_epoch(-1)
        .with_topics(topics)
}

fn creatable(topic: &Topic) -> CreatableTopic {
    let settings = topic.settings.iter().map(|&(name, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_static_str(value)))
    });
    CreatableTopic::default()
        .with_name(topic_name(topic.name))
        .with_num_partitions(topic.partitions)
        .with_replication_factor(1)
        .with_configs(settings.collect())
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn frame<R: Request>(version: i16, request: &R) -> Result<Vec<u8>> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION_ID)
        .with_client_id(Some(StrBytes::from_static_str("pagelog-benches")));
    let mut body = BytesMut::new();
    header.encode(&mut body, R::header_version(version))?;
    request.encode(&mut body, version)?;
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.extend(i32::try_from(body.len())?.to_be_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

fn decode<R: Decodable + HeaderVersion>(version: i16, mut answer: Bytes) -> Result<R> {
    let header = ResponseHeader::decode(&mut answer, R::header_version(version))?;
    ensure!(
        header.correlation_id == CORRELATION_ID,
        "an answer to another request"
    );
    let response = R::decode(&mut answer, version)?;
    ensure!(
        !answer.has_remaining(),
        "{} bytes after the answer",
        answer.remaining()
    );
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch;
    use kafka_protocol::messages::ProduceResponse;
    use kafka_protocol::messages::produce_response::{
        PartitionProduceResponse, TopicProduceResponse,
    };

    #[test]
    fn the_error_code_stands_where_the_load_looks() {
        let partition = PartitionProduceResponse::default()
            .with_index(5)
            .with_error_code(0x0102);
        let topic = TopicProduceResponse::default()
            .with_name(topic_name("some-topic"))
            .with_partition_responses(vec![partition]);
        let response = ProduceResponse::default().with_responses(vec![topic]);
        let mut body = BytesMut::new();
        ResponseHeader::default().encode(&mut body, 1).unwrap();
        response.encode(&mut body, PRODUCE_VERSION).unwrap();
        let at = produce_error_at("some-topic") - 4;
        assert_eq!(body[at..at + 2], [1, 2]);
    }

    #[test]
    fn a_frame_starts_with_its_length_and_its_correlation() {
        let frame = produce_frame("t", &[0], &batch::of_values(1, 10), -1).unwrap();
        assert_eq!(
            frame[..4],
            u32::try_from(frame.len() - 4).unwrap().to_be_bytes()
        );
        assert_eq!(frame[8..12], CORRELATION_ID.to_be_bytes());
    }
}
