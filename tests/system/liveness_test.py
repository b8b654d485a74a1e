"""Who is alive: death, restart, leaving, pauses."""

import pathlib
import re
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll
from support.mesh import Mesh


def transitions(node, name):
    """The states `node` has logged for `name`, in order."""
    return re.findall(rf"member {name}: \w+ -> (\w+)", node.log())


class Liveness(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)

    def three(self):
        a = self.mesh.node("alpha").start()
        b = self.mesh.node("beta", join=[a]).start()
        c = self.mesh.node("gamma", join=[a]).start()
        nodes = [a, b, c]
        for node in nodes:
            node.ready()
        self.mesh.alive_everywhere(nodes)
        return nodes

    def test_a_killed_node_is_suspected_and_then_declared_dead_by_everyone(self):
        a, b, c = self.three()
        c.kill()
        for survivor in (a, b):
            poll.until(lambda: survivor.state_of("gamma") == "dead",
                       lambda: f"gamma to be dead at {survivor.name}: {survivor.members()}")
            seen = transitions(survivor, "gamma")
            self.assertEqual(seen[-2:], ["suspect", "dead"], seen)
            self.assertEqual(survivor.state_of("alpha"), "alive")
            self.assertEqual(survivor.state_of("beta"), "alive")

    def test_restarted_after_its_death_it_is_alive_with_a_higher_incarnation(self):
        a, b, c = self.three()
        before = a.members()["gamma"]["incarnation"]
        c.kill()
        poll.until(lambda: a.state_of("gamma") == "dead" and b.state_of("gamma") == "dead", "gamma to be dead")
        c.start().ready()
        self.mesh.alive_everywhere([a, b, c])
        for node in (a, b, c):
            self.assertGreater(node.members()["gamma"]["incarnation"], before)

    def test_killed_and_restarted_at_once_it_succeeds_itself(self):
        a, b, c = self.three()
        before = a.members()["gamma"]["incarnation"]
        c.kill()
        c.start().ready()
        poll.until(lambda: all(n.members().get("gamma", {}).get("incarnation", 0) > before for n in (a, b)),
                   "the higher incarnation to be known")
        self.mesh.alive_everywhere([a, b, c])
        self.assertTrue(c.running())

    def test_events_flow_again_after_a_restart(self):
        a = self.mesh.node("alpha", agent=[{"name": "sink", "builtin": "sink",
                                            "subscribe": [{"type": "test."}]}]).start()
        b = self.mesh.node("beta", join=[a]).start()
        a.ready(), b.ready()
        self.mesh.alive_everywhere([a, b])
        for life in range(3):
            for i in range(50):
                self.assertEqual(b.publish("test.tick", {"n": i})["status"], "queued")
            want = 50 * (life + 1)
            poll.until(lambda: a.book("sink", "test.")["delivered"] == want,
                       lambda: f"{want} delivered: {a.book('sink', 'test.')}")
            if life < 2:
                b.kill()
                b.start().ready()
        book = a.book("sink", "test.")
        self.assertEqual(book["published"], 150)
        self.assertEqual(book["balance"], 0)
        self.assertEqual(sum(book["lost"].values()), 0)

    def test_sigterm_drains_and_the_others_see_it_leave(self):
        a, b, c = self.three()
        self.assertEqual(c.terminate(), 0, c.log())
        for survivor in (a, b):
            poll.until(lambda: survivor.state_of("gamma") == "left", lambda: f"left: {survivor.members()}")
            self.assertNotIn("dead", transitions(survivor, "gamma"))

    def test_a_stopped_node_is_declared_dead_and_is_alive_again_in_the_same_life_when_it_goes_on(self):
        a, b, c = self.three()
        before = a.members()["gamma"]["incarnation"]
        c.signal(signal.SIGSTOP)
        poll.until(lambda: a.state_of("gamma") == "dead" and b.state_of("gamma") == "dead", "gamma to be dead")
        c.signal(signal.SIGCONT)
        self.mesh.alive_everywhere([a, b, c])
        self.assertEqual(a.members()["gamma"]["incarnation"], before)

    def test_an_agent_that_cannot_start_does_not_cost_its_node_the_mesh(self):
        a = self.mesh.node("alpha").start()
        b = self.mesh.node("beta", join=[a], agent=[{
            "name": "lost", "exec": ["/nowhere/" + "x" * 300], "subscribe": [{"type": "test."}]}]).start()
        a.ready(), b.ready()
        self.mesh.alive_everywhere([a, b])
        poll.until(lambda: b.agent("lost")["state"].startswith("failed"), lambda: str(b.agent("lost")))
        beats = a.stats()["lanes"][0]["received"]
        poll.until(lambda: a.stats()["lanes"][0]["received"] > beats + 30, "thirty further heartbeats, its own and beta's")
        self.assertEqual(a.stats()["refused"].get("bad_heartbeat", 0), 0)
        self.assertEqual(transitions(a, "beta"), ["alive"])

    def test_a_node_joins_through_a_member_that_is_not_the_seed_and_knows_everyone(self):
        a, b, _ = self.three()
        late = self.mesh.node("late", join=[b]).start().ready()
        self.mesh.alive_everywhere([a, b, late])
        self.assertEqual(set(late.members()), {"alpha", "beta", "gamma", "late"})


if __name__ == "__main__":
    unittest.main()
