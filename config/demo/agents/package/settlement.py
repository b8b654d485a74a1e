"""order.executed -> settled, durable, as ../settlement.py: the same agent on the Python package."""

import os

from legion import Consumer, on

POISON = os.environ["POISON"]
repaired = os.environ.get("REPAIRED")


class Settlement(Consumer):
    name = "settlement"

    @on("order.executed", durable="settlement", start="beginning")
    def on_executed(self, event):
        if event.data["order"] == POISON and not (repaired and os.path.exists(repaired)):
            raise ValueError(f"{POISON}: no such counterparty")


if __name__ == "__main__":
    Settlement().run()
