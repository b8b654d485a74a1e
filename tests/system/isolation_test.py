"""A stalled subscriber costs nobody but itself, and knows afterwards exactly what it missed."""

import json
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll
from support.mesh import Mesh

# A lane holds at most high-water mark x frame size per peer and direction, and what the kernel buffers; a node itself a
# few tens of MiB. Far below what an unbounded queue would reach here.
RSS_BYTES_MAX = 400 << 20


def sink(path):
    return [{"name": "sink", "builtin": "sink", "file": str(path), "subscribe": [{"type": "load.tick"}]}]


def sequences(path):
    """The sequence numbers a sink wrote, in order."""
    with open(path, encoding="utf-8") as lines:
        return [int(json.loads(line)["sequence"]) for line in lines]


class Isolation(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        # Nobody is declared dead here, however busy the machine is: the stall alone is under test.
        self.slow = {"heartbeat": {"interval": "500ms", "suspect_after": "60s", "dead_after": "120s"}}

    def start(self, events, rate):
        feed = {"name": "feed", "builtin": "feed", "type": "load.tick", "rate": rate, "count": events,
                "priority": "low", "wait_for_nodes": 3, "start_after": "1s",
                # At most two to a frame, so that the queues, which count frames, overflow however the events are batched.
                "fields": {"text": "x" * 12000}}
        self.files = {name: self.mesh.folder / f"{name}.jsonl" for name in ("steady", "stalled")}
        self.steady = self.mesh.node("steady", agent=sink(self.files["steady"]), **self.slow).start().ready()
        self.stalled = self.mesh.node("stalled", join=[self.steady], agent=sink(self.files["stalled"]), **self.slow).start()
        self.stalled.ready()
        self.mesh.alive_everywhere([self.steady, self.stalled])
        # The last to join: it publishes only when the others have their baselines of it.
        self.source = self.mesh.node("source", join=[self.steady], agent=[feed], **self.slow).start().ready()

    def published(self):
        return self.source.agent("feed")["counters"].get("published", 0)

    def test_a_stopped_subscriber_disturbs_nobody_and_reports_exactly_what_it_missed(self):
        events = 6000
        self.start(events, rate=1500)
        poll.until(lambda: self.stalled.book("sink", "load.tick")["delivered"] > 200, "the flow to have begun")
        self.stalled.signal(signal.SIGSTOP)
        poll.until(lambda: self.source.agent("feed")["state"] == "finished",
                   lambda: f"the feed to finish: {self.source.agent('feed')}", watchdog=120)

        poll.until(lambda: self.steady.book("sink", "load.tick")["delivered"] == events,
                   lambda: f"everything at the steady node: {self.steady.book('sink', 'load.tick')}")
        book = self.steady.book("sink", "load.tick")
        self.assertEqual((book["published"], sum(book["lost"].values()), book["balance"]), (events, 0, 0))
        self.assertEqual(sequences(self.files["steady"]), list(range(1, events + 1)))
        self.assertLess(self.source.rss_bytes(), RSS_BYTES_MAX)
        self.assertLess(self.stalled.rss_bytes(), RSS_BYTES_MAX)

        self.stalled.signal(signal.SIGCONT)
        # No further event follows: what is missing at the end is found by the tail marker alone.
        poll.until(lambda: self.stalled.book("sink", "load.tick")["published"] == events
                   and self.stalled.book("sink", "load.tick")["pending"] == 0,
                   lambda: f"the stalled node to know all of it: {self.stalled.book('sink', 'load.tick')}")
        book = self.stalled.book("sink", "load.tick")
        received = sequences(self.files["stalled"])
        missed = events - len(received)
        self.assertGreater(missed, 0, "the stall was too short to lose anything; the test shows nothing")
        self.assertEqual(book["lost"]["link"], missed)
        self.assertEqual(book["delivered"], len(received))
        self.assertEqual(book["balance"], 0)
        self.assertEqual(received, sorted(set(received)), "in order and without duplicates")
        self.assertLess(max(received), events, "the last event was to be among the lost")


if __name__ == "__main__":
    unittest.main()
