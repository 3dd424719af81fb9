"""What every Python agent shares: the loop over commands and the form in which records travel.

An agent is a thin adapter round one client. It reads one JSON command a line from standard input and writes one JSON
answer a line to standard output. What to send and what must come back is known only by `cargo xtask clients`, so an
agent holds no expectation and compares nothing.

Commands: see README.md in this directory. Bytes travel as base64, a missing key or value as null, headers as a list
of [name, value] pairs in order, timestamps as milliseconds.
"""

import base64
import json
import sys
import traceback

# How long an agent waits for what was asked, in seconds.
PATIENCE = 30


def decode(text):
    return None if text is None else base64.b64decode(text)


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


def records(command):
    """The records of a produce command, as (key, value, headers, timestamp)."""
    for record in command["records"]:
        headers = [(name, decode(value)) for name, value in record["headers"]]
        yield decode(record["key"]), decode(record["value"]), headers, record["timestamp"]


def record(offset, timestamp, key, value, headers):
    """A record as it is handed back."""
    return {
        "offset": offset,
        "timestamp": timestamp,
        "key": encode(key),
        "value": encode(value),
        "headers": [[name, encode(data)] for name, data in headers or []],
    }


def serve(agent):
    """Runs commands until standard input ends. A command that fails answers its error, and the agent lives on."""
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(agent, command["do"])(command) or {}
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
