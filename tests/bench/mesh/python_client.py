"""What the Python package gives and takes: events a second published in batches of 1000 by one process, and handled by one
consumer process (one run at a time in order, and with concurrency 64), each event acknowledged by itself.

Publishing: from the first call to the answer for the last event, all of them answered with their ids; a sink at the same
node has to see every one. Handling: a feed fills the agent's mailbox (as large as all of it); from the first event the
consumer handles to the last, by its own clock. CPU of the program over that time.

Baseline: the same events packed, respectively unpacked and looked at, by the same msgpack without any node.
--quick: a tenth of the events.
"""

import asyncio
import json
import os
import pathlib
import resource
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "clients" / "python"))

import msgpack  # noqa: E402

from legion import Event, Publisher, Settings  # noqa: E402
from support import figures  # noqa: E402
from support.mesh import PYTHON, Mesh  # noqa: E402
from support.poll import until  # noqa: E402

AGENTS = pathlib.Path(__file__).resolve().parent / "agents"
TYPE = "remote.load"
DATA = {"symbol": "XBT/USDT", "price": 105433.6, "volume": 0.54321, "side": "buy"}
BATCH = 1000


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def packing_rate(count):
    """Events a second that msgpack packs and whose answers it unpacks, in batches."""
    answer = msgpack.packb([{"status": "queued", "id": f"n1:1763000000000000000:2:{TYPE}:0:{n}"} for n in range(BATCH)])
    begin = time.monotonic()
    for _ in range(count // BATCH):
        msgpack.packb([Event(TYPE, DATA).to_cloudevent() for _ in range(BATCH)])
        msgpack.unpackb(answer)
    return count / (time.monotonic() - begin)


def unpacking_rate(count):
    """Events a second that msgpack unpacks in runs of 256, and a loop looks at."""
    event = [1763000000000000000, "n1/load", 1, {}, DATA]
    message = msgpack.packb([2, "agent.deliver", [1, [[1, 0, 1, "n1:1763000000000000000:2:remote.load:0", TYPE, "normal", 1,
                                                      [event] * 256]]]])
    begin, seen = time.monotonic(), 0
    for _ in range(count // 256):
        for one in msgpack.unpackb(message, strict_map_key=False)[2][1][0][7]:
            seen += one[4]["side"] == "buy"
    return seen / (time.monotonic() - begin)


async def publish(node, count):
    settings = Settings(node=f"127.0.0.1:{node.port}", batch_size=BATCH, call_timeout=60)
    async with Publisher(settings) as publisher:
        await publisher.publish("remote.warm", None)
        batch = [Event(TYPE, DATA) for _ in range(BATCH)]
        begin, used, taken = time.monotonic(), cpu_seconds(), 0
        while taken < count:
            taken += sum(map(bool, await publisher.publish_batch(batch)))
        took, used = time.monotonic() - begin, cpu_seconds() - used
        return taken, taken / took, used / taken * 1e6, publisher.counters["refused"]


def published(mesh, count):
    sink = {"name": "sink", "builtin": "sink", "capacity": 2 * count, "subscribe": [{"type": TYPE}]}
    node = mesh.node("publishing", fast=False, agent=[sink]).start().ready()
    taken, rate, us, refused = asyncio.run(publish(node, count))
    until(lambda: node.book("sink", TYPE)["delivered"] == taken, lambda: f"{node.book('sink', TYPE)}")
    figures.line("python_publish_batch_1000", rate, "events/s", "msgpack alone, both ways", packing_rate(count), events=taken,
                 client_us_an_event=us, refused=refused)


def handled(mesh, count, concurrency):
    record = mesh.folder / f"record-{os.urandom(4).hex()}"
    reader = {"name": "reader", "remote": True, "capacity": 2 * count, "concurrency": concurrency, "credit": 1000,
              "subscribe": [{"type": TYPE}]}
    feed = {"name": "load", "builtin": "feed", "type": TYPE, "speed": "max", "count": count}
    node = mesh.node(f"handling-{concurrency}", fast=False, agent=[reader, feed]).start().ready()
    until(lambda: node.book("reader", TYPE)["published"] == count, "the feed to be done")
    many = {"MANY": "1"} if concurrency > 1 else {}
    mesh.spawn([PYTHON, str(AGENTS / "package_reader.py")],
               env={**os.environ, "LEGION_NODE": f"127.0.0.1:{node.port}", "COUNT": str(count), "RECORD": str(record), **many})
    until(lambda: record.exists() and record.read_text().endswith("}"), lambda: f"the reader: {node.stats()}", 120, 0.05)
    found = json.loads(record.read_text())
    until(lambda: node.book("reader", TYPE)["delivered"] == count, lambda: f"{node.book('reader', TYPE)}")
    book = node.book("reader", TYPE)
    assert book["balance"] == 0 and sum(book["lost"].values()) == 0, book
    took = found["last"] - found["first"]
    figures.line(f"python_handle_concurrency_{concurrency}", count / took, "events/s", "msgpack alone",
                 unpacking_rate(count), events=count, client_cpu_percent=found["cpu"] / took * 100,
                 client_us_an_event=found["cpu"] / count * 1e6)


def main():
    count = 20_000 if figures.arguments(__doc__).quick else 200_000
    with Mesh() as mesh:
        published(mesh, count)
        handled(mesh, count, 1)
        handled(mesh, count, 64)


if __name__ == "__main__":
    main()
