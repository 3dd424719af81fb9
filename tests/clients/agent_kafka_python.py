"""The agent for kafka-python, written in Python throughout."""

import sys
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from agent import PATIENCE, record, records, serve

ACKS = {"0": 0, "1": 1, "all": "all"}


class Agent:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.consumer = None

    def hello(self, _):
        return {"name": "kafka-python", "version": kafka.__version__}

    def produce(self, command):
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap,
            compression_type=None if command["codec"] == "none" else command["codec"],
            acks=ACKS[command["acks"]],
            enable_idempotence=command["idempotent"],
            linger_ms=20,
            batch_size=1 << 20,
            max_request_size=2 << 20,
            max_block_ms=PATIENCE * 1000,
        )
        try:
            futures = [
                producer.send(command["topic"], value, key, headers, command["partition"], timestamp)
                for key, value, headers, timestamp in records(command)
            ]
            producer.flush(PATIENCE)
            offsets = [future.get(PATIENCE).offset for future in futures]
        finally:
            producer.close(PATIENCE)
        return {"offsets": None if command["acks"] == "0" else offsets}

    def new_consumer(self):
        return KafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="none",
            fetch_max_wait_ms=100)

    def open(self, command):
        self.close(command)
        self.consumer = self.new_consumer()
        partition = TopicPartition(command["topic"], command["partition"])
        start = command["start"]
        self.consumer.assign([partition])
        if "offset" in start:
            self.consumer.seek(partition, start["offset"])
        elif "timestamp" in start:
            found = self.consumer.offsets_for_times({partition: start["timestamp"]})[partition]
            self.consumer.seek(partition, found.offset)
        elif start["at"] == "end":
            self.consumer.seek_to_end(partition)
        else:
            self.consumer.seek_to_beginning(partition)
        return {"position": self.consumer.position(partition)}

    def take(self, command):
        taken = []
        deadline = time.monotonic() + PATIENCE
        while len(taken) < command["count"]:
            left = command["count"] - len(taken)
            polled = self.consumer.poll(timeout_ms=500, max_records=left)
            for messages in polled.values():
                for m in messages:
                    taken.append(record(m.offset, m.timestamp, m.key, m.value, m.headers))
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(taken)} of {command['count']} records came")
        return {"records": taken}

    def close(self, _):
        if self.consumer:
            self.consumer.close()
            self.consumer = None

    def offsets(self, command):
        consumer = self.new_consumer()
        try:
            partition = TopicPartition(command["topic"], command["partition"])
            found = consumer.offsets_for_times({partition: command["timestamp"]})[partition]
            return {
                "beginning": consumer.beginning_offsets([partition])[partition],
                "end": consumer.end_offsets([partition])[partition],
                "at": found.offset if found else None,
            }
        finally:
            consumer.close()

    def with_admin(self, act):
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            return act(admin)
        finally:
            admin.close()

    def create(self, command):
        self.with_admin(lambda admin: admin.create_topics([NewTopic(command["topic"], command["partitions"], 1)]))

    def delete(self, command):
        self.with_admin(lambda admin: admin.delete_topics([command["topic"]]))

    def grow(self, command):
        self.with_admin(lambda admin: admin.create_partitions({command["topic"]: command["partitions"]}))

    def configure(self, command):
        resource = ConfigResource(ConfigResourceType.TOPIC, command["topic"], command["configs"])
        outcome = self.with_admin(lambda admin: admin.alter_configs([resource]))
        # kafka-python's administrator hands errors back as texts.
        error = outcome["topic"][command["topic"]]
        if error and "Error 0" not in error and error != "OK":
            raise RuntimeError(error)

    def configured(self, command):
        resource = ConfigResource(ConfigResourceType.TOPIC, command["topic"])
        described = self.with_admin(lambda admin: admin.describe_configs([resource], config_filter="all"))
        (of_topic,) = next(iter(described.values())).values()
        return {"configs": {name: entry["value"] for name, entry in of_topic.items()}}

    def shorten(self, command):
        partition = TopicPartition(command["topic"], command["partition"])
        found = self.with_admin(lambda admin: admin.delete_records({partition: command["offset"]}))
        return {"beginning": found[partition]["low_watermark"]}

    def topics(self, _):
        described = self.with_admin(lambda admin: admin.describe_topics())
        return {"topics": {topic["name"]: len(topic["partitions"]) for topic in described}}


serve(Agent(sys.argv[1]))
