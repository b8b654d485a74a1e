"""A gate before trade.approved, as ../kill_switch.py: the same agent on the Python package."""

import os

from legion import Consumer, Stop, on

LIMIT = float(os.environ["LIMIT"])


class KillSwitch(Consumer):
    name = "kill-switch"

    @on("trade.approved", tier="critical")
    async def on_approved(self, event):
        trade = event.data
        if trade["notional"] > LIMIT:
            await self.publish("risk.alert", {"rule": "kill switch", "limit": LIMIT, **trade})
            raise Stop


if __name__ == "__main__":
    KillSwitch().run()
