"""signal.candidate_trade -> trade.approved, or trade.rejected with every reason there is."""

import os

from legion_agent import Agent, Reject

MIN_CONFIDENCE = float(os.environ["MIN_CONFIDENCE"])
MAX_POSITION = float(os.environ["MAX_POSITION"])

position = 0.0  # what was approved so far, in coins


def on_candidate(agent, event):
    global position
    trade = event["data"]
    if trade["quantity"] <= 0 or trade["price"] <= 0:
        raise Reject("a trade needs a price and a quantity")
    change = trade["quantity"] if trade["action"] == "buy" else -trade["quantity"]

    reasons = []
    if trade["confidence"] < MIN_CONFIDENCE:
        reasons.append(f"confidence {trade['confidence']} is below {MIN_CONFIDENCE}")
    if abs(position + change) > MAX_POSITION:
        reasons.append(f"position {position + change:+.4f} would exceed {MAX_POSITION}")

    verdict = {name: trade[name] for name in ("symbol", "action", "price", "quantity")}
    verdict["notional"] = round(trade["price"] * trade["quantity"], 2)
    if reasons:
        agent.publish("trade.rejected", verdict | {"reasons": reasons})
    else:
        agent.publish("trade.approved", verdict)
        position += change


Agent().run(on_candidate)
