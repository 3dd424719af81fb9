"""A member of a group by aiokafka: see "Members" in README.md."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from member import run

bootstrap, group, topic, kind, instance = sys.argv[1:6]
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


async def start():
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=3000, heartbeat_interval_ms=300, fetch_max_wait_ms=100, retry_backoff_ms=100,
        partition_assignment_strategy=(RangePartitionAssignor,))
    await consumer.start()
    return consumer


consumer = loop.run_until_complete(start())


def poll():
    batches = loop.run_until_complete(consumer.getmany(timeout_ms=200))
    return [(m.partition, m.offset) for messages in batches.values() for m in messages]


run(poll, lambda: loop.run_until_complete(consumer.commit()), lambda: loop.run_until_complete(consumer.stop()))
