"""market.data_received -> signal.candidate_trade, as ../momentum.py: the same agent on the Python package."""

import collections

from legion import Consumer, on

WINDOW = 20
MOVE_BP = 8.0
PAUSE = 8
FULL_CONFIDENCE_BP = 25.0
LARGEST_QUANTITY = 0.4


class Momentum(Consumer):
    name = "momentum"

    def __init__(self):
        super().__init__()
        self.prices = collections.deque(maxlen=WINDOW)
        self.quiet = 0

    @on("market.data_received")
    async def on_trade(self, event):
        trade = event.data
        self.prices.append(trade["price"])
        self.quiet -= 1
        move_bp = (self.prices[-1] / self.prices[0] - 1) * 10_000
        if len(self.prices) < WINDOW or self.quiet > 0 or abs(move_bp) < MOVE_BP:
            return
        self.quiet = PAUSE
        confidence = min(1.0, abs(move_bp) / FULL_CONFIDENCE_BP)
        await self.publish("signal.candidate_trade", {
            "symbol": trade["symbol"],
            "action": "buy" if move_bp > 0 else "sell",
            "price": trade["price"],
            "quantity": round(LARGEST_QUANTITY * confidence, 4),
            "confidence": round(confidence, 3),
            "move_bp": round(move_bp, 2),
        })


if __name__ == "__main__":
    Momentum().run()
