"""market.data_received -> signal.candidate_trade: buys what rises, sells what falls.

Compares each price with the one WINDOW trades ago; a move of MOVE_BP basis points makes a candidate. After one it stays
quiet for PAUSE trades.
"""

import collections

from legion_agent import Agent

WINDOW = 20
MOVE_BP = 8.0
PAUSE = 8
FULL_CONFIDENCE_BP = 25.0
LARGEST_QUANTITY = 0.4

prices = collections.deque(maxlen=WINDOW)
quiet = 0


def on_trade(agent, event):
    global quiet
    trade = event["data"]
    prices.append(trade["price"])
    quiet -= 1
    move_bp = (prices[-1] / prices[0] - 1) * 10_000
    if len(prices) < WINDOW or quiet > 0 or abs(move_bp) < MOVE_BP:
        return
    quiet = PAUSE
    confidence = min(1.0, abs(move_bp) / FULL_CONFIDENCE_BP)
    agent.publish("signal.candidate_trade", {
        "symbol": trade["symbol"],
        "action": "buy" if move_bp > 0 else "sell",
        "price": trade["price"],
        "quantity": round(LARGEST_QUANTITY * confidence, 4),
        "confidence": round(confidence, 3),
        "move_bp": round(move_bp, 2),
    })


Agent().run(on_trade)
