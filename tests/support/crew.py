"""A group of real nodes and what its members did, for tests of groups."""

import collections
import json
import unittest

from support import poll, work
from support.mesh import Mesh

SHARES = 8
TOPIC = [{"prefix": "work.", "durability": "confirmed", "shards": 16}]


class Crew(unittest.TestCase):
    """`vault` is the home, `cellar` a second spool that keeps what is confirmed while the home is down."""

    settings = {}  # of the agents

    def setUp(self):
        self.mesh = Mesh(spools=1)
        self.addCleanup(self.mesh.close)
        self.together = self.mesh.folder / "together"  # what all members did, in the order they did it
        self.workers = {}
        self.vault = self.mesh.node("vault", spool={}, topic=TOPIC).start().ready()
        self.cellar = self.mesh.node("cellar", join=[self.vault], spool={}, topic=TOPIC).start().ready()
        self.source = self.mesh.node("source", join=[self.vault], topic=TOPIC).start()
        self.a = self.member("a").start()
        self.b = self.member("b").start()
        self.nodes = [self.vault, self.cellar, self.source, self.a, self.b]
        for node in self.nodes:
            node.ready()
        self.mesh.alive_everywhere(self.nodes)

    def member(self, name):
        worker = work.Worker(self.mesh, "worker", [], **self.settings)
        worker.table["env"]["TOGETHER"] = f"{self.together} {name}"
        worker.table["subscribe"] = [{"type": "work.", "group": "crew", "home": "vault", "shares": SHARES,
                                      "start": "beginning"}]
        self.workers[name] = worker
        return self.mesh.node(name, join=[self.vault, self.cellar], agent=[worker.table], topic=TOPIC)

    def group(self):
        rows = json.loads(self.mesh.cli("pending", "--group", "crew", "-o", "json", node=self.vault).stdout or "[]")
        return next((row for row in rows if row["home"] == "vault"), None)

    def held(self):
        """Member -> shares that it holds and that are active there."""
        held = collections.Counter()
        for share in (self.group() or {"shares": []})["shares"]:
            if share["lease"] == "held" and share["state"] == "active":
                held[share["holder"].partition("/")[0]] += 1
        return held

    def shared(self, *expected):
        poll.until(lambda: sorted(self.held().values()) == sorted(expected),
                   lambda: f"shares {expected}; {self.group()}\n{self.b.log()[-3000:]}", watchdog=120)

    def did(self):
        """(member, id) of everything that was done, in the order of time over all members."""
        if not self.together.exists():
            return []
        whole, _, _ = self.together.read_text().rpartition("\n")
        return [tuple(line.split(" ")) for line in whole.splitlines()]

    def all_done(self, confirmed):
        def missing():
            done = {event_id for _, event_id in self.did()}
            return [event_id for event_id in confirmed if event_id not in done]
        poll.until(lambda: not missing(), lambda: f"all to be done; {len(missing())} of {len(confirmed)} are missing, "
                                                  f"such as {missing()[:3]}; {self.group()}", watchdog=120, pause=0.2)

    def check(self, twice):
        """Every stream was done in order. `twice`: whether a death excuses that events were done again."""
        last = {}
        again = collections.Counter()
        for member, event_id in self.did():
            stream, sequence = work.stream_of(event_id)
            if sequence <= last.get(stream, 0):
                again[stream] += 1
                continue
            self.assertEqual(sequence, last.get(stream, 0) + 1, f"{member} did {event_id} before what is before it")
            last[stream] = sequence
        if not twice:
            self.assertEqual({}, dict(again), "nobody died, and events were done twice")
        return sum(again.values())

    def moves_on(self, publisher, confirms=500):
        count, done = publisher.count() + confirms, len(self.did()) + confirms
        poll.until(lambda: publisher.count() >= count and len(self.did()) >= done,
                   lambda: f"{publisher.count()} of {count} confirmed, {len(self.did())} of {done} done; "
                           f"{self.group()}",
                   watchdog=120)
