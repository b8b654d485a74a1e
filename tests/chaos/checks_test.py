"""The checkers of the chaos run, each with a history that is right and with one thing wrong in it."""

import pathlib
import sys
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from chaos import checks, losses, plan, rules  # noqa: E402
from chaos.history import History, Line  # noqa: E402
from chaos.load import Told  # noqa: E402

FIRST, SECOND = 100, 200  # process ids of two lives of a node


def reader(agent, filter_, part="plain", durable=None, gate=None, group=None):
    return types.SimpleNamespace(name=f"n1/{agent}", node_name="n1", agent=agent, filter=filter_, part=part,
                                 durable=durable, gate=gate, group=group, path=pathlib.Path("/nonexistent"))


def event_id(type_, sequence, node="n2", incarnation=7):
    return f"{node}:{incarnation}:2:{type_}:0:{sequence}"


class World:
    """Everything of three types was published as number = sequence; `write` says what agents were handed."""

    def __init__(self, **readers):
        self.readers = readers
        self.told = Told("n2")
        self.clock = 100.0

    def publish(self, type_, count, confirmed=True):
        for sequence in range(1, count + 1):
            key = ("p-" + type_, sequence)
            self.told.attempted[key] = type_
            self.told.ids[key] = (event_id(type_, sequence), self.clock, confirmed)
        return self

    def history(self):
        return History(types.SimpleNamespace(readers=list(self.readers.values())), [self.told])

    def write(self, history, agent, kind, type_, sequences, node_pid=FIRST, pid=1, attempt=1):
        for sequence in sequences:
            self.clock += 0.001
            history.lines[f"n1/{agent}"].append(
                Line(kind, node_pid, pid, self.clock, attempt, event_id(type_, sequence), ("p-" + type_, sequence)))


