"""signal.candidate_trade -> trade.approved or trade.rejected, as ../risk.py: the same agent on the Python package."""

import os

from legion import Consumer, Reject, on

MIN_CONFIDENCE = float(os.environ["MIN_CONFIDENCE"])
MAX_POSITION = float(os.environ["MAX_POSITION"])


class Risk(Consumer):
    name = "risk"
    position = 0.0  # what was approved so far, in coins

    @on("signal.candidate_trade")
    async def on_candidate(self, event):
        trade = event.data
        if trade["quantity"] <= 0 or trade["price"] <= 0:
            raise Reject("a trade needs a price and a quantity")
        change = trade["quantity"] if trade["action"] == "buy" else -trade["quantity"]

        reasons = []
        if trade["confidence"] < MIN_CONFIDENCE:
            reasons.append(f"confidence {trade['confidence']} is below {MIN_CONFIDENCE}")
        if abs(self.position + change) > MAX_POSITION:
            reasons.append(f"position {self.position + change:+.4f} would exceed {MAX_POSITION}")

        verdict = {name: trade[name] for name in ("symbol", "action", "price", "quantity")}
        verdict["notional"] = round(trade["price"] * trade["quantity"], 2)
        if reasons:
            await self.publish("trade.rejected", verdict | {"reasons": reasons})
        else:
            await self.publish("trade.approved", verdict)
            self.position += change


if __name__ == "__main__":
    Risk().run()
