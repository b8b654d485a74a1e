"""A consumer that was away catches up while the flood goes on: in order, everything, with bounded memory.

LEGION_EVENTS: how many it misses (default 1000000; soak: 2000000).
"""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll, work
from support.mesh import Mesh

FLOOD = 5000  # events a second that go on meanwhile
EVENTS = int(os.environ.get("LEGION_EVENTS", "1000000"))
# A node with default mailboxes and the bounded buffer of a repair; far below what a million events would take.
RSS_BYTES_MAX = 400 << 20
SLOW = {"heartbeat": {"interval": "500ms", "suspect_after": "60s", "dead_after": "120s"}}


def lines_of(path):
    """What a sink wrote: (stream, sequence) of each event, in order."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            begin = line.rindex('"id":"') + 6  # the last: a line that a kill cut short stands before it
            yield work.stream_of(line[begin:line.index('"', begin)])


class CatchUp(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh(spools=1)
        self.addCleanup(self.mesh.close)
        self.vault = self.mesh.node("vault", spool={}, topic=work.CONFIRMED, **SLOW).start().ready()
        self.path = self.mesh.folder / "sink.jsonl"
        sink = {"name": "sink", "builtin": "sink", "file": str(self.path),
                "subscribe": [{"type": "work.", "durable": "sink", "start": "beginning"}]}
        self.consumer = self.mesh.node("consumer", join=[self.vault], agent=[sink], topic=work.CONFIRMED, **SLOW)
        self.consumer.start().ready()
        self.source = self.feeding("source", "work.tick", rate=FLOOD).start()
        self.burst = self.feeding("burst", "work.burst", speed="max", count=EVENTS)

    def feeding(self, name, type_, **feed):
        feed = {"name": "feed", "builtin": "feed", "type": type_, "fields": {"symbol": "XBT/USDT"}, **feed}
        return self.mesh.node(name, join=[self.vault], agent=[feed], topic=work.CONFIRMED, **SLOW)

    def published(self):
        return self.source.agent("feed")["counters"].get("published", 0)

    def delivered(self):
        return self.consumer.book("sink", "work.")["delivered"]

    def stored(self):
        return (self.vault.spool_stats() or {}).get("events", 0)

    def row(self):
        return work.pending(self.mesh, self.consumer, "sink")

    def check_order(self):
        last = {}
        for stream, sequence in lines_of(self.path):
            if sequence <= last.get(stream, 0):
                continue  # once more, after a crash
            self.assertEqual(last.get(stream, 0) + 1, sequence, stream)
            last[stream] = sequence
        return sum(last.values())

    def test_away_for_many_events(self):
        poll.until(lambda: self.delivered() > 1000, "the flow to have begun")
        self.consumer.kill()
        begin = self.stored()
        self.burst.start()
        poll.until(lambda: self.stored() > begin + EVENTS, lambda: f"{self.stored() - begin} of {EVENTS} to be stored",
                   watchdog=240, pause=0.2)
        missed = self.stored() - sum(1 for _ in lines_of(self.path))
        self.consumer.start().ready()
        most = 0

        def caught_up():
            """It has been handed everything it missed, while more came all the time."""
            nonlocal most
            most = max(most, self.consumer.rss_bytes())
            return self.delivered() > missed + 2 * FLOOD
        poll.until(caught_up, lambda: f"it to catch up: {self.row()}", watchdog=480, pause=0.1)
        self.assertLess(most, RSS_BYTES_MAX)
        published = self.published()
        poll.until(lambda: self.published() > published + FLOOD, "the flood to go on")
        for node in (self.burst, self.source):
            self.assertEqual(0, node.terminate())  # with a goodbye, so that the end is known
        total = self.stored()
        poll.until(lambda: (self.row() or {}).get("pending") == 0, lambda: f"nothing to be pending: {self.row()}",
                   watchdog=240, pause=0.2)
        done = self.check_order()
        self.assertGreaterEqual(done, EVENTS + published)
        self.assertLessEqual(done, total)


if __name__ == "__main__":
    unittest.main()
