"""A consumer of the Python package that does what data.do says and writes every hand-over to RECORD before it does."""

import asyncio
import json
import os
import pathlib
import signal
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "clients" / "python"))

from legion import Consumer, Event, Outcome, Reject, Stop, on  # noqa: E402

record = open(os.environ["RECORD"], "a", buffering=1)


async def work_for(seconds):
    """Stands for a handler that takes its time."""
    await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=seconds)


def note(event):
    record.write(json.dumps({"n": event.data["n"], "attempt": event.attempt, "type": event.type, "id": event.id,
                             "pid": os.getpid(), "source": event.source}) + "\n")


class Worker(Consumer):
    name = os.environ.get("AGENT", "worker")
    concurrency = int(os.environ["CONCURRENCY"]) if "CONCURRENCY" in os.environ else None
    waiting = {}

    @on("job.done")
    async def work(self, event: Event):
        note(event)
        match event.data.get("do"):
            case "fail":
                raise ValueError("no quote yet")
            case "fail once" if event.attempt == 1:
                raise ValueError("no quote yet")
            case "reject":
                raise Reject("no such symbol")
            case "stop":
                raise Stop
            case "die":
                await work_for(0.1)  # what was answered before has left the process meanwhile
                os.kill(os.getpid(), signal.SIGKILL)
            case "hold":
                await asyncio.Event().wait()
            case "answer":
                await self.publish("job.reply", {"n": event.data["n"]})
            case "defer":
                self.waiting[event.data["n"]] = event
                return Outcome.DEFER
        return None

    @on("job.release")
    def release(self, event: Event):
        note(event)
        self.waiting.pop(event.data["of"]).ack()

    @on("job.slow", thread=True)
    def slow(self, event: Event):
        note(event)
        threading.Event().wait(event.data["for"])


if "ONLY" in os.environ:
    for name in ("work", "release", "slow"):
        if name != os.environ["ONLY"]:
            delattr(Worker, name)
Worker().run()
