"""The agent for confluent-kafka, which is librdkafka with a Python face."""

import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic)

from agent import PATIENCE, record, records, serve

STARTS = {"beginning": confluent_kafka.OFFSET_BEGINNING, "end": confluent_kafka.OFFSET_END}


class Agent:
    def __init__(self, bootstrap):
        self.common = {"bootstrap.servers": bootstrap}
        self.admin = AdminClient(self.common)
        self.consumer = None

    def hello(self, _):
        version = f"{confluent_kafka.version()} (librdkafka {confluent_kafka.libversion()[0]})"
        return {"name": "confluent-kafka", "version": version}

    def produce(self, command):
        producer = Producer(self.common | {
            "compression.type": command["codec"],
            "acks": command["acks"],
            "enable.idempotence": command["idempotent"],
            "linger.ms": 20,
            "message.max.bytes": 1048588,
        })
        outcomes = []
        for key, value, headers, timestamp in records(command):
            producer.produce(
                command["topic"], value, key, command["partition"], timestamp=timestamp, headers=headers,
                on_delivery=lambda error, message: outcomes.append((error, message.offset())))
        left = producer.flush(PATIENCE)
        if left:
            raise TimeoutError(f"{left} records were not delivered")
        for error, _ in outcomes:
            if error:
                raise confluent_kafka.KafkaException(error)
        return {"offsets": None if command["acks"] == "0" else [offset for _, offset in outcomes]}

    def open(self, command):
        """Assigns the partition at the start that is asked, and waits until that is settled."""
        self.close(command)
        self.consumer = Consumer(self.common | {
            "group.id": "unused", "enable.auto.commit": False, "enable.partition.eof": True,
            "auto.offset.reset": "error", "fetch.wait.max.ms": 100,
        })
        partition = TopicPartition(command["topic"], command["partition"])
        start = command["start"]
        if "timestamp" in start:
            partition.offset = start["timestamp"]
            partition = self.consumer.offsets_for_times([partition], timeout=PATIENCE)[0]
            if partition.error:
                raise confluent_kafka.KafkaException(partition.error)
        else:
            # A consumer that does not know the leader yet looks again after half a second; asked for something, it finds out at once.
            self.consumer.get_watermark_offsets(partition, timeout=PATIENCE)
            partition.offset = start["offset"] if "offset" in start else STARTS[start["at"]]
        self.consumer.assign([partition])
        if start.get("at") != "end":
            return {"position": partition.offset}
        # The end is found by the client's own thread; the mark of it says that it was.
        message = self.consumer.poll(PATIENCE)
        if message is None or message.error() is None or message.error().code() != KafkaError._PARTITION_EOF:
            raise RuntimeError("no end of the partition was seen")
        return {"position": message.offset()}

    def take(self, command):
        taken = []
        deadline = time.monotonic() + PATIENCE
        while len(taken) < command["count"]:
            message = self.consumer.poll(max(0.0, deadline - time.monotonic()))
            if message is None:
                raise TimeoutError(f"{len(taken)} of {command['count']} records came")
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    continue
                raise confluent_kafka.KafkaException(message.error())
            taken.append(record(
                message.offset(), message.timestamp()[1], message.key(), message.value(), message.headers()))
        return {"records": taken}

    def close(self, _):
        if self.consumer:
            self.consumer.close()
            self.consumer = None

    def offsets(self, command):
        consumer = Consumer(self.common | {"group.id": "unused", "enable.auto.commit": False})
        try:
            partition = TopicPartition(command["topic"], command["partition"], command["timestamp"])
            low, high = consumer.get_watermark_offsets(partition, timeout=PATIENCE)
            found = consumer.offsets_for_times([partition], timeout=PATIENCE)[0]
            if found.error:
                raise confluent_kafka.KafkaException(found.error)
            # A time past the last record is answered by the mark of the end.
            at = None if found.offset < 0 else found.offset
            return {"beginning": low, "end": high, "at": at}
        finally:
            consumer.close()

    def create(self, command):
        topic = NewTopic(command["topic"], command["partitions"], 1)
        self.admin.create_topics([topic])[command["topic"]].result(PATIENCE)

    def delete(self, command):
        self.admin.delete_topics([command["topic"]])[command["topic"]].result(PATIENCE)

    def grow(self, command):
        more = NewPartitions(command["topic"], command["partitions"])
        self.admin.create_partitions([more])[command["topic"]].result(PATIENCE)

    def configure(self, command):
        changes = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in command["configs"].items()]
        resource = ConfigResource(ConfigResource.Type.TOPIC, command["topic"], incremental_configs=changes)
        self.admin.incremental_alter_configs([resource])[resource].result(PATIENCE)

    def configured(self, command):
        resource = ConfigResource(ConfigResource.Type.TOPIC, command["topic"])
        described = self.admin.describe_configs([resource])[resource].result(PATIENCE)
        return {"configs": {name: entry.value for name, entry in described.items()}}

    def shorten(self, command):
        partition = TopicPartition(command["topic"], command["partition"], command["offset"])
        found = self.admin.delete_records([partition])[partition].result(PATIENCE)
        return {"beginning": found.low_watermark}

    def topics(self, _):
        topics = self.admin.list_topics(timeout=PATIENCE).topics
        return {"topics": {name: len(topic.partitions) for name, topic in topics.items()}}


serve(Agent(sys.argv[1]))
