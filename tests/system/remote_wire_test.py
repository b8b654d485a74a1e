"""Agents outside the process, spoken to with nothing but pyzmq and msgpack: docs/protocol.md, "Remote agents".

The client, tests/support/wire.py, is written from that page alone; the Python package has no part in it.
"""

import os
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import msgpack  # noqa: E402

from support.mesh import PYTHON  # noqa: E402
from support.poll import holds, until  # noqa: E402
from support.wire import CLIENT, Refused, WireTest, agent  # noqa: E402


class Contract(WireTest):
    def test_a_client_of_two_libraries_attaches_gets_an_event_acknowledges_and_publishes(self):
        self.start(agent(types=["job.done", "news."]))
        wire = self.wire()

        answer = wire.attach("worker")
        self.node.publish("news.flash", {"text": "hello", "n": 1}, partitionkey="k", correlationid="c-1", source="x/y")
        (delivery, attempt, event), = wire.events()
        wire.say("agent.ack", delivery)
        told = wire.call("publish", {"events": [{"type": "job.reply", "data": {"to": event["id"]}},
                                                {"type": "no such type", "data": None}]})

        self.assertEqual(("a", "worker", 1), (answer["node"], answer["agent"], answer["concurrency"]))
        self.assertEqual([{"type": "job.done", "tier": "normal", "replay": False},
                          {"type": "news.", "tier": "normal", "replay": False}], answer["subscriptions"])
        self.assertEqual((1, 1), (delivery, attempt))
        self.assertEqual(("news.flash", "normal", "x/y", "k", "c-1", 1), tuple(
            event[k] for k in ("type", "priority", "source", "key", "correlation", "subscription")))
        self.assertEqual({"text": "hello", "n": 1}, event["data"])
        self.assertRegex(event["id"], r"^a:\d+:2:news\.flash:0:1$")
        self.assertEqual(["queued", "invalid"], [t["status"] for t in told])
        self.assertRegex(told[0]["id"], r"^a:\d+:2:job\.reply:0:1$")
        self.assertEqual(1, self.node.settled("worker", "news.", 1)["delivered"])

    def test_what_an_attached_client_publishes_carries_the_name_of_its_agent(self):
        self.start(agent("teller", ["job.ask"]), agent("hearer", ["job.reply"]))
        teller, hearer = self.wire(), self.wire()
        teller.attach("teller")
        hearer.attach("hearer")

        teller.call("publish", {"events": [{"type": "job.reply", "data": {"n": 1}}]})

        (_, _, event), = hearer.events()
        self.assertEqual("a/teller", event["source"])

    def test_every_outcome_means_what_it_means_for_exec_agents(self):
        self.start(agent(tier="high"), agent("later", ["job.done"], tier="low"))
        wire, later = self.wire(), self.wire()
        wire.attach("worker", subscriptions=[{"type": "JOB.DONE".lower(), "tier": "high"}])
        later.attach("later")

        def hand_over(n):
            self.node.publish("job.done", {"n": n})
            (delivery, attempt, event), = wire.events()
            self.assertEqual((n, 1), (event["data"]["n"], attempt))
            return delivery

        wire.say("agent.ack", hand_over(0))
        wire.say("agent.stop", hand_over(1))
        wire.say("agent.reject", hand_over(2), "no such symbol")
        wire.say("agent.nack", hand_over(3), "no quote yet")
        self.assertEqual([(3, 2)], self.numbers(wire, 1))
        deferred = hand_over(4)
        wire.say("agent.defer", deferred)
        self.node.publish("job.done", {"n": 5})
        self.assertEqual([], wire.events(timeout=0.5))  # it stands behind the deferred one
        wire.say("agent.ack", deferred)
        self.assertEqual([(5, 1)], self.numbers(wire, 1))

        book = self.node.settled("worker", "job.done", 6)
        self.assertEqual((5, 1), (book["delivered"], book["dead"]))
        until(lambda: self.node.stats()["dead_letters"] == {"rejected": 1}, "the letter")
        self.assertEqual([(0, 1), (2, 1), (3, 1), (4, 1), (5, 1)], self.numbers(later, 5))  # 1 was stopped
        self.node.wait_log(r"dead letter: \S+ for worker after 1 attempts \(rejected\): no such symbol")

    def test_a_nack_voids_what_stands_behind_it_and_the_order_is_kept(self):
        self.start(agent(credit=64))
        wire = self.wire()
        wire.attach("worker")
        self.node.publish_all([{"type": "job.done", "data": {"n": n}} for n in range(300)])
        seen = []
        nacked = set()
        while len(seen) < 300:
            for delivery, attempt, event in wire.events():
                n = event["data"]["n"]
                if n % 50 == 7 and n not in nacked:
                    nacked.add(n)
                    wire.say("agent.nack", delivery, "once")
                    break  # the rest of this run is void
                self.assertEqual(2 if n in nacked else 1, attempt)
                seen.append(n)
                wire.say("agent.ack", delivery)

        self.assertEqual(list(range(300)), seen)
        self.assertEqual(300, self.node.settled("worker", "job.done", 300)["delivered"])

    def test_ranges_and_lists_acknowledge_many_at_once(self):
        self.start(agent())
        wire = self.wire()
        wire.attach("worker")
        self.node.publish_all([{"type": "job.done", "data": {"n": n}} for n in range(2000)])
        seen = []
        while len(seen) < 2000:
            events = wire.events()
            seen += [e["data"]["n"] for _, _, e in events]
            first, last = events[0][0], events[-1][0]
            middle = (first + last) // 2
            if middle > first:
                wire.say("agent.ack", first, [first + 1, middle], [middle + 1, last])
            else:
                wire.say("agent.ack", [first, last])

        self.assertEqual(list(range(2000)), seen)
        self.assertEqual(2000, self.node.settled("worker", "job.done", 2000)["delivered"])

    def test_with_concurrency_keys_are_kept_in_order_and_others_go_on(self):
        self.start(agent(concurrency=8))
        wire = self.wire()
        wire.attach("worker")
        self.node.publish_all([{"type": "job.done", "data": {"n": n}, "partitionkey": "ab"[n % 2]} for n in range(4)])

        first = {}
        while len(first) < 2:
            first |= {e["data"]["n"]: d for d, _, e in wire.events()}
        self.assertEqual({0, 1}, set(first))
        self.assertEqual([], wire.events(timeout=0.3))
        wire.say("agent.ack", first[1])
        self.assertEqual([(3, 1)], self.numbers(wire, 1))
        wire.say("agent.ack", first[0])
        self.assertEqual([(2, 1)], self.numbers(wire, 1))
        self.node.settled("worker", "job.done", 4)


