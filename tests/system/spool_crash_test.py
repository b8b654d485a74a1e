"""kill -9 of spool, publisher and consumer at random moments under load: what was confirmed is there, once, and done.

LEGION_ROUNDS: kills (default 20). LEGION_SEED: repeats a run.
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
    def setUp(self):
        self.random = work.seeded()
        self.mesh = Mesh(spools=1)
        self.addCleanup(self.mesh.close)
        self.vault = self.mesh.node("vault", spool={}, topic=work.CONFIRMED).start().ready()
        self.source = self.mesh.node("source", join=[self.vault], topic=work.CONFIRMED).start()
        self.worker = work.Worker(self.mesh, "desk", ["work."], durable="desk", start="beginning")
        self.consumer = self.mesh.node("consumer", join=[self.vault], agent=[self.worker.table], topic=work.CONFIRMED)
        self.consumer.start()
        for node in (self.source, self.consumer):
            node.ready()
        self.mesh.alive_everywhere([self.vault, self.source, self.consumer])

    def moves_on(self, publisher, confirms, record_bytes):
        """Waits until so much more was confirmed and done: a moment that no clock decides."""
        count = publisher.count() + confirms
        size = self.worker.size() + record_bytes
        poll.until(lambda: publisher.count() >= count and self.worker.size() >= size,
                   lambda: f"progress: {publisher.count()} of {count} confirmed, {self.worker.size()} of {size} bytes "
                           f"done; refused {dict(publisher.refusals)}; vault:\n{self.vault.log()[-2000:]}",
                   watchdog=120, pause=0.001)

    def check(self, publisher):
        work.all_done(self.worker, publisher.confirmed)
        work.check_stored_once(self, work.stored_ids(self.mesh, self.vault), publisher.confirmed)
        work.check_done_in_order(self, self.worker, publisher.confirmed)

    def test_nothing_confirmed_is_lost_however_often_they_are_killed(self):
        nodes = [self.vault, self.source, self.consumer]
        with work.Publisher(self.source) as publisher:
            for _ in range(ROUNDS):
                self.moves_on(publisher, self.random.randrange(1, 2000), self.random.randrange(0, 20_000))
                victims = self.random.sample(nodes, self.random.choice((1, 1, 1, 2, 3)))
                for victim in victims:
                    victim.kill()
                for victim in victims:
                    victim.start()
                if self.random.random() < 0.3:
                    self.random.choice(victims).restart()  # while it is still starting
            self.moves_on(publisher, 1, 1)
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
        lives = set()
        with work.Publisher(self.source) as publisher:
            for _ in range(3):
                self.moves_on(publisher, 500, 500)
                self.source.restart()
            self.moves_on(publisher, 500, 500)
        for event_id in publisher.confirmed:
            lives.add(event_id.split(":")[1])
        self.assertGreaterEqual(len(lives), 3)
        self.check(publisher)


class TwoSpools(unittest.TestCase):
    """SIGSTOP and loss of one of two spools."""

    def start(self, spools):
        self.mesh = Mesh(spools=spools)
        self.addCleanup(self.mesh.close)
        self.first = self.mesh.node("first", spool={}, topic=work.CONFIRMED).start().ready()
        self.second = self.mesh.node("second", join=[self.first], spool={}, topic=work.CONFIRMED).start().ready()
        self.source = self.mesh.node("source", join=[self.first], topic=work.CONFIRMED).start().ready()
        self.mesh.alive_everywhere([self.first, self.second, self.source])

    def confirms(self, publisher, more):
        count = publisher.count() + more
        poll.until(lambda: publisher.count() >= count,
                   lambda: f"{publisher.count()} of {count} confirms; refused {dict(publisher.refusals)}")

    def have_the_same(self, confirmed):
        def same():
            first, second = (set(work.stored_ids(self.mesh, s)) for s in (self.first, self.second))
            return first == second and first >= set(confirmed)
        poll.until(same, "both spools to have the same events, among them all that were confirmed", pause=0.5)

    def test_with_one_required_a_stopped_spool_holds_nobody_up(self):
        self.start(spools=1)
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 500)
            self.second.freeze()
            self.confirms(publisher, 2000)
            self.second.thaw()
        self.have_the_same(publisher.confirmed)

    def test_with_two_required_nothing_is_confirmed_while_one_is_stopped(self):
        self.start(spools=2)
        with work.Publisher(self.source, timeout_ms=1000) as publisher:
            self.confirms(publisher, 500)
            self.second.freeze()
            poll.until(lambda: self.source.stats()["degraded"], "the publisher to be degraded")
            count = publisher.count()
            poll.holds(lambda: publisher.count() == count, 3, "no confirm by one spool alone")
            self.second.thaw()
            self.confirms(publisher, 500)
            poll.until(lambda: not self.source.stats()["degraded"], "the publisher to be whole again")
        self.have_the_same(publisher.confirmed)

    def test_losing_one_of_two_for_good_loses_nothing(self):
        self.start(spools=2)
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 2000)
            self.first.kill()
        ids = work.stored_ids(self.mesh, self.second)
        work.check_stored_once(self, ids, publisher.confirmed)

    def test_one_that_was_away_gets_from_the_other_what_its_origin_no_longer_has(self):
        self.start(spools=1)
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 500)
            self.second.kill()
            self.confirms(publisher, 2000)
        self.source.kill()
        self.second.start()
        self.have_the_same(publisher.confirmed)
        work.check_stored_once(self, work.stored_ids(self.mesh, self.second), publisher.confirmed)


if __name__ == "__main__":
    unittest.main()
