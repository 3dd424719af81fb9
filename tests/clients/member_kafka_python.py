"""A member of a group by kafka-python: see "Members" in README.md."""

import sys

import kafka

from member import run

bootstrap, group, topic, kind, instance = sys.argv[1:6]
consumer = kafka.KafkaConsumer(
    topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
    session_timeout_ms=3000, heartbeat_interval_ms=300, fetch_max_wait_ms=100, reconnect_backoff_max_ms=500,
    group_instance_id=instance or None)


def poll():
    batches = consumer.poll(200)
    return [(m.partition, m.offset) for messages in batches.values() for m in messages]


run(poll, consumer.commit, consumer.close)
