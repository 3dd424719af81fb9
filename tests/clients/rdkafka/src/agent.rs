//! The agent: one JSON command a line from standard input, one JSON answer a line to standard output.

use std::io::stdin;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_executor::block_on;
use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Map, Value, json};

use crate::Result;

/// How long the agent waits for what was asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs commands until standard input ends. A command that fails answers its error, and the agent lives on.
pub fn serve(bootstrap: &str) -> Result<()> {
    let mut common = ClientConfig::new();
    common.set("bootstrap.servers", bootstrap);
    let mut agent = Agent {
        admin: common.create()?,
        common,
        consumer: None,
    };
    for line in stdin().lines() {
        let command: Value = serde_json::from_str(&line?)?;
        let answer = agent.act(&command).unwrap_or_else(|error| {
            eprintln!("{error}");
            json!({ "error": error.to_string() })
        });
        println!("{answer}");
    }
    Ok(())
}

struct Agent {
    common: ClientConfig,
    admin: AdminClient<DefaultClientContext>,
    consumer: Option<BaseConsumer>,
}

/// What became of the records that were sent, in order.
#[derive(Default)]
struct Outcomes(Mutex<Vec<std::result::Result<i64, String>>>);

impl ClientContext for Outcomes {}

impl ProducerContext for Outcomes {
    type DeliveryOpaque = ();

    fn delivery(&self, outcome: &DeliveryResult<'_>, (): ()) {
        let outcome = match outcome {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.to_string()),
        };
        self.0.lock().unwrap().push(outcome);
    }
}

impl Agent {
    fn act(&mut self, command: &Value) -> Result<Value> {
        match text(command, "do")? {
            "hello" => Ok(json!({ "name": "rdkafka", "version": version() })),
            "produce" => self.produce(command),
            "open" => self.open(command),
            "take" => self.take(command),
            "close" => {
                self.consumer.take().map(end);
                Ok(json!({}))
            }
            "offsets" => self.offsets(command),
            "topics" => self.topics(),
            _ => self.administer(command),
        }
    }

    fn produce(&self, command: &Value) -> Result<Value> {
        let acks = text(command, "acks")?;
        let mut config = self.common.clone();
        config.set("compression.type", text(command, "codec")?);
        config.set("acks", acks);
        config.set("enable.idempotence", command["idempotent"].to_string());
        config.set("linger.ms", "20");
        config.set("message.max.bytes", "1048588");
        let producer: ThreadedProducer<Outcomes> =
            config.create_with_context(Outcomes::default())?;
        for record in list(command, "records")? {
            let (key, value) = (bytes(&record["key"])?, bytes(&record["value"])?);
            let mut to_send = BaseRecord::<[u8], [u8]>::to(text(command, "topic")?)
                .partition(partition(command)?)
                .timestamp(number(record, "timestamp")?)
                .headers(headers(record)?);
            to_send.key = key.as_deref();
            to_send.payload = value.as_deref();
            producer.send(to_send).map_err(|(error, _)| error)?;
        }
        producer.flush(PATIENCE)?;
        let outcomes = std::mem::take(&mut *producer.context().0.lock().unwrap());
        let offsets = outcomes
            .into_iter()
            .collect::<std::result::Result<Vec<i64>, String>>()?;
        Ok(json!({ "offsets": (acks != "0").then_some(offsets) }))
    }

    fn consumer(&self) -> Result<BaseConsumer> {
        let mut config = self.common.clone();
        config.set("group.id", "unused");
        config.set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true");
        config.set("auto.offset.reset", "error");
        config.set("fetch.wait.max.ms", "100");
        Ok(config.create()?)
    }

    /// Assigns the partition at the start that is asked, and waits until that is settled.
    fn open(&mut self, command: &Value) -> Result<Value> {
        let consumer = self.consumer()?;
        let start = &command["start"];
        let at = match start["at"].as_str() {
            Some("beginning") => Offset::Beginning,
            Some(_) => Offset::End,
            None => match start["timestamp"].as_i64() {
                Some(time) => offset_at(&consumer, command, time)?,
                None => Offset::Offset(number(start, "offset")?),
            },
        };
        // A consumer that does not know the leader yet looks again after half a second; asked for something, it finds out at once.
        consumer.fetch_watermarks(text(command, "topic")?, partition(command)?, PATIENCE)?;
        let mut assigned = TopicPartitionList::new();
        assigned.add_partition_offset(text(command, "topic")?, partition(command)?, at)?;
        consumer.assign(&assigned)?;
        if at == Offset::End && start["at"] == "end" {
            // The end is found by the client's own thread; the mark of it says that it was.
            match consumer.poll(PATIENCE) {
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                _ => return Err("no end of the partition was seen".into()),
            }
        }
        self.consumer = Some(consumer);
        Ok(json!({ "position": at.to_raw() }))
    }

