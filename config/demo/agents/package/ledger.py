"""order.executed -> the position, and a line in the file LEDGER names, as ../ledger.py: the same agent on the package."""

import json
import logging
import os

from legion import Consumer, on

path = os.environ.get("LEDGER")


class Ledger(Consumer):
    name = "ledger"
    position = 0.0

    @on("order.executed")
    def on_executed(self, event):
        order = event.data
        if path:
            with open(path, "a", encoding="utf-8") as ledger:
                ledger.write(json.dumps(event.to_cloudevent()) + "\n")
        self.position += order["quantity"] if order["action"] == "buy" else -order["quantity"]
        logging.info("%s: %s %s at %s, position %+.4f", order["order"], order["action"], order["quantity"],
                     order["price"], self.position)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    Ledger().run()
