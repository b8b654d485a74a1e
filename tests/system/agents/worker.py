"""An exec agent that does numbered work and writes down what it was handed and what it did, for tests that kill things.

Environment:
  RECORD   file, appended to: "handed N ATTEMPT ID" before anything is done about an event, "done N ATTEMPT ID" right
           before it is acked
  TOGETHER "PATH NAME": "NAME ID" is appended there too with what is done; several agents may write one file
  TROUBLE  JSON file {"N": what}: what to do with event number N instead of acking it. Looked at again for every hand-over
           of a number that it named when the agent started or that was in trouble before, so that a test can mend it.

  "nack"  "reject"  "throw" (uncaught)  "exit" (status 3)  "kill" (SIGKILL to itself)  "hang" (no answer)
  "kill-node" (SIGKILL to the node)
"""

import json
import os
import signal
import sys

record = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
together, _, my_name = os.environ.get("TOGETHER", "").partition(" ")
all_records = os.open(together, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if together else None
trouble_path = os.environ.get("TROUBLE")


def trouble():
    try:
        with open(trouble_path, encoding="utf-8") as file:
            return json.load(file)
    except (TypeError, FileNotFoundError):
        return {}


def say(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def fail(what, delivery):
    if what in ("nack", "reject"):
        say(**{what: delivery, "error": "told to"})
    elif what == "throw":
        raise RuntimeError("told to")
    elif what == "exit":
        sys.exit(3)
    elif what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "kill-node":
        os.kill(os.getppid(), signal.SIGKILL)
        sys.exit(3)
    # "hang": the next event may come, this one is never answered


troubled = set(trouble())
for text in sys.stdin:
    event = json.loads(text)
    if "delivery" not in event:
        continue
    number = str(event["data"]["n"])
    what = f"{number} {event['attempt']} {event['id']}\n"
    os.write(record, f"handed {what}".encode())
    if number in troubled:
        now = trouble()
        if number in now:
            fail(now[number], event["delivery"])
            continue
    os.write(record, f"done {what}".encode())
    if all_records is not None:
        os.write(all_records, f"{my_name} {event['id']}\n".encode())
    say(ack=event["delivery"])
