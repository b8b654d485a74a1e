"""What the spool is for, with the commands an operator has: a dead letter, its requeue, a replay, a trace."""

import json
import pathlib
import subprocess

from runner.accounts import Accounts
from runner.checks import Check
from runner.mesh import Failed
from runner.processes import environment, end_with_parent
from runner.summary import heading, say

PATIENCE = 60.0
AGENT = "risk/settlement"
BACKTEST = "vault/backtest"
WAY = (("feed", "market.data_received"), ("signals", "signal.candidate_trade"), ("risk", "trade.approved"),
       ("executor", "order.executed"))  # fmt: skip


class Stored:
    """The mesh once nothing moves any more. `accounts`: as it was then; `orders`: what the ledger wrote."""

    def __init__(self, demo, accounts, orders):
        self.demo = demo
        self.accounts = accounts
        self.orders = orders
        self.checks = []

    def show(self):
        heading("A dead letter: settlement choked on one order")
        letter = self.dead_letter()
        if letter is not None:
            self.mend_and_requeue(letter)
            heading("The past once more, into a backtest")
            self.replay()
            heading("The way to that order, over four nodes")
            self.trace(letter["id"])
        return self.checks

    # --- the steps ----------------------------------------------------------------------------------------------------

    def dead_letter(self):
        """The one there is, with its event."""
        found = self.ask("dlq", "ls")
        self.check("letters that dlq ls shows", [(row["agent"], row["state"]) for row in found], [(AGENT, "dead")])
        if len(found) != 1:
            return None
        letter = found[0]
        say(f"    {letter['type']}, {letter['state']} at {letter['agent']} after {letter['attempts']} attempts")
        letter = self.ask("dlq", "show", letter["id"])[0]
        order = letter["event"]["data"]
        say(f"    {order['order']}: {order['action']} {order['quantity']} at {order['price']}")
        say(f"    {letter['error']}")
        self.check("the letter has the event as the ledger got it", letter["event"]["data"], self.order(letter)["data"])
        return letter

    def mend_and_requeue(self, letter):
        self.repair_settlement()
        say("  The counterparty is entered now. Once more, for this agent alone:")
        done = self.ask("dlq", "requeue", "--agent", AGENT)
        self.check("letters requeued", [row["status"] for row in done], ["requeued"])
        self.demo.wait(lambda: self.letter_state(letter) == "resolved", "the requeued letter to be resolved")
        say(f"    {done[0]['status']}, handled, {self.letter_state(letter)}: no dead letter is left")
        self.check("dead letters that are left", self.now().stats["vault"]["spool"]["dead_letters"], 0)

    def replay(self):
        approved = self.accounts.total("trade.approved")
        counted = sum(row["events"] for row in self.ask("replay", "trade.approved", "--dry-run"))
        say(f"    {counted} events would be read")
        self.check("approved trades in the vault = published", counted, approved)
        say(f"  $ legion-cli replay trade.approved --to-agent {BACKTEST}")
        self.run("replay", "trade.approved", "--to-agent", BACKTEST)
        self.demo.wait(lambda: self.backtested() >= approved, "the backtest to have every trade")
        self.check("trades the backtest was handed = approved", self.backtested(), approved)
        self.demo.wait(lambda: self.backtest_says(approved), "the backtest to say what it made")
        say(f"    {self.backtest_says(approved)}")

    def trace(self, event):
        tree = self.ask("trace", event)
        rows = []
        flatten(tree["roots"], rows)
        for row in rows:
            hop = "" if row["hop_us"] is None else f"+{row['hop_us'] / 1000:.2f} ms"
            say(f"    {'  ' * row['depth'] + row['type']:<32} {row['source']:<22} {hop:>12}".rstrip())
        self.check("the trace of the order = its way", [(row["node"], row["type"]) for row in rows], list(WAY))

    # --- legion-cli ---------------------------------------------------------------------------------------------------

    def ask(self, *arguments):
        """Shows it as one would type it, and runs it for its JSON."""
        say(f"  $ legion-cli {' '.join(arguments)}")
        return json.loads(self.run("-o", "json", *arguments).stdout)

    def run(self, *arguments):
        command = [self.demo.cli, "--node", f"127.0.0.1:{self.demo.nodes['vault'].port}", *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment(),
                              timeout=PATIENCE, check=False, preexec_fn=end_with_parent)  # fmt: skip
        if done.returncode != 0:
            raise Failed(f"legion-cli {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        self.check(f"exit code of legion-cli {arguments[0]}", done.returncode, 0)
        return done

    # --- looking ------------------------------------------------------------------------------------------------------

    def check(self, text, left, right):
        self.checks.append(Check(text, left, right))

    def now(self):
        return Accounts(self.demo.all)

    def order(self, letter):
        return next((order for order in self.orders if order["id"] == letter["id"]), {"data": None})

    def repair_settlement(self):
        pathlib.Path(self.demo.folder / "repaired").touch()

    def letter_state(self, letter):
        done = self.run("-o", "json", "dlq", "show", letter["id"])
        return json.loads(done.stdout)[0]["state"]

    def backtested(self):
        """Approved trades that the backtest was handed again."""
        book = self.now().book("vault", "backtest", "trade.approved")
        return book["delivered"] - self.accounts.book("vault", "backtest", "trade.approved")["delivered"]

    def backtest_says(self, trades):
        """Its line about so many trades; None while there is none."""
        start = f"{trades} trades played again: "
        log = self.demo.logged_by("vault")
        return next((line[line.index(start):] for line in log.splitlines() if start in line), None)


def flatten(tree, rows):
    for row in tree:
        rows.append(row)
        flatten(row["children"], rows)


def show_stored(demo, accounts, orders):
    """Every step; returns checks."""
    return Stored(demo, accounts, orders).show() if demo.cli.exists() else []
