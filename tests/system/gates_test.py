"""CRITICAL handlers are gates: what they did not say yes to never reaches the lower tiers of their node, whatever happens
to the gate."""

import os
import pathlib
import signal
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.mesh import Mesh  # noqa: E402
from support.poll import holds, until  # noqa: E402
from support.scripted import PROBE, PYTHON, AGENTS, Scripted, link, numbered, settled  # noqa: E402

ORDER = "desk.order"


class Gates(unittest.TestCase):
    """Node a publishes. On node b stands the gate before the desk. The gate's program is a link that can be taken away,
    so that a test decides how long the gate stays down."""

    def start(self, **gate_settings):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        self.program = self.mesh.folder / "gate-program"
        self.raise_gate()
        self.gate = Scripted(self.mesh, "gate", [ORDER], tier="critical", env={"KEY": "gate"},
                             command=[str(self.program), str(AGENTS / "scripted.py")], **gate_settings)
        self.desk = Scripted(self.mesh, "desk", [ORDER, PROBE])
        self.late = Scripted(self.mesh, "late", [ORDER], tier="low")
        self.a = self.mesh.node("a").start()
        self.b = self.mesh.node("b", join=[self.a],
                                agent=[self.gate.table, self.desk.table, self.late.table]).start()
        self.a.ready()
        self.b.ready()
        link(self.a, self.b, "desk")

    def raise_gate(self):
        self.program.symlink_to(PYTHON)

    def bring_gate_down(self):
        self.program.unlink()
        os.kill(self.gate.pids()[-1], signal.SIGKILL)
        until(lambda: not self.b.agent("gate")["up"], "the gate to be down")

    def publish(self, *events):
        results = self.a.publish_all(list(events))
        self.assertEqual({"queued"}, {r["status"] for r in results})

    def settle(self, published, *agents):
        for agent in agents or ("gate", "desk", "late"):
            until(lambda name=agent: settled(self.b.book(name, ORDER), published),
                  lambda name=agent: f"{name} to settle {published}: {self.b.book(name, ORDER)}\n{self.b.log()}")
        return {agent: self.b.book(agent, ORDER) for agent in ("gate", "desk", "late")}

    def assert_only_what_the_gate_let_through(self):
        for agent in (self.desk, self.late):
            handled = agent.numbers(ORDER)
            allowed = self.gate.acked_numbers()
            self.assertEqual(set(), set(handled) - set(allowed), f"{agent.table['name']} got what the gate did not allow")
            self.assertEqual(sorted(set(handled)), handled)

    def test_each_answer_of_a_gate_decides_for_all_lower_tiers(self):
        self.start()
        self.publish({"type": ORDER, "data": {"n": 0}},
                     {"type": ORDER, "data": {"n": 1, "gate": "stop"}},
                     {"type": ORDER, "data": {"n": 2, "gate": "reject"}},
                     {"type": ORDER, "data": {"n": 3, "gate": ["nack", 2]}},
                     {"type": ORDER, "data": {"n": 4}})

        books = self.settle(5)

        self.assertEqual([(0, 1), (1, 1), (2, 1), (3, 1), (3, 2), (3, 3), (4, 1)], self.gate.attempts(ORDER))
        self.assertEqual([0, 3, 4], self.desk.numbers(ORDER))
        self.assertEqual([0, 3, 4], self.late.numbers(ORDER))
        self.assertEqual((4, 1), (books["gate"]["delivered"], books["gate"]["dead"]))
        for name in ("desk", "late"):
            self.assertEqual((3, 2, 0), (books[name]["delivered"], books[name]["filtered"]["stopped"], books[name]["dead"]))
        self.assert_only_what_the_gate_let_through()

    def test_a_deferring_gate_holds_the_event_until_it_answers(self):
        self.start()
        self.publish({"type": ORDER, "data": {"n": 0, "gate": "defer"}})
        until(lambda: self.gate.numbers(ORDER) == [0], "the gate to be asked")

        holds(lambda: self.desk.numbers(ORDER) == [], 0.5, "the desk does not get what the gate has not answered")
        self.assertEqual(1, self.b.book("desk", ORDER)["pending"])
        os.kill(self.gate.pids()[-1], signal.SIGKILL)
        until(lambda: self.gate.attempts(ORDER) == [(0, 1), (0, 2)], "the new process to be asked again")
        holds(lambda: self.desk.numbers(ORDER) == [], 0.5, "nor after a crash of the gate")

    def test_nothing_passes_while_the_gate_is_down_and_what_was_held_follows_in_order(self):
        self.start()
        total = 4000
        killed = threading.Event()
        held = threading.Event()

        def publish_all():
            for first in range(0, total, 20):
                self.publish(*numbered(ORDER, 20, first))
                if first == total // 2:
                    killed.wait()
            held.set()
        publisher = threading.Thread(target=publish_all, daemon=True)
        publisher.start()
        until(lambda: len(self.desk.numbers(ORDER)) > 100, "orders to flow")
        self.bring_gate_down()
        killed.set()

        # What the gate allowed before it died still reaches the lower tiers; then nothing does.
        until(lambda: all(self.handler(n)["in_flight"] == 0 and self.depth(n) == 0 for n in ("desk", "late")),
              "the lower tiers to have nothing to do")
        before = self.desk.numbers(ORDER)
        until(held.is_set, "the rest to be published")
        publisher.join()
        until(lambda: self.b.book("desk", ORDER)["published"] == total, "everything to arrive")
        holds(lambda: self.desk.numbers(ORDER) == before and self.late.numbers(ORDER) == before, 1,
              "nothing reaches the lower tiers while the gate is down")
        self.assertEqual(total - len(before), self.b.book("desk", ORDER)["pending"])
        self.assertFalse(self.b.agent("gate")["up"])
        self.assertLess(len(before), total)

        self.raise_gate()
        books = self.settle(total)

        self.assertEqual(list(range(total)), self.desk.numbers(ORDER))
        self.assertEqual(list(range(total)), self.late.numbers(ORDER))
        self.assertEqual([total] * 3, [books[n]["delivered"] for n in books])
        self.assertLessEqual({attempt for _, attempt in self.gate.attempts(ORDER)}, {1, 2})
        self.assertEqual({1}, {attempt for _, attempt in self.desk.attempts(ORDER)})
        self.assert_only_what_the_gate_let_through()

    def handler(self, agent):
        return next(h for h in self.b.stats()["handlers"] if h["agent"] == agent and h["type"] == ORDER)

    def depth(self, agent):
        return sum(self.b.agent(agent)["depth"].values())

    def test_a_gate_killed_again_and_again_lets_nothing_slip(self):
        self.start(retry={"max_attempts": 50, "delay": "10ms"})
        total = 1500

        def publish_all():
            for first in range(0, total, 10):
                self.publish(*numbered(ORDER, 10, first))
        publisher = threading.Thread(target=publish_all, daemon=True)
        publisher.start()
        for life, goal in enumerate((50, 300, 600, 900)):
            until(lambda g=goal, n=life: len(self.gate.pids()) == n + 1 and len(self.gate.acked_numbers()) > g,
                  f"life {life} of the gate to have allowed {goal}")
            os.kill(self.gate.pids()[-1], signal.SIGKILL)
            self.assert_only_what_the_gate_let_through()
        publisher.join()

        books = self.settle(total)

        self.assertEqual([total] * 3, [books[n]["delivered"] for n in books])
        self.assertEqual(list(range(total)), self.desk.numbers(ORDER))
        # The last life writes only when the one before it had left something.
        self.assertGreaterEqual(len(self.gate.pids()), 4)
        self.assert_only_what_the_gate_let_through()

    def test_a_gate_that_always_fails_makes_dead_letters_of_everything(self):
        self.start()
        self.publish(*numbered(ORDER, 5, gate="nack"))

        books = self.settle(5)

        self.assertEqual([(n, attempt) for n in range(5) for attempt in (1, 2, 3)], self.gate.attempts(ORDER))
        self.assertEqual([5, 5, 5], [books[n]["dead"] for n in books])
        until(lambda: self.b.stats()["dead_letters"] == {"handler_error": 5, "gate_failed": 10},
              lambda: f"{self.b.stats()['dead_letters']}")
        self.assertEqual([], self.desk.events(ORDER))
        self.assertEqual([], self.late.events(ORDER))
        self.b.wait_log(r"dead letter: a:\d+:2:desk\.order:0:1 for desk after 0 attempts \(gate_failed\): gate gate: told to")

    def test_a_gate_that_does_not_answer_is_a_failed_gate(self):
        self.start(handler_timeout="100ms")
        self.publish({"type": ORDER, "data": {"n": 0, "gate": "silent"}}, {"type": ORDER, "data": {"n": 1}})

        books = self.settle(2)

        self.assertEqual([(0, 1), (0, 2), (0, 3), (1, 1)], self.gate.attempts(ORDER))
        self.assertEqual([1], self.desk.numbers(ORDER))
        self.assertEqual([1, 1, 1], [books[n]["dead"] for n in books])
        self.assertEqual(3, self.handler("gate")["timeouts"])

    def test_what_a_full_mailbox_of_a_gate_drops_is_lost_to_the_lower_tiers_and_counted(self):
        self.start(capacity=10)
        self.publish(*numbered(ORDER, 5))
        self.settle(5)
        self.bring_gate_down()

        self.publish(*numbered(ORDER, 100, first=5))
        until(lambda: self.b.book("desk", ORDER)["published"] == 105, "everything to arrive")
        until(lambda: self.b.book("desk", ORDER)["pending"] == 10, lambda: f"{self.b.book('desk', ORDER)}")
        self.assertEqual([0, 1, 2, 3, 4], self.desk.numbers(ORDER))
        self.raise_gate()
        books = self.settle(105)

        self.assertEqual((15, 90), (books["gate"]["delivered"], books["gate"]["lost"]["overflow"]))
        for name in ("desk", "late"):
            self.assertEqual((15, 90), (books[name]["delivered"], books[name]["lost"]["gate_overflow"]))
            self.assertEqual(0, books[name]["lost"]["overflow"])
        self.assertEqual([*range(5), *range(95, 105)], self.desk.numbers(ORDER))
        self.assertEqual({1}, {attempt for _, attempt in self.gate.attempts(ORDER)})
        self.assert_only_what_the_gate_let_through()


if __name__ == "__main__":
    unittest.main()
