"""A program with a node of its own beside a legion-node: handlers and agents that come and go while it runs."""

import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.mesh import BIN, Mesh  # noqa: E402
from support.poll import until  # noqa: E402
from support.rpc import Control  # noqa: E402

NEWS = "news.flash"
MARK = "news.mark"  # of the same lane, so behind what was published before it


class Program:
    """One process of embedded_program."""

    def __init__(self, mesh, node):
        self.errors = mesh.folder / "embedded.log"
        with open(self.errors, "wb") as errors:
            self.process = mesh.spawn([BIN / "embedded_program", "guest", mesh.folder / "guest", node.address],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        self.address = self.answer("at")

    def answer(self, expected):
        line = self.process.stdout.readline().strip()
        word, _, rest = line.partition(" ")
        assert word == expected, f"{line}\n{self.errors.read_text()}"
        return rest

    def tell(self, command, expected=None):
        print(command, file=self.process.stdin, flush=True)
        return self.answer(expected or command.split()[0])

    def stats(self):
        with Control(self.address) as control:
            return control.call("stats")

    def book(self, type_):
        return next(s for s in self.stats()["subscriptions"] if s["type"] == type_)

    def received(self):
        """Events of the normal lane that arrived from other nodes, whoever wants them."""
        return next(lane for lane in self.stats()["lanes"] if lane["lane"] == "normal")["received"]


class Embedded(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        self.node = self.mesh.node("a").start().ready()
        self.guest = Program(self.mesh, self.node)
        self.addCleanup(self.guest.process.stdout.close)
        self.addCleanup(self.guest.process.stdin.close)
        until(lambda: self.node.state_of("guest") == "alive", "the program to be a member")

    def publish(self, type_, count=1):
        for result in self.node.publish_all([{"type": type_, "data": {"n": n}} for n in range(count)]):
            self.assertEqual("queued", result["status"])

    def linked(self, type_):
        """Returns once what the node publishes is in the books of the program's subscription."""
        before = self.guest.book(type_)["published"]

        def counted():
            self.publish(type_)
            return self.guest.book(type_)["published"] > before
        until(counted, lambda: f"{type_} to arrive\n{self.guest.errors.read_text()}", pause=0.05)

    def settled(self, type_):
        def is_settled():
            book = self.guest.book(type_)
            return book["pending"] == 0 and book["balance"] == 0
        until(is_settled, lambda: f"{self.guest.book(type_)}")
        return self.guest.book(type_)

    def test_what_a_removed_handler_wanted_is_not_sent_any_more(self):
        self.guest.tell(f"on {MARK}")
        self.linked(MARK)
        number = self.guest.tell(f"on {NEWS}")
        self.linked(NEWS)
        before = self.guest.received()
        self.publish(NEWS, 300)
        until(lambda: self.guest.received() >= before + 300, "the events to arrive")
        book = self.settled(NEWS)
        self.assertEqual((book["published"], 0), (book["delivered"], sum(book["lost"].values())))

        self.guest.tell(f"off {number}")

        # The wish travels upstream as it came: a round of which only the mark is seen shows that it has arrived.
        def is_quiet():
            before = self.guest.received()
            marks = self.guest.book(MARK)["published"]
            self.publish(NEWS, 100)
            self.publish(MARK)
            until(lambda: self.guest.book(MARK)["published"] > marks, "the mark", pause=0.01)
            return self.guest.received() - before == 1
        until(is_quiet, "the node to send no more news", pause=0.05)
        self.assertEqual(book["published"], self.settled(NEWS)["published"])
        self.assertIn("no handler", self.guest.tell(f"off {number}", "error"))

        self.guest.tell(f"on {NEWS}")  # a subscription of its own, with books of its own

        def newest():
            return [s for s in self.guest.stats()["subscriptions"] if s["type"] == NEWS][-1]
        self.assertEqual(0, newest()["published"])

        def arrives():
            self.publish(NEWS)
            return newest()["published"] > 0
        until(arrives, "news for the new handler", pause=0.05)
        until(lambda: newest()["balance"] == 0, lambda: f"{newest()}")
        self.assertEqual(0, sum(newest()["lost"].values()))

    def test_agents_come_and_go_and_the_mesh_sees_it(self):
        def agents():
            return [a["agent"] for a in self.guest.stats()["agents"]]

        self.assertEqual([], agents())
        self.guest.tell(f"agent late {NEWS}")
        self.assertEqual(["late"], agents())
        self.linked(NEWS)
        until(lambda: "late" in str(self.node.members()["guest"]), "the heartbeat to name the agent")

        self.guest.tell("gone late")
        self.guest.tell(f"agent other {MARK}")
        self.assertEqual(["other"], agents())
        self.assertTrue(self.guest.stats()["agents"][0]["up"])
        until(lambda: "late" not in str(self.node.members()["guest"]), "the heartbeat not to name it any more")
        before = self.guest.book(NEWS)["published"]
        self.linked(MARK)
        self.publish(NEWS, 10)
        self.linked(MARK)
        self.assertEqual(before, self.guest.book(NEWS)["published"])
        self.guest.tell(f"agent late {NEWS}")
        self.assertEqual(["other", "late"], agents())

    def test_a_program_that_ends_leaves_the_mesh(self):
        self.guest.tell(f"on {NEWS}")
        self.assertEqual("1000", self.guest.tell(f"publish {NEWS} 1000", "published"))
        self.guest.process.stdin.close()
        self.assertEqual(0, self.guest.process.wait(60))
        until(lambda: self.node.state_of("guest") == "left", "its goodbye")


if __name__ == "__main__":
    unittest.main()
