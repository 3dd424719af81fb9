"""A member of a group by confluent-kafka: see "Members" in README.md."""

import sys

from confluent_kafka import Consumer

from member import run

bootstrap, group, topic, kind, instance = sys.argv[1:6]
settings = {
    "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
    "enable.auto.commit": False, "fetch.wait.max.ms": 100, "reconnect.backoff.max.ms": 500,
}
if kind == "consumer":
    settings["group.protocol"] = "consumer"
else:
    settings |= {"session.timeout.ms": 3000, "heartbeat.interval.ms": 300, "partition.assignment.strategy": kind}
if instance:
    settings["group.instance.id"] = instance
consumer = Consumer(settings)
consumer.subscribe([topic])


def poll():
    messages = [m for m in consumer.consume(100, 0.2) if not m.error()]
    return [(m.partition(), m.offset()) for m in messages]


run(poll, lambda: consumer.commit(asynchronous=False), consumer.close)
