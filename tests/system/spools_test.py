"""Several spools: what one missed it gets from another, and in the end all have the same."""

import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll, spool_port, work
from support.mesh import Mesh
from support.proxy import proxied


def summary(node):
    """(origin, incarnation, journal) -> (ranges, voids, where it ended)."""
    with spool_port.SpoolPort(node) as port:
        journals = port.journals() or {}
        return {key: (state["ranges"], state["voids"], state.get("final")) for key, state in journals.items()}


class Spools(unittest.TestCase):
    def start(self, spools):
        self.mesh = Mesh(spools=spools)
        self.addCleanup(self.mesh.close)
        self.first = self.mesh.node("first", spool={}, topic=work.CONFIRMED).start().ready()
        self.second = self.mesh.node("second", join=[self.first], spool={}, topic=work.CONFIRMED).start().ready()
        self.source = self.mesh.node("source", join=[self.first], topic=work.CONFIRMED).start().ready()
        self.mesh.alive_everywhere([self.first, self.second, self.source])

    def confirms(self, publisher, more, watchdog=60):
        count = publisher.count() + more
        poll.until(lambda: publisher.count() >= count,
                   lambda: f"{publisher.count()} of {count} confirms; refused {dict(publisher.refusals)}", watchdog)

    def converge(self, *spools, watchdog=90):
        """Waits until the spools have the same; returns how many frames they have of the source."""
        spools = spools or (self.first, self.second)

        def same():
            one, *others = (spool_port.contents(s) for s in spools)
            return one if one is not None and all(one == other for other in others) else None
        one = poll.until(same, lambda: "the spools to have the same: "
                         + "\n".join(f"{s.name}: {summary(s)}\n{s.log()[-1500:]}" for s in spools), watchdog, pause=0.5)
        return sum(len(frames) for (origin, _, _), (*_, frames) in one.items() if origin == "source")

    def adopted(self, spool):
        return spool.spool_stats()["catchup"]["adopted"]

    def positions(self, spool):
        """How many positions of the source's confirmed journal it has."""
        with spool_port.SpoolPort(spool) as port:
            return sum(last - first + 1 for key, state in (port.journals() or {}).items()
                       if key[0] == "source" and key[2] == 1 for first, last in state["ranges"])

    def test_one_that_was_killed_has_it_all_again(self):
        self.start(spools=1)
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 500)
            self.second.kill()
            self.confirms(publisher, 2000)
            self.second.start()
            self.confirms(publisher, 500)
        self.assertGreater(self.converge(), 0)

    def test_the_other_spool_gives_what_its_origin_cannot_give_any_more(self):
        self.start(spools=1)
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 500)
            self.second.kill()
            before = self.positions(self.first)
            self.confirms(publisher, 2000)
        self.source.kill()
        after = self.positions(self.first)
        self.assertGreater(after, before)
        self.second.start().ready()
        self.converge()
        self.assertEqual(after, self.positions(self.second))
        self.assertGreater(self.adopted(self.second), 0)
        self.assertEqual(0, self.adopted(self.first))

    def test_the_end_of_an_origin_that_left_is_known_too(self):
        self.start(spools=1)
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 200)
            self.second.kill()
            self.confirms(publisher, 200)
        self.assertEqual(0, self.source.terminate())
        self.second.start().ready()
        self.converge()
        finals = [final for (origin, _, _), (_, _, final) in summary(self.second).items() if origin == "source"]
        self.assertEqual(2, len(finals))
        self.assertNotIn(None, finals)

    def test_a_third_one_that_was_never_there_gets_everything(self):
        self.start(spools=1)
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 1000)
        self.converge()
        self.source.kill()
        third = self.mesh.node("third", join=[self.first], spool={}, topic=work.CONFIRMED).start().ready()
        self.converge(self.first, self.second, third)

    def test_each_has_what_the_other_missed(self):
        self.start(spools=1)
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 300)
            self.second.kill()
            self.confirms(publisher, 1000)
        self.source.kill()           # what second missed, only first has
        self.first.kill()
        self.second.start().ready()  # and the next life only second
        self.source.start().ready()
        with work.Publisher(self.source) as later:
            self.confirms(later, 1000)
        self.source.kill()
        self.first.start().ready()
        self.converge()
        self.assertGreater(self.adopted(self.first), 0)
        self.assertGreater(self.adopted(self.second), 0)

    def test_an_older_copy_is_filled_up_from_the_other_spool(self):
        self.start(spools=1)
        path = self.second.spool_path
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 500)
        self.converge()
        self.second.terminate()
        copy = self.mesh.folder / "copy"
        copy.mkdir()
        for file in path.parent.glob(path.name + "*"):
            shutil.copy2(file, copy)
        self.second.start().ready()
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 2000)
        self.converge()
        self.source.kill()
        self.second.terminate()
        for file in path.parent.glob(path.name + "*"):
            os.unlink(file)
        for file in copy.iterdir():
            shutil.copy2(file, path.parent)
        self.second.start().ready()
        self.converge()
        self.assertGreater(self.adopted(self.second), 0)

    def test_a_stopped_spool_holds_nobody_up_where_one_is_enough(self):
        self.start(spools=1)
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 500)
            self.second.freeze()
            self.confirms(publisher, 3000)
            self.second.thaw()
            self.confirms(publisher, 500)
        self.converge()

    def test_a_stopped_spool_holds_confirms_up_where_two_are_needed(self):
        self.start(spools=2)
        with work.Publisher(self.source, timeout_ms=1000) as publisher:
            self.confirms(publisher, 500)
            unknown = publisher.unknown
            self.second.freeze()
            poll.until(lambda: self.source.stats()["degraded"], "the publisher to be degraded")
            poll.until(lambda: self.first.members()["source"]["degraded"], "the others to see that it is")
            poll.until(lambda: publisher.unknown > unknown or publisher.refusals, "a confirm that does not come")
            count = publisher.count()
            poll.holds(lambda: publisher.count() == count, 3, "no confirm by one spool alone")
            self.second.thaw()
            self.confirms(publisher, 500)
            poll.until(lambda: not self.source.stats()["degraded"], "the publisher to be whole again")
        self.converge()

    def test_losing_one_of_two_for_good_loses_nothing(self):
        self.start(spools=2)
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 2000)
            self.first.kill()
        work.check_stored_once(self, work.stored_ids(self.mesh, self.second), publisher.confirmed)

    def test_a_spool_that_is_down_since_the_last_run_is_not_left_out(self):
        """Which events there are, only the spools know together: one alone does not say where `now` is."""
        self.start(spools=1)
        worker = work.Worker(self.mesh, "desk", ["work."], durable="desk", start="now")
        consumer = self.mesh.node("consumer", join=[self.first], topic=work.CONFIRMED, agent=[worker.table])
        bystander = self.mesh.node("consumer", join=[self.first], node={"state_dir": str(consumer.state_dir)})
        bystander.start().ready()
        self.mesh.alive_everywhere([self.first, self.second, bystander])
        bystander.terminate()
        self.second.kill()
        poll.until(lambda: self.first.state_of("second") == "dead", "the second spool to be dead for the first")
        consumer.start().ready()
        # Until it knows, `pending` asks that node too and says that it gave no answer.
        poll.until(lambda: consumer.state_of("second") == "dead", "the second spool to be dead for the consumer")

        def row():
            return work.pending(self.mesh, consumer, "desk") or {}
        poll.until(lambda: row().get("trouble", "").endswith("second; a reset begins without them"), row)
        self.second.start().ready()
        poll.until(lambda: row().get("state") == "active", row)

    def test_a_node_that_comes_back_without_a_spool_is_none_any_more(self):
        self.start(spools=1)

        def links():
            return {link["spool"] for link in self.source.stats()["journal"]["links"]}
        poll.until(lambda: links() == {"first", "second"}, links)
        self.second.kill()
        plain = self.mesh.node("second", join=[self.first], topic=work.CONFIRMED,
                               node={"state_dir": str(self.second.state_dir)}).start().ready()
        poll.until(lambda: links() == {"first"}, links)
        self.mesh.alive_everywhere([self.first, plain, self.source])
        with work.Publisher(self.source) as publisher:
            self.confirms(publisher, 200)

    def test_after_a_partition_they_converge_and_verify_shows_it(self):
        """Each side goes on recording: one spool is enough, and each has a publisher."""
        self.mesh = Mesh(spools=1)
        self.addCleanup(self.mesh.close)
        self.first = proxied(self.mesh, "first", spool={}, topic=work.CONFIRMED).start().ready()
        self.second = proxied(self.mesh, "second", join=[self.first], spool={}, topic=work.CONFIRMED).start().ready()
        sides = (self.first, self.second)
        self.mesh.alive_everywhere(sides)
        with work.Publisher(self.first) as at_first, work.Publisher(self.second) as at_second:
            for publisher in (at_first, at_second):
                self.confirms(publisher, 300)
            for node in sides:
                node.proxy.cut()
            poll.until(lambda: self.first.state_of("second") == self.second.state_of("first") == "dead",
                       "each to hold the other one for dead")
            for publisher in (at_first, at_second):
                self.confirms(publisher, 1000)
        confirmed = {**at_first.confirmed, **at_second.confirmed}
        self.assertNotEqual(summary(self.first), summary(self.second))

        for node in sides:
            node.proxy.mend()

        def compared(*more):
            return self.mesh.cli("spool", "verify", "first", "--against", "second", *more, node=self.first)
        last = poll.until(lambda: (done := compared()).returncode == 0 and done, lambda: compared().stdout, pause=0.5)
        self.assertIn("same", last.stdout)
        self.assertEqual(0, compared("--full").returncode)
        for node in sides:
            work.check_stored_once(self, work.stored_ids(self.mesh, node), confirmed)


if __name__ == "__main__":
    unittest.main()
