"""Data against what its type declares: refused where it is published, a dead letter where it is handled, kept apart where
its version is not known yet, and handed over after a requeue."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.mesh import Mesh, toml_tables
from support.poll import until
from support.scripted import Scripted

TYPE = "trade.executed"
GOOD = {"symbol": "XBT/USDT", "action": "buy", "price": 1, "quantity": 2}
BAD = {**GOOD, "price": "1"}
WHY = "trade.executed (version 1): price: expected a number, found a string"
OFF = [{"prefix": "trade.", "schema": "off"}]
STRICT = [{"prefix": "trade.", "schema": "strict", "unknown_version": "quarantine"}]


class Checked(unittest.TestCase):
    """`vault` stores and looks at nothing, so anything can be published there. `desk` is strict; its ledger is durable."""

    def setUp(self):
        self.mesh = Mesh(spools=1)
        self.addCleanup(self.mesh.close)
        self.vault = self.mesh.node("vault", spool={}, topic=OFF).start().ready()
        self.gate = Scripted(self.mesh, "gate", [TYPE], tier="critical")
        self.ledger = Scripted(self.mesh, "ledger", [TYPE])
        self.ledger.table["subscribe"][0].update(durable="ledger", start="beginning")
        self.robot = Scripted(self.mesh, "robot", ["job."])
        self.desk = self.mesh.node("desk", join=[self.vault], topic=STRICT,
                                   agent=[self.gate.table, self.ledger.table, self.robot.table]).start().ready()
        self.mesh.alive_everywhere([self.vault, self.desk])

    def publish(self, node, *events):
        batch = [{"type": TYPE, **event} for event in events]
        answers = node.call("publish", {"events": batch, "confirm": True, "timeout_ms": 30_000}, timeout=40)
        self.assertTrue(all(a.get("confirmed") for a in answers), answers)
        return [a["id"] for a in answers]

    def cli(self, *arguments, code=0, node=None):
        return self.mesh.cli(*arguments, node=node or self.vault, check=code)

    def letters(self, *filters):
        return json.loads(self.cli("dlq", "ls", *filters, "-j").stdout)

    def wait_letters(self, count, *filters):
        until(lambda: len(self.letters(*filters)) == count, lambda: f"{count} letters; {self.letters()}\n{self.desk.log()}")
        return self.letters(*filters)

    def given(self, agent):
        return [event["id"] for event in agent.events(TYPE)]

    def books_balance(self):
        self.cli("check", "books")

    def test_strict_refuses_to_publish_and_names_the_field(self):
        answer = self.desk.publish(TYPE, BAD)
        self.assertEqual(("invalid", WHY), (answer["status"], answer["detail"]))
        self.assertEqual(65, self.cli("publish", TYPE, json.dumps(BAD), node=self.desk, code=65).returncode)
        refused = self.cli("publish", TYPE, json.dumps(BAD), "--check", "off", node=self.desk, code=65)
        self.assertIn(f"refused: invalid: {WHY}", refused.stderr)
        self.desk.publish("job.publish", {"do": ["publish", {"type": TYPE, "data": BAD}, 1]})
        until(self.robot.answers, "the agent to be answered")
        self.assertEqual([{"refused": 1, "reason": f"invalid: {WHY}"}], self.robot.answers())
        self.assertEqual({"trade.executed": 3}, self.desk.stats()["schema"])
        self.assertEqual({}, self.vault.stats()["schema"])

    def test_what_does_not_fit_is_a_dead_letter_for_gate_and_ledger(self):
        bad, good = self.publish(self.vault, {"data": BAD}, {"data": GOOD})
        until(lambda: self.given(self.ledger) == [good], lambda: f"the good one: {self.given(self.ledger)}\n{self.desk.log()}")
        self.assertEqual([good], self.given(self.gate))
        letters = self.wait_letters(2, "--reason", "schema")
        self.assertEqual({"desk/gate", "desk/ledger"}, {letter["agent"] for letter in letters})
        for letter in letters:
            self.assertEqual((bad, 0, WHY), (letter["id"], letter["attempts"], letter["error"]))
        self.books_balance()

    def test_a_version_from_the_future_is_kept_apart_until_it_is_known(self):
        ids = self.publish(self.vault, *[{"data": {**GOOD, "n": n}, "schemaversion": 9} for n in range(3)])
        [now] = self.publish(self.vault, {"data": GOOD})
        until(lambda: self.given(self.ledger) == [now], lambda: f"the known one: {self.given(self.ledger)}\n{self.desk.log()}")
        letters = self.wait_letters(6, "--reason", "unknown_version")
        self.assertEqual(sorted(ids * 2), sorted(letter["id"] for letter in letters))
        self.assertIn("newer than version 1, the latest known here", letters[0]["error"])
        self.assertEqual({"trade.executed newer": 3}, self.desk.stats()["schema"])

        # Requeued too early they come back.
        self.cli("dlq", "requeue", "--reason", "unknown_version", "--agent", "ledger")
        until(lambda: {letter["round"] for letter in self.letters("--agent", "ledger")} == {2}, lambda: f"{self.letters()}")
        self.assertEqual([now], self.given(self.ledger))

        self.assertEqual(0, self.desk.terminate())
        self.desk.tables["topic"] = [{"prefix": "*", "spools": 1}, {"prefix": "trade.", "schema": "strict"}]
        self.desk.config_path.write_text(toml_tables(self.desk.tables))
        self.desk.start().ready()
        self.mesh.alive_everywhere([self.vault, self.desk])
        self.cli("dlq", "requeue", "--reason", "unknown_version", "--agent", "ledger")
        until(lambda: sorted(self.given(self.ledger)) == sorted([now, *ids]),
              lambda: f"all of them: {self.given(self.ledger)}\n{self.desk.log()}")
        until(lambda: not self.letters("--agent", "ledger"), lambda: f"{self.letters()}")
        self.books_balance()

    def test_by_default_everything_passes_and_the_log_says_what_does_not_fit(self):
        plain = Scripted(self.mesh, "plain", [TYPE])
        plain.table["subscribe"][0].update(durable="plain", start="now")
        late = self.mesh.node("late", join=[self.vault], agent=[plain.table]).start().ready()
        self.mesh.alive_everywhere([self.vault, self.desk, late])
        until(lambda: any(row["name"] == "plain" and row["state"] == "active"
                          for row in json.loads(self.cli("pending", "-j").stdout)), "the subscription")
        [there] = self.publish(self.vault, {"data": BAD})
        [here] = self.publish(late, {"data": BAD})
        until(lambda: sorted(self.given(plain)) == sorted([there, here]), lambda: f"both: {self.given(plain)}\n{late.log()}")
        late.wait_log("warning +late: data does not fit: .*price: expected a number, found a string")
        self.assertEqual({"trade.executed": 2}, late.stats()["schema"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
