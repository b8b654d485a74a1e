"""The Python package against real nodes: clients/python."""

import asyncio
import json
import os
import pathlib
import signal
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"))

import legion  # noqa: E402
import legion.sync  # noqa: E402
from support.mesh import PYTHON, Mesh  # noqa: E402
from support.poll import until  # noqa: E402
from support.wire import agent  # noqa: E402

AGENTS = pathlib.Path(__file__).resolve().parent / "agents"


def remote(name="worker", types=("job.done", "job.release", "job.slow"), **settings):
    return agent(name, types, **settings)


class Program:
    """One process of package_agent.py, and what it wrote."""

    def __init__(self, test, record=None, **environment):
        self.record = record or test.mesh.folder / f"record-{os.urandom(4).hex()}"
        self.errors = test.mesh.folder / f"errors-{os.urandom(4).hex()}"
        env = {**os.environ, "LEGION_NODE": f"127.0.0.1:{test.node.port}", "LEGION_CONSUMER_LEASE_MS": "3000",
               "RECORD": str(self.record), **environment}
        with open(self.errors, "wb") as errors:
            self.process = test.mesh.spawn([PYTHON, str(AGENTS / "package_agent.py")], env=env, stderr=errors)

    def seen(self, type_="job.done"):
        if not self.record.exists():
            return []
        whole, _, _ = self.record.read_text().rpartition("\n")
        entries = [json.loads(line) for line in whole.splitlines()]
        return [(e["n"], e["attempt"]) for e in entries if e["type"] == type_]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class PackageTest(unittest.TestCase):
    spools = 0

    def start(self, *agents, **tables):
        self.mesh = Mesh(spools=self.spools)
        self.addCleanup(self.mesh.close)
        self.node = self.mesh.node("a", agent=list(agents), **tables).start().ready()
        self.settings = legion.Settings(node=f"127.0.0.1:{self.node.port}", lease=3.0)

    def attached(self, name="worker"):
        until(lambda: any(a["agent"] == name and a["up"] for a in self.node.stats()["agents"]), lambda: f"{name} to attach:\n{self.node.log()}")

    def jobs(self, *events):
        results = self.node.publish_all([{"type": "job.done", "data": e} for e in events])
        self.assertEqual({"queued"}, {r["status"] for r in results})


