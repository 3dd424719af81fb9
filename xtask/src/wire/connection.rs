//! One connection: requests out, answers in, in the same order.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pagelog_kafka::codec::{
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    ErrorCode, FetchRequest, FetchResponse, InitProducerIdRequest, InitProducerIdResponse,
    ProduceResponse, Request, Response, create_topics, decode_response, encode_request, fetch,
    produce,
};

/// How long an answer may take; a broker that is killed closes the connection much sooner.
const PATIENCE: Duration = Duration::from_secs(20);

/// A larger answer than any that these tests ask for.
const ANSWER_SIZE_MAX: usize = 256 << 20;

/// The versions that these tests speak: recent ones that every supported broker has.
pub(crate) mod version {
    pub(crate) const PRODUCE: i16 = 9;
    pub(crate) const FETCH: i16 = 12;
    pub(crate) const CREATE_TOPICS: i16 = 7;
    pub(crate) const DELETE_TOPICS: i16 = 4;
    pub(crate) const INIT_PRODUCER_ID: i16 = 3;
}

/// A blocking connection to a broker.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    next_correlation_id: i32,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(crate) fn open(address: impl ToSocketAddrs) -> Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection {
            stream,
            next_correlation_id: 0,
        })
    }

    /// Sends a request, and says the correlation id of its answer.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn send<'a, R: Request<'a>>(&mut self, version: i16, body: &R) -> Result<i32> {
        let id = self.next_correlation_id;
        self.next_correlation_id = id.wrapping_add(1);
        self.stream
            .write_all(&encode_request(version, id, Some("xtask"), body))?;
        Ok(id)
    }

    /// The next frame that the broker sends, without its size.
    ///
    /// # Errors
    /// The connection ends before a whole frame has come, or the size makes no sense.
    pub(crate) fn receive_frame(&mut self) -> Result<Vec<u8>> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let size =
            usize::try_from(i32::from_be_bytes(size)).context("an answer of negative size")?;
        ensure!(size <= ANSWER_SIZE_MAX, "an answer of {size} bytes");
        let mut frame = vec![0; size];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }

    /// Reads the answer to the request of the id `correlation_id`.
    ///
    /// # Errors
    /// It does not come, answers another request, or is not what it should be.
    pub(crate) fn receive<'a, R: Response<'a>>(
        &mut self,
        version: i16,
        correlation_id: i32,
        frame: &'a mut Vec<u8>,
    ) -> Result<R> {
        *frame = self.receive_frame()?;
        let (answered, body) =
            decode_response::<R>(frame, version).context("an answer that does not decode")?;
        ensure!(
            answered == correlation_id,
            "answer {answered} where {correlation_id} was next"
        );
        Ok(body)
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// The connection is gone; that the broker refuses is no error but its code.
    pub(crate) fn create_topic(&mut self, name: &str, partition_count: i32) -> Result<ErrorCode> {
        let topic = create_topics::CreatableTopic {
            name: name.to_owned(),
            partition_count,
            replication_factor: 1,
            ..Default::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: 10_000,
            validate_only: false,
        };
        let id = self.send(version::CREATE_TOPICS, &request)?;
        let mut frame = Vec::new();
        let answer: CreateTopicsResponse = self.receive(version::CREATE_TOPICS, id, &mut frame)?;
        let topic = answer.topics.first().context("no topic in the answer")?;
        Ok(topic.error)
    }

    /// Deletes a topic.
    ///
    /// # Errors
    /// The connection is gone; that the broker refuses is no error but its code.
    pub(crate) fn delete_topic(&mut self, name: &str) -> Result<ErrorCode> {
        let request = DeleteTopicsRequest {
            names: vec![name.to_owned()],
            timeout_ms: 10_000,
            ..Default::default()
        };
        let id = self.send(version::DELETE_TOPICS, &request)?;
        let mut frame = Vec::new();
        let answer: DeleteTopicsResponse = self.receive(version::DELETE_TOPICS, id, &mut frame)?;
        let topic = answer.topics.first().context("no topic in the answer")?;
        Ok(topic.error)
    }

    /// Asks for a producer id, until there is one: a broker that has just started may not be ready for it.
    ///
    /// # Errors
    /// The connection is gone, or the broker refuses for good.
    pub(crate) fn init_producer_id(&mut self) -> Result<(i64, i16)> {
        let request = InitProducerIdRequest {
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        loop {
            let id = self.send(version::INIT_PRODUCER_ID, &request)?;
            let mut frame = Vec::new();
            let answer: InitProducerIdResponse =
                self.receive(version::INIT_PRODUCER_ID, id, &mut frame)?;
            match answer.error {
                ErrorCode::NONE => return Ok((answer.producer_id, answer.producer_epoch)),
                ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => {
                    std::thread::sleep(Duration::from_millis(10))
                }
                error => bail!("no producer id: {error}"),
            }
        }
    }

    /// Sends one batch to one partition, and says the correlation id of the answer, if there will be one.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn send_batch(
        &mut self,
        topic: &str,
        partition: i32,
        acks: i16,
        batch: &[u8],
    ) -> Result<i32> {
        let partition = produce::ProducePartition {
            index: partition,
            records: Some(batch),
        };
        let topic = produce::ProduceTopic {
            name: topic,
            partitions: vec![partition],
        };
        let request = produce::ProduceRequest {
            transactional_id: None,
            acks,
            timeout_ms: 10_000,
            topics: vec![topic],
        };
        self.send(version::PRODUCE, &request)
    }

    /// Reads the answer to [`Connection::send_batch`]: its error, or the offset of the batch's first record.
    ///
    /// # Errors
    /// It does not come or is not what it should be.
    pub(crate) fn receive_batch_answer(
        &mut self,
        correlation_id: i32,
    ) -> Result<Result<i64, ErrorCode>> {
        let mut frame = Vec::new();
        let answer: ProduceResponse = self.receive(version::PRODUCE, correlation_id, &mut frame)?;
        let partition = answer
            .topics
            .first()
            .and_then(|topic| topic.partitions.first());
        let partition = partition.context("no partition in the answer")?;
        Ok(match partition.error {
            ErrorCode::NONE => Ok(partition.base_offset),
            error => Err(error),
        })
    }

    /// Reads batches of one partition from `offset` on, as they are stored. Waits up to `wait_max_ms` until there is one.
    ///
    /// # Errors
    /// The connection is gone, or the broker refuses.
    pub(crate) fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        wait_max_ms: i32,
    ) -> Result<Vec<u8>> {
        let partition = fetch::FetchPartition {
            index: partition,
            fetch_offset: offset,
            bytes_max: 8 << 20,
            ..Default::default()
        };
        let topic = fetch::FetchTopic {
            name: topic,
            partitions: vec![partition],
            ..Default::default()
        };
        let request = FetchRequest {
            wait_max_ms,
            bytes_min: 1,
            bytes_max: 8 << 20,
            topics: vec![topic],
            ..Default::default()
        };
        let id = self.send(version::FETCH, &request)?;
        let mut frame = Vec::new();
        let answer: FetchResponse<'_> = self.receive(version::FETCH, id, &mut frame)?;
        let partition = answer
            .topics
            .first()
            .and_then(|topic| topic.partitions.first());
        let partition = partition.context("no partition in the answer")?;
        ensure!(
            partition.error == ErrorCode::NONE,
            "cannot read: {}",
            partition.error
        );
        Ok(partition.records.unwrap_or_default().to_vec())
    }
}