class Checks(unittest.TestCase):
    def setUp(self):
        self.gate = reader("gate", "order.", "gate")
        self.world = World(
            desk=reader("desk", "work.", "durable", durable="desk"), plain=reader("plain", "load."), gate=self.gate,
            dealer=reader("dealer", "order.", "durable", durable="dealer", gate=self.gate),
            coroner=reader("coroner", "poison.", "coroner", durable="coroner"))
        self.world.publish("work.live.a", 20).publish("load.plain.a", 20, confirmed=False).publish("order.new", 16)
        self.world.publish("poison.pill", 20)
        self.history = self.world.history()
        for kind in "HD":
            self.write("desk", kind, "work.live.a", range(1, 21))
        self.write("plain", "H", "load.plain.a", range(1, 21))
        passed = [n for n in range(1, 17) if rules.passes_gate(n)]
        for agent, kind, sequences in (("gate", "H", range(1, 17)), ("gate", "A", passed), ("dealer", "H", passed),
                                       ("dealer", "D", passed)):
            self.write(agent, kind, "order.new", sequences)
        well = [n for n in range(1, 21) if not rules.poison(n)]
        self.write("coroner", "H", "poison.pill", range(1, 21))
        self.write("coroner", "D", "poison.pill", well)
        self.history.letters = [self.letter(n) for n in range(1, 21) if rules.poison(n)]
        everything = [(i, key) for i, (key, _, _) in self.history.answered.items()]
        self.history.stored = {"s1": list(everything), "s2": list(everything)}

    def write(self, *args, **kwargs):
        self.world.write(self.history, *args, **kwargs)

    @staticmethod
    def letter(number, **changed):
        return {"id": event_id("poison.pill", number), "agent": "n1/coroner", "attempts": 3, "reason": "handler_error",
                "error": "", **changed}

    def lines(self, agent):
        return self.history.lines[f"n1/{agent}"]

    def found(self):
        return {check: lines for check, lines in checks.all_of(self.history).items() if lines}

    def assert_found(self, check, words):
        found = self.found()
        self.assertEqual([check], list(found), found)
        self.assertIn(words, found[check][0])

    def test_a_history_without_fault_has_none(self):
        self.assertEqual({}, self.found())

    def test_a_confirmed_event_that_was_not_done(self):
        lines = self.lines("desk")
        lines.remove(next(line for line in lines if line.kind == "D" and line.id.endswith(":20")))
        self.assert_found("at least once", "work.live.a:0:20 by n1/desk")

    def test_a_confirmed_event_that_one_spool_lacks(self):
        self.history.stored["s2"].pop(0)
        self.assert_found("spools", "at s2")

    def test_an_event_that_is_stored_twice(self):
        self.history.stored["s1"].append(self.history.stored["s1"][3])
        self.assert_found("spools", "stored 2 times")

    def test_an_event_nobody_published(self):
        self.lines("plain").append(Line("H", FIRST, 1, 900.0, 1, event_id("load.plain.a", 21), ("p-ghost", 1)))
        self.assert_found("identities", "nobody published")

    def test_one_id_for_two_events(self):
        key = ("p-load.plain.a", 99)
        self.world.told.attempted[key] = self.history.attempted[key] = ("load.plain.a", "n2")
        self.history.stored["s1"][20] = (self.history.stored["s1"][20][0], key)
        self.assertIn("one id, two events", self.found()["identities"][0])

    def test_events_of_a_stream_in_the_wrong_order(self):
        lines = self.lines("plain")
        lines[4], lines[5] = lines[5], lines[4]
        self.assert_found("order", "n1/plain got")

    def test_numbers_of_a_publisher_in_the_wrong_order(self):
        one, other = event_id("load.plain.a", 3), event_id("load.plain.a", 4)
        keys = self.history.key_of
        keys[one], keys[other] = keys[other], keys[one]
        self.assert_found("publish order", "behind its number")

    def test_a_plain_event_twice_in_one_life(self):
        self.write("plain", "H", "load.plain.a", [20])
        self.assert_found("repeats", "as attempt 1 after attempt 1")

    def test_a_plain_event_in_two_lives(self):
        self.write("plain", "H", "load.plain.a", [20], node_pid=SECOND)
        self.assert_found("repeats", "in two lives")

    def test_a_durable_event_again_only_after_an_end(self):
        for kind in "HD":
            self.write("desk", kind, "work.live.a", [20], node_pid=SECOND)
        self.assertEqual({}, self.found())
        self.assertEqual(1, losses.Repeats(self.history, self.world.readers["desk"]).again)
        self.write("desk", "H", "work.live.a", [20], node_pid=SECOND)
        self.assert_found("repeats", "as attempt 1 after attempt 1")

    def test_an_attempt_that_is_counted_back_is_told(self):
        self.write("coroner", "H", "poison.pill", [3], attempt=2)
        self.write("coroner", "H", "poison.pill", [3], node_pid=SECOND, pid=2)
        self.assertEqual({}, self.found())
        repeats = losses.Repeats(self.history, self.world.readers["coroner"])
        self.assertEqual((1, 1, 2), (repeats.again, repeats.counted_back, repeats.lives))

    def test_one_attempt_too_many(self):
        self.write("coroner", "H", "poison.pill", [3], node_pid=SECOND, attempt=4)
        self.assert_found("repeats", "as attempt 4")

    def test_an_event_that_passed_a_gate_which_did_not_say_yes(self):
        self.write("dealer", "H", "order.new", [5])
        self.assert_found("gates", "order.new:0:5 before")

    def test_an_event_that_passed_a_gate_in_a_life_in_which_it_was_not_asked(self):
        self.write("dealer", "H", "order.new", [1], node_pid=SECOND)
        self.assert_found("gates", "order.new:0:1 before")

    def test_poison_that_is_no_letter_and_an_innocent_that_is_one(self):
        del self.history.letters[0]
        self.assertEqual(["at least once", "letters"], list(self.found()))
        self.history.letters.insert(0, self.letter(3))
        self.history.letters.append(self.letter(4))
        self.assert_found("letters", "is no poison and dead")

    def test_a_letter_after_too_few_attempts_or_twice(self):
        self.history.letters[0] = self.letter(3, attempts=2)
        self.assert_found("letters", "after 2 attempts")
        self.history.letters[0] = self.letter(3)
        self.history.letters.append(self.letter(3))
        self.assert_found("letters", "2 of")


