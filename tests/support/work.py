"""Numbered work: published with a confirm, done by agents that write it down, and compared with what a spool has."""

import collections
import itertools
import json
import os
import pathlib
import random
import threading
import time

from support.poll import until
from support.rpc import Control, RpcError

AGENTS = pathlib.Path(__file__).resolve().parent.parent / "system" / "agents"
PYTHON = "/usr/bin/python3"

# Every node of a mesh has the same policy, because the publisher's rules.
CONFIRMED = [{"prefix": "work.", "durability": "confirmed"}]
QUICK = {"restart_delay": "50ms", "restart_delay_max": "200ms"}


def seeded():
    """The generator of a random test; prints its seed, which LEGION_SEED sets."""
    seed = int(os.environ.get("LEGION_SEED") or random.randrange(1 << 32))
    print(f"LEGION_SEED={seed}", flush=True)
    return random.Random(seed)


def stream_of(event_id):
    """(stream, sequence) of node:incarnation:lane:type:shard:sequence."""
    stream, _, sequence = event_id.rpartition(":")
    return stream, int(sequence)


Handed = collections.namedtuple("Handed", "number attempt id")


class Worker:
    """The table of one agent that runs agents/worker.py, and its record."""

    def __init__(self, mesh, name, types, durable=None, start=None, trouble=None, **settings):
        self.path = mesh.folder / f"work-{name}-{os.urandom(4).hex()}"
        self.trouble_path = self.path.with_suffix(".trouble")
        self.trouble(trouble or {})
        subscribe = [{"type": t, **({"durable": durable} if durable else {}), **({"start": start} if start else {})}
                     for t in types]
        self.table = {"name": name, "exec": [PYTHON, str(AGENTS / "worker.py")],
                      "env": {"RECORD": str(self.path), "TROUBLE": str(self.trouble_path)},
                      **QUICK, **settings, "subscribe": subscribe}

    def trouble(self, numbers):
        """{number: what}, see agents/worker.py. Replaces what was said before."""
        fresh = self.trouble_path.with_suffix(".new")
        fresh.write_text(json.dumps({str(n): what for n, what in numbers.items()}))
        fresh.rename(self.trouble_path)

    def _lines(self, kind):
        if not self.path.exists():
            return []
        whole, _, _ = self.path.read_text().rpartition("\n")
        fields = (line.split(" ") for line in whole.splitlines())
        return [Handed(int(f[1]), int(f[2]), f[3]) for f in fields if f[0] == kind]

    def handed(self):
        """Everything it was handed, in order, repeated hand-overs included."""
        return self._lines("handed")

    def done(self):
        """What it did, in order; what it did twice is there twice."""
        return self._lines("done")

    def attempts(self, number):
        """The attempts it was told for one number, in order."""
        return [one.attempt for one in self.handed() if one.number == number]

    def size(self):
        """Bytes of the record: grows with everything it does."""
        return self.path.stat().st_size if self.path.exists() else 0


