"""The sums that have to agree when the demo is over."""

import dataclasses
import json

from runner.accounts import ENTRIES, entry, matches


@dataclasses.dataclass
class Check:
    text: str
    left: object
    right: object

    @property
    def holds(self):
        return self.left == self.right

    def __str__(self):
        return f"{self.text}: {self.left} {'=' if self.holds else 'is not'} {self.right}"


def flow_checks(end, rows, orders, limit):
    """From node to node: what the origins published against what the next stage was given."""
    candidates, approved = end.total("signal.candidate_trade"), end.total("trade.approved")
    executed, stopped = end.total("order.executed"), end.stopped()
    settled = end.book("risk", "settlement", "order.executed")
    return [
        Check("rows of the file = trades published by feed", rows, end.total("market.data_received")),
        Check("trades published = delivered to signals", end.total("market.data_received"),
              end.book("signals", "momentum", "market.data_received")["delivered"]),
        Check("candidates published = delivered to risk", candidates,
              end.book("risk", "risk", "signal.candidate_trade")["delivered"]),
        Check("approved + rejected = candidates", approved + end.total("trade.rejected"), candidates),
        Check("executed + stopped by the gate = approved", executed + stopped, approved),
        Check("alerts of the kill switch = stopped", end.total("risk.alert"), stopped),
        Check("orders in the ledger = executed", len(orders), executed),
        Check("settled + dead letters = executed", settled["delivered"] + settled["dead"], executed),
        Check("dead letters of settlement = the poisoned order", settled["dead"], 1),
        Check("dead letters in the vault = the poisoned order", end.stats["vault"]["spool"]["dead_letters"], 1),
        Check("confirmed events that no spool has = none", end.unconfirmed(), 0),
        Check("executed above the limit = none", sum(o["data"]["notional"] > limit for o in orders), 0),
        Check("orders that lead back to a trade of feed = executed",
              sum(o["correlationid"].startswith("feed:") for o in orders), executed),
    ]  # fmt: skip


def book_checks(end, late, before):
    """Every receiver's books. `before`: what the origins had published before the late nodes were started."""
    checks = []
    for node, book in end.books():
        name = f"{node}/{book['agent']} {book['type']}"
        accounted = sum(entry(book, each) for each in ENTRIES)
        checks.append(Check(f"{name}: published = accounted for", book["published"], accounted))
        checks.append(Check(f"{name}: pending = none", book["pending"], 0))
        total = end.total(book["type"])
        if node not in late:
            checks.append(Check(f"{name}: published here = at the origins", book["published"], total))
            continue
        most = total - sum(n for types in before.values() for t, n in types.items() if matches(book["type"], t))
        within = 1 <= book["published"] <= most
        checks.append(Check(f"{name}: published since its baseline, {book['published']}, is 1 to {most}", within, True))
    return checks


def roster_checks(end):
    """Who is in the mesh, as everybody sees it."""
    names = {name: stats["incarnation"] for name, stats in end.stats.items()}
    return [
        Check(f"{viewer} sees every node of this life alive",
              {n: row["incarnation"] for n, row in roster.items() if row["state"] == "alive"}, names)
        for viewer, roster in end.rosters.items()
    ]  # fmt: skip


def read_orders(path):
    """The events the ledger wrote, oldest first. It makes its file with the first one."""
    if not path.exists():
        return []
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
