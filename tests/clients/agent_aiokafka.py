"""The agent for aiokafka, the asyncio client; each command runs to its end in one event loop."""

import asyncio
import sys

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from agent import PATIENCE, record, records, serve

ACKS = {"0": 0, "1": 1, "all": "all"}


class Agent:
    """The commands as `serve` calls them, each run to its end within the patience of all agents."""

    def __init__(self, bootstrap):
        self.loop = asyncio.new_event_loop()
        self.commands = Commands(bootstrap)

    def __getattr__(self, name):
        command = getattr(self.commands, name)
        return lambda arguments: self.loop.run_until_complete(asyncio.wait_for(command(arguments), PATIENCE))


class Commands:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.consumer = None

    async def hello(self, _):
        return {"name": "aiokafka", "version": aiokafka.__version__}

    async def produce(self, command):
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            compression_type=None if command["codec"] == "none" else command["codec"],
            acks=ACKS[command["acks"]],
            enable_idempotence=command["idempotent"],
            linger_ms=20,
            max_batch_size=1 << 20,
            max_request_size=2 << 20,
        )
        await producer.start()
        try:
            futures = [
                await producer.send(
                    command["topic"], value, key, command["partition"], timestamp_ms=timestamp, headers=headers)
                for key, value, headers, timestamp in records(command)
            ]
            outcomes = await asyncio.gather(*futures)
        finally:
            await producer.stop()
        return {"offsets": None if command["acks"] == "0" else [outcome.offset for outcome in outcomes]}

    async def new_consumer(self):
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="none",
            fetch_max_wait_ms=100)
        await consumer.start()
        return consumer

    async def open(self, command):
        await self.close(command)
        self.consumer = await self.new_consumer()
        partition = TopicPartition(command["topic"], command["partition"])
        start = command["start"]
        self.consumer.assign([partition])
        if "offset" in start:
            self.consumer.seek(partition, start["offset"])
        elif "timestamp" in start:
            found = (await self.consumer.offsets_for_times({partition: start["timestamp"]}))[partition]
            self.consumer.seek(partition, found.offset)
        elif start["at"] == "end":
            await self.consumer.seek_to_end(partition)
        else:
            await self.consumer.seek_to_beginning(partition)
        return {"position": await self.consumer.position(partition)}

    async def take(self, command):
        taken = []
        while len(taken) < command["count"]:
            m = await self.consumer.getone()
            taken.append(record(m.offset, m.timestamp, m.key, m.value, m.headers))
        return {"records": taken}

    async def close(self, _):
        if self.consumer:
            await self.consumer.stop()
            self.consumer = None

    async def offsets(self, command):
        consumer = await self.new_consumer()
        try:
            partition = TopicPartition(command["topic"], command["partition"])
            found = (await consumer.offsets_for_times({partition: command["timestamp"]}))[partition]
            return {
                "beginning": (await consumer.beginning_offsets([partition]))[partition],
                "end": (await consumer.end_offsets([partition]))[partition],
                "at": found.offset if found else None,
            }
        finally:
            await consumer.stop()

    async def with_admin(self, act):
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            return await act(admin)
        finally:
            await admin.close()

    async def create(self, command):
        topic = NewTopic(command["topic"], command["partitions"], 1)
        answer = await self.with_admin(lambda admin: admin.create_topics([topic]))
        refuse(answer.topic_errors)

    async def delete(self, command):
        answer = await self.with_admin(lambda admin: admin.delete_topics([command["topic"]]))
        refuse(answer.topic_error_codes)

    async def grow(self, command):
        more = {command["topic"]: NewPartitions(command["partitions"])}
        answer = await self.with_admin(lambda admin: admin.create_partitions(more))
        refuse(answer.topic_errors)

    async def configure(self, command):
        resource = ConfigResource(ConfigResourceType.TOPIC, command["topic"], configs=command["configs"])
        answers = await self.with_admin(lambda admin: admin.alter_configs([resource]))
        for answer in answers:
            refuse((name, code) for code, _, _, name in answer.resources)

    async def configured(self, command):
        resource = ConfigResource(ConfigResourceType.TOPIC, command["topic"])
        answers = await self.with_admin(lambda admin: admin.describe_configs([resource]))
        entries = answers[0].resources[0][4]
        return {"configs": {entry[0]: entry[1] for entry in entries}}

    async def shorten(self, command):
        partition = TopicPartition(command["topic"], command["partition"])
        upto = {partition: RecordsToDelete(before_offset=command["offset"])}
        found = await self.with_admin(lambda admin: admin.delete_records(upto))
        return {"beginning": found[partition]}

    async def topics(self, _):
        described = await self.with_admin(lambda admin: admin.describe_topics())
        return {"topics": {topic["topic"]: len(topic["partitions"]) for topic in described}}


def refuse(errors):
    """aiokafka's administrator hands errors back as codes."""
    for topic, code, *_ in errors:
        if code:
            raise RuntimeError(f"error {code} for {topic}")


serve(Agent(sys.argv[1]))
