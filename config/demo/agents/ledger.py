"""order.executed -> the position, and a line per order in the file LEDGER names (none when it names none)."""

import json
import os

from legion_agent import Agent

path = os.environ.get("LEDGER")
position = 0.0


def on_executed(agent, event):
    global position
    order = event["data"]
    if path:
        with open(path, "a", encoding="utf-8") as ledger:
            ledger.write(json.dumps(event) + "\n")
    position += order["quantity"] if order["action"] == "buy" else -order["quantity"]
    agent.log(f"{order['order']}: {order['action']} {order['quantity']} at {order['price']}, position {position:+.4f}")


Agent().run(on_executed)
