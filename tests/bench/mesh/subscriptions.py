"""Many subscriptions: a node with sinks subscribed to 3,000 distinct exact types (twelve agents) and a publisher that
is killed (SIGKILL) and started again. Measured: from its second start until one event of each type has been delivered,
the events being published as soon as the node takes them (500 at a time); the books have to balance and show no loss.
Memory per subscription is the growth of the resident set against the same pair of nodes with one subscription.

Then the same through the local pair, where the subscriber is a SUB socket of this program.
Baseline of the recovery: the same with one subscription. Default timing.
--quick: 300 subscriptions.
"""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import zmq

from support import figures, ports, process_figures
from support.mesh import Mesh
from support.poll import until
from support.rpc import Control

AGENTS = 12  # an agent has at most 256 subscriptions
CHUNK = 500


def types_of(count):
    return [f"many.t{i}" for i in range(count)]


class Sinks:
    """The tables of sinks that write down what they take, and how much that is: cheaper to ask than `stats`."""

    def __init__(self, mesh, filters):
        share = -(-len(filters) // AGENTS)
        shares = [filters[first:first + share] for first in range(0, len(filters), share)]
        self.tables = []
        self.files = []
        for i, some in enumerate(shares):
            path = mesh.folder / f"sink{i}.jsonl"
            self.files.append(open(path, "ab+"))
            self.tables.append({"name": f"sink{i}", "builtin": "sink", "file": str(path), "capacity": 20000,
                                "subscribe": [{"type": filter_} for filter_ in some]})
        self.lines = 0

    def close(self):
        for file in self.files:
            file.close()

    def count(self):
        """Events taken so far."""
        self.lines += sum(file.read().count(b"\n") for file in self.files)
        return self.lines


def pair(mesh, agents):
    """(publisher, receiver), started, each holding the other for alive and knowing it in its next life too."""
    publisher = mesh.node("publisher", fast=False, port=ports.free_run()).start()
    publisher.ready()
    receiver = mesh.node("receiver", join=[publisher], fast=False, port=ports.free_run(), agent=agents).start()
    receiver.ready()
    mesh.alive_everywhere([publisher, receiver])
    # A roster is kept at most once a second. A publisher that has not kept the receiver begins its next life alone.
    until(lambda: b"receiver" in (publisher.state_dir / "roster").read_bytes(), "the receiver to be in the kept roster")
    return publisher, receiver


def publish_each(control, types, sinks=None):
    """One event of each type; returns when all have their numbers, with `sinks` when all have been taken there. Each is
    a frame of its own, so more at once than the high-water mark of a lane would be lost by a receiver that is busy."""
    before = sinks.count() if sinks else 0
    for first in range(0, len(types), CHUNK):
        left = types[first:first + CHUNK]
        while left:
            answers = control.call("publish", {"events": [{"type": t, "data": {"n": 1}} for t in left]}, timeout=60)
            statuses = [answer["status"] for answer in answers]
            assert set(statuses) <= {"queued", "would_block"}, set(statuses)
            left = [t for t, status in zip(left, statuses) if status == "would_block"]
        if sinks:
            wanted = before + min(first + CHUNK, len(types))
            until(lambda: sinks.count() >= wanted, lambda: f"{wanted} events, {sinks.lines} came", pause=0.001)


def until_open(control, node):
    until(lambda: control.call("stats")["publishing"], lambda: f"{node.name} to publish: {node.log()}", pause=0.002)


def books(receiver):
    """The sums of the books of all subscriptions of a node."""
    rows = receiver.stats()["subscriptions"]
    return {"published": sum(r["published"] for r in rows), "delivered": sum(r["delivered"] for r in rows),
            "lost": sum(sum(r["lost"].values()) for r in rows), "pending": sum(r["pending"] for r in rows),
            "unbalanced": sum(1 for r in rows if r["balance"] != 0)}


def restart(publisher):
    """Kills and starts it; (when it was started, when it published)."""
    publisher.kill()
    with Control(publisher.address, redial_ms=1) as control:
        begin = time.monotonic()
        publisher.start()
        until_open(control, publisher)
    return begin, time.monotonic()


def agents_run(count):
    types = types_of(count)
    with Mesh() as mesh:
        sinks = Sinks(mesh, types)
        publisher, receiver = pair(mesh, sinks.tables)
        with Control(publisher.address) as control:
            publish_each(control, types, sinks)
        sizes = [process_figures.sample(node.pid).rss for node in (publisher, receiver)]
        begin, opened = restart(publisher)
        with Control(publisher.address) as control:
            publish_each(control, types, sinks)
        done = time.monotonic()
        sinks.close()
        found = books(receiver)
        after = [process_figures.sample(node.pid).rss for node in (publisher, receiver)]
    return {"recovered_s": done - begin, "publishing_after_s": opened - begin,
            "books": found, "publisher_rss": sizes[0], "receiver_rss": sizes[1],
            "publisher_rss_again": after[0], "receiver_rss_again": after[1]}


def local_run(count):
    types = types_of(count)
    with Mesh() as mesh, zmq.Context() as context, context.socket(zmq.SUB) as socket:
        publisher, receiver = pair(mesh, [])
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.SNDHWM, 0)  # of subscriptions beyond it libzmq drops the rest
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"ipc://{receiver.state_dir}/local/subscribe.sock")
        for type_ in types:
            socket.subscribe(type_.encode() + b"\0")

        def receive_all(publish):
            """Publishes rounds of all types until each has come: the local pair does not say when it listens."""
            missing, rounds = set(types), 0
            while missing:
                publish()
                rounds += 1
                assert rounds < 20, f"{len(missing)} types never came"
                while missing and socket.poll(1000 if rounds > 1 else 3000):
                    missing.discard(socket.recv().split(b"\0", 1)[0].decode())
            return rounds
        with Control(publisher.address) as control:
            receive_all(lambda: publish_each(control, types))
        while socket.poll(200):
            socket.recv()
        begin, opened = restart(publisher)
        with Control(publisher.address) as control:
            rounds = receive_all(lambda: publish_each(control, types))
        return {"recovered_s": time.monotonic() - begin, "publishing_after_s": opened - begin, "rounds": rounds}


def main():
    count = 300 if figures.arguments(__doc__).quick else 3000
    one, many = agents_run(1), agents_run(count)
    figures.line("subscriptions_recovery", many["recovered_s"], "s", "one subscription", one["recovered_s"],
                 subscriptions=count, publishing_after_s=many["publishing_after_s"], books=many["books"])
    for who in ("publisher", "receiver"):
        growth = many[f"{who}_rss"] - one[f"{who}_rss"]
        figures.line(f"subscriptions_{who}_memory", growth / count, "B a subscription",
                     rss_mib=many[f"{who}_rss"] / 2**20, rss_mib_with_one=one[f"{who}_rss"] / 2**20,
                     rss_mib_after_restart=many[f"{who}_rss_again"] / 2**20)
    one, many = local_run(1), local_run(count)
    figures.line("subscriptions_local_recovery", many["recovered_s"], "s", "one subscription", one["recovered_s"],
                 subscriptions=count, publishing_after_s=many["publishing_after_s"], rounds=many["rounds"])


if __name__ == "__main__":
    main()
