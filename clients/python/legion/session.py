"""One attachment of an agent to its node, from `agent.attach` to its loss. docs/protocol.md, "Remote agents"."""

from __future__ import annotations

import asyncio
from typing import Any

from .connection import Connection


class Session:
    """Deliveries come in, answers go out. Thread: the event loop's.

    Of a session that is over nothing can be answered any more: what was open comes again in a later one.
    """

    def __init__(self, connection: Connection, attached: dict[str, Any]):
        self.number: int = attached["session"]
        self.node: str = attached["node"]
        self.subscriptions: list[dict[str, Any]] = attached["subscriptions"]
        self.concurrency: int = attached["concurrency"]
        self.credit: int = attached["credit"]
        self.lease: float = attached["lease_ms"] / 1000
        self.handler_timeout: float = attached["handler_timeout_ms"] / 1000
        self.over = asyncio.Event()
        self._connection = connection
        self._runs: asyncio.Queue[list[Any] | None] = asyncio.Queue()
        self._void: set[int] = set()

    def end(self) -> None:
        self.over.set()
        self._runs.put_nowait(None)

    def answer(self, method: str, delivery: int, *values: str) -> bool:
        return not self.over.is_set() and self._connection.notify(method, [self.number, delivery, *values])

    def on_deliver(self, runs: list[list[Any]]) -> None:
        for run in runs:
            self._runs.put_nowait(run)

    def on_void(self, first: int, last: int) -> None:
        """Taken back by the node: the handler took too long."""
        self._void.update(range(first, last + 1))

    def is_void(self, delivery: int) -> bool:
        if not self._void or delivery not in self._void:
            return False
        self._void.discard(delivery)
        return True

    async def next_run(self) -> list[Any] | None:
        """The next run, in the order of the node; None once the session is over."""
        run = await self._runs.get()
        return None if self.over.is_set() else run
