"""Sends a file line by line with confluent-kafka, idempotent, and says what was acknowledged.

    produce_lines.py BOOTSTRAP TOPIC FILE

Prints a JSON object every so often and at the end: `acknowledged` lines so far, and at the end their `sha256`, taken
over the lines in the order of their acknowledgements, which for one partition is the order in which they were sent.
A broker that goes away is waited for: the client sends again by itself what was not acknowledged.
"""

import hashlib
import json
import sys

from confluent_kafka import KafkaException, Producer

PROGRESS_LINES = 20_000


class Tally:
    def __init__(self):
        self.lines = 0
        self.digest = hashlib.sha256()

    def acknowledge(self, error, message):
        if error:
            raise KafkaException(error)
        self.lines += 1
        self.digest.update(message.value())
        self.digest.update(b"\n")
        if self.lines % PROGRESS_LINES == 0:
            print(json.dumps({"acknowledged": self.lines}), flush=True)


def main(bootstrap, topic, path):
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        # Rather wait for a broker that starts again than give a line up.
        "message.timeout.ms": 120_000,
        "reconnect.backoff.max.ms": 500,
    })
    tally = Tally()
    with open(path, "rb") as file:
        for line in file:
            while True:
                try:
                    producer.produce(topic, line.removesuffix(b"\n"), on_delivery=tally.acknowledge)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
    left = producer.flush(120)
    if left:
        raise SystemExit(f"{left} lines were not acknowledged")
    print(json.dumps({"acknowledged": tally.lines, "sha256": tally.digest.hexdigest()}), flush=True)


main(*sys.argv[1:])