class Bounds(WireTest):
    def test_never_more_than_the_credit_is_without_an_answer(self):
        self.start(agent(concurrency=64, credit=10))
        wire = self.wire()
        self.assertEqual(10, wire.attach("worker")["credit"])
        self.node.publish_all([{"type": "job.done", "data": {"n": n}} for n in range(200)])
        open_, seen, most = [], 0, 0
        while seen < 200:
            events = wire.events(timeout=0.2)
            seen += len(events)
            open_ += [d for d, _, _ in events]
            most = max(most, len(open_))
            self.assertLessEqual(len(open_), 10)
            if not events or len(open_) == 10:
                wire.say("agent.ack", *open_[:5])
                del open_[:5]
        wire.say("agent.ack", *open_)

        self.assertEqual(10, most)
        self.node.settled("worker", "job.done", 200)

    def test_credit_is_taken_back_and_given_again(self):
        self.start(agent())
        wire = self.wire()
        wire.attach("worker")
        wire.say("agent.credit", 0)
        wire.call("agent.beat", {"session": wire.session})
        self.node.publish_all([{"type": "job.done", "data": {"n": n}} for n in range(20)])

        self.assertEqual([], wire.events(timeout=0.5))
        wire.say("agent.credit", 3)

        seen = []
        while len(seen) < 20:
            events = wire.events()
            self.assertLessEqual(len(events), 3)
            seen += [e["data"]["n"] for _, _, e in events]
            wire.say("agent.ack", *[d for d, _, _ in events])
        self.assertEqual(list(range(20)), seen)

    def test_a_client_that_does_not_answer_costs_its_own_mailbox_and_nobody_else(self):
        capacity = {lane: 100 for lane in ("critical", "high", "normal", "low")}
        self.start(agent("slow", capacity=capacity), agent("quick"))
        slow, quick = self.wire(), self.wire()
        slow.attach("slow")
        quick.attach("quick")

        for first in range(0, 1000, 100):
            self.node.publish_all([{"type": "job.done", "data": {"n": n}} for n in range(first, first + 100)])
            self.assertEqual(list(range(first, first + 100)), [n for n, _ in self.numbers(quick, 100)])

        self.assertEqual(1000, self.node.settled("quick", "job.done", 1000)["delivered"])
        book = self.node.book("slow", "job.done")
        self.assertGreater(sum(book["lost"].values()), 500, book)

    def test_an_event_in_hands_too_long_failed_and_what_stood_behind_it_comes_again(self):
        self.start(agent(handler_timeout="300ms"))
        wire = self.wire()
        wire.attach("worker")
        self.node.publish_all([{"type": "job.done", "data": {"n": n}} for n in range(20)])
        done, stuck = [], None
        while len(done) < 20:
            events = wire.events()
            self.assertTrue(events, f"only {done}; log:\n{self.node.log()}")
            if len(events) > 2 and stuck is None:
                wire.say("agent.ack", events[0][0])
                done.append(events[0][2]["data"]["n"])
                stuck = events[1]
                first, last = wire.hear("agent.void")[1:]
                self.assertEqual((events[1][0], events[-1][0]), (first, last))
                wire.say("agent.ack", events[1][0])  # too late
                continue
            for delivery, attempt, event in events:
                self.assertEqual(2 if stuck and event["data"]["n"] == stuck[2]["data"]["n"] else 1, attempt)
                done.append(event["data"]["n"])
                wire.say("agent.ack", delivery)

        self.assertEqual(list(range(20)), done)
        self.node.settled("worker", "job.done", 20)
        counters = self.node.agent("worker")["counters"]
        self.assertEqual((1, 1), (counters["timeouts"], counters["stale_answers"]))


