"""The books of a running mesh with a spool, a durable subscription, a plain one and dead letters balance once it is at
rest, also after kill -9; `legion-cli check books` says so, and says what moves where it is not at rest."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll, work
from support.mesh import Mesh

EVENTS = 40
POISON = 7
RETRY = {"max_attempts": 2, "delay": "20ms", "backoff": 1.0}


class Books(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh(spools=1)
        self.addCleanup(self.mesh.close)
        self.vault = self.mesh.node("vault", spool={}, topic=work.CONFIRMED).start().ready()
        self.desk = work.Worker(self.mesh, "desk", ["work."], durable="desk", start="beginning", retry=RETRY,
                                trouble={POISON: "reject"})
        self.watch = work.Worker(self.mesh, "watch", ["work.a"])
        self.all = {"name": "all", "builtin": "sink", "subscribe": [{"type": "*"}]}  # never still: it hears heartbeats
        self.source = self.mesh.node("source", join=[self.vault], agent=[self.all], topic=work.CONFIRMED).start()
        self.consumer = self.mesh.node("consumer", join=[self.vault], agent=[self.desk.table, self.watch.table],
                                       topic=work.CONFIRMED).start()
        self.nodes = [self.vault, self.source, self.consumer]
        for node in self.nodes:
            node.ready()
        self.mesh.alive_everywhere(self.nodes)

    def publish(self, count=EVENTS, first=0):
        events = [{"type": f"work.{'ab'[n % 2]}", "data": {"n": n}} for n in range(first, first + count)]
        answers = self.source.call("publish", {"events": events, "confirm": True, "timeout_ms": 30_000}, timeout=40)
        self.assertTrue(all(a["confirmed"] for a in answers), answers)

    def check(self, timeout="50s", node=None, code=0):
        """Of the whole mesh, asked through one member; whichever."""
        done = self.mesh.cli("check", "books", "-j", "--timeout", timeout, node=node or self.vault)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def lines(self):
        done = self.mesh.cli("stats", "--all", "--books", "-j", node=self.vault, check=0)
        return json.loads(done.stdout)

    def line(self, **wanted):
        found = [line for line in self.lines() if wanted.items() <= line.items()]
        self.assertEqual(1, len(found), wanted)
        return found[0]

    def test_they_balance_and_every_term_is_where_it_belongs(self):
        self.publish()
        poll.until(lambda: len(self.desk.done()) == EVENTS - 1, "everything but the poison to be done")
        report = self.check()
        self.assertEqual(("ok", True, 3), (report["state"], report["at_rest"], report["nodes"]))
        desk = self.line(durable="desk")
        self.assertEqual((EVENTS, EVENTS - 1, 1, 0, 0),
                         tuple(desk[term] for term in ("published", "delivered", "dead", "lost", "pending")))
        watch = self.line(agent="watch")
        self.assertEqual(0, watch["balance"])
        journal = self.line(node="source", journal="confirmed")
        self.assertEqual((0, 0, 0), (journal["voided"], journal["pending"], journal["balance"]))
        self.assertGreaterEqual(journal["confirmed"], EVENTS)
        self.assertEqual(journal["journalled"], journal["confirmed"])

    def test_they_balance_after_kills_and_what_was_missed_is_repaired_into_them(self):
        self.publish()
        self.consumer.kill()
        self.publish(first=EVENTS)
        self.consumer.start().ready()
        self.publish(first=2 * EVENTS)
        numbers = lambda: {one.number for one in self.desk.done()}
        poll.until(lambda: len(numbers()) == 3 * EVENTS - 1, "everything but the poison to be done")
        self.check(node=self.consumer)
        desk = self.line(durable="desk")
        # Of this life: at least what it was away for and what came since; never more than there was.
        self.assertGreaterEqual(desk["published"], 2 * EVENTS)
        self.assertLessEqual(desk["published"], 3 * EVENTS)
        self.vault.restart().ready()
        self.publish(first=3 * EVENTS)
        poll.until(lambda: len(numbers()) == 4 * EVENTS - 1, "the rest to be done")
        self.check()

    def test_what_waits_is_named_and_the_check_is_a_warning(self):
        self.desk.trouble({POISON: "hang"})
        self.publish()
        poll.until(lambda: self.desk.attempts(POISON), "the handler to hang")
        report = self.check(timeout="3s", code=1)
        self.assertFalse(report["at_rest"])
        self.assertTrue(any("desk" in text and "pending" in text for text in report["restless"]), report)
        self.assertEqual([], report["off"])

    def test_a_mesh_that_loses_its_only_spool_is_not_at_rest(self):
        self.vault.kill()
        self.source.publish_all([{"type": "work.a", "data": {"n": 1000}}])
        report = self.check(timeout="8s", node=self.source, code=1)
        self.assertEqual([], report["off"])
        self.assertTrue(any("journal" in text for text in report["restless"]), report)


if __name__ == "__main__":
    unittest.main()