    fn take(&self, command: &Value) -> Result<Value> {
        let consumer = self.consumer.as_ref().ok_or("nothing is open")?;
        let count = usize::try_from(number(command, "count")?)?;
        let mut taken = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while taken.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = match consumer.poll(left) {
                None => return Err(format!("{} of {count} records came", taken.len()).into()),
                Some(Err(KafkaError::PartitionEOF(_))) => continue,
                Some(message) => message?,
            };
            let headers = message.headers().into_iter().flat_map(Headers::iter);
            let headers = headers.map(|header| json!([header.key, encode(header.value)]));
            taken.push(json!({
                "offset": message.offset(),
                "timestamp": message.timestamp().to_millis(),
                "key": encode(message.key()),
                "value": encode(message.payload()),
                "headers": headers.collect::<Vec<_>>(),
            }));
        }
        Ok(json!({ "records": taken }))
    }

    fn offsets(&self, command: &Value) -> Result<Value> {
        let consumer = self.consumer()?;
        let at = offset_at(&consumer, command, number(command, "timestamp")?)?;
        let (beginning, last) =
            consumer.fetch_watermarks(text(command, "topic")?, partition(command)?, PATIENCE)?;
        end(consumer);
        let at = match at {
            Offset::Offset(at) => Some(at),
            _ => None,
        };
        Ok(json!({ "beginning": beginning, "end": last, "at": at }))
    }

    fn topics(&self) -> Result<Value> {
        let metadata = self.admin.inner().fetch_metadata(None, PATIENCE)?;
        let topics = metadata.topics().iter();
        let topics: Map<String, Value> = topics
            .map(|topic| (topic.name().to_owned(), topic.partitions().len().into()))
            .collect();
        Ok(json!({ "topics": topics }))
    }

    fn administer(&self, command: &Value) -> Result<Value> {
        let topic = text(command, "topic")?;
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let refused = |refused: (String, rdkafka::types::RDKafkaErrorCode)| {
            format!("{}: {}", refused.0, refused.1)
        };
        match text(command, "do")? {
            "create" => {
                let count = number(command, "partitions")?.try_into()?;
                let topics = [NewTopic::new(topic, count, TopicReplication::Fixed(1))];
                let made = block_on(self.admin.create_topics(&topics, &options))?;
                made.into_iter()
                    .try_for_each(|one| one.map(drop))
                    .map_err(refused)?;
            }
            "delete" => {
                let deleted = block_on(self.admin.delete_topics(&[topic], &options))?;
                deleted
                    .into_iter()
                    .try_for_each(|one| one.map(drop))
                    .map_err(refused)?;
            }
            "grow" => {
                let count = number(command, "partitions")?.try_into()?;
                let partitions = [NewPartitions::new(topic, count)];
                let grown = block_on(self.admin.create_partitions(&partitions, &options))?;
                grown
                    .into_iter()
                    .try_for_each(|one| one.map(drop))
                    .map_err(refused)?;
            }
            "configure" => {
                let mut alter = AlterConfig::new(ResourceSpecifier::Topic(topic));
                for (name, value) in command["configs"].as_object().ok_or("no configs")? {
                    alter = alter.set(name, value.as_str().ok_or("no value")?);
                }
                let altered = block_on(self.admin.alter_configs(&[alter], &options))?;
                for one in altered {
                    one.map_err(|(_, error)| error.to_string())?;
                }
            }
            "configured" => return self.configured(topic, &options),
            "shorten" => {
                let mut keep = TopicPartitionList::new();
                let offset = Offset::Offset(number(command, "offset")?);
                keep.add_partition_offset(topic, partition(command)?, offset)?;
                let deleted = block_on(self.admin.delete_records(&keep, &options))?;
                let one = deleted.elements();
                let one = one.first().ok_or("no partition in the answer")?;
                one.error()?;
                return Ok(json!({ "beginning": one.offset().to_raw() }));
            }
            other => return Err(format!("unknown command {other}").into()),
        }
        Ok(json!({}))
    }

    fn configured(&self, topic: &str, options: &AdminOptions) -> Result<Value> {
        let topics = [ResourceSpecifier::Topic(topic)];
        let mut configs = Map::new();
        for described in block_on(self.admin.describe_configs(&topics, options))? {
            let described = described.map_err(|error| error.to_string())?;
            configs.extend(
                described
                    .entries
                    .into_iter()
                    .map(|one| (one.name, one.value.into())),
            );
        }
        Ok(json!({ "configs": configs }))
    }
}

/// Ends a consumer, which takes a tenth of a second, and waits for no one.
fn end(consumer: BaseConsumer) {
    thread::spawn(move || drop(consumer));
}

/// The first offset that is not older than `time`; [`Offset::End`] if there is none.
fn offset_at(consumer: &BaseConsumer, command: &Value, time: i64) -> Result<Offset> {
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_offset(
        text(command, "topic")?,
        partition(command)?,
        Offset::Offset(time),
    )?;
    let found = consumer.offsets_for_times(wanted, PATIENCE)?;
    let elements = found.elements();
    let one = elements.first().ok_or("no partition in the answer")?;
    one.error()?;
    Ok(one.offset())
}

fn headers(record: &Value) -> Result<OwnedHeaders> {
    let mut headers = OwnedHeaders::new();
    for pair in list(record, "headers")? {
        let value = bytes(&pair[1])?;
        headers = headers.insert(Header {
            key: pair[0].as_str().ok_or("a header has no name")?,
            value: value.as_deref(),
        });
    }
    Ok(headers)
}

fn version() -> String {
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    format!("of librdkafka {librdkafka}")
}

fn text<'a>(of: &'a Value, name: &str) -> Result<&'a str> {
    Ok(of[name].as_str().ok_or_else(|| format!("no {name}"))?)
}

fn number(of: &Value, name: &str) -> Result<i64> {
    Ok(of[name].as_i64().ok_or_else(|| format!("no {name}"))?)
}

fn list<'a>(of: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    Ok(of[name].as_array().ok_or_else(|| format!("no {name}"))?)
}

fn partition(command: &Value) -> Result<i32> {
    Ok(i32::try_from(number(command, "partition")?)?)
}

fn bytes(value: &Value) -> Result<Option<Vec<u8>>> {
    Ok(value
        .as_str()
        .map(|text| STANDARD.decode(text))
        .transpose()?)
}

fn encode(bytes: Option<&[u8]>) -> Option<String> {
    bytes.map(|bytes| STANDARD.encode(bytes))
}
