"""`where` of subscriptions: who gets what, where the rest is counted, and that a gate is only asked about what its
condition says yes to. Events come from another process."""

import json
import os
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support import work  # noqa: E402
from support.mesh import Mesh  # noqa: E402
from support.poll import until  # noqa: E402
from support.wire import Wire  # noqa: E402
from support.scripted import PROBE, Scripted, link, numbered, settled  # noqa: E402

ORDER = "desk.order"


def with_where(agent, condition):
    """The table of an agent whose subscriptions, PROBE apart, have this condition."""
    for subscription in agent.table["subscribe"]:
        if subscription["type"] != PROBE:
            subscription["where"] = condition
    return agent


class Where(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)

    def start(self, *agents):
        self.a = self.mesh.node("a").start()
        self.b = self.mesh.node("b", join=[self.a], agent=[getattr(agent, "table", agent) for agent in agents]).start()
        self.a.ready()
        self.b.ready()

    def settle(self, agent, published):
        until(lambda: settled(self.b.book(agent, ORDER), published),
              lambda: f"{agent} to settle {published}: {self.b.book(agent, ORDER)}\n{self.b.log()}")
        return self.b.book(agent, ORDER)

    def test_a_program_and_a_builtin_get_what_their_conditions_hold_for_and_the_books_say_where_the_rest_is(self):
        desk = with_where(Scripted(self.mesh, "desk", [ORDER, PROBE]), "data.n >= 90 and data.side in ('buy', 'sell')")
        wide = with_where(Scripted(self.mesh, "wide", [ORDER], concurrency=4), "not data.n < 95")
        sink = {"name": "sink", "builtin": "sink", "subscribe": [{"type": ORDER, "where": "data.legs[0].price == 2"}]}
        self.start(desk, wide, sink)
        link(self.a, self.b, "desk")

        events = [{"type": ORDER, "data": {"n": n, "side": ["buy", "none"][n % 2], "legs": [{"price": n % 4}]}}
                  for n in range(100)]
        self.a.publish_all(events)

        books = {name: self.settle(name, 100) for name in ("desk", "wide", "sink")}
        self.assertEqual([90, 92, 94, 96, 98], desk.numbers(ORDER))
        self.assertEqual([95, 96, 97, 98, 99], sorted(wide.numbers(ORDER)))
        self.assertEqual({"desk": (5, 95), "wide": (5, 95), "sink": (25, 75)},
                         {name: (b["delivered"], b["filtered"]["where"]) for name, b in books.items()})
        self.assertEqual("data.legs[0].price == 2", books["sink"]["where"])
        self.assertIsNone(self.b.book("desk", PROBE)["where"])

    def test_an_agent_outside_the_process_gets_what_its_condition_holds_for(self):
        self.start({"name": "desk", "remote": True, "subscribe": [{"type": ORDER, "where": "data.n > 2 and data.n != 5"}]})
        here, coming = Wire(self.b), Wire(self.b)
        self.addCleanup(here.close)
        self.addCleanup(coming.close)
        here.attach("desk", subscriptions=[{"type": ORDER, "where": "data.n > 2 and data.n != 5"}])
        coming.attach("guest", subscriptions=[{"type": ORDER, "where": "data.n in (1, 6)"}])

        def seen(wire, last):
            numbers = []
            while last not in numbers:
                events = wire.events()
                self.assertTrue(events, f"only {numbers} came\n{self.b.log()}")
                for delivery, _, event in events:
                    numbers.append(event["data"]["n"])
                    wire.say("agent.ack", delivery)
            return numbers

        self.b.publish_all([{"type": ORDER, "data": {"n": n}} for n in range(8)])

        self.assertEqual([3, 4, 6, 7], seen(here, 7))
        self.assertEqual([1, 6], seen(coming, 6))
        self.assertEqual([(4, 4), (2, 6)], [(b["delivered"], b["filtered"]["where"])
                                            for b in (self.settle("desk", 8), self.settle("guest", 8))])

    def test_a_gate_is_asked_only_about_what_its_condition_holds_for_and_holds_nothing_else_when_it_is_down(self):
        gate = with_where(Scripted(self.mesh, "gate", [ORDER], tier="critical"), "data.n >= 10")
        desk = Scripted(self.mesh, "desk", [ORDER, PROBE])
        # Started again so late that this test never sees it.
        gate.table["restart_delay"] = gate.table["restart_delay_max"] = "30m"
        self.start(gate, desk)
        link(self.a, self.b, "desk")
        self.a.publish_all(numbered(ORDER, 2, 9))
        until(lambda: desk.numbers(ORDER) == [9, 10], "both to reach the desk")
        self.assertEqual([10], gate.numbers(ORDER))

        os.kill(gate.pids()[-1], signal.SIGKILL)
        until(lambda: not self.b.agent("gate")["up"], "the gate to be down")
        # What is not for the gate does not notice ..
        self.a.publish_all(numbered(ORDER, 2, 0))
        until(lambda: desk.numbers(ORDER) == [9, 10, 0, 1], "what is not for the gate to pass it")
        # .. and what is for it is held.
        self.a.publish_all(numbered(ORDER, 1, 11))
        until(lambda: self.b.book("gate", ORDER)["pending"] == 1, "the gate to hold it")
        self.assertEqual([9, 10, 0, 1], desk.numbers(ORDER))
        self.assertEqual((3, 1), (self.b.book("gate", ORDER)["filtered"]["where"], self.b.book("gate", ORDER)["delivered"]))

    def test_tail_shows_what_the_condition_holds_for(self):
        self.start({"name": "feed", "builtin": "feed", "type": "flow.x", "rate": 200,
                    "fields": {"shop": "north", "limit": 5}})
        shown = self.mesh.cli("tail", "flow.", "-n", "3", "--where", "data.shop == 'north' and data.limit > 4",
                              "-o", "jsonl", node=self.a, check=0)
        self.assertEqual(["north"] * 3, [json.loads(line)["data"]["shop"] for line in shown.stdout.splitlines()])
        none = self.mesh.cli("tail", "flow.", "--duration", "1s", "--where", "data.shop == 'south'", "--require",
                             node=self.a)
        self.assertEqual(66, none.returncode, none.stderr)
        wrong = self.mesh.cli("tail", "--where", "data.shop = 'south'", node=self.a)
        self.assertEqual(64, wrong.returncode)
        self.assertIn("--where: 1:11: unexpected '='; write ==", wrong.stderr)


