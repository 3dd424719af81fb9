"""What every Python member of a group shares: it reads, says what it has read, commits, and leaves when its input ends."""

import json
import sys
import threading
import traceback


def run(poll, commit, close):
    """Says each round of (partition, offset) in one line, before it is committed: what is committed has been said."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.is_set():
        try:
            read = poll()
            if read:
                print(json.dumps(read), flush=True)
                commit()
        except Exception:
            # A commit that a rebalance or a dead broker has overtaken: what it stood for is read again by whoever has the partition.
            traceback.print_exc(file=sys.stderr)
    close()
