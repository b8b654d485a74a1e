"""What all nodes say at one moment, and whether it adds up.

Two independent sources: the books every receiver keeps per subscription, and the tails of the streams at their origins.
"""

import json

# The right-hand side of: published = ...
ENTRIES = ("delivered", "filtered", "expired", "dead", "lost", "pending")


def matches(pattern, event_type):
    return pattern == "*" or (event_type.startswith(pattern) if pattern.endswith(".") else event_type == pattern)


def entry(book, name):
    """One count of a book; those kept by reason are summed."""
    return sum(book[name].values()) if isinstance(book[name], dict) else book[name]


class Accounts:
    def __init__(self, nodes):
        self.stats = {node.name: node.control.stats() for node in nodes}
        self.rosters = {node.name: node.control.nodes() for node in nodes}
        # origin -> type -> events. After the stats: what a receiver has heard of is in here.
        self.published = {node.name: node.control.published(self.stats[node.name]) for node in nodes}

    def books(self):
        """(node, book) of every subscription."""
        return [(name, book) for name, stats in self.stats.items() for book in stats["subscriptions"]]

    def book(self, node, agent, event_type):
        return next(b for b in self.stats[node]["subscriptions"] if (b["agent"], b["type"]) == (agent, event_type))

    def agent(self, node, name):
        return next(agent for agent in self.stats[node]["agents"] if agent["agent"] == name)

    def total(self, pattern):
        """Events published in the whole mesh, by their origins' own count."""
        return sum(n for types in self.published.values() for t, n in types.items() if matches(pattern, t))

    def stopped(self):
        """Approved trades that the gate kept from the executor."""
        return self.book("executor", "executor", "trade.approved")["filtered"]["stopped"]

    def unconfirmed(self):
        """Events of confirmed types that are not yet on as many spools as they have to be."""
        return sum(stats["journal"]["confirmed"]["unconfirmed_events"] for stats in self.stats.values())

    def pending(self):
        return sum(book["pending"] for _, book in self.books())

    def quiet(self, late):
        """Nothing is pending, everything confirmed is stored, and every receiver has heard of everything its origins
        sent. A node that came late has heard of the part after its baseline, so of that nothing can be said from
        outside."""
        return self.pending() == 0 and self.unconfirmed() == 0 and all(
            book["published"] == self.total(book["type"]) for node, book in self.books() if node not in late)

    def fingerprint(self):
        """The same for two moments between which nothing happened."""
        books = [(node, book["agent"], book["type"], book["published"], *(entry(book, e) for e in ENTRIES))
                 for node, book in self.books()]  # fmt: skip
        types = {n: {t: c for t, c in types.items() if t != "agent.heartbeat"} for n, types in self.published.items()}
        return json.dumps([books, types], sort_keys=True)
