"""Groups with real processes when something is wrong: paused members, homes that come and go or are none."""

import collections
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll, work
from support.crew import TOPIC, Crew


class GroupFaults(Crew):
    def done_twice(self):
        """id -> members that did it, of what was done more than once"""
        doers = collections.defaultdict(list)
        for member, event_id in self.did():
            doers[event_id].append(member)
        return {event_id: members for event_id, members in doers.items() if len(members) > 1}

    def test_who_was_stopped_for_long_finds_its_shares_elsewhere_and_what_it_still_says_counts_for_nothing(self):
        self.shared(4, 4)
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            self.moves_on(publisher)
            self.a.freeze()
            self.shared(8)
            self.moves_on(publisher)
            self.a.thaw()
            self.a.wait_log(r"share crew/\d: lease \d+ is lost; \d+ events under way count for nothing")
            self.shared(4, 4)
            self.moves_on(publisher)
        self.all_done(publisher.confirmed)
        self.check(twice=True)
        # Under the lease that a did not know to be over, and by whoever had the share then: nothing else comes again.
        for event_id, members in self.done_twice().items():
            self.assertEqual(2, len(members), f"{event_id} was done by {members}")
            self.assertIn("a", members, f"{event_id} was done twice, and not because a was stopped")

    def test_a_home_that_comes_back_at_once_finds_everything_where_it_was(self):
        self.shared(4, 4)
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            for _ in range(3):
                self.moves_on(publisher)
                self.vault.kill()
                self.vault.start().ready()
            self.moves_on(publisher)
            self.shared(4, 4)
        self.all_done(publisher.confirmed)
        self.check(twice=False)
        self.assertEqual(0, self.group()["moved"], self.group())

    def test_a_home_that_was_stopped_for_long_takes_nobody_for_dead(self):
        self.shared(4, 4)
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            self.moves_on(publisher)
            self.vault.freeze()
            self.b.wait_log("member vault: suspect -> dead")
            self.moves_on(publisher)
            self.vault.thaw()
            self.b.wait_log("member vault: dead -> alive")
            self.moves_on(publisher)
            self.shared(4, 4)
            self.moves_on(publisher)
        self.all_done(publisher.confirmed)
        self.check(twice=False)

    def test_members_that_stop_and_start_in_order_under_load_leave_nothing_and_repeat_nothing(self):
        self.shared(4, 4)
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            for member in (self.a, self.b, self.a):
                self.moves_on(publisher)
                self.assertEqual(0, member.terminate())
                self.shared(8)
                self.moves_on(publisher)
                member.start().ready()
                self.shared(4, 4)
            self.moves_on(publisher)
        self.all_done(publisher.confirmed)
        self.check(twice=False)

    def test_who_stops_in_order_while_the_home_is_down_is_followed_when_it_is_back(self):
        self.shared(4, 4)
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            self.moves_on(publisher)
            self.vault.kill()
            self.assertEqual(0, self.a.terminate())
            self.vault.start().ready()
            self.shared(8)
            self.moves_on(publisher)
        self.all_done(publisher.confirmed)
        self.check(twice=False)

    def test_a_home_that_is_no_spool_gives_nothing_and_says_so(self):
        for home, name in (("source", "c"), ("nowhere", "d")):
            lost = work.Worker(self.mesh, "worker", [])
            lost.table["subscribe"] = [{"type": "work.", "group": "lost", "home": home, "start": "beginning"}]
            node = self.mesh.node(name, join=[self.vault], agent=[lost.table], topic=TOPIC).start().ready()
            node.wait_log(f"group lost: its home {home}: no spool {home} is known here")
            self.assertEqual([], lost.handed())

    def test_who_says_another_home_stands_back_until_it_is_alone(self):
        self.shared(4, 4)
        odd = work.Worker(self.mesh, "worker", [])
        odd.table["env"]["TOGETHER"] = f"{self.together} odd"
        odd.table["subscribe"] = [{"type": "work.", "group": "crew", "home": "cellar", "start": "beginning"}]
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            self.moves_on(publisher)
            node = self.mesh.node("odd", join=[self.vault, self.cellar], agent=[odd.table], topic=TOPIC).start().ready()
            node.wait_log('home = "cellar" is said here, a/worker says "vault"; it gets no shares')
            self.moves_on(publisher, 1000)
            self.assertEqual(["a", "b"], sorted({member for member, _ in self.did()}))
            self.assertEqual(0, self.a.terminate())
            self.assertEqual(0, self.b.terminate())
            poll.until(lambda: "odd" in {member for member, _ in self.did()}, lambda: node.log()[-3000:], 120)
        self.all_done(publisher.confirmed)
        self.check(twice=False)

    def test_who_says_another_type_is_refused_and_the_others_work_on(self):
        self.shared(4, 4)
        odd = work.Worker(self.mesh, "worker", [])
        odd.table["subscribe"] = [{"type": "work.a", "group": "crew", "home": "vault", "start": "beginning"}]
        node = self.mesh.node("odd", join=[self.vault], agent=[odd.table], topic=TOPIC).start().ready()
        node.wait_log('odd/worker says type = "work.a", its other members say "work."')
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            self.moves_on(publisher)
        self.all_done(publisher.confirmed)
        self.check(twice=False)
        self.assertEqual([], odd.handed())


class Letters(Crew):
    def member(self, name):
        node = super().member(name)
        self.workers[name].trouble({n: "reject" for n in range(40)})
        return node

    def test_letters_of_a_member_that_is_gone_for_good_are_handled_by_whoever_has_their_shares(self):
        self.shared(4, 4)
        events = [{"type": "work.a", "partitionkey": f"k{n}", "data": {"n": n}} for n in range(40)]
        answers = self.source.call("publish", {"events": events, "confirm": True, "timeout_ms": 30_000}, timeout=40)
        self.assertTrue(all(answer["confirmed"] for answer in answers), answers)

        def letters(state="dead"):
            shown = self.mesh.cli("dlq", "ls", "--state", state, "-o", "json", node=self.vault, check=0).stdout
            return json.loads(shown or "[]")
        poll.until(lambda: len(letters()) == 40, lambda: f"40 letters, not {len(letters())}", watchdog=60)
        of_a = sum(letter["agent"] == "a/worker" for letter in letters())
        self.assertGreater(of_a, 0)
        self.assertLess(of_a, 40)
        self.assertEqual(0, self.a.terminate())
        self.shared(8)

        self.workers["b"].trouble({})
        requeued = self.mesh.cli("dlq", "requeue", "--all", "-y", node=self.vault)

        self.assertEqual(0, requeued.returncode, requeued.stdout + requeued.stderr)
        self.assertEqual(of_a, requeued.stdout.count("at b"), requeued.stdout)
        poll.until(lambda: len(letters("resolved")) == 40, lambda: f"all to be resolved: {letters()}\n{self.b.log()}")
        self.assertEqual(set(range(40)), {one.number for one in self.workers["b"].done()})


if __name__ == "__main__":
    unittest.main()