class Publisher:
    """Publishes numbered events through a node's control port until stop(), each batch once the one before is answered.

    `confirmed` is what the test may rely on: id -> number of every event that was answered as confirmed. An event whose
    answer never came may be stored or not; its number is not used again.
    """

    def __init__(self, node, types=("work.a", "work.b"), batch=50, text="", timeout_ms=5000, keys=0):
        self.node = node
        self.address = f"tcp://127.0.0.1:{node.port}"  # itself, also where others reach it through a proxy
        self.types = types
        self.batch = batch
        self.text = text
        self.keys = keys  # so many keys take turns; 0: events without one
        self.timeout_ms = timeout_ms
        self.confirmed = {}
        self.unknown = 0     # events without a confirm
        self.refusals = collections.Counter()  # status -> events
        self.failure = None
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        self._stopping.set()
        self._thread.join()
        if self.failure:
            raise self.failure

    def count(self):
        return len(self.confirmed)

    def _events(self):
        events = []
        for n in itertools.islice(self._numbers, self.batch):
            events.append({"type": self.types[n % len(self.types)], "data": {"n": n, "text": self.text}})
            if self.keys:
                events[-1]["partitionkey"] = f"k{n // len(self.types) % self.keys}"
        return events

    def _run(self):
        control = Control(self.address)
        try:
            while not self._stopping.is_set():
                events = self._events()
                answers = self._publish(control, events)
                if answers is None:  # the node was killed, or is slow: answers to this must not meet later questions
                    self.unknown += len(events)
                    control.close()
                    control = Control(self.address)
                    continue
                for event, answer in zip(events, answers):
                    self._take(event["data"]["n"], answer)
                if not any(a.get("confirmed") for a in answers):
                    self._stopping.wait(0.02)
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure
        finally:
            control.close()

    def _publish(self, control, events):
        """The answers; None when none will come."""
        life = self.node.process
        number = control.ask("publish", {"events": events, "confirm": True, "timeout_ms": self.timeout_ms})
        deadline = time.monotonic() + self.timeout_ms / 1000 + 2
        try:
            while time.monotonic() < deadline:
                answers = control.answer(number, timeout=0.05)
                if answers is not None:
                    return answers
                if self.node.process is not life or life.returncode is not None:
                    return None  # a life that is over answers nothing
        except RpcError as error:
            self.refusals[error.code] += len(events)
            return []
        return None

    def _take(self, number, answer):
        if answer.get("confirmed"):
            self.confirmed[answer["id"]] = number
        elif answer["status"] == "queued":
            self.unknown += 1
        else:
            self.refusals[answer["status"]] += 1


def stored_ids(mesh, spool, types=("work.",)):
    """The ids that a spool has, in the order it recorded them."""
    done = mesh.cli("replay", *types, "--spool", spool.name, "--format", "%i", node=spool, check=0, timeout=300)
    return done.stdout.split()


def letters(mesh, spool, *filters):
    """The dead letters a spool knows, as maps."""
    return json.loads(mesh.cli("dlq", "ls", "-o", "json", *filters, node=spool, check=0).stdout)


def pending(mesh, node, name):
    """The row of one durable subscription."""
    rows = json.loads(mesh.cli("pending", "-o", "json", node=node, check=0).stdout)
    return next((row for row in rows if row["name"] == name), None)


def verify(mesh, path):
    """(exit code, report) of an offline look at a spool's file."""
    done = mesh.cli("spool", "verify", "--full", str(path), "-o", "json", timeout=300)
    report, = json.loads(done.stdout)
    return done.returncode, report


def check_stored_once(test, ids, confirmed):
    """Every confirmed id is there, and none twice."""
    counts = collections.Counter(ids)
    twice = [i for i, n in counts.items() if n > 1]
    missing = [i for i in confirmed if i not in counts]
    test.assertEqual([], missing[:5], f"{len(missing)} of {len(confirmed)} confirmed events are not in the spool")
    test.assertEqual([], twice[:5], f"{len(twice)} events are in the spool more than once")


def check_done_in_order(test, worker, confirmed):
    """Everything confirmed was done, and what was done for the first time came in the order of its stream."""
    first = dict.fromkeys(one.id for one in worker.done())
    missing = [i for i in confirmed if i not in first]
    test.assertEqual([], missing[:5], f"{len(missing)} of {len(confirmed)} confirmed events were never done")
    last = {}
    for event_id in first:
        stream, sequence = stream_of(event_id)
        test.assertGreater(sequence, last.get(stream, 0), f"{event_id} was done after {stream}:{last.get(stream, 0)}")
        last[stream] = sequence


def all_done(worker, confirmed, watchdog=120.0):
    """Waits until the worker has done everything that was confirmed."""
    def missing():
        done = {one.id for one in worker.done()}
        return [i for i in confirmed if i not in done]
    until(lambda: not missing(), lambda: f"all to be done; {len(missing())} are missing, such as {missing()[:3]}",
          watchdog, pause=0.2)
