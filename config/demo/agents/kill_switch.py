"""A gate before trade.approved: what is larger than LIMIT never reaches the executor of this node.

It is the node that enforces this, not the executor: an event goes on only when every gate has said done, and it waits
when a gate is down.
"""

import os

from legion_agent import Agent, Stop

LIMIT = float(os.environ["LIMIT"])


def on_approved(agent, event):
    trade = event["data"]
    if trade["notional"] > LIMIT:
        agent.publish("risk.alert", {"rule": "kill switch", "limit": LIMIT, **trade})
        raise Stop


Agent().run(on_approved)
