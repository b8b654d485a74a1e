"""Leaving for good, and what the last words of a node are worth."""

import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import zmq

from support import poll
from support.mesh import BIN, Mesh


def sink(type_):
    return [{"name": "sink", "builtin": "sink", "subscribe": [{"type": type_}]}]


class Leaving(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)

    def test_what_a_stopped_receiver_missed_of_a_node_that_left_is_in_its_books(self):
        calm = {"heartbeat": {"interval": "500ms", "suspect_after": "60s", "dead_after": "120s"}}
        q = self.mesh.node("quick", agent=sink("test."), **calm).start().ready()
        r = self.mesh.node("rested", join=[q], agent=sink("test."), **calm).start().ready()
        # The last to join: it publishes only when the others have their baselines of it.
        f = self.mesh.node("feeder", join=[q], **calm).start()
        self.mesh.alive_everywhere([q, r])
        f.ready()
        self.mesh.alive_everywhere([f, q, r])
        f.publish("test.tick", {"n": 0})
        poll.until(lambda: r.book("sink", "test.")["delivered"] == 1, "the first event")
        r.signal(signal.SIGSTOP)
        for start in range(0, 8000, 80):  # four to a frame at most, so that the queues overflow
            f.publish_all([{"type": "test.tick", "priority": "low", "data": {"n": start + i, "text": "x" * 8000}}
                           for i in range(80)])
        poll.until(lambda: q.book("sink", "test.")["delivered"] == 8001, lambda: str(q.book("sink", "test.")))
        self.assertEqual(f.terminate(), 0, f.log())
        r.signal(signal.SIGCONT)
        poll.until(lambda: r.book("sink", "test.")["published"] == 8001 and r.book("sink", "test.")["pending"] == 0,
                   lambda: f"{r.book('sink', 'test.')}\n{r.log()}")
        book = r.book("sink", "test.")
        self.assertEqual(book["balance"], 0)
        self.assertGreater(book["lost"]["link"] + book["lost"]["origin_died"], 0, "nothing was missed; the test shows nothing")
        self.assertEqual(book["delivered"] + book["lost"]["link"] + book["lost"]["origin_died"], 8001)

    def test_what_was_published_before_sigterm_is_handled_before_the_node_ends(self):
        log = self.mesh.folder / "handled.jsonl"
        node = self.mesh.node("alone", agent=[
            {"name": "feed", "builtin": "feed", "type": "test.in", "speed": "max", "count": 20000, "start_after": "1s"},
            {"name": "echo", "builtin": "echo", "reply_type": "test.out", "capacity": 50000,
             "subscribe": [{"type": "test.in"}]},
            {"name": "sink", "builtin": "sink", "file": str(log), "capacity": 50000, "subscribe": [{"type": "test.out"}]},
        ], node={"drain_timeout": "120s"}).start().ready()
        poll.until(lambda: node.book("echo", "test.in")["published"] > 500, lambda: str(node.book("echo", "test.in")))
        self.assertEqual(node.terminate(watchdog=200), 0, node.log())
        self.assertNotIn("drain_timeout passed", node.log())
        published = int(node.log().rsplit(" events", 1)[0].rsplit(" ", 1)[1])
        self.assertGreater(published, 500)
        self.assertEqual(len(log.read_text(encoding="utf-8").splitlines()), published)

    def test_a_log_that_nobody_reads_does_not_keep_the_node_from_ending(self):
        node = self.mesh.node("talker", agent=[{"name": "feed", "builtin": "feed", "type": "test.in", "rate": 2000}],
                              log={"events": True})
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        node.process = subprocess.Popen([BIN / "legion-node", node.config_path], stdin=subprocess.DEVNULL, stdout=write,
                                        stderr=write, start_new_session=True)
        os.close(write)
        node.ready()
        poll.until(lambda: node.agent("feed")["counters"].get("published", 0) > 5000, "the log to be full and waiting")
        self.assertEqual(node.terminate(), 0)

    def test_without_standard_descriptors_nothing_is_written_where_it_does_not_belong(self):
        node = self.mesh.node("mute")
        node.process = subprocess.Popen(["/bin/sh", "-c", f"exec '{BIN}/legion-node' '{node.config_path}' <&- >&- 2>&-"],
                                        start_new_session=True)
        node.ready()
        targets = [os.readlink(f"/proc/{node.pid}/fd/{fd}") for fd in range(3)]
        self.assertEqual(targets, ["/dev/null"] * 3)
        self.assertEqual(node.terminate(), 0)
        self.assertEqual((node.state_dir / "lock").read_bytes(), b"")

    def test_a_local_subscriber_that_was_there_first_costs_the_agents_nothing(self):
        """A stock SUB reconnects before a restarted node has joined; when it goes, the agents' interest stays."""
        b = self.mesh.node("beta", join=["tcp://127.0.0.1:9"], agent=sink("test."))
        context = zmq.Context()
        self.addCleanup(context.term)
        sub = context.socket(zmq.SUB)
        sub.setsockopt(zmq.LINGER, 0)
        sub.setsockopt(zmq.RECONNECT_IVL, 5)
        sub.subscribe(b"test.")
        sub.connect(f"ipc://{b.state_dir}/local/subscribe.sock")
        b.start().ready()
        a = self.mesh.node("alpha", join=[b]).start().ready()
        self.mesh.alive_everywhere([a, b])
        self.assertEqual(a.publish("test.tick", {"n": 1})["status"], "queued")
        try:
            self.assertTrue(sub.poll(60000), "the event of the other node")
            self.assertTrue(sub.recv().startswith(b"test.tick\0"))
        finally:
            sub.close()
        poll.until(lambda: b.book("sink", "test.")["delivered"] == 1, lambda: str(b.book("sink", "test.")))
        for n in range(20):
            a.publish("test.tick", {"n": n})
        poll.until(lambda: b.book("sink", "test.")["delivered"] == 21, lambda: str(b.book("sink", "test.")))


if __name__ == "__main__":
    unittest.main()
