"""What is published, who gets it and what becomes of it: known to publishers, agents and checkers alike."""

# Type -> what its policy says. Every node has the same policies, because the publisher's rules.
TYPES = {
    "load.plain.a": {"durability": "none"},
    "load.plain.b": {"durability": "none", "priority": "low"},
    "load.urgent": {"durability": "none", "priority": "critical"},
    "load.captured": {"durability": "captured"},
    "work.live.a": {"durability": "confirmed", "deliver": "live"},
    "work.live.b": {"durability": "confirmed", "deliver": "live", "priority": "high", "shards": 3},
    "work.after": {"durability": "confirmed", "deliver": "after_confirm"},
    "work.twice": {"durability": "confirmed", "deliver": "live", "spools": 2},
    "order.new": {"durability": "confirmed", "deliver": "live"},
    "poison.pill": {"durability": "confirmed", "deliver": "live"},
    "crew.task": {"durability": "confirmed", "deliver": "live", "shards": 16},
}
CONFIRMED = [name for name, policy in TYPES.items() if policy["durability"] == "confirmed"]
STORED = [name for name, policy in TYPES.items() if policy["durability"] != "none"]
UNSTORED = [name for name, policy in TYPES.items() if policy["durability"] != "confirmed"]

ATTEMPTS = 3
SHARES = 6  # of the group


def gate_decision(number):
    """What the gate says about an order: ack, stop, reject, or nack (the first time, then ack)."""
    return {5: "stop", 6: "reject", 2: "nack"}.get(number % 8, "ack")


def passes_gate(number):
    return gate_decision(number) in ("ack", "nack")


def poison(number):
    """What the coroner dies of: nack (every time), kill (of its agent, every time), or None."""
    return {3: "nack", 17: "kill"}.get(number % 25)


def matches(filter_, type_):
    return filter_ == "*" or type_ == filter_ or (filter_.endswith(".") and type_.startswith(filter_))
