"""An exec agent that parses every event and acknowledges it, and writes down what that took.

COUNT: events until it writes to RECORD, a JSON object: first and last event (s, monotonic), CPU (s) between them, and
`waited`: s ready to run while the cores did something else.
"""

import json
import os
import sys
import time


def waited():
    with open("/proc/self/schedstat", encoding="ascii") as figures:
        return int(figures.read().split()[1]) / 1e9


count = int(os.environ["COUNT"])
out = sys.stdout
seen = 0
for line in sys.stdin:
    event = json.loads(line)
    if seen == 0:
        first, cpu, ready = time.monotonic(), time.process_time(), waited()
    seen += 1
    out.write('{"ack":%d}\n' % event["delivery"])
    out.flush()
    if seen == count:
        with open(os.environ["RECORD"], "w", encoding="ascii") as record:
            record.write(json.dumps({"first": first, "last": time.monotonic(), "cpu": time.process_time() - cpu,
                                     "waited": waited() - ready}))
