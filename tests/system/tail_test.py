"""legion-cli tail: a late joiner misses nothing after it says it is connected, and reports what it lost."""

import json
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll
from support.mesh import BIN, Mesh


class Tail:
    """A running `legion-cli tail -o jsonl`."""

    def __init__(self, mesh, node, *arguments):
        self.out = mesh.folder / f"tail-{len(mesh.processes)}.out"
        self.err = mesh.folder / f"tail-{len(mesh.processes)}.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = mesh.spawn([BIN / "legion-cli", "--node", f"127.0.0.1:{node.port}", "tail", "-o", "jsonl", *arguments],
                                      stdout=out, stderr=err)

    def notes(self):
        return self.err.read_text(errors="replace")

    def connected(self):
        poll.until(lambda: "connected to every node" in self.notes(), lambda: f"tail to be connected: {self.notes()}")
        return self

    def events(self):
        lines = self.out.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines[:-1]]  # the last one may still be being written

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


class TailTest(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)

    def feeding(self, name, join=(), **feed):
        agent = {"name": "feed", "builtin": "feed", "type": f"flow.{name}", "rate": 500, **feed}
        return self.mesh.node(name, join=join, agent=[agent])

    def test_a_tail_started_in_mid_flow_receives_everything_published_after_it_says_so(self):
        a = self.feeding("alpha").start()
        b = self.feeding("beta", join=[a]).start()
        for node in (a, b):
            node.ready()
        self.mesh.alive_everywhere([a, b])
        poll.until(lambda: a.agent("feed")["counters"].get("published", 0) > 100, "the flow to have begun")

        tail = Tail(self.mesh, b, "flow.").connected()
        # Each node's next event of a type of its own marks the moment: sent after the tail said it is connected.
        marks = {node.name: node.publish(f"flow.{node.name}", {"mark": True})["id"] for node in (a, b)}
        for node in (a, b):
            node.signal(signal.SIGTERM)
        for node in (a, b):
            self.assertEqual(node.wait_exit(), 0, node.log())
        totals = {n.name: int(_last_number(n.log())) for n in (a, b)}

        def complete():
            seen = tail.events()
            return all(max((int(e["sequence"]) for e in seen if e["type"] == f"flow.{name}"), default=0) == total
                       for name, total in totals.items())
        poll.until(complete, lambda: f"the last event of each: {totals}; {tail.notes()}")
        for name, total in totals.items():
            numbers = [int(e["sequence"]) for e in tail.events() if e["type"] == f"flow.{name}"]
            first = int(marks[name].rsplit(":", 1)[1])
            self.assertLessEqual(numbers[0], first)
            self.assertEqual(numbers, list(range(numbers[0], total + 1)), name)
        tail.interrupt()
        self.assertNotIn("lost 1", tail.notes())

    def test_a_stopped_tail_disturbs_nobody_and_reports_exactly_what_it_lost(self):
        a = self.mesh.node("alpha", fast=False, agent=[
            {"name": "feed", "builtin": "feed", "type": "flow.low", "rate": 3000, "count": 12000, "priority": "low",
             "wait_for_nodes": 2, "start_after": "4s", "fields": {"text": "x" * 4000}}]).start().ready()
        sink = [{"name": "sink", "builtin": "sink", "subscribe": [{"type": "flow."}]}]
        b = self.mesh.node("beta", join=[a], fast=False, agent=sink).start().ready()
        tail = Tail(self.mesh, a, "flow.low").connected()
        poll.until(lambda: len(tail.events()) > 100, lambda: f"events to be shown: {tail.notes()}")
        tail.process.send_signal(signal.SIGSTOP)
        poll.until(lambda: b.book("sink", "flow.")["delivered"] == 12000, lambda: str(b.book("sink", "flow.")), watchdog=120)
        self.assertEqual(sum(b.book("sink", "flow.")["lost"].values()), 0)
        tail.process.send_signal(signal.SIGCONT)

        def said():
            seen = len(tail.events())
            return seen < 12000 and str(12000 - seen) in tail.notes()
        poll.until(said, lambda: f"{12000 - len(tail.events())} lost to be reported: {tail.notes()[-500:]}")
        numbers = [int(e["sequence"]) for e in tail.events()]
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_what_a_leaving_node_sent_last_is_shown_or_counted(self):
        self.leaves_while_the_tail_is_stopped(events=5000, text="")

    def test_what_was_lost_of_a_node_everybody_has_closed_is_counted(self):
        self.leaves_while_the_tail_is_stopped(events=2000, text="x" * 20000)  # more than sockets and kernel hold

    def leaves_while_the_tail_is_stopped(self, events, text):
        a = self.mesh.node("alpha").start().ready()
        tail = Tail(self.mesh, a, "test.").connected()

        def streams():
            return next(lane for lane in a.stats()["lanes"] if lane["lane"] == "critical")["streams"]
        alone = streams()
        b = self.mesh.node("beta", join=[a]).start().ready()
        self.mesh.alive_everywhere([a, b])
        poll.until(lambda: streams() > alone, lambda: f"alpha hears a stream of beta: {streams()}")
        poll.until(lambda: "alpha, beta (2)" in tail.notes(), lambda: tail.notes())
        tail.process.send_signal(signal.SIGSTOP)
        for start in range(0, events, 40):
            b.publish_all([{"type": "test.tick", "data": {"n": start + i, "text": text}} for i in range(40)])
        self.assertEqual(b.terminate(), 0)
        poll.until(lambda: streams() == alone, lambda: f"alpha forgets the streams of beta: {streams()} of {alone}")
        tail.process.send_signal(signal.SIGCONT)
        poll.until(lambda: len(tail.events()) == events or f"{events - len(tail.events())}" in tail.notes(),
                   lambda: f"{events} events: {len(tail.events())} shown; {tail.notes()[-500:]}")

    def test_a_node_that_was_killed_and_started_again_is_covered_again(self):
        a = self.mesh.node("alpha").start().ready()
        tail = Tail(self.mesh, a, "test.").connected()
        for life in range(2, 5):
            a.kill()
            a.start().ready()
            poll.until(lambda: tail.notes().count("connected to every node") == life, lambda: f"life {life}: {tail.notes()}")
            self.assertGreater(tail.notes().rfind("connected to every node"), tail.notes().rfind("no longer"))
        a.publish("test.tick", {"n": 1})
        poll.until(lambda: len(tail.events()) == 1, lambda: tail.notes())

    def test_a_node_that_joins_later_is_tailed_as_well(self):
        a = self.mesh.node("alpha").start().ready()
        tail = Tail(self.mesh, a, "test.").connected()
        b = self.mesh.node("beta", join=[a]).start().ready()
        poll.until(lambda: "beta" in tail.notes(), lambda: f"beta to be named: {tail.notes()}")
        b.publish("test.tick", {"n": 1})
        poll.until(lambda: [e["source"] for e in tail.events()] == ["beta/control"], lambda: str(tail.events()))


def _last_number(log):
    """Events the feed's stream had when the node stopped: its own, and the mark."""
    for line in reversed(log.splitlines()):
        if "feed: " in line and " events" in line:
            return int(line.rsplit(" events", 1)[0].rsplit(" ", 1)[1]) + 1
    raise AssertionError(log)


if __name__ == "__main__":
    unittest.main()
