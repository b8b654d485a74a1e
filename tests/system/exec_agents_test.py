"""Exec agents in real nodes: what every line means (docs/agents.md), and what happens when they misbehave."""

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
        ids = self.publish("job.publish", {"n": 0, "do": ["publish", {"type": "said.hello", "data": {"n": 1}}, "a-7"]},
                           {"n": 1, "do": ["publish", {"type": "said.hello", "data": {"n": 2}}, 7]},
                           {"n": 2, "do": ["publish", {"type": "said.hello", "data": {"n": 3}, "priority": "high"}, None]})
        self.wait_settled("job.publish", 3)
        delivery = 1 + self.worker.events()[-1]["delivery"]
        [last] = self.publish("job.publish", {"n": 3, "do": ["say", [{"publish": cause, "cause": delivery}]]})
        self.wait_settled("job.publish", 4)

        heard = until(lambda: len(self.witness.events("said.")or self.witness.events("said.hello", "said.thing")) == 4
                      and self.witness.events("said.hello", "said.thing"), "node a to hear what was published")
        by_number = {e["data"]["n"]: e for e in heard}
        answers = [a for a in self.worker.answers() if "published" in a]
        self.assertEqual(["a-7", 7, None], [a["published"] for a in answers])
        self.assertEqual([by_number[n]["id"] for n in (1, 2, 3)], [a["id"] for a in answers])
        self.assertEqual({"b/worker"}, {e["source"] for e in heard})
        self.assertEqual("high", by_number[3]["priority"])
        self.assertEqual(last, by_number[7]["causationid"])
        self.assertEqual(last, by_number[7]["correlationid"])
        self.assertNotIn("causationid", by_number[1])
        self.assertEqual(4, len(ids) + 1)

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
        self.assertRegex(line, r"warn")
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
        self.b.wait_log(r"warn +b: worker: line \d+ ignored: ")


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

    def test_a_deferred_event_of_a_dead_process_comes_again(self):
        book = self.run_events({"n": 0, "do": "defer"}, {"n": 1})if False else None
        self.a.publish_all([{"type": "job.crash", "data": {"n": 0, "do": "defer"}}])
        until(lambda: self.worker.numbers("job.crash") == [0], "the event that is deferred")
        first = self.worker.pids()[0]
        self.b.signal(0)
        import os
        os.kill(first, signal.SIGKILL)
        until(lambda: self.worker.attempts("job.crash") == [(0, 1), (0, 2)], lambda: f"{self.worker.attempts('job.crash')}")
        self.assertIsNone(book)


if __name__ == "__main__":
    unittest.main()
