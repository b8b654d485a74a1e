"""order.executed -> settled. POISON is an order it chokes on, as if its record were broken, until REPAIRED exists.

Its subscription is durable: what it could not handle is a dead letter in the spool, with all that is known of why.
"""

import os

from legion_agent import Agent

POISON = os.environ["POISON"]
repaired = os.environ.get("REPAIRED")


def on_executed(agent, event):
    order = event["data"]
    if order["order"] == POISON and not (repaired and os.path.exists(repaired)):
        raise ValueError(f"{POISON}: no such counterparty")


Agent().run(on_executed)
