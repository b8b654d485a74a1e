"""[[middleware]] steps of real nodes: what a publisher is told, what the others get, where the rest is counted; books that
balance with every kind of step, also after kill -9."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support import work  # noqa: E402
from support.mesh import Mesh  # noqa: E402
from support.poll import until  # noqa: E402
from support.wire import Refused, Wire  # noqa: E402
from support.scripted import PROBE, Scripted, link, settled  # noqa: E402

ORDER = "desk.order"


def steps_of(node):
    return {step["name"]: step for step in node.stats()["middleware"]}


class Middleware(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)

    def start(self, publish=(), dispatch=(), agents=()):
        self.a = self.mesh.node("a", middleware=[{"on": "publish", **step} for step in publish]).start()
        self.b = self.mesh.node("b", join=[self.a], agent=[agent.table for agent in agents],
                                middleware=[{"on": "dispatch", **step} for step in dispatch]).start()
        self.a.ready()
        self.b.ready()

    def test_steps_on_publish_answer_the_publisher_and_change_what_everybody_gets(self):
        desk = Scripted(self.mesh, "desk", [ORDER, PROBE])
        self.start(agents=[desk], publish=[
            {"step": "where", "type": "desk.", "where": "not data.test == true", "name": "no-tests"},
            {"step": "deduplicate", "type": "desk.", "by": "data.n"},
            {"step": "redact", "type": "desk.", "fields": ["data.card"]},
            {"step": "limit", "type": "desk.", "rate": 0.001, "burst": 3.0},
            {"step": "zstd", "type": "desk.", "min_bytes": "256B"}])
        link(self.a, self.b, "desk")
        data = [{"n": 0, "card": "4111", "text": "x" * 4000}, {"n": 1, "test": True}, {"n": 0}, {"n": 2}, {"n": 3}, {"n": 4}]

        results = self.a.publish_all([{"type": ORDER, "data": d} for d in data])

        self.assertEqual(["queued", "filtered", "filtered", "queued", "queued", "would_block"],
                         [r["status"] for r in results])
        self.assertEqual("no-tests: its condition does not hold", results[1]["detail"])
        until(lambda: settled(self.b.book("desk", ORDER), 3), lambda: f"{self.b.book('desk', ORDER)}")
        self.assertEqual([0, 2, 3], desk.numbers(ORDER))
        first = desk.events(ORDER)[0]["data"]
        self.assertEqual(("***", "x" * 4000), (first["card"], first["text"]))
        self.assertEqual(0, self.b.book("desk", ORDER)["filtered"]["duplicate"])
        steps = steps_of(self.a)
        self.assertEqual((6, 1), (steps["no-tests"]["seen"], steps["no-tests"]["filtered"]))
        self.assertEqual((1, 1, 1), (steps["deduplicate"]["filtered"], steps["redact"]["changed"], steps["limit"]["limited"]))
        self.assertGreaterEqual(steps["zstd"]["changed"], 1)
        self.assertEqual(2, self.a.stats()["publish"]["filtered"])

        # Refused by the rate, so not remembered as published.
        self.assertEqual("would_block", self.a.publish(ORDER, {"n": 4})["status"])

    def test_validate_and_upcast_know_the_declarations_of_the_node(self):
        desk = Scripted(self.mesh, "desk", ["signal.generated", PROBE])
        self.start(agents=[desk], publish=[{"step": "validate", "type": "signal."}],
                   dispatch=[{"step": "upcast", "type": "signal."}])
        link(self.a, self.b, "desk")
        good = {"symbol": "BTC", "action": "BUY", "price": 5.0, "confidence": 0.5}

        wrong, right = self.a.publish_all([{"type": "signal.generated", "schemaversion": 1, "data": data}
                                           for data in ({**good, "confidence": "high"}, good)])

        self.assertEqual(("invalid", "queued"), (wrong["status"], right["status"]), (wrong, right))
        self.assertIn("validate: signal.generated", wrong["detail"])
        self.assertIn("confidence", wrong["detail"])
        until(lambda: len(desk.events("signal.generated")) == 1, lambda: self.b.log())
        event = desk.events("signal.generated")[0]
        self.assertEqual(("buy", ""), (event["data"]["action"], event["data"]["strategy"]))
        self.assertEqual(1, steps_of(self.b)["upcast"]["changed"])

    def test_steps_before_handlers_are_counted_where_they_belong_and_a_gate_is_asked_about_everything(self):
        gate = Scripted(self.mesh, "gate", [ORDER], tier="critical")
        desk = Scripted(self.mesh, "desk", [ORDER, PROBE])
        self.start(agents=[gate, desk], dispatch=[
            {"step": "where", "type": ORDER, "where": "data.n != 1"},
            {"step": "deduplicate", "type": ORDER},
            {"step": "limit", "type": ORDER, "rate": 0.001, "burst": 4.0},
            {"step": "redact", "agents": ["desk"], "fields": ["data.card"]}])
        link(self.a, self.b, "desk")
        events = [{"type": ORDER, "source": "shop/a", "id": str(n), "data": {"n": n, "card": "4111"}} for n in range(6)]

        self.a.publish_all(events + [events[0], events[2]])

        until(lambda: settled(self.b.book("desk", ORDER), 8), lambda: f"{self.b.book('desk', ORDER)}\n{self.b.log()}")
        self.assertEqual([0, 1, 2, 3, 4, 5, 0, 2], gate.numbers(ORDER))
        self.assertEqual([0, 2, 3, 4], desk.numbers(ORDER))
        self.assertEqual({"4111"}, {event["data"]["card"] for event in gate.events(ORDER)})
        self.assertEqual({"***"}, {event["data"]["card"] for event in desk.events(ORDER)})
        book = self.b.book("desk", ORDER)
        self.assertEqual((4, {"where": 1, "stopped": 0, "duplicate": 2, "limited": 1}), (book["delivered"], book["filtered"]))
        self.assertEqual(8, self.b.book("gate", ORDER)["delivered"])

    def test_steps_before_an_agent_outside_the_process_change_its_events_and_what_comes_again_passes_again(self):
        steps = [{"step": "deduplicate", "type": ORDER, "by": "data.n"},
                 {"step": "redact", "type": ORDER, "fields": ["data.card"]},
                 {"step": "where", "type": ORDER, "where": "data.n != 3"}]
        self.a = self.mesh.node("a", agent=[{"name": "desk", "remote": True, "subscribe": [{"type": ORDER}],
                                             "retry": {"max_attempts": 3, "delay": "20ms"}}],
                                middleware=[{"on": "dispatch", **step} for step in steps]).start().ready()
        wire = Wire(self.a)
        self.addCleanup(wire.close)
        wire.attach("desk", credit=2)
        numbers = [0, 1, 1, 2, 3, 4, 0, 5]

        self.a.publish_all([{"type": ORDER, "data": {"n": n, **({"card": "4111"} if n % 2 == 0 else {})}} for n in numbers])

        seen, failed = [], False
        while 5 not in [n for n, _ in seen]:
            events = wire.events()
            self.assertTrue(events, f"only {seen} came\n{self.a.log()}")
            for delivery, attempt, event in events:
                data = event["data"]
                self.assertEqual("***" if data["n"] % 2 == 0 else None, data.get("card"))
                if data["n"] == 2 and not failed:
                    failed = True
                    wire.say("agent.nack", delivery, "once more")
                    continue
                seen.append((data["n"], attempt))
                wire.say("agent.ack", delivery)
        self.assertEqual([(0, 1), (1, 1), (2, 2), (4, 1), (5, 1)], seen)
        until(lambda: settled(self.a.book("desk", ORDER), 8), lambda: f"{self.a.book('desk', ORDER)}\n{self.a.log()}")
        book = self.a.book("desk", ORDER)
        self.assertEqual((5, 1, 2), (book["delivered"], book["filtered"]["where"], book["filtered"]["duplicate"]))
        counted = steps_of(self.a)
        self.assertEqual((2, 1), (counted["deduplicate"]["filtered"], counted["where"]["filtered"]), counted)

    def test_what_an_agent_outside_the_process_gives_back_is_not_limited_and_its_condition_is_asked_of_what_was_published(self):
        condition = "data.card == '4111'"
        self.a = self.mesh.node("a", agent=[{"name": "desk", "remote": True, "concurrency": 8,
                                             "retry": {"max_attempts": 3, "delay": "20ms"},
                                             "subscribe": [{"type": ORDER, "where": condition}]}],
                                middleware=[{"on": "dispatch", "step": "limit", "type": ORDER, "rate": 0.001, "burst": 60.0},
                                            {"on": "dispatch", "step": "redact", "type": ORDER, "fields": ["data.card"]}]
                                ).start().ready()
        wire = Wire(self.a)
        self.addCleanup(wire.close)
        wire.attach("desk", credit=16)
        self.a.publish_all([{"type": ORDER, "data": {"n": n, "card": "4111"}} for n in range(60)])

        handled, answered = set(), 0
        again = None
        while len(handled) < 60:
            events = (again or wire).events()
            self.assertTrue(events, f"only {sorted(handled)} came\n{self.a.book('desk', ORDER)}\n{self.a.log()}")
            for delivery, _, event in events:
                self.assertEqual("***", event["data"]["card"])
                answered += 1
                if answered == 5:
                    wire.say("agent.nack", delivery, "once more")
                elif answered == 20:  # with deliveries open
                    wire.close()
                    again = Wire(self.a)
                    self.addCleanup(again.close)
                    until(lambda: attached(again), "the first connection to be known as gone")
                    break
                else:
                    (again or wire).say("agent.ack", delivery)
                    handled.add(event["data"]["n"])
        book = self.a.book("desk", ORDER)
        self.assertEqual((0, 0), (book["filtered"]["limited"], book["filtered"]["where"]), book)
        step = steps_of(self.a)["limit"]
        self.assertEqual(0, step["limited"], step)


def attached(wire):
    try:
        return wire.attach("desk", credit=16)
    except Refused:
        return None


class DurableMiddleware(unittest.TestCase):
    def test_a_redelivery_is_no_duplicate_and_the_books_balance_after_a_crash(self):
        mesh = Mesh(spools=1)
        self.addCleanup(mesh.close)
        vault = mesh.node("vault", spool={}, topic=work.CONFIRMED).start().ready()
        desk = work.Worker(mesh, "desk", ["work."], durable="desk", start="beginning",
                           retry={"max_attempts": 3, "delay": "20ms", "backoff": 1.0}, trouble={7: "reject", 20: "hang"})
        steps = [{"step": "deduplicate", "on": "dispatch", "type": "work.", "by": "data.n"},
                 {"step": "where", "on": "dispatch", "type": "work.", "where": "data.n != 3"}]
        consumer = mesh.node("consumer", join=[vault], agent=[desk.table], topic=work.CONFIRMED,
                             middleware=steps).start().ready()

        def publish(numbers):
            answers = vault.call("publish", {"events": [{"type": "work.a", "data": {"n": n}} for n in numbers],
                                             "confirm": True, "timeout_ms": 30_000}, timeout=40)
            self.assertTrue(all(answer["confirmed"] for answer in answers), answers)

        publish([*range(10), 5, 6])
        until(lambda: consumer.book("desk", "work.")["pending"] == 0 and consumer.book("desk", "work.")["published"] == 12,
              lambda: f"{consumer.book('desk', 'work.')}\n{consumer.log()}")
        book = consumer.book("desk", "work.")
        self.assertEqual((8, 1, 1, 2), (book["delivered"], book["dead"], book["filtered"]["where"],
                                        book["filtered"]["duplicate"]))
        self.assertEqual([0, 1, 2, 4, 5, 6, 8, 9], [one.number for one in desk.done()])

        # The letter goes to its handler again: it was seen, and is no duplicate.
        desk.trouble({20: "hang"})
        mesh.cli("dlq", "requeue", "--all", "-y", node=vault, check=0)
        until(lambda: [one.number for one in desk.done()][8:] == [7], lambda: f"the requeue to be done: {desk.done()}")

        # In hands when the node is killed: handed over again, and taken by the steps.
        publish([20, 21])
        until(lambda: desk.attempts(20) == [1], "20 to be in hands")
        consumer.kill()
        desk.trouble({})
        consumer.start().ready()
        until(lambda: {20, 21} <= {one.number for one in desk.done()}, lambda: f"{desk.done()}\n{consumer.log()}")
        until(lambda: consumer.book("desk", "work.")["pending"] == 0, "nothing to be pending")
        report = json.loads(mesh.cli("check", "books", "-j", "--timeout", "50s", node=vault, check=0).stdout)
        self.assertEqual("ok", report["state"], report)


if __name__ == "__main__":
    unittest.main()