class Lives(WireTest):
    def client(self, name, do):
        """A process of its own: attaches, tells each event, and then does what `do` says with it."""
        path = self.mesh.folder / f"seen-{os.urandom(4).hex()}"
        script = CLIENT.format(port=self.node.port, name=name, path=str(path), do=do)
        return self.mesh.spawn([PYTHON, "-c", script]), path

    @staticmethod
    def seen(path):
        return [tuple(map(int, line.split())) for line in path.read_text().splitlines()] if path.exists() else []

    def test_the_event_in_hands_of_a_killed_client_comes_again_as_attempt_two(self):
        self.start(agent())
        first, path = self.client("worker", "'hold' if n == 3 else 'ack'")
        until(lambda: self.node.agent("worker")["up"], "the client to attach")
        self.node.publish_all([{"type": "job.done", "data": {"n": n}} for n in range(8)])
        until(lambda: self.seen(path)[-1:] == [(3, 1)], lambda: f"{self.seen(path)}")

        first.send_signal(signal.SIGKILL)
        first.wait()
        second, again = self.client("worker", "'ack'")

        until(lambda: len(self.seen(again)) == 5, lambda: f"{self.seen(again)}\n{self.node.log()}")
        self.assertEqual([(3, 2), (4, 1), (5, 1), (6, 1), (7, 1)], self.seen(again))
        self.assertEqual(8, self.node.settled("worker", "job.done", 8)["delivered"])

    def test_an_event_that_kills_every_client_is_a_dead_letter_after_exactly_max_attempts(self):
        self.start(agent())
        paths, client = [], None
        for _ in range(4):
            client, path = self.client("worker", "'die' if n == 2 else 'ack'")
            paths.append(path)
            if len(paths) == 1:
                until(lambda: self.node.agent("worker")["up"], "the client to attach")
                self.node.publish_all([{"type": "job.done", "data": {"n": n}} for n in range(5)])
            if len(paths) < 4:
                client.wait(60)

        book = self.node.settled("worker", "job.done", 5)
        self.assertEqual((4, 1), (book["delivered"], book["dead"]))
        self.assertEqual([[(0, 1), (1, 1), (2, 1)], [(2, 2)], [(2, 3)], [(3, 1), (4, 1)]], [self.seen(p) for p in paths])
        until(lambda: self.node.stats()["dead_letters"] == {"handler_error": 1}, "the letter")

    def test_a_second_client_of_a_name_is_refused_while_the_first_one_lives(self):
        self.start(agent())
        first, second = self.wire(), self.wire()
        first.attach("worker")

        with self.assertRaises(Refused) as refused:
            second.attach("worker")

        self.assertEqual("name_taken", refused.exception.code)
        first.close()
        until(lambda: self._attaches(second), "the name to be free")
        self.node.publish("job.done", {"n": 1})
        self.assertEqual([(1, 1)], self.numbers(second, 1))

    @staticmethod
    def _attaches(wire):
        try:
            return wire.attach("worker")
        except Refused:
            return None

    def test_a_silent_client_is_away_after_its_lease_and_is_told(self):
        self.start(agent(lease="700ms"))
        silent = self.wire()
        self.assertEqual(700, silent.attach("worker")["lease_ms"])
        self.node.publish("job.done", {"n": 1})
        self.assertEqual([(1, 1)], self.numbers(silent, 1, answer=False))

        until(lambda: not self.node.agent("worker")["up"], "the silent client to be away")
        self.assertEqual("away", self.node.agent("worker")["state"])
        self.assertEqual(silent.session, silent.hear("agent.closed")[0])
        with self.assertRaises(Refused):
            silent.call("agent.beat", {"session": silent.session})

        silent.attach("worker")
        self.assertEqual([(1, 2)], self.numbers(silent, 1))
        self.node.settled("worker", "job.done", 1)

    def test_beats_keep_a_client_that_has_nothing_to_say(self):
        self.start(agent(lease="600ms"))
        wire = self.wire()
        wire.attach("worker")

        def beats():
            wire.call("agent.beat", {"session": wire.session})
            return self.node.agent("worker")["up"]

        holds(beats, 2.0, "the agent to stay up", pause=0.1)

    def test_detaching_blames_nothing(self):
        self.start(agent())
        wire = self.wire()
        wire.attach("worker")
        self.node.publish_all([{"type": "job.done", "data": {"n": n}} for n in range(3)])
        self.assertEqual((0, 1), self.numbers(wire, 1, answer=False)[0])

        wire.call("agent.detach", {"session": wire.session})
        self.assertFalse(self.node.agent("worker")["up"])
        other = self.wire()
        other.attach("worker")

        self.assertEqual([(0, 1), (1, 1), (2, 1)], self.numbers(other, 3))

    def test_a_client_that_does_not_read_is_down_and_the_node_goes_on(self):
        self.start(agent(concurrency=1024, credit=10000, handler_timeout="0s", lease="10m"), agent("other"))
        deaf, other = self.wire(unread_max=4), self.wire()
        deaf.attach("worker")
        other.attach("other")
        text = "x" * 200_000
        self.node.publish("job.done", {"n": -1})
        self.assertEqual(1, len(deaf.events()))  # it is up; from now on nobody reads

        n = 0
        while self.node.agent("worker")["up"]:
            self.node.publish_all([{"type": "job.done", "data": {"n": n + k, "text": text}} for k in range(4)])
            self.numbers(other, 5 if n == 0 else 4)
            n += 4
            self.assertLess(n, 2_000, "the pipe never filled")
        self.node.wait_log(r"worker: away: the client does not read")
        self.assertLess(self.node.rss_bytes(), 1 << 30)


