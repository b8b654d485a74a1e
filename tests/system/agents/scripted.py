"""An exec agent that does with every event what the event asks for, and writes down what happened.

Environment:
  RECORD   file that gets one JSON line for everything that happens, written before it is answered
  KEY      member of the event's data that says what to do; default "do". Absent: ack

  "ack"  "stop"  "reject"  "silent"  "exit" (status 3)  "kill" (SIGKILL)
  "nack" (always)  ["nack", N] (the first N attempts)  ["exit", N]  ["kill", N]  (then ack)
  "defer"       acknowledged when a "release" comes
  "release"     acks what is deferred, oldest first, then itself
  ["say", [line, ...]]    writes these lines as they are (objects are encoded), then acks
  ["publish", {..}, ref]  publishes with that ref and acks once the answer is there
"""

import json
import os
import signal
import sys

record = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
key = os.environ.get("KEY", "do")
deferred = []
waiting = {}  # ref -> delivery that is acked when the answer comes


def write_down(**what):
    os.write(record, (json.dumps({"pid": os.getpid(), **what}) + "\n").encode())


def say(line):
    sys.stdout.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
    sys.stdout.flush()


def ack(delivery):
    write_down(acked=delivery)
    say({"ack": delivery})


def fail(how, delivery):
    if how == "exit":
        sys.exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    say({"nack": delivery, "error": "told to"})


def handle(event):
    delivery = event["delivery"]
    data = event["data"] or {}
    what = data.get(key, "ack") if isinstance(data, dict) else "ack"
    what, *arguments = what if isinstance(what, list) else [what]
    write_down(event=event)
    if what in ("nack", "exit", "kill"):
        if not arguments or event["attempt"] <= arguments[0]:
            return fail(what, delivery)
    elif what in ("stop", "defer"):
        if what == "defer":
            deferred.append(delivery)
        return say({what: delivery})
    elif what == "reject":
        return say({"reject": delivery, "error": "told to"})
    elif what == "silent":
        return None
    elif what == "release":
        while deferred:
            ack(deferred.pop(0))
    elif what == "say":
        for line in arguments[0]:
            say(line)
    elif what == "publish":
        waiting[json.dumps(arguments[1])] = delivery
        return say({"publish": arguments[0], "ref": arguments[1]})
    return ack(delivery)


for text in sys.stdin:
    line = json.loads(text)
    if "delivery" in line:
        handle(line)
        continue
    write_down(answer=line)
    ref = line["published"] if "published" in line else line["refused"]
    delivery = waiting.pop(json.dumps(ref), None)
    if delivery is not None:
        ack(delivery)
