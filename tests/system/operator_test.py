"""What an operator does with legion-cli about dead letters, durable subscriptions and confirms, on running spools."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll, work
from support.mesh import Mesh

EVENTS = 20
RETRY = {"max_attempts": 2, "delay": "20ms", "backoff": 1.0}


class Operator(unittest.TestCase):
    spools = ("vault",)

    def setUp(self):
        self.mesh = Mesh(spools=1)
        self.addCleanup(self.mesh.close)
        self.stores = []
        for name in self.spools:
            store = self.mesh.node(name, join=self.stores[:1], spool={}, topic=work.CONFIRMED).start().ready()
            self.stores.append(store)
        self.vault = self.stores[0]

    def consumer(self, name, durable, **settings):
        """A node with one agent that does numbered work; started."""
        worker = work.Worker(self.mesh, durable, ["work."], durable=durable, start="beginning", retry=RETRY, **settings)
        node = self.mesh.node(name, join=[self.vault], agent=[worker.table], topic=work.CONFIRMED).start().ready()
        self.mesh.alive_everywhere([*self.stores, node])
        return node, worker

    def publish(self, first, count):
        batch = [{"type": "work.a", "data": {"n": n}} for n in range(first, first + count)]
        answers = self.vault.call("publish", {"events": batch, "confirm": True, "timeout_ms": 30_000}, timeout=40)
        self.assertTrue(all(a["confirmed"] for a in answers), answers)
        return [a["id"] for a in answers]

    def cli(self, *arguments, code=0, node=None):
        return self.mesh.cli(*arguments, node=node or self.vault, check=code)

    def rows(self, *arguments, code=0):
        return json.loads(self.cli("-o", "json", *arguments, code=code).stdout)

    def pending(self, name):
        return next((row for row in self.rows("pending") if row["name"] == name), None)

    def wait_done(self, worker, numbers):
        poll.until(lambda: sorted({one.number for one in worker.done()}) == sorted(numbers),
                   lambda: f"{numbers} to be done; done are {[one.number for one in worker.done()]}")

    def goes_away(self, node):
        """Its cursor is recorded, and the spools know that it is gone."""
        self.assertEqual(0, node.terminate())
        for store in self.stores:
            poll.until(lambda store=store: store.state_of(node.name) == "left", "the consumer to have left")


class AwayConsumer(Operator):
    """pending rm, reset and skip while no node has the subscription."""

    def setUp(self):
        super().setUp()
        self.node, self.worker = self.consumer("desk", "orders")
        self.ids = self.publish(0, EVENTS)
        self.wait_done(self.worker, range(EVENTS))
        self.goes_away(self.node)

    def comes_back(self):
        self.node.start().ready()

    def test_rm_forgets_it_and_the_consumer_begins_anew(self):
        self.assertEqual(("away", 0), (self.pending("orders")["state"], self.pending("orders")["pending"]))
        done = self.cli("-y", "pending", "rm", "orders")
        self.assertIn("done by spool vault", done.stderr)
        self.assertIsNone(self.pending("orders"))
        self.cli("-y", "pending", "rm", "orders", code=66)
        self.comes_back()
        poll.until(lambda: len(self.worker.done()) == 2 * EVENTS, "everything to be done once more")

    def test_reset_to_now_leaves_out_what_came_meanwhile(self):
        self.publish(EVENTS, 5)
        self.assertEqual(5, self.pending("orders")["pending"])
        self.cli("-y", "pending", "reset", "orders", "--to", "now")
        self.assertEqual((0, "2@vault"), (self.pending("orders")["pending"], self.pending("orders")["generation"]))
        self.comes_back()
        self.publish(EVENTS + 5, 1)
        self.wait_done(self.worker, [*range(EVENTS), EVENTS + 5])

    def test_reset_to_an_event_begins_with_it(self):
        self.cli("-y", "pending", "reset", "orders", "--to", self.ids[EVENTS - 3])
        self.assertEqual(3, self.pending("orders")["pending"])
        self.comes_back()
        poll.until(lambda: len(self.worker.done()) == EVENTS + 3, "the last three once more")
        self.assertEqual([EVENTS - 3, EVENTS - 2, EVENTS - 1], [one.number for one in self.worker.done()[EVENTS:]])

    def test_skip_moves_the_cursor_of_one_stream(self):
        ids = self.publish(EVENTS, 6)
        stream, last = ids[3].rpartition(":")[::2]
        nothing = self.cli("-y", "pending", "skip", "orders", code=66)
        self.assertIn("stands still", nothing.stderr)
        self.cli("-y", "pending", "skip", "orders", "--stream", stream, code=64)
        self.cli("-y", "pending", "skip", "orders", "--stream", stream, "--through", last)
        self.assertEqual(2, self.pending("orders")["pending"])
        self.comes_back()
        self.wait_done(self.worker, [*range(EVENTS), EVENTS + 4, EVENTS + 5])

    def test_the_spool_says_so_itself_to_whoever_asks_its_port(self):
        from support.spool_port import SpoolPort
        with SpoolPort(self.vault) as port:
            with self.assertRaisesRegex(RuntimeError, "no durable subscription is named nobody"):
                port.ask("subscription", {"name": "nobody", "action": "rm"})
            with self.assertRaisesRegex(RuntimeError, "params.action"):
                port.ask("subscription", {"name": "orders", "action": "rename"})
            self.assertIsNotNone(port.ask("subscription", {"name": "orders", "action": "rm"}))

    def test_it_is_refused_while_somebody_has_the_name(self):
        self.comes_back()
        poll.until(lambda: (self.pending("orders") or {}).get("state") == "active", "the consumer to be active")
        from support.spool_port import SpoolPort
        with SpoolPort(self.vault) as port:
            with self.assertRaisesRegex(RuntimeError, "in use by node desk"):
                port.ask("subscription", {"name": "orders", "action": "reset", "start": "now"})
        self.publish(EVENTS, 3)
        self.wait_done(self.worker, range(EVENTS + 3))


class AwayConsumerOfTwoSpools(Operator):
    spools = ("vault", "safe")

    def test_a_change_at_one_spool_holds_at_both(self):
        node, worker = self.consumer("desk", "orders")
        self.publish(0, EVENTS)
        self.wait_done(worker, range(EVENTS))
        self.goes_away(node)
        self.publish(EVENTS, 5)
        self.cli("-y", "pending", "reset", "orders", "--to", "now", "--spool", "safe")
        for name in self.spools:
            poll.until(lambda name=name: self.rows("pending", "--spool", name)[0]["generation"] == "2@safe",
                       f"the new generation at {name}")
        node.start().ready()
        self.publish(EVENTS + 5, 1)
        self.wait_done(worker, [*range(EVENTS), EVENTS + 5])


class DeadLetters(Operator):
    def setUp(self):
        super().setUp()
        trouble = {1: "nack", 2: "nack", 3: "reject"}
        self.desk, self.first = self.consumer("desk", "first", trouble=trouble)
        self.shop, self.second = self.consumer("shop", "second", trouble={2: "nack"})
        self.ids = self.publish(0, 6)
        poll.until(lambda: len(self.letters()) == 4, lambda: f"four dead letters: {self.letters()}")

    def letters(self, *filters):
        return sorted((row["id"], row["agent"], row["state"]) for row in self.rows("dlq", "ls", *filters))

    def states(self):
        return {(row["id"], row["agent"]): row["state"] for row in self.rows("dlq", "ls", "--state", "all")}

    def test_filters_narrow_what_is_shown_and_exported(self):
        self.assertEqual(1, len(self.letters("--agent", "shop/second")))
        self.assertEqual(3, len(self.letters("--agent", "first")))
        self.assertEqual([(self.ids[3], "desk/first", "dead")], self.letters("--reason", "rejected"))
        self.assertEqual(4, len(self.letters("--type", "work.")))
        self.assertEqual([], self.letters("--type", "work.b"))
        self.assertEqual(4, len(self.letters("--since", "1h")))
        self.assertEqual([], self.letters("--until", "1h"))
        self.assertEqual(2, len(self.letters(self.ids[2])))
        lines = [json.loads(line) for line in self.cli("dlq", "export", self.ids[2]).stdout.splitlines()]
        self.assertEqual([{"n": 2}] * 2, [line["event"]["data"] for line in lines])
        self.assertEqual([2, 2], [line["attempts"] for line in lines])

    def test_requeue_tells_what_became_of_each_and_stops_at_the_limit(self):
        would = self.rows("dlq", "requeue", "--all", "--dry-run")
        self.assertEqual(["would_requeue"] * 4, [row["status"] for row in would])
        self.assertEqual(4, len(self.letters("--state", "dead")))
        self.goes_away(self.shop)
        self.first.trouble({1: "nack"})
        some = self.rows("dlq", "requeue", "--all", code=3)
        self.assertEqual({"desk/first": {"requeued"}, "shop/second": {"failed"}},
                         {agent: {row["status"] for row in some if row["agent"] == agent}
                          for agent in ("desk/first", "shop/second")})
        after = {(self.ids[1], "desk/first"): "dead", (self.ids[2], "desk/first"): "resolved",
                 (self.ids[3], "desk/first"): "resolved", (self.ids[2], "shop/second"): "dead"}
        poll.until(lambda: self.states() == after, lambda: f"{after}, not {self.states()}")
        again = self.rows("dlq", "requeue", "--agent", "desk/first", "--max-requeues", "1", code=1)
        self.assertEqual(["skipped"], [row["status"] for row in again])
        self.first.trouble({})
        self.rows("dlq", "requeue", self.ids[1], "--agent", "desk/first")
        poll.until(lambda: self.states()[self.ids[1], "desk/first"] == "resolved", "the last one to be resolved")
        numbers = [one.number for one in self.first.done()]
        self.assertEqual(list(range(6)), sorted(numbers))

    def test_purge_takes_them_away_for_good(self):
        self.cli("dlq", "purge", "--agent", "desk/first", code=64)
        self.assertEqual(["would_purge"] * 3,
                         [row["status"] for row in self.rows("dlq", "purge", "--agent", "desk/first", "--dry-run")])
        self.assertEqual(4, len(self.letters()))
        purged = self.rows("-y", "dlq", "purge", "--agent", "desk/first")
        self.assertEqual(["purged"] * 3, [row["status"] for row in purged])
        self.assertEqual([(self.ids[2], "shop/second", "dead")], self.letters())
        self.assertEqual(3, len(self.letters("--state", "purged")))
        self.assertEqual(4, len(self.letters("--state", "all")))
        self.assertEqual(["skipped"], [row["status"] for row in self.rows("dlq", "requeue", self.ids[1], code=1)])
        self.cli("dlq", "show", self.ids[1])
        self.assertEqual(6, len(work.stored_ids(self.mesh, self.vault)))


class Confirms(Operator):
    def test_publish_says_whether_it_was_confirmed_in_time(self):
        edge = self.mesh.node("edge", join=[self.vault], topic=work.CONFIRMED).start().ready()
        self.mesh.alive_everywhere([self.vault, edge])
        self.assertIn("confirmed ", self.cli("publish", "work.a", "{}", "--confirm", node=edge).stdout)
        self.vault.freeze()
        late = self.cli("--timeout", "1s", "publish", "work.a", "{}", "--confirm", code=75, node=edge)
        self.assertIn("not confirmed in time", late.stderr)
        self.vault.thaw()
        poll.until(lambda: len(work.stored_ids(self.mesh, self.vault)) == 2, "the late one to be stored")


class Files(Operator):
    spools = ("vault", "safe")

    def test_info_verify_and_backup_of_spools_and_their_files(self):
        self.publish(0, EVENTS)
        poll.until(lambda: len(work.stored_ids(self.mesh, self.stores[1])) == EVENTS, "the second spool to have all")
        self.assertEqual({"vault", "safe"}, {row["spool"] for row in self.rows("spool", "info")})
        self.cli("spool", "verify", "--full")
        self.cli("spool", "verify", "vault", "--against", "safe", "--full")
        copy = self.mesh.folder / "copy.db"
        other = self.mesh.folder / "other.db"
        self.cli("spool", "backup", str(copy), "--spool", "vault")
        self.cli("spool", "backup", str(other), "--spool", "safe")
        self.cli("spool", "backup", "copy.db", "--spool", "vault", code=64)
        self.publish(EVENTS, 5)
        poll.until(lambda: len(work.stored_ids(self.mesh, self.stores[1])) == EVENTS + 5, "it to have the rest, too")
        for store in self.stores:
            self.assertEqual(0, store.terminate())
        vault, safe = (str(store.spool_path) for store in self.stores)
        for path in (vault, safe, str(copy)):
            self.mesh.cli("spool", "info", path, check=0)
            self.mesh.cli("spool", "verify", "--full", path, check=0)
        self.mesh.cli("spool", "verify", str(copy), "--against", str(other), check=0)
        self.mesh.cli("spool", "verify", vault, "--against", str(copy), check=1)
        found = self.mesh.cli("replay", "work.", "--spool", str(copy), "--format", "%i", check=0)
        self.assertEqual(EVENTS, len(found.stdout.split()))
        self.mesh.cli("spool", "info", str(self.mesh.folder / "none.db"), check=66)


if __name__ == "__main__":
    unittest.main()
