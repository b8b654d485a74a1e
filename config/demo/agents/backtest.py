"""Replayed trade.approved -> what they would be worth now, in the log. A replay says so: it names its original."""

from legion_agent import Agent

position = 0.0
cash = 0.0
seen = set()


def on_approved(agent, event):
    global position, cash
    original = event.get("replayof")
    if original is None or original in seen:
        return
    seen.add(original)
    trade = event["data"]
    change = trade["quantity"] if trade["action"] == "buy" else -trade["quantity"]
    position += change
    cash -= change * trade["price"]
    worth = cash + position * trade["price"]
    agent.log(f"{len(seen)} trades played again: position {position:+.4f}, worth {worth:+.2f}")


Agent().run(on_approved)
