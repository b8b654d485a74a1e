"""The ipc pair of a node, used with nothing but stock PUB and SUB sockets and msgpack."""

import json
import pathlib
import sys
import unittest

import msgpack
import zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.mesh import Mesh  # noqa: E402
from support.poll import holds, until  # noqa: E402
from support.scripted import PROBE, Scripted, link, settled  # noqa: E402


class Subscriber:
    """A SUB socket and what it has received: (topic, decoded event)."""

    def __init__(self, context, node, topic):
        self.socket = context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.SUBSCRIBE, topic)
        self.socket.connect(f"ipc://{node.state_dir}/local/subscribe.sock")
        self.received = []

    def read(self):
        while self.socket.poll(0):
            parts = self.socket.recv_multipart()
            assert len(parts) == 1, parts
            topic, _, body = parts[0].partition(b"\0")
            self.received.append((topic.decode(), msgpack.unpackb(body)))
        return self.received

    def numbers(self, *types):
        return [e["data"]["n"] for t, e in self.read() if t in types]


class LocalPair(unittest.TestCase):
    """Programs beside node a; an agent `far` on node b and a publisher on node b."""

    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        self.far = Scripted(self.mesh, "far", ["ext.one", "ext.two", "deep.", PROBE])
        self.a = self.mesh.node("a").start()
        self.b = self.mesh.node("b", join=[self.a], agent=[self.far.table]).start()
        self.a.ready()
        self.b.ready()
        link(self.a, self.b, "far")
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy, linger=0)
        self.pub = self.context.socket(zmq.PUB)
        self.pub.connect(f"ipc://{self.a.state_dir}/local/publish.sock")
        # A PUB socket drops until it has heard what the other side wants.
        until(lambda: self.pub.send_multipart([PROBE.encode(), msgpack.packb({"type": PROBE, "data": {"n": -1}})])
              or self.local().get("published", 0) > 0, "the node to hear the PUB socket", pause=0.05)

    def local(self):
        return self.a.stats()["local"]

    def send_map(self, type_, number, **attributes):
        event = {"type": type_, "data": {"n": number}, **attributes}
        self.pub.send_multipart([type_.encode(), msgpack.packb(event)])

    def send_json(self, type_, number, **attributes):
        event = {"specversion": "1.0", "type": type_, "data": {"n": number}, **attributes}
        self.pub.send_multipart([type_.encode(), json.dumps(event).encode()])

    def hearing(self, node, topic, type_):
        """A SUB socket at `node` that already hears `type_`, which node a publishes until then."""
        subscriber = Subscriber(self.context, node, topic)
        until(lambda: self.a.publish(type_, {"n": -1}) and type_ in [t for t, _ in subscriber.read()],
              f"SUB {topic} to hear {type_}", pause=0.05)
        return subscriber

    def settle_far(self, type_, published):
        until(lambda: settled(self.b.book("far", type_), published),
              lambda: f"far to settle {published}: {self.b.book('far', type_)}, local {self.local()}")

    def test_maps_and_json_published_locally_reach_an_agent_of_another_node_in_order(self):
        for n in range(200):
            if n % 2:
                self.send_json("ext.one", n, subject="tape")
            else:
                self.send_map("ext.one", n, correlationid="c-1", partitionkey="k")

        self.settle_far("ext.one", 200)

        events = self.far.events("ext.one")
        self.assertEqual(list(range(200)), [e["data"]["n"] for e in events])
        self.assertEqual({"a/local"}, {e["source"] for e in events})
        self.assertTrue(all(e["id"].startswith("a:") and e["id"].endswith(f":2:ext.one:0:{n + 1}")
                            for n, e in enumerate(events)))
        self.assertEqual("c-1", events[0]["correlationid"])
        self.assertEqual("k", events[0]["partitionkey"])
        self.assertEqual("tape", events[1]["subject"])
        self.assertEqual(events[1]["id"], events[1]["correlationid"])

    def test_the_priority_an_event_states_is_its_lane(self):
        self.send_map("ext.two", 0, priority="critical")
        self.send_json("ext.two", 1, priority="LOW")

        until(lambda: len(self.far.numbers("ext.two")) == 2, lambda: f"{self.far.entries()}, {self.local()}")

        self.assertEqual({0: "critical", 1: "low"}, {e["data"]["n"]: e["priority"] for e in self.far.events("ext.two")})

    def test_subscribers_hear_exactly_what_they_asked_for_of_their_own_node(self):
        exact = self.hearing(self.a, b"deep.one\0", "deep.one")
        exact_without_nul = self.hearing(self.a, b"deep.one", "deep.one")
        family = self.hearing(self.a, b"deep.", "deep.one")
        everything = self.hearing(self.a, b"", "deep.one")
        total = 60
        for n in range(total):
            type_ = ("deep.one", "deep.one_more", "other.thing")[n % 3]
            self.assertEqual("queued", self.a.publish(type_, {"n": n})["status"])
        self.send_map("deep.one", total)

        for subscriber in (exact, exact_without_nul, family, everything):
            until(lambda s=subscriber: total in s.numbers("deep.one"), "the last event")
        ones = [*range(0, total, 3), total]

        def heard(subscriber, *types):
            return [n for n in subscriber.numbers(*types) if n >= 0]
        self.assertEqual(ones, heard(exact, "deep.one"))
        self.assertEqual(ones, heard(family, "deep.one"))
        self.assertEqual(list(range(1, total, 3)), heard(family, "deep.one_more"))
        for n, type_ in enumerate(("deep.one", "deep.one_more", "other.thing")):
            expected = ones if n == 0 else list(range(n, total, 3))
            self.assertEqual(expected, heard(everything, type_))
        self.assertEqual({"deep.one"}, {t for t, _ in exact.read()})
        self.assertEqual(["deep.one", "deep.one_more"], sorted({t for t, _ in family.read()}))
        self.assertIn("agent.heartbeat", {t for t, _ in until(
            lambda: "agent.heartbeat" in {t for t, _ in everything.read()} and everything.read(), "a heartbeat")})
        topic, event = next(r for r in exact.read() if r[1]["data"]["n"] == 0)
        self.assertEqual(("deep.one", "a/control", "deep.one"), (topic, event["source"], event["type"]))
        self.assertRegex(event["id"], r"^a:\d+:2:deep\.one:0:\d+$")

    def test_a_local_subscription_goes_upstream_to_the_other_nodes(self):
        # No agent of node b wants this type, so only the subscription of the program makes node a send it.
        near = self.hearing(self.b, b"only.here\0", "only.here")
        for n in range(100):
            self.a.publish("only.here", {"n": n})

        until(lambda: 99 in near.numbers("only.here"), lambda: f"{near.read()[-3:]}")

        self.assertEqual(list(range(100)), [n for n in near.numbers("only.here") if n >= 0])
        self.assertEqual({"only.here"}, {t for t, _ in near.read()})

    def test_what_is_refused_is_counted_by_reason_and_disturbs_nothing(self):
        subscriber = self.hearing(self.a, b"ext.one\0", "ext.one")
        before = self.local()
        booked = self.b.book("far", "ext.one")["published"]
        good = msgpack.packb({"type": "ext.one", "data": {"n": 1000}})
        refused = {
            "refused_parts": [[good], [b"ext.one", good, b""], [b"ext.one", b"x", good, good]],
            "refused_type_mismatch": [[b"ext.two", good], [b"ext.", good], [b"", good]],
            "refused_refused": [[b"agent.heartbeat", msgpack.packb({"type": "agent.heartbeat", "data": {}})],
                                [b"AGENT_HEARTBEAT", msgpack.packb({"type": "AGENT_HEARTBEAT", "data": {}})]],
            "refused_undecodable": [[b"ext.one", b""], [b"ext.one", b"\xc1"], [b"ext.one", b"{not json"],
                                    [b"ext.one", good[:-1]], [b"ext.one", good + b"\0"], [b"ext.one", b"\xff" * 5000],
                                    [b"ext.one", b"\x91" * 200000], [b"ext.one", msgpack.packb([1, 2])],
                                    [b"ext.one", msgpack.packb({"data": {"n": 1}})],
                                    [b"~record", msgpack.packb({"type": "~record", "data": {}})],
                                    [b"!node", json.dumps({"type": "!node"}).encode()],
                                    [b"Bad Type", msgpack.packb({"type": "Bad Type"})]],
            "refused_too_big": [[b"ext.one", msgpack.packb({"type": "ext.one", "data": {"n": 1, "x": "x" * 500_000}})]],
        }
        count = 0
        for messages in refused.values():
            for parts in messages:
                self.pub.send_multipart(parts)
                self.send_map("ext.one", count)
                count += 1

        self.settle_far("ext.one", booked + count)

        self.assertEqual(list(range(count)), [n for n in self.far.numbers("ext.one") if n >= 0])
        after = self.local()
        self.assertEqual({reason: len(messages) for reason, messages in refused.items()},
                         {k: v - before.get(k, 0) for k, v in after.items() if k.startswith("refused_")})
        self.assertEqual(count, after["published"] - before["published"])
        until(lambda: count - 1 in subscriber.numbers("ext.one"), "the last event")
        self.assertEqual(list(range(count)), [n for n in subscriber.numbers("ext.one") if n >= 0])

    def test_a_subscription_outside_the_grammar_is_refused_and_hears_nothing(self):
        bad = [Subscriber(self.context, self.a, t) for t in (b"Ext", b"ext..", b"ext one", b"\xff\xfe", b"x" * 500, b"~sync.")]
        until(lambda: self.local().get("refused_subscription", 0) == len(bad), lambda: f"{self.local()}")
        good = self.hearing(self.a, b"ext.one\0", "ext.one")
        self.a.publish("ext.one", {"n": 1})
        until(lambda: 1 in good.numbers("ext.one"), "the good subscriber to hear")

        self.assertEqual([[]] * len(bad), [b.read() for b in bad])

    def test_a_subscriber_that_does_not_read_costs_itself_only(self):
        stalled = self.hearing(self.a, b"ext.", "ext.one")
        booked = self.b.book("far", "ext.two")["published"]
        text = "x" * 20000
        total = 0
        while self.local().get("slow_subscriber", 0) == 0:
            self.assertLess(total, 20_000, "the bound of a subscriber was never reached")
            events = [{"type": "ext.two", "data": {"n": total + i, "text": text}} for i in range(40)]
            self.assertEqual({"queued"}, {r["status"] for r in self.a.publish_all(events)})
            total += len(events)

        self.settle_far("ext.two", booked + total)

        self.assertEqual(list(range(total)), self.far.numbers("ext.two"))
        self.assertEqual([], [t for t, _ in stalled.received if t == "ext.two"])
        self.assertLess(self.a.rss_bytes(), 400 * 1024 * 1024)

    def test_without_the_pair_there_are_no_sockets(self):
        alone = self.mesh.node("alone", node={"local": False}).start().ready()

        holds(lambda: not (alone.state_dir / "local" / "publish.sock").exists(), 0.1, "no socket")
        self.assertEqual({}, alone.stats()["local"])


if __name__ == "__main__":
    unittest.main()