class Mistakes(WireTest):
    def test_what_is_wrong_is_refused_and_named(self):
        self.start(agent(), agent("other", ["x.y"]))
        wire = self.wire()
        for params, code, text in (
                ({"name": "nobody"}, "not_found", 'no [[agent]] "nobody"'),
                ({"name": "No Name"}, "invalid_argument", "params.name"),
                ({}, "bad_data", "name is missing"),
                ({"name": "worker", "subscriptions": [{"type": "job.other"}]}, "invalid_argument", "job.other (normal)"),
                ({"name": "worker", "subscriptions": [{"type": "job.done", "tier": "critical"}]}, "invalid_argument",
                 "job.done (critical)"),
                ({"name": "worker", "subscriptions": [{"type": "Not A Type"}]}, "invalid_argument", "type"),
                ({"name": "worker", "concurrency": 3}, "invalid_argument", "says 1"),
                ({"name": "worker", "credit": 0}, "invalid_argument", "params.credit"),
                ({"name": "worker", "lease_ms": 1}, "invalid_argument", "params.lease_ms"),
                ({"name": "worker", "retry": {"max_attempts": 7}}, "invalid_argument", "params.retry")):
            with self.assertRaises(Refused, msg=f"{params}") as refused:
                wire.call("agent.attach", params)
            self.assertEqual(code, refused.exception.code, params)
            self.assertIn(text, str(refused.exception), params)
        wire.attach("worker")
        with self.assertRaises(Refused) as refused:
            wire.call("agent.attach", {"name": "other"})
        self.assertIn("one connection for each agent", str(refused.exception))

    def test_nonsense_costs_that_message_only(self):
        self.start(agent())
        wire = self.wire()
        wire.attach("worker")
        for said in ([2], [2, "agent.ack"], [2, 5, []], [2, "agent.ack", {}], [2, "agent.ack", []],
                     [2, "agent.ack", [wire.session, "x"]], [2, "agent.ack", [wire.session, [5, 3]]],
                     [2, "agent.ack", [wire.session, 99]], [2, "agent.nack", [wire.session]],
                     [2, "agent.fly", [wire.session, 1]], [2, "agent.credit", [wire.session, -1]],
                     [2, "agent.ack", [wire.session + 1, 1]], "x", 7, [9, 9, 9], [2, "agent.ack", [wire.session, 0]]):
            wire.socket.send(msgpack.packb(said))
        wire.socket.send(b"\xc1\xff")
        self.node.publish("job.done", {"n": 1})

        self.assertEqual([(1, 1)], self.numbers(wire, 1))
        self.node.settled("worker", "job.done", 1)
        self.assertGreaterEqual(self.node.agent("worker")["counters"]["invalid_messages"], 6)
        self.assertEqual([wire.session + 1, "not_found"], [c for c in self.closed(wire) if c[0]][0][:2])

    @staticmethod
    def closed(wire):
        found = []
        while (params := wire.hear("agent.closed", timeout=0.2)) is not None:
            found.append(params)
        return found


class Gates(WireTest):
    def test_a_remote_gate_holds_while_it_is_away_and_decides_when_it_is_there(self):
        self.start(agent("risk", ["order.ready"], tier="critical"), agent("desk", ["order.ready"]))
        desk = self.wire()
        desk.attach("desk")
        self.node.publish_all([{"type": "order.ready", "data": {"n": n}} for n in range(4)])

        self.assertEqual([], desk.events(timeout=0.5))
        risk = self.wire()
        risk.attach("risk")
        answered = 0
        while answered < 4:
            for delivery, _, event in risk.events():
                n = event["data"]["n"]
                answered += 1
                if n % 2:
                    risk.say("agent.reject", delivery, "too large")
                    break
                risk.say("agent.ack", delivery)

        self.assertEqual([(0, 1), (2, 1)], self.numbers(desk, 2))
        self.node.settled("desk", "order.ready", 4)


if __name__ == "__main__":
    unittest.main()
