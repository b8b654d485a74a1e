"""Exec agents in real nodes: what every line means (docs/protocol.md, "Exec agents"), and what happens when they misbehave."""

import os
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.mesh import Mesh  # noqa: E402
from support.poll import until  # noqa: E402
from support.scripted import PROBE, Scripted, link, numbered, processes_of_session, program, settled  # noqa: E402


class Contract(unittest.TestCase):
    """Node a publishes; worker on node b does what the events ask for; witness on a hears what worker publishes."""

    jobs = ["job.ack", "job.nack", "job.stop", "job.reject", "job.defer", "job.other", "job.release", "job.publish",
            "job.refuse", "job.log", "job.misuse"]

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.witness = Scripted(cls.mesh, "witness", ["said.", "system.dead_letter", PROBE])
        cls.worker = Scripted(cls.mesh, "worker", [*cls.jobs, PROBE])
        cls.later = Scripted(cls.mesh, "later", ["job.stop"], tier="low")
        topics = [{"prefix": "*", "spools": 0}, {"prefix": "said.small", "max_bytes": "64B"}]
        cls.a = cls.mesh.node("a", agent=[cls.witness.table]).start()
        cls.b = cls.mesh.node("b", join=[cls.a], agent=[cls.worker.table, cls.later.table], topic=topics).start()
        cls.a.ready()
        cls.b.ready()
        link(cls.a, cls.b, "worker")
        link(cls.b, cls.a, "witness")

    def publish(self, type_, *data):
        results = self.a.publish_all([{"type": type_, "data": d} for d in data])
        self.assertEqual({"queued"}, {r["status"] for r in results})
        return [r["id"] for r in results]

    def wait_settled(self, type_, published, agent="worker"):
        book = None

        def check():
            nonlocal book
            book = self.b.book(agent, type_)
            return settled(book, published)
        until(check, lambda: f"{agent} to settle {published} {type_}: {book}\n{self.b.log()}")
        return book

    def handler(self, type_, agent="worker"):
        return next(h for h in self.b.stats()["handlers"] if h["agent"] == agent and h["type"] == type_)

    def counter(self, name):
        return self.b.agent("worker")["counters"].get(name, 0)

    def test_acked_events_come_once_in_order_as_cloudevents(self):
        ids = self.publish("job.ack", *({"n": n, "price": 1.0} for n in range(300)))

        book = self.wait_settled("job.ack", 300)

        events = self.worker.events("job.ack")
        self.assertEqual(list(range(300)), [e["data"]["n"] for e in events])
        self.assertEqual(ids, [e["id"] for e in events])
        self.assertEqual(ids, [e["correlationid"] for e in events])
        self.assertEqual([str(n + 1) for n in range(300)], [e["sequence"] for e in events])
        self.assertEqual({1}, {e["attempt"] for e in events})
        self.assertEqual({("1.0", "job.ack", "a/control", "normal")},
                         {(e["specversion"], e["type"], e["source"], e["priority"]) for e in events})
        deliveries = [e["delivery"] for e in events]
        self.assertEqual(sorted(set(deliveries)), deliveries)
        self.assertRegex(events[0]["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertEqual(300, book["delivered"])

    def test_a_nacked_event_comes_again_before_later_ones_and_its_attempts_are_counted(self):
        self.publish("job.nack", {"n": 0, "do": ["nack", 2]}, {"n": 1}, {"n": 2, "do": "nack"}, {"n": 3})

        book = self.wait_settled("job.nack", 4)

        self.assertEqual([(0, 1), (0, 2), (0, 3), (1, 1), (2, 1), (2, 2), (2, 3), (3, 1)],
                         self.worker.attempts("job.nack"))
        self.assertEqual((3, 1), (book["delivered"], book["dead"]))
        self.assertEqual(5, self.handler("job.nack")["errors"])
        self.b.wait_log(r"dead letter: a:\d+:2:job\.nack:0:3 for worker after 3 attempts \(handler_error\): told to")
        letters = until(lambda: [e["data"] for e in self.witness.events("system.dead_letter")
                                 if ":job.nack:" in e["data"]["event"]], "the letter to be told to node a")
        self.assertEqual([("worker", "handler_error", 3, "told to")],
                         [(d["agent"], d["reason"], d["attempts"], d["error"]) for d in letters])

    def test_stop_keeps_an_event_from_the_later_tiers(self):
        self.publish("job.stop", {"n": 0}, {"n": 1, "do": "stop"}, {"n": 2})

        first = self.wait_settled("job.stop", 3)
        second = self.wait_settled("job.stop", 3, agent="later")

        self.assertEqual(3, first["delivered"])
        self.assertEqual((2, 1), (second["delivered"], second["filtered"]["stopped"]))
        self.assertEqual([0, 1, 2], self.worker.numbers("job.stop"))
        self.assertEqual([0, 2], [e["data"]["n"] for e in self.later.events("job.stop") if e["attempt"] == 1])

    def test_a_rejected_event_is_a_dead_letter_at_once(self):
        self.publish("job.reject", {"n": 0, "do": "reject"}, {"n": 1})

        book = self.wait_settled("job.reject", 2)

        self.assertEqual([(0, 1), (1, 1)], self.worker.attempts("job.reject"))
        self.assertEqual((1, 1), (book["delivered"], book["dead"]))
        self.b.wait_log(r"job\.reject:0:1 for worker after 1 attempts \(rejected\): told to")

    def test_a_deferred_event_holds_its_stream_only_until_it_is_acked(self):
        self.publish("job.defer", {"n": 0, "do": "defer"}, {"n": 1})
        until(lambda: self.worker.numbers("job.defer"), "the event that is deferred")
        self.publish("job.other", {"n": 2}, {"n": 3})
        self.wait_settled("job.other", 2)

        self.assertEqual([0], self.worker.numbers("job.defer"))
        self.publish("job.release", {"n": 4, "do": "release"})
        book = self.wait_settled("job.defer", 2)

        self.assertEqual([(0, 1), (2, 1), (3, 1), (4, 1), (1, 1)],
                         self.worker.attempts("job.defer", "job.other", "job.release"))
        self.assertEqual(2, book["delivered"])
        self.assertEqual(1, self.handler("job.defer")["deferrals"])

    def test_a_publish_with_a_ref_is_answered_with_the_id_under_which_others_hear_it(self):
        cause = {"type": "said.thing", "data": {"n": 7}}
        self.publish("job.publish", {"n": 0, "do": ["publish", {"type": "said.hello", "data": {"n": 1}}, "a-7"]},
                     {"n": 1, "do": ["publish", {"type": "said.hello", "data": {"n": 2}}, 7]},
                     {"n": 2, "do": ["publish", {"type": "said.hello", "data": {"n": 3}, "priority": "high"}, None]})
        self.wait_settled("job.publish", 3)
        delivery = 1 + self.worker.events()[-1]["delivery"]
        [last] = self.publish("job.publish", {"n": 3, "do": ["say", [{"publish": cause, "cause": delivery}]]})
        self.wait_settled("job.publish", 4)

        until(lambda: len(self.witness.events("said.hello", "said.thing")) >= 4, "node a to hear what was published")
        heard = self.witness.events("said.hello", "said.thing")
        self.assertEqual([1, 2, 3, 7], sorted(e["data"]["n"] for e in heard))
        by_number = {e["data"]["n"]: e for e in heard}
        answers = [a for a in self.worker.answers() if "published" in a]
        self.assertEqual(["a-7", 7, None], [a["published"] for a in answers])
        self.assertEqual([by_number[n]["id"] for n in (1, 2, 3)], [a["id"] for a in answers])
        self.assertEqual({"b/worker"}, {e["source"] for e in heard})
        self.assertEqual("high", by_number[3]["priority"])
        self.assertEqual(last, by_number[7]["causationid"])
        self.assertEqual(last, by_number[7]["correlationid"])
        self.assertNotIn("causationid", by_number[1])

    def test_a_refused_publish_says_why(self):
        before = self.counter("refused")
        self.publish("job.refuse",
                     {"n": 0, "do": ["publish", {"type": "agent.heartbeat", "data": {}}, 1]},
                     {"n": 1, "do": ["publish", {"type": "said.small", "data": {"text": "x" * 100}}, 2]},
                     {"n": 2, "do": ["publish", {"type": "Not A Type", "data": {}}, 3]},
                     {"n": 3, "do": ["publish", {"type": "~record", "data": {}}, 4]},
                     {"n": 4, "do": ["say", [{"publish": {"type": "agent.heartbeat"}}]]})

        self.wait_settled("job.refuse", 5)

        reasons = {a["refused"]: a["reason"] for a in self.worker.answers() if "refused" in a}
        self.assertEqual({1, 2, 3, 4}, set(reasons))
        self.assertRegex(reasons[1], r"^refused: .*agent\.heartbeat")
        self.assertRegex(reasons[2], r"^too_big")
        self.assertRegex(reasons[3], r"^invalid: ")
        self.assertRegex(reasons[4], r"^(invalid|refused): ")
        self.assertEqual(5, self.counter("refused") - before)
        self.b.wait_log(r"worker: line \d+: publish refused: refused: ")

    def test_log_lines_go_to_the_log_of_the_node_with_their_level(self):
        self.publish("job.log", {"n": 0, "do": ["say", [{"log": "plain words"}, {"log": "loud\u001b[31m\nwords", "level": "warn"},
                                                        {"log": "not shown", "level": "debug"}]]})

        self.wait_settled("job.log", 1)

        self.b.wait_log(r"info +b: worker: plain words")
        [line] = [text for text in self.b.log().splitlines() if "worker: loud" in text]
        self.assertRegex(line, r"warning b: worker: loud")
        self.assertNotIn("\x1b", line)
        self.assertIn("words", line)
        self.assertNotIn("not shown", self.b.log())

    def test_an_invalid_line_costs_that_line_only_and_is_counted(self):
        before = self.counter("invalid_lines")
        bad = ["this is not JSON", [1, 2], {}, {"unknown": 1}, {"ack": "seven"}, {"ack": 10 ** 9}, {"ack": 1},
               {"ack": 1, "nack": 1}, {"log": 5}, {"publish": "x"}, {"ack": -1}]
        self.publish("job.misuse", {"n": 0, "do": ["say", [*bad, "", "   "]]}, {"n": 1})

        book = self.wait_settled("job.misuse", 2)

        self.assertEqual([(0, 1), (1, 1)], self.worker.attempts("job.misuse"))
        self.assertEqual(2, book["delivered"])
        self.assertEqual(len(bad), self.counter("invalid_lines") - before)
        self.assertEqual(0, self.counter("restarts"))
        self.b.wait_log(r"warning b: worker: line \d+ ignored: ")


class Crashes(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        self.witness = Scripted(self.mesh, "witness", ["agent.", PROBE])
        self.worker = Scripted(self.mesh, "worker", ["job.crash", PROBE])
        self.a = self.mesh.node("a", agent=[self.witness.table]).start()
        self.b = self.mesh.node("b", join=[self.a], agent=[self.worker.table]).start()
        self.a.ready()
        self.b.ready()
        link(self.a, self.b, "worker")

    def run_events(self, *events):
        self.a.publish_all([{"type": "job.crash", "data": d} for d in events])
        until(lambda: settled(self.b.book("worker", "job.crash"), len(events)),
              lambda: f"worker to settle: {self.b.book('worker', 'job.crash')}\n{self.b.log()}")
        return self.b.book("worker", "job.crash")

    def test_the_event_in_hand_when_an_agent_dies_comes_again_before_the_later_ones(self):
        book = self.run_events({"n": 0}, {"n": 1, "do": ["exit", 1]}, {"n": 2}, {"n": 3, "do": ["kill", 2]},
                               *({"n": n} for n in range(4, 50)))

        self.assertEqual([(0, 1), (1, 1), (1, 2), (2, 1), (3, 1), (3, 2), (3, 3), *((n, 1) for n in range(4, 50))],
                         self.worker.attempts("job.crash"))
        self.assertEqual((50, 0), (book["delivered"], book["dead"]))
        self.assertEqual(3, self.b.agent("worker")["counters"]["restarts"])
        self.assertEqual(4, len(self.worker.pids()))
        self.b.wait_log(r"worker: process .*3")
        until(lambda: sum(e["source"] == "b/worker" for e in self.witness.events("agent.error")) == 3,
              lambda: f"node a to hear of three crashes: {self.witness.events('agent.error')}")

    def test_an_event_that_always_kills_its_agent_is_a_dead_letter_after_exactly_max_attempts(self):
        book = self.run_events({"n": 0}, {"n": 1, "do": "kill"}, {"n": 2}, {"n": 3, "do": "exit"}, {"n": 4}, {"n": 5})

        self.assertEqual([(0, 1), (1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2), (3, 3), (4, 1), (5, 1)],
                         self.worker.attempts("job.crash"))
        self.assertEqual((4, 2), (book["delivered"], book["dead"]))
        self.assertEqual({"handler_error": 2}, self.b.stats()["dead_letters"])
        self.b.wait_log(r"dead letter: a:\d+:2:job\.crash:0:2 for worker after 3 attempts \(handler_error\): ")

    def test_a_deferred_event_of_a_process_that_died_comes_again_before_the_later_ones(self):
        self.a.publish_all([{"type": "job.crash", "data": {"n": 0, "do": "defer"}}, {"type": "job.crash", "data": {"n": 1}}])
        until(lambda: self.worker.numbers("job.crash") == [0], "the event that is deferred")

        os.kill(self.worker.pids()[-1], signal.SIGKILL)
        until(lambda: self.worker.attempts("job.crash") == [(0, 1), (0, 2)], "the event to come again")
        self.a.publish(PROBE, {"n": -1, "do": "release"})

        until(lambda: settled(self.b.book("worker", "job.crash"), 2), lambda: f"{self.b.book('worker', 'job.crash')}")
        self.assertEqual([(0, 1), (0, 2), (1, 1)], self.worker.attempts("job.crash"))


class Misbehaviour(unittest.TestCase):
    """A publishing node, a node with the misbehaving agent and a steady one, a third node with a steady one."""

    def start(self, bad, count=1, drain_timeout="10s"):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        self.steady = Scripted(self.mesh, "steady", ["flow.data", PROBE])
        self.remote = Scripted(self.mesh, "remote", ["flow.data", PROBE])
        self.a = self.mesh.node("a").start()
        self.b = self.mesh.node("b", join=[self.a], agent=[*bad, self.steady.table], dispatch={"workers": 2},
                                node={"drain_timeout": drain_timeout}).start()
        self.c = self.mesh.node("c", join=[self.a], agent=[self.remote.table]).start()
        for node in (self.a, self.b, self.c):
            node.ready()
        link(self.a, self.b, "steady")
        link(self.a, self.c, "remote")
        self.assertEqual(count, len(bad))

    def assert_flow_arrives(self, total=3000, batch=100):
        for first in range(0, total, batch):
            results = self.a.publish_all(numbered("flow.data", batch, first))
            self.assertEqual({"queued"}, {r["status"] for r in results})
        for node, agent in ((self.b, self.steady), (self.c, self.remote)):
            name = agent.table["name"]
            until(lambda n=node, m=name: settled(n.book(m, "flow.data"), total),
                  lambda n=node, m=name: f"{m} to settle: {n.book(m, 'flow.data')}")
            self.assertEqual(total, node.book(name, "flow.data")["delivered"])
            self.assertEqual([(n, 1) for n in range(total)], agent.attempts("flow.data"))

    def test_an_agent_that_floods_its_output_is_contained(self):
        self.start([{"name": "flooder", "exec": program("flooder.py"), "subscribe": [{"type": "flow.data"}]}])
        until(lambda: self.b.agent("flooder")["counters"].get("invalid_lines", 0) > 1000, "the flood to be counted")

        self.assert_flow_arrives()

        counted = self.b.agent("flooder")["counters"]["invalid_lines"]
        until(lambda: self.b.agent("flooder")["counters"]["invalid_lines"] > counted + 1000, "the flood to go on")
        self.b.wait_log(r"flooder: line \d+ ignored: longer than 4194304 bytes")
        self.b.wait_log(r"flooder: \d+ invalid or refused lines suppressed")
        self.assertLess(self.b.rss_bytes(), 300 * 1024 * 1024)
        self.assertEqual(0, self.b.terminate())

    def test_an_agent_that_stops_reading_runs_into_its_timeout_alone(self):
        deaf = {"name": "deaf", "exec": program("deaf.py"), "handler_timeout": "50ms",
                "retry": {"max_attempts": 2, "delay": "10ms"}, "subscribe": [{"type": "flow.data"}, {"type": "flow.big"}]}
        self.start([deaf], drain_timeout="1s")
        for n in range(30):
            self.assertEqual("queued", self.a.publish("flow.big", {"n": n, "text": "x" * 200_000})["status"])

        self.assert_flow_arrives()

        def timeouts():
            return sum(h["timeouts"] for h in self.b.stats()["handlers"] if h["agent"] == "deaf")
        until(lambda: timeouts() > 10, lambda: f"timeouts to be counted: {timeouts()}")
        until(lambda: self.b.book("deaf", "flow.big")["dead"] == 30, lambda: f"{self.b.book('deaf', 'flow.big')}")
        until(lambda: self.b.agent("deaf")["state"] == "running, not reading", lambda: f"{self.b.agent('deaf')}")
        self.assertEqual(0, self.b.book("deaf", "flow.data")["delivered"])

    def test_an_agent_that_ignores_sigterm_is_killed_and_the_node_ends_well(self):
        stray = {"name": "stray", "exec": ["/bin/sh", "-c", "trap '' TERM; sleep 1000 & exec " + " ".join(program("deaf.py"))],
                 "subscribe": [{"type": "flow.data"}]}
        self.start([stray], drain_timeout="1s")
        until(lambda: len(processes_of_session(self.b.pid)) >= 4, "the node, its agents and a child of one")
        self.a.publish_all(numbered("flow.data", 3))
        until(lambda: self.steady.numbers("flow.data") == [0, 1, 2], "the events")
        session = self.b.pid

        code = self.b.terminate()

        self.assertEqual(0, code)
        self.assertEqual([], processes_of_session(session))
        self.assertIn("stray: the process goes on after SIGTERM: SIGKILL", self.b.log())

    def test_agents_of_a_killed_node_end_with_it(self):
        self.start([], count=0)
        session = self.b.pid
        self.assertGreaterEqual(len(processes_of_session(session)), 2)

        self.b.kill()

        until(lambda: processes_of_session(session) == [], lambda: f"still there: {processes_of_session(session)}")

    def test_a_program_that_cannot_be_started_is_reported_and_disturbs_nobody(self):
        self.start([{"name": "absent", "exec": ["/does/not/exist"], "restart_delay": "50ms",
                     "subscribe": [{"type": "flow.data"}]}])

        self.assert_flow_arrives(300)

        until(lambda: self.b.agent("absent")["counters"].get("start_failures", 0) >= 2, "two failed starts")
        self.assertFalse(self.b.agent("absent")["up"])
        self.assertTrue(self.b.agent("absent")["state"].startswith("failed: "), self.b.agent("absent"))
        self.b.wait_log(r"absent: .*/does/not/exist")
        self.assertEqual(300, self.b.book("absent", "flow.data")["pending"])


if __name__ == "__main__":
    unittest.main()