class Consuming(PackageTest):
    def test_what_a_handler_does_is_what_becomes_of_the_event(self):
        self.start(remote(), remote("witness", ["job.reply"]))
        worker = Program(self)
        self.attached()
        self.jobs({"n": 0}, {"n": 1, "do": "fail once"}, {"n": 2, "do": "fail"}, {"n": 3, "do": "reject"},
                  {"n": 4, "do": "stop"}, {"n": 5, "do": "answer"}, {"n": 6})

        book = self.node.settled("worker", "job.done", 7)

        self.assertEqual([(0, 1), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 1), (4, 1), (5, 1), (6, 1)], worker.seen())
        self.assertEqual((5, 2), (book["delivered"], book["dead"]))
        until(lambda: self.node.stats()["dead_letters"] == {"handler_error": 1, "rejected": 1}, "both letters")
        self.node.wait_log(r"for worker after 3 attempts \(handler_error\): ValueError: no quote yet")
        self.node.wait_log(r"for worker after 1 attempts \(rejected\): no such symbol")
        until(lambda: self.node.book("witness", "job.reply")["published"] == 1, "the answer")

    def test_order_is_kept_over_failures_in_the_middle_of_many(self):
        self.start(remote(capacity=10000))
        worker = Program(self)
        self.attached()
        for first in range(0, 3000, 500):
            self.jobs(*({"n": n, **({"do": "fail once"} if n % 97 == 5 else {})} for n in range(first, first + 500)))

        self.node.settled("worker", "job.done", 3000)

        expected = []
        for n in range(3000):
            expected += [(n, 1), (n, 2)] if n % 97 == 5 else [(n, 1)]
        self.assertEqual(expected, worker.seen())

    def test_a_killed_program_gets_the_event_in_hands_again_and_nothing_else(self):
        self.start(remote())
        first = Program(self)
        self.attached()
        self.jobs(*({"n": n} for n in range(20)), {"n": 20, "do": "hold"}, *({"n": n} for n in range(21, 40)))
        until(lambda: first.seen()[-1:] == [(20, 1)], lambda: f"{first.seen()}")

        first.kill()
        second = Program(self)

        until(lambda: second.seen() == [(20, 2)], lambda: f"{second.seen()}\n{self.node.log()}")  # it holds again
        second.kill()
        third = Program(self)
        until(lambda: third.seen() == [(20, 3)], lambda: f"{third.seen()}\n{self.node.log()}")
        third.kill()
        last = Program(self)
        book = self.node.settled("worker", "job.done", 40)
        self.assertEqual([(n, 1) for n in range(21, 40)], last.seen())
        self.assertEqual((39, 1), (book["delivered"], book["dead"]))

    def test_an_event_that_kills_its_program_is_a_dead_letter_after_exactly_max_attempts(self):
        self.start(remote())
        programs = [Program(self)]
        self.attached()
        self.jobs(*({"n": n, **({"do": "die"} if n == 50 else {})} for n in range(100)))
        for _ in range(3):
            programs[-1].process.wait(60)
            programs.append(Program(self))

        book = self.node.settled("worker", "job.done", 100)

        self.assertEqual((99, 1), (book["delivered"], book["dead"]))
        everything = [entry for p in programs for entry in p.seen()]
        self.assertEqual([(n, 1) for n in range(51)] + [(50, 2), (50, 3)] + [(n, 1) for n in range(51, 100)], everything,
                         self.node.log())

    def test_deferred_events_are_answered_later_and_blocking_work_runs_on_a_thread(self):
        self.start(remote(lease="1s"))
        worker = Program(self, LEGION_CONSUMER_LEASE_MS="1000")
        self.attached()
        self.jobs({"n": 0, "do": "defer"})
        until(lambda: worker.seen() == [(0, 1)], "the deferred one")
        self.assertEqual(1, self.node.book("worker", "job.done")["pending"])
        self.node.publish("job.release", {"n": 1, "of": 0})
        self.node.settled("worker", "job.done", 1)
        self.node.publish("job.slow", {"n": 2, "for": 2.5})  # longer than the lease: beats go on

        self.node.settled("worker", "job.slow", 1)

        self.assertEqual([(2, 1)], worker.seen("job.slow"))
        self.assertEqual(1, self.node.agent("worker")["counters"]["attached"])

    def test_sigterm_ends_a_program_after_what_it_has_in_hands(self):
        self.start(remote())
        worker = Program(self)
        self.attached()
        self.node.publish("job.slow", {"n": 1, "for": 1.0})
        until(lambda: worker.seen("job.slow") == [(1, 1)], "the handler to begin")

        worker.process.send_signal(signal.SIGTERM)

        self.assertEqual(0, worker.process.wait(30))
        self.assertEqual(1, self.node.settled("worker", "job.slow", 1)["delivered"])
        self.assertEqual([(1, 1)], worker.seen("job.slow"))
        self.node.wait_log("away: the client has detached")

    def test_a_consumer_comes_back_when_its_node_is_killed_and_started_again(self):
        self.start(remote())
        worker = Program(self)
        self.attached()
        self.jobs({"n": 1})
        until(lambda: worker.seen() == [(1, 1)], "the first event")

        self.node.restart().ready()

        self.attached()
        self.jobs({"n": 2})
        until(lambda: worker.seen() == [(1, 1), (2, 1)], lambda: f"{worker.seen()}\n{worker.errors.read_text()}")
        self.assertIsNone(worker.process.poll())

    def test_two_programs_of_one_name_take_turns_and_two_names_work_side_by_side(self):
        only = {"types": ["job.done"]}
        self.start(remote(**only), remote("other", **only))
        first, other = Program(self, ONLY="work"), Program(self, ONLY="work", AGENT="other")
        self.attached()
        self.attached("other")
        second = Program(self, ONLY="work")
        until(lambda: "name_taken" in second.errors.read_text(), "the second one to be refused")
        self.jobs({"n": 1})
        until(lambda: first.seen() == other.seen() == [(1, 1)], "both names")
        first.kill()
        until(lambda: self.node.agent("worker")["counters"]["attached"] == 2, lambda: self.node.log())
        self.jobs({"n": 2})
        until(lambda: second.seen() == [(2, 1)], lambda: f"{second.seen()}")

    def test_an_agent_needs_no_declaration(self):
        self.start()
        program = Program(self, AGENT="walk-in", ONLY="work")
        self.attached("walk-in")
        self.jobs({"n": 1}, {"n": 2, "do": "fail once"}, {"n": 3})
        self.node.settled("walk-in", "job.done", 3)
        self.assertEqual([(1, 1), (2, 1), (2, 2), (3, 1)], program.seen())
        program.process.send_signal(signal.SIGTERM)
        self.assertEqual(0, program.process.wait(30))
        self.assertEqual("gone", self.node.agent("walk-in")["state"])

    def test_what_cannot_work_is_said_at_once(self):
        self.start(remote(types=["job.done", "job.more"]))

        class Half(legion.Consumer):
            @legion.on("job.done")
            def take(self, event):
                pass

        class Wrong(Half):
            @legion.on("job.never")
            def other(self, event):
                pass

        class Gate(legion.Consumer):
            @legion.on("job.done", tier="critical")
            def veto(self, event):
                pass

        for consumer, text in ((Half(self.settings, name="worker"), "job.more, and there is no handler"),
                               (Wrong(self.settings, name="worker"), "has no subscription job.never"),
                               (Gate(self.settings, name="nobody"), "a gate has to be declared")):
            with self.assertRaises(legion.LegionError) as raised:
                asyncio.run(asyncio.wait_for(consumer.serve(), 20))
            self.assertIn(text, str(raised.exception))


