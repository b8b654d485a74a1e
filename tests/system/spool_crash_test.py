"""kill -9 of spool, publisher and consumers at random moments under load: what was confirmed is there, once, and done.

LEGION_ROUNDS: kills (default 20; soak: 100). LEGION_SEED: repeats a run.
"""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll, work
from support.mesh import Mesh

ROUNDS = int(os.environ.get("LEGION_ROUNDS", "20"))


class SpoolCrash(unittest.TestCase):
    """Two durable consumers: `desk` of everything at a node of its own, `clerk` of one type at the spool's node."""

    def setUp(self):
        self.random = work.seeded()
        self.mesh = Mesh(spools=1)
        self.addCleanup(self.mesh.close)
        self.desk = work.Worker(self.mesh, "desk", ["work."], durable="desk", start="beginning")
        self.clerk = work.Worker(self.mesh, "clerk", ["work.a"], durable="clerk", start="beginning")
        self.vault = self.mesh.node("vault", spool={}, agent=[self.clerk.table], topic=work.CONFIRMED).start().ready()
        self.source = self.mesh.node("source", join=[self.vault], topic=work.CONFIRMED).start()
        self.consumer = self.mesh.node("consumer", join=[self.vault], agent=[self.desk.table], topic=work.CONFIRMED)
        self.consumer.start()
        for node in (self.source, self.consumer):
            node.ready()
        self.mesh.alive_everywhere([self.vault, self.source, self.consumer])

    def moves_on(self, publisher, confirms, record_bytes):
        """Waits until so much more was confirmed and done: a moment that no clock decides."""
        count = publisher.count() + confirms
        size = self.desk.size() + record_bytes
        poll.until(lambda: publisher.count() >= count and self.desk.size() >= size,
                   lambda: f"progress: {publisher.count()} of {count} confirmed, {self.desk.size()} of {size} bytes "
                           f"done; refused {dict(publisher.refusals)}; vault:\n{self.vault.log()[-2000:]}",
                   watchdog=120, pause=0.001)

    def check(self, publisher):
        confirmed = publisher.confirmed
        for worker, its in ((self.desk, confirmed), (self.clerk, [i for i in confirmed if ":work.a:" in i])):
            work.all_done(worker, its)
            work.check_done_in_order(self, worker, its)
        work.check_stored_once(self, work.stored_ids(self.mesh, self.vault), confirmed)

    def kill_and_start(self, victims):
        for victim in victims:
            victim.kill()
        for victim in victims:
            victim.start()
        if self.random.random() < 0.3:
            self.random.choice(victims).restart()  # while it is still starting

    def test_nothing_confirmed_is_lost_however_often_they_are_killed(self):
        nodes = [self.vault, self.source, self.consumer]
        with work.Publisher(self.source) as publisher:
            for _ in range(ROUNDS):
                self.moves_on(publisher, self.random.randrange(1, 2000), self.random.randrange(0, 20_000))
                self.kill_and_start(self.random.sample(nodes, self.random.choice((1, 1, 1, 2, 3))))
            self.moves_on(publisher, 1, 1)
            self.source.kill()  # for good: what is open now only the spool has
        self.kill_and_start([self.consumer])
        self.check(publisher)

    def test_what_was_confirmed_is_done_also_when_its_origin_is_gone_for_good(self):
        with work.Publisher(self.source) as publisher:
            self.moves_on(publisher, 1000, 1000)
            self.consumer.freeze()
            confirmed = publisher.count()
            poll.until(lambda: publisher.count() > confirmed + 2000, "confirms that the consumer does not see")
            self.source.kill()
            self.consumer.kill()
        self.consumer.start()
        self.check(publisher)

    def test_a_publisher_that_is_restarted_goes_on_under_new_ids(self):
        with work.Publisher(self.source) as publisher:
            for _ in range(3):
                self.moves_on(publisher, 500, 500)
                self.source.restart()
            self.moves_on(publisher, 500, 500)
        lives = {event_id.split(":")[1] for event_id in publisher.confirmed}
        self.assertGreaterEqual(len(lives), 3)
        self.check(publisher)


if __name__ == "__main__":
    unittest.main()
