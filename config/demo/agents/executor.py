"""trade.approved -> order.executed. Stands for a real exchange connection: every order is filled at its price."""

from legion_agent import Agent

orders = 0


def on_approved(agent, event):
    global orders
    trade = event["data"]
    agent.publish("order.executed", {"order": f"demo-{orders + 1}", **trade})
    orders += 1


Agent().run(on_approved)