class Publishing(PackageTest):
    def test_single_batch_and_from_many_threads(self):
        self.start({"name": "sink", "builtin": "sink", "capacity": 100000, "subscribe": [{"type": "job."}]})
        with legion.sync.Publisher(self.settings) as publisher:
            one = publisher.publish("job.done", {"n": 0}, key="k", correlation_id="c", ttl=60)
            self.assertRegex(one, r"^a:\d+:2:job\.done:0:1$")
            results = publisher.publish_batch([("job.done", {"n": n}) for n in range(2500)] + [("Bad Type", 1)])
            self.assertEqual(2500, sum(map(bool, results)))
            self.assertEqual("invalid", results[-1].status)
            self.assertEqual([f":{n + 2}" for n in range(2500)], [":" + r.id.rpartition(":")[2] for r in results[:2500]])
            with self.assertRaises(legion.PublishError) as refused:
                publisher.publish("agent.heartbeat", {})
            self.assertEqual("refused", refused.exception.status)
            with self.assertRaises(legion.PublishError) as invalid:
                publisher.publish_confirmed("job.done", {})
            self.assertEqual("invalid", invalid.exception.status)
            ids = []
            threads = [threading.Thread(target=lambda: ids.extend(publisher.publish("job.done", k) for k in range(50)))
                       for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(400, len(set(ids)))
            big = publisher.publish_batch([("job.done", "x" * 200_000) for _ in range(20)])
            self.assertTrue(all(big), big[:1])
        self.assertEqual(2921, self.node.settled("sink", "job.", 2921)["delivered"])

    def test_with_retry_an_event_survives_a_node_that_is_away(self):
        self.start({"name": "sink", "builtin": "sink", "subscribe": [{"type": "job.done"}]})
        settings = legion.Settings(node=self.settings.node, call_timeout=0.5)
        self.node.kill()
        with legion.sync.Publisher(settings) as publisher:
            with self.assertRaises(legion.ConnectionLost):
                publisher.publish("job.done", {"n": 1})
            later = threading.Timer(1.0, self.node.start)
            later.start()
            event_id = publisher.publish_with_retry("job.done", {"n": 2}, attempts=60, delay=0.1)
            later.join()
        self.assertRegex(event_id, r"^a:\d+:2:job\.done:0:\d+$")
        self.assertEqual(1, self.node.settled("sink", "job.done", 1)["delivered"])


class WithASpool(PackageTest):
    spools = 1

    def test_confirmed_durable_and_replayed(self):
        durable = {"name": "ledger", "remote": True, "retry": {"max_attempts": 3, "delay": "20ms"},
                   "subscribe": [{"type": "trade.", "durable": "ledger", "start": "beginning"}]}
        self.start(durable, spool={})
        seen = []

        class Ledger(legion.Consumer):
            name = "ledger"

            @legion.on("trade.", durable="ledger", start="beginning")
            def book(self, event):
                seen.append((event.data["n"], event.attempt))
                if event.data["n"] == 7 and event.attempt == 1:
                    raise RuntimeError("once")

        with legion.sync.Publisher(self.settings) as publisher:
            confirmed = [publisher.publish_confirmed("TRADE_APPROVED", {"n": n}, correlation_id=f"w-{n % 3}", timeout=20)
                         for n in range(10)]
            self.assertEqual(10, len(set(confirmed)))
            with legion.sync.start(Ledger(self.settings)) as running:
                running.wait_attached()
                until(lambda: len(seen) == 11, lambda: f"{seen}\n{self.node.log()}")
            self.assertEqual([(n, 1) for n in range(8)] + [(7, 2), (8, 1), (9, 1)], seen)
            publisher.publish_confirmed("trade.executed", {"n": 10}, timeout=20)
            self.assertEqual(0, self.node.terminate())  # the cursor is written
            self.node.start().ready()
            with legion.sync.start(Ledger(self.settings)) as running:
                running.wait_attached()
                until(lambda: (10, 1) in seen, lambda: f"{seen}\n{self.node.log()}")
        self.assertEqual(12, len(seen), seen)

        past = list(legion.sync.replay("trade.approved", settings=self.settings))
        workflow = list(legion.sync.replay("trade.", correlation="w-1", settings=self.settings))
        some = list(legion.sync.replay(["trade.approved"], since=past[4].time, before=past[6].time, settings=self.settings))
        self.assertEqual(confirmed, [e.id for e in past])
        self.assertEqual([1, 4, 7], [e.data["n"] for e in workflow])
        self.assertEqual([4, 5], [e.data["n"] for e in some])
        self.assertEqual("critical", past[0].priority)


if __name__ == "__main__":
    unittest.main()
