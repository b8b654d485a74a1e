"""An exec agent of the chaos run that publishes numbered events until the file named by STOP is there.

Environment: RECORD, appended to: `T name number type` before an event is published, `Y name number confirmed id` and
`N name number reason` for the answer; NAME; TYPES (space separated); RATE (events a second).
"""

import json
import os
import select
import sys
import time

record = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
name = f"{os.environ['NAME']}.{os.getpid()}.{time.monotonic_ns()}"  # a new one for each life: no number is used twice
types = os.environ["TYPES"].split()
pause = 1 / float(os.environ["RATE"])
stop = os.environ["STOP"]
OPEN_MAX = 2000  # events whose answer has not come; beyond it this source waits
text = "x" * 64


def answers(line):
    if "published" in line:
        os.write(record, f"Y {name} {line['published']} {time.monotonic_ns()} {line['id']}\n".encode())
    else:
        reason = line["reason"].replace(" ", "_")
        os.write(record, f"N {name} {line['refused']} {time.monotonic_ns()} {reason}\n".encode())


number, waiting, due, rest = 0, 0, time.monotonic(), b""
while True:
    now = time.monotonic()
    if now >= due:
        due = max(due + pause, now - 1)
        if waiting < OPEN_MAX and not os.path.exists(stop):
            kind = types[number % len(types)]
            os.write(record, f"T {name} {number} {time.monotonic_ns()} {kind}\n".encode())
            event = {"type": kind, "key": f"k{number % 7}", "data": {"p": name, "n": number, "text": text}}
            sys.stdout.write(json.dumps({"publish": event, "ref": number}) + "\n")
            sys.stdout.flush()
            number, waiting = number + 1, waiting + 1
        continue
    if not select.select([0], [], [], due - now)[0]:
        continue
    chunk = os.read(0, 65536)
    if not chunk:
        break
    *lines, rest = (rest + chunk).split(b"\n")
    for one in lines:
        line = json.loads(one)
        if "delivery" not in line:
            answers(line)
            waiting -= 1