class DurableWhere(unittest.TestCase):
    def test_the_cursor_passes_what_the_condition_says_no_to(self):
        mesh = Mesh(spools=1)
        self.addCleanup(mesh.close)
        vault = mesh.node("vault", spool={}, topic=work.CONFIRMED).start().ready()
        desk = work.Worker(mesh, "desk", ["work."], durable="desk", start="beginning")
        desk.table["subscribe"][0]["where"] = "data.n >= 30 and data.n != 35"
        consumer = mesh.node("consumer", join=[vault], agent=[desk.table], topic=work.CONFIRMED).start().ready()

        def publish(first, count):
            events = [{"type": "work.a", "data": {"n": n}} for n in range(first, first + count)]
            answers = vault.call("publish", {"events": events, "confirm": True, "timeout_ms": 30_000}, timeout=40)
            self.assertTrue(all(answer["confirmed"] for answer in answers), answers)

        publish(0, 40)
        until(lambda: [one.number for one in desk.done()] == [30, 31, 32, 33, 34, 36, 37, 38, 39],
              lambda: f"what the condition holds for to be done: {desk.done()}")
        until(lambda: consumer.book("desk", "work.")["pending"] == 0, "nothing to be pending")
        book = consumer.book("desk", "work.")
        self.assertEqual((40, 9, 31, 0), (book["published"], book["delivered"], book["filtered"]["where"], book["dead"]))

        # A next life begins behind them, and what was missed meanwhile comes from the spool.
        self.assertEqual(0, consumer.terminate())
        publish(40, 10)
        consumer.start().ready()
        until(lambda: [one.number for one in desk.done()][9:] == list(range(40, 50)),
              lambda: f"the rest, once: {[one.number for one in desk.done()]}")
        until(lambda: settled(consumer.book("desk", "work."), 10), lambda: f"{consumer.book('desk', 'work.')}")
        self.assertEqual(0, consumer.book("desk", "work.")["filtered"]["where"])
        mesh.cli("check", "books", node=vault, check=0)


if __name__ == "__main__":
    unittest.main()
