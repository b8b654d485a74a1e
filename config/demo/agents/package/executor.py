"""trade.approved -> order.executed, as ../executor.py: the same agent on the Python package."""

from legion import Consumer, on


class Executor(Consumer):
    name = "executor"
    orders = 0

    @on("trade.approved")
    async def on_approved(self, event):
        await self.publish("order.executed", {"order": f"demo-{self.orders + 1}", **event.data})
        self.orders += 1


if __name__ == "__main__":
    Executor().run()
