"""An exec agent that publishes COUNT events of type TYPE as fast as it can, and writes down what that took.

WINDOW: 0, or how many may wait for their answer (then each has a ref; refused ones are published again).
RECORD: as of reader.py, and `refused`.
"""

import json
import os
import sys
import time


def waited():
    with open("/proc/self/schedstat", encoding="ascii") as figures:
        return int(figures.read().split()[1]) / 1e9


count, window, type_ = int(os.environ["COUNT"]), int(os.environ["WINDOW"]), os.environ["TYPE"]
out = sys.stdout
refused = waiting = 0
first, cpu, ready = time.monotonic(), time.process_time(), waited()


def publish(n):
    message = {"publish": {"type": type_, "data": {"n": n, "symbol": "XBT/USDT", "price": 105433.6, "side": "buy"}}}
    if window:
        message["ref"] = n
    out.write(json.dumps(message) + "\n")
    out.flush()


def take_answer():
    global refused, waiting
    answer = json.loads(sys.stdin.readline())
    if "refused" in answer:
        refused += 1
        publish(answer["refused"])
    else:
        waiting -= 1


for n in range(count):
    publish(n)
    if window:
        waiting += 1
        if waiting >= window:
            take_answer()
while waiting:
    take_answer()
with open(os.environ["RECORD"], "w", encoding="ascii") as record:
    record.write(json.dumps({"first": first, "last": time.monotonic(), "cpu": time.process_time() - cpu,
                             "waited": waited() - ready, "refused": refused}))
for _ in sys.stdin:
    pass
