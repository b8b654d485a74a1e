"""Groups with real processes: members share the shards, one may join, die or lose the home, and nothing is skipped."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import work
from support.crew import TOPIC, Crew


class Groups(Crew):
    def test_a_third_member_takes_its_part_and_nothing_is_lost_or_done_twice(self):
        self.shared(4, 4)
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            self.moves_on(publisher)
            c = self.member("c").start()
            self.shared(3, 3, 2)
            self.moves_on(publisher)
            self.assertEqual(0, c.terminate())  # going in order is no death either
            self.shared(4, 4)
            self.moves_on(publisher)
        self.all_done(publisher.confirmed)
        self.check(twice=False)
        self.assertEqual({"a", "b", "c"}, {member for member, _ in self.did()})
        table = self.mesh.cli("pending", "--group", "crew", node=self.vault, check=0).stdout
        self.assertIn("group crew of work., home vault", table)
        self.assertRegex(table, r"a/worker +here +4")

    def test_the_shares_of_who_is_killed_are_taken_over(self):
        self.shared(4, 4)
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            self.moves_on(publisher)
            self.a.kill()
            self.shared(8)
            self.moves_on(publisher)
            self.a.start()
            self.shared(4, 4)
            self.moves_on(publisher)
        self.all_done(publisher.confirmed)
        self.check(twice=True)

    def test_while_the_home_is_down_work_goes_on_and_nothing_is_handed_over(self):
        self.shared(4, 4)
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            self.moves_on(publisher)
            self.vault.kill()
            c = self.member("c").start().ready()
            c.wait_log("its home vault: ")
            before = {name for name, _ in self.did()}
            self.moves_on(publisher, 1000)
            self.assertEqual(before, {name for name, _ in self.did()})
            self.vault.start().ready()
            self.shared(3, 3, 2)
            self.moves_on(publisher)
        self.all_done(publisher.confirmed)
        self.check(twice=False)

    def test_who_says_otherwise_is_refused_with_the_difference(self):
        self.shared(4, 4)
        odd = work.Worker(self.mesh, "worker", [])
        odd.table["subscribe"] = [{"type": "work.", "group": "crew", "home": "vault", "shares": 4}]
        node = self.mesh.node("odd", join=[self.vault], agent=[odd.table], topic=TOPIC).start().ready()
        node.wait_log("odd/worker says shares = 4, its other members say 8")
        self.shared(4, 4)


if __name__ == "__main__":
    unittest.main()