class Groups(unittest.TestCase):
    """Two members: one did 1 to 10, the other 11 to 20."""

    def setUp(self):
        members = {name: reader(name, "crew.", "durable", group="crew") for name in ("one", "other")}
        self.world = World(**members).publish("crew.task", 20)
        self.history = self.world.history()
        everything = [(i, key) for i, (key, _, _) in self.history.answered.items()]
        self.history.stored = {"s1": list(everything), "s2": list(everything)}

    def do(self, member, sequences):
        for sequence in sequences:
            self.world.write(self.history, member, "H", "crew.task", [sequence])
            self.world.write(self.history, member, "D", "crew.task", [sequence])

    def found(self):
        return {check: lines for check, lines in checks.all_of(self.history).items() if lines}

    def test_done_by_some_member_is_done_and_again_is_no_disorder(self):
        self.do("one", range(1, 11))
        self.do("other", range(9, 21))
        self.assertEqual({}, self.found())

    def test_an_event_that_no_member_did(self):
        self.do("one", range(1, 10))
        self.do("other", range(11, 21))
        self.assertEqual(["groups"], list(self.found()))
        self.assertIn("crew.task:0:10 by no member", self.found()["groups"][0])

    def test_a_share_that_went_on_behind_what_was_not_done(self):
        self.do("one", range(1, 10))
        self.do("other", range(11, 21))
        self.do("one", [10])
        self.assertIn("first after 20", self.found()["groups"][0])

    def test_a_letter_of_a_member(self):
        self.do("one", range(1, 11))
        self.do("other", range(12, 21))
        self.history.letters = [{"id": event_id("crew.task", 11), "agent": "n1/other", "attempts": 3,
                                 "reason": "handler_error", "error": ""}]
        self.assertEqual(["letters"], list(self.found()))


class Books(unittest.TestCase):
    """A reader that was handed 3, 4, 7 of 10 events of an origin that lives."""

    def judged(self, lost, delivered=3, started=50.0, living=True):
        world = World(plain=reader("plain", "load.")).publish("load.plain.a", 10, confirmed=False)
        history = world.history()
        world.write(history, "plain", "H", "load.plain.a", [3, 4, 7])
        history.living = {("n2", 7)} if living else set()
        book = {"agent": "plain", "type": "load.", "published": lost + delivered, "delivered": delivered, "dead": 0,
                "expired": 0, "filtered": {"stopped": 0}, "lost": {"link": lost}, "pending": 0, "balance": 0}
        history.stats = {"n1": {"subscriptions": [book]}}
        return losses.of(history, world.readers["plain"], {"pid": FIRST, "started": started})

    def test_the_middle_and_the_tail_have_to_be_in_them_and_the_prefix_may(self):
        loss = self.judged(5)
        self.assertEqual((2, 2, 3), (loss.prefix, loss.middle, loss.tail))
        self.assertEqual((5, 7), (loss.least, loss.most))
        self.assertEqual([], loss.violations)
        self.assertEqual([], self.judged(7).violations)
        self.assertTrue(self.judged(4).violations)
        self.assertTrue(self.judged(8).violations)

    def test_what_was_out_before_the_life_began_is_not_in_them(self):
        loss = self.judged(5, started=150.0)
        self.assertTrue(loss.exact)
        self.assertEqual([], loss.violations)
        self.assertTrue(self.judged(6, started=150.0).violations)

    def test_the_tail_of_an_origin_that_is_gone_may_be_unknown(self):
        self.assertEqual([], self.judged(2, living=False).violations)
        self.assertTrue(self.judged(1, living=False).violations)

    def test_more_delivered_than_handed_over(self):
        self.assertTrue(self.judged(5, delivered=4).violations)

    def test_what_is_handed_over_outside_the_books_may_hide_the_gap_behind_it(self):
        loss = self.judged(3, delivered=1)
        self.assertEqual(2, loss.outside)
        self.assertEqual([], loss.violations)


class Plan(unittest.TestCase):
    def drawn(self, seed):
        return plan.drawn(seed, 60, ["s1", "s2"], ["n1", "n2", "n3"], plan.KINDS)

    def test_a_seed_gives_one_plan(self):
        self.assertEqual(self.drawn(5), self.drawn(5))
        self.assertNotEqual(self.drawn(5), self.drawn(6))

    def test_every_kind_comes(self):
        kinds = {fault.kind for seed in range(30) for fault in self.drawn(seed)}
        self.assertEqual(set(plan.KINDS), kinds)

    def test_nobody_has_two_faults_of_a_process_at_once(self):
        for seed in range(20):
            busy = {}
            for fault in self.drawn(seed):
                if fault.kind in plan.PROCESS:
                    for name in fault.targets:
                        self.assertGreaterEqual(fault.at, busy.get(name, 0))
                        busy[name] = fault.at + fault.length

    def test_a_partition_has_two_sides(self):
        fault = plan.Fault(1.0, "partition", ["a"], 1.0, {})
        self.assertEqual([("a", "b"), ("a", "c"), ("b", "a"), ("c", "a")], plan.pairs_of(fault, ["a", "b", "c"]))


if __name__ == "__main__":
    unittest.main()
