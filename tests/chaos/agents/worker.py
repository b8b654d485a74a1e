"""An exec agent of the chaos run: writes down what it is handed, then does what its part says.

Environment: RECORD, a file appended to; PART:
  plain    acks
  durable  acks, and writes down that it did, right before
  gate     decides by the event's number: see load.gate_decision()
  coroner  fails the poison: see load.poison()

A line is `KIND node-pid own-pid steady-ns attempt id publisher number`; KIND is H (handed), D (done), A (let through),
S (not let through). It is written before the answer, in one piece, so a kill loses none that was answered.
"""

import json
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from chaos import rules  # noqa: E402

record = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
part = os.environ["PART"]
who = f"{os.getppid()} {os.getpid()}"


def write_down(kind, event):
    data = event["data"]
    what = f"{event['attempt']} {event['id']} {data['p']} {data['n']}"
    os.write(record, f"{kind} {who} {time.monotonic_ns()} {what}\n".encode())


def answer(event):
    """What to say about one event."""
    number, attempt, delivery = event["data"]["n"], event["attempt"], event["delivery"]
    if part == "gate":
        decision = rules.gate_decision(number)
        if decision == "nack" and attempt == 1:
            return {"nack": delivery, "error": "not at the first time"}
        write_down("S" if decision in ("stop", "reject") else "A", event)
        return {decision if decision in ("stop", "reject") else "ack": delivery}
    if part == "coroner":
        poison = rules.poison(number)
        if poison == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if poison == "nack":
            return {"nack": delivery, "error": "poison"}
    if part != "plain":
        write_down("D", event)
    return {"ack": delivery}


for text in sys.stdin:
    line = json.loads(text)
    if "delivery" not in line:
        continue
    write_down("H", line)
    sys.stdout.write(json.dumps(answer(line)) + "\n")
    sys.stdout.flush()
