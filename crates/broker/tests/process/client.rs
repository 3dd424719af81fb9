//! A client of a few requests, to see from outside what the wiring does.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use pagelog_kafka::batch::{BatchBuilder, NewRecord};
use pagelog_kafka::codec::fetch::{FetchPartition, FetchTopic};
use pagelog_kafka::codec::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use pagelog_kafka::codec::metadata::MetadataRequestTopic;
use pagelog_kafka::codec::produce::{ProducePartition, ProduceTopic};
use pagelog_kafka::codec::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest,
    MetadataResponse, ProduceRequest, ProduceResponse, Request, Response, decode_response,
    encode_request,
};

/// Versions that name topics by name.
const METADATA: i16 = 7;
const PRODUCE: i16 = 7;
const FETCH: i16 = 4;
const LIST_OFFSETS: i16 = 2;

/// A request that produces `batch` with acks=all, its size in front.
pub(crate) fn produce_request(version: i16, topic: &str, batch: &[u8]) -> Vec<u8> {
    let partitions = vec![ProducePartition {
        index: 0,
        records: Some(batch),
    }];
    let topics = vec![ProduceTopic {
        name: topic,
        partitions,
    }];
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topics,
        ..Default::default()
    };
    encode_request(version, 1, Some("process test"), &request)
}

/// A connection.
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client(TcpStream::connect(address).unwrap())
    }

    /// What the broker says of itself, and of the topic, which is made when it is not there.
    pub(crate) fn metadata(&mut self, topic: &str) -> MetadataResponse {
        self.ask_for_metadata(topic, true);
        decode_response(&self.receive().unwrap(), METADATA)
            .unwrap()
            .1
    }

    /// Whether the topic is there; it is not made.
    pub(crate) fn knows(&mut self, topic: &str) -> bool {
        self.ask_for_metadata(topic, false);
        let answer = self.receive().unwrap();
        let metadata: MetadataResponse = decode_response(&answer, METADATA).unwrap().1;
        metadata.topics[0].error.0 == 0
    }

    /// Asks for metadata and leaves the answer unread.
    pub(crate) fn ask_for_metadata(&mut self, topic: &str, allow_auto_topic_creation: bool) {
        let topic = MetadataRequestTopic {
            name: Some(topic.to_owned()),
            ..Default::default()
        };
        let topics = Some(vec![topic]);
        self.send(
            METADATA,
            &MetadataRequest {
                topics,
                allow_auto_topic_creation,
                ..Default::default()
            },
        );
    }

    /// Produces one record with acks=all, and returns the error code, or how the connection ended.
    pub(crate) fn produce(&mut self, topic: &str, value: &[u8]) -> io::Result<i16> {
        let mut batch = BatchBuilder::new();
        batch.push(&NewRecord {
            value: Some(value),
            ..Default::default()
        });
        self.0
            .write_all(&produce_request(PRODUCE, topic, &batch.build()))?;
        self.produced(PRODUCE)
    }

    /// The error code of the next answer to a produce request of this version.
    pub(crate) fn produced(&mut self, version: i16) -> io::Result<i16> {
        let answer = self.receive()?;
        let response: ProduceResponse = decode_response(&answer, version).unwrap().1;
        Ok(response.topics[0].partitions[0].error.0)
    }

    /// Asks for records behind the end of an empty topic, so that the broker waits, and does not wait for the answer.
    pub(crate) fn poll_for_long(&mut self, topic: &str) {
        let partitions = vec![FetchPartition {
            index: 0,
            bytes_max: 1 << 20,
            ..Default::default()
        }];
        let topics = vec![FetchTopic {
            name: topic,
            partitions,
            ..Default::default()
        }];
        self.send(
            FETCH,
            &FetchRequest {
                wait_max_ms: 600_000,
                bytes_min: 1,
                topics,
                ..Default::default()
            },
        );
    }

    /// The offset that belongs to a time, or to what stands for one.
    pub(crate) fn list_offset(&mut self, topic: &str, timestamp: i64) -> i64 {
        let partitions = vec![ListOffsetsPartition {
            index: 0,
            timestamp,
            ..Default::default()
        }];
        let topics = vec![ListOffsetsTopic {
            name: topic,
            partitions,
        }];
        let request = ListOffsetsRequest {
            topics,
            ..Default::default()
        };
        self.send(LIST_OFFSETS, &request);
        let answer = self.receive().unwrap();
        let response: ListOffsetsResponse = decode_response(&answer, LIST_OFFSETS).unwrap().1;
        response.topics[0].partitions[0].offset
    }

    /// What there is from `fetch_offset` on: the error code, and the records.
    pub(crate) fn fetch(&mut self, topic: &str, fetch_offset: i64) -> (i16, Vec<u8>) {
        let partitions = vec![FetchPartition {
            index: 0,
            fetch_offset,
            bytes_max: 1 << 20,
            ..Default::default()
        }];
        let topics = vec![FetchTopic {
            name: topic,
            partitions,
            ..Default::default()
        }];
        let request = FetchRequest {
            topics,
            ..Default::default()
        };
        self.send(FETCH, &request);
        let answer = self.receive().unwrap();
        let response: FetchResponse<'_> = decode_response(&answer, FETCH).unwrap().1;
        let partition = &response.topics[0].partitions[0];
        (partition.error.0, partition.records.unwrap_or(&[]).to_vec())
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Whether the broker has ended the connection; waits for it.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }

    /// Asks and decodes; for answers that borrow nothing.
    pub(crate) fn ask<'a, A>(&mut self, version: i16, request: &impl Request<'a>) -> A
    where
        A: for<'b> Response<'b>,
    {
        self.send(version, request);
        self.answer(version)
    }

    /// The answer to the oldest request that has none yet.
    pub(crate) fn answer<A: for<'b> Response<'b>>(&mut self, version: i16) -> A {
        decode_response(&self.receive().unwrap(), version)
            .unwrap()
            .1
    }

    pub(crate) fn send<'a, R: Request<'a>>(&mut self, version: i16, request: &R) {
        self.0
            .write_all(&encode_request(version, 1, Some("process test"), request))
            .unwrap();
    }

    /// One answer without its length.
    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut size = [0; 4];
        self.0.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        self.0.read_exact(&mut answer)?;
        Ok(answer)
    }
}
