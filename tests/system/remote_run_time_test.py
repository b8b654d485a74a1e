"""Agents that no configuration declares: they come with their first client, change their subscriptions, and go."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.mesh import Mesh  # noqa: E402
from support.poll import holds, until  # noqa: E402
from support.wire import Refused, Wire  # noqa: E402

NEWS = [{"type": "news.flash"}]


class RunTime(unittest.TestCase):
    def start(self, spools=0, **tables):
        self.mesh = Mesh(spools=spools)
        self.addCleanup(self.mesh.close)
        self.a = self.mesh.node("a", **tables).start().ready()
        self.b = self.mesh.node("b", join=[self.a], agent=[{"name": "sink", "builtin": "sink",
                                                            "subscribe": [{"type": "x.y"}]}]).start().ready()
        self.mesh.alive_everywhere([self.a, self.b])

    def wire(self, node=None):
        wire = Wire(node or self.b)
        self.addCleanup(wire.close)
        return wire

    def linked(self, name, type_, publish=None):
        """Returns once what a publishes is in the books of this subscription at b."""
        before = self.b.book(name, type_)["published"]

        def counted():
            self.a.publish(publish or type_, {"n": -1})
            return self.b.book(name, type_)["published"] > before
        until(counted, lambda: f"{self.b.book(name, type_)}\n{self.b.log()}", pause=0.05)

    def take(self, wire, wanted, timeout=20.0):
        """data.n of what comes until `wanted` is among it; everything is acknowledged. -1 is left out."""
        seen = []
        while wanted not in seen:
            events = wire.events(timeout)
            assert events, f"only {seen} came; log:\n{self.b.log()}"
            for delivery, _, event in events:
                seen.append(event["data"]["n"])
                wire.say("agent.ack", delivery)
        return [n for n in seen if n != -1]

    def balanced(self, name, type_, pending=0):
        def is_balanced():
            book = self.b.book(name, type_)
            return book["pending"] == pending and book["balance"] == 0
        until(is_balanced, lambda: f"{self.b.book(name, type_)}\n{self.b.log()}")
        return self.b.book(name, type_)

    def test_an_agent_appears_with_its_first_client_hears_the_whole_mesh_and_goes_when_it_detaches(self):
        self.start()
        wire = self.wire()

        answer = wire.attach("reader", subscriptions=NEWS)
        self.assertEqual([{"type": "news.flash", "tier": "normal", "replay": False}], answer["subscriptions"])
        self.linked("reader", "news.flash")
        for n in range(50):
            (self.a if n % 2 else self.b).publish("news.flash", {"n": n})
        seen = []
        while set(seen) != set(range(50)):
            for delivery, _, event in wire.events():
                seen += [event["data"]["n"]] if event["data"]["n"] >= 0 else []
                wire.say("agent.ack", delivery)
        self.assertEqual(50, len(seen))
        self.balanced("reader", "news.flash")
        wire.call("agent.detach", {"session": wire.session})

        self.assertEqual(("gone", False), (self.b.agent("reader")["state"], self.b.agent("reader")["up"]))
        before = self.balanced("reader", "news.flash")["published"]
        self.a.publish("news.flash", {"n": 100})
        self.b.publish("news.flash", {"n": 101})
        holds(lambda: self.b.book("reader", "news.flash")["published"] == before, 0.5, "nothing to be booked")

        wire.attach("reader", subscriptions=NEWS)
        self.linked("reader", "news.flash")
        self.a.publish("news.flash", {"n": 102})
        self.assertEqual([102], self.take(wire, 102))
        book = self.balanced("reader", "news.flash")
        self.assertGreater(book["published"], before)
        self.assertEqual(0, sum(book["lost"].values()), book)
        self.assertEqual(1, sum(s["agent"] == "reader" for s in self.b.stats()["subscriptions"]))

    def test_a_new_attachment_may_change_the_subscriptions(self):
        self.start()
        wire = self.wire()
        wire.attach("reader", subscriptions=NEWS)
        wire.attach("reader", subscriptions=[*NEWS, {"type": "sport.", "tier": "high"}])
        self.linked("reader", "sport.", publish="sport.goal")
        self.a.publish("sport.goal", {"n": 1})
        self.assertEqual([1], self.take(wire, 1))

        answer = wire.attach("reader", subscriptions=[{"type": "sport.", "tier": "high"}])
        self.assertEqual(["sport."], [s["type"] for s in answer["subscriptions"]])
        self.b.publish("news.flash", {"n": 2})
        self.b.publish("sport.goal", {"n": 3})

        self.assertEqual([3], self.take(wire, 3))

    def test_what_comes_while_the_client_is_away_is_kept_and_what_is_left_at_the_end_is_lost_and_counted(self):
        self.start()
        wire = self.wire()
        wire.attach("reader", subscriptions=NEWS, credit=4)
        self.b.publish("news.flash", {"n": 0})
        self.assertEqual([0], self.take(wire, 0))
        wire.close()
        for n in range(1, 40):
            self.b.publish("news.flash", {"n": n})
        until(lambda: self.b.book("reader", "news.flash")["published"] == 40, "the events to be there")

        again = self.wire()
        until(lambda: self.attaches(again), "the first connection to be known as gone")
        seen = []
        while len(seen) < 39:
            for delivery, _, event in again.events():
                seen.append(event["data"]["n"])
                again.say("agent.ack", delivery)
        self.assertEqual(list(range(1, 40)), seen)
        self.balanced("reader", "news.flash")

        again.say("agent.credit", 0)
        again.call("agent.beat", {"session": again.session})
        for n in range(40, 60):
            self.b.publish("news.flash", {"n": n})
        until(lambda: self.b.book("reader", "news.flash")["published"] == 60, "the last ones to be there")
        again.call("agent.detach", {"session": again.session})
        book = self.balanced("reader", "news.flash")
        self.assertEqual((40, 20), (book["delivered"], book["lost"]["shutdown"]))
        self.assertEqual(0, self.b.terminate(watchdog=8))  # nothing is held for anybody

    @staticmethod
    def attaches(wire):
        try:
            return wire.attach("reader", subscriptions=NEWS, credit=4)
        except Refused:
            return None

    def test_what_may_not_be_is_refused_and_leaves_nothing_behind(self):
        self.start()
        wire = self.wire()
        for params, code, text in (
                ({"name": "reader"}, "not_found", "says no subscriptions"),
                ({"name": "reader", "subscriptions": [{"type": "order.", "tier": "critical"}]}, "refused", "a gate has to"),
                ({"name": "sink", "subscriptions": NEWS}, "name_taken", "has an agent sink already"),
                ({"name": "reader", "subscriptions": [{"type": "order.", "where": "data.x >"}]}, "invalid_argument", "where: 1:9: expected"),
                ({"name": "reader", "subscriptions": [{"type": "order.", "where": "x > 1"}]}, "invalid_argument", "where: 1:1"),
                ({"name": "reader", "subscriptions": [{"type": "order.", "group": "x"}]}, "invalid_argument", "home")):
            with self.assertRaises(Refused, msg=f"{params}") as refused:
                wire.call("agent.attach", params)
            self.assertEqual(code, refused.exception.code, params)
            self.assertIn(text, str(refused.exception))
        self.assertEqual(["sink"], [a["agent"] for a in self.b.stats()["agents"]])

    def test_a_durable_subscription_without_a_declaration_goes_on_where_it_was(self):
        self.start(spools=1, spool={})
        durable = [{"type": "trade.executed", "durable": "books", "start": "beginning"}]
        confirmed = self.a.call("publish", {"confirm": True, "timeout_ms": 20000, "events": [
            {"type": "trade.executed", "data": {"n": n}} for n in range(5)]}, timeout=30)
        self.assertTrue(all(c["confirmed"] for c in confirmed), confirmed)
        wire = self.wire()
        try:
            wire.attach("books", subscriptions=durable)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.b.log()}\n{self.b.process.poll()}") from None
        self.assertEqual([0, 1, 2, 3, 4], self.take(wire, 4))
        wire.call("agent.detach", {"session": wire.session})
        self.a.call("publish", {"confirm": True, "timeout_ms": 20000, "events": [
            {"type": "trade.executed", "data": {"n": 5}}]}, timeout=30)

        self.assertEqual(0, self.b.terminate())
        self.b.start().ready()
        again = self.wire()
        again.attach("books", subscriptions=durable)

        self.assertEqual([5], self.take(again, 5))


if __name__ == "__main__":
    unittest.main()
