"""Replayed trade.approved -> what they would be worth now, as ../backtest.py: the same agent on the Python package."""

import logging

from legion import Consumer, on


class Backtest(Consumer):
    name = "backtest"
    position = 0.0
    cash = 0.0

    def __init__(self):
        super().__init__()
        self.seen = set()

    @on("trade.approved", replay=True)
    def on_approved(self, event):
        if not event.replay_of or event.replay_of in self.seen:
            return
        self.seen.add(event.replay_of)
        trade = event.data
        change = trade["quantity"] if trade["action"] == "buy" else -trade["quantity"]
        self.position += change
        self.cash -= change * trade["price"]
        worth = self.cash + self.position * trade["price"]
        logging.info("%d trades played again: position %+.4f, worth %+.2f", len(self.seen), self.position, worth)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    Backtest().run()
