"""Reads partition 0 of a topic with confluent-kafka from its beginning to its end, and says what was read.

    consume_lines.py BOOTSTRAP TOPIC

Prints one JSON object: `lines`, and the `sha256` over them, each with a line feed behind it.
"""

import hashlib
import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition


def main(bootstrap, topic):
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "unused",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        # Lines are short: with the default of 100,000 the client pauses for a second whenever it is ahead of us.
        "queued.min.messages": 10_000_000,
    })
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    lines, digest, ended = 0, hashlib.sha256(), False
    while not ended:
        for message in consumer.consume(10_000, timeout=1):
            error = message.error()
            if error is None:
                lines += 1
                digest.update(message.value())
                digest.update(b"\n")
            elif error.code() == KafkaError._PARTITION_EOF:
                ended = True
            else:
                raise KafkaException(error)
    consumer.close()
    print(json.dumps({"lines": lines, "sha256": digest.hexdigest()}))


main(*sys.argv[1:])
