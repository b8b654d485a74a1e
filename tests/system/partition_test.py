"""Cut links: a partition heals to one mesh; two lives of one name become one."""

import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll
from support.mesh import Mesh
from support.proxy import proxied


class Partition(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)

    def proxied(self, name, join=(), **tables):
        return proxied(self.mesh, name, join, **tables)

    def sinks(self):
        return [{"name": "sink", "builtin": "sink", "subscribe": [{"type": "test."}]}]

    def books_open(self, nodes):
        """Each node's baseline for every other one is set: what is published from here on is in the books. Returns the
        books as they are then."""
        for node in nodes:
            for other in nodes:
                before = other.book("sink", "test.")["published"]
                poll.until(lambda: node.publish("test.probe") and other.book("sink", "test.")["published"] > before,
                           f"{node.name} in the books of {other.name}")
        seen = {}

        def quiet():
            now = {n.name: n.book("sink", "test.") for n in nodes}
            same = now == seen.get("last")
            seen["last"] = now
            return same and all(book["pending"] == 0 for book in now.values())
        poll.until(quiet, "the books to be quiet", pause=0.5)
        return seen["last"]

    def test_a_partition_longer_than_dead_after_heals_to_one_mesh(self):
        a = self.proxied("alpha", agent=self.sinks()).start()
        b = self.proxied("beta", join=[a], agent=self.sinks()).start()
        c = self.proxied("gamma", join=[a], agent=self.sinks()).start()
        nodes = [a, b, c]
        for node in nodes:
            node.ready()
        self.mesh.alive_everywhere(nodes)
        before = self.books_open(nodes)
        incarnations = {n.name: n.members()[n.name]["incarnation"] for n in nodes}

        for node in nodes:
            node.proxy.cut()
        for node in nodes:
            others = [n.name for n in nodes if n is not node]
            poll.until(lambda: all(node.state_of(o) == "dead" for o in others),
                       lambda: f"{node.name} alone: {node.members()}")
        for node in nodes:  # published while nobody can hear it
            self.assertEqual(node.publish("test.lonely", {"from": node.name})["status"], "queued")

        for node in nodes:
            node.proxy.mend()
        self.mesh.alive_everywhere(nodes)
        self.assertEqual({n.name: a.members()[n.name]["incarnation"] for n in nodes}, incarnations)

        # Alive is heard on the critical lane; the others are dialled again on their own. A lane on which the lonely events
        # of both others are known to be lost is up, and its subscriptions are in force.
        for node in nodes:
            poll.until(lambda: node.book("sink", "test.")["published"] - before[node.name]["published"] == 3,
                       lambda: f"{node.name}: {node.book('sink', 'test.')}")
        for node in nodes:
            self.assertEqual(node.publish("test.together", {"from": node.name})["status"], "queued")
        for node in nodes:
            # 2 own events and one of each other node; the two lonely ones of the others are known to be lost.
            def settled():
                book = node.book("sink", "test.")
                return (book["delivered"] - before[node.name]["delivered"],
                        book["published"] - before[node.name]["published"]) == (4, 6)
            poll.until(settled, lambda: f"{node.name}: {node.book('sink', 'test.')}")
            book = node.book("sink", "test.")
            lost = book["lost"]["link"] - before[node.name]["lost"]["link"]
            self.assertEqual((lost, book["pending"], book["balance"]), (2, 0, 0))

    def test_the_same_name_twice_is_refused_with_the_address(self):
        a = self.mesh.node("alpha").start().ready()
        first = self.mesh.node("twin", join=[a]).start().ready()
        second = self.mesh.node("twin", join=[a]).start()
        self.assertEqual(second.wait_exit(), 69, second.log())
        self.assertIn(f"127.0.0.1:{first.port}", second.log())
        self.assertTrue(first.running())
        self.mesh.alive_everywhere([a, first])

    def test_after_a_partition_the_lower_life_of_a_name_fences_itself(self):
        a = self.proxied("alpha").start().ready()
        old = self.proxied("twin", join=[a]).start().ready()
        self.mesh.alive_everywhere([a, old])
        for node in (a, old):
            node.proxy.cut()
        poll.until(lambda: a.state_of("twin") == "dead", lambda: f"twin to be dead: {a.members()}")
        a.proxy.mend()
        new = self.proxied("twin", join=[a]).start().ready()
        self.mesh.alive_everywhere([a, new])
        old.proxy.mend()
        self.assertEqual(old.wait_exit(), 70, old.log())
        self.assertTrue(new.running())
        self.mesh.alive_everywhere([a, new])
        twin = a.members()["twin"]
        self.assertEqual(twin["incarnation"], new.members()["twin"]["incarnation"])

    def test_a_frozen_node_that_wakes_to_find_its_name_taken_fences_itself(self):
        a = self.mesh.node("alpha").start().ready()
        old = self.mesh.node("twin", join=[a]).start().ready()
        self.mesh.alive_everywhere([a, old])
        old.signal(signal.SIGSTOP)
        new = self.mesh.node("twin", join=[a]).start().ready()
        old.signal(signal.SIGCONT)
        self.assertEqual(old.wait_exit(), 70, old.log())
        self.assertTrue(new.running())
        self.mesh.alive_everywhere([a, new])


if __name__ == "__main__":
    unittest.main()
