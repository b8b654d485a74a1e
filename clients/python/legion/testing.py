"""A bus inside this process, for development and for tests of handlers: no node, no network, nothing durable."""

from __future__ import annotations

import asyncio
import dataclasses
import heapq
import inspect
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

from . import publisher as _publisher
from .consumer import Consumer, _handling, _text, canonical_type
from .errors import ConfigurationError, ConnectionLost, PublishError, Reject, Stop
from .events import PRIORITIES, Event, Outcome
from .publisher import Published
from .settings import Settings

_CATALOG_CRITICAL = ("policy.updated", "trade.approved", "trade.rejected", "risk.alert", "risk.limit_breached",
                     "risk.error", "order.requested", "order.executed", "order.failed", "exchange.error",
                     "position.close_requested", "position.error", "system.shutdown", "system.error")


@dataclasses.dataclass
class DeadLetter:
    """An event that a handler gave up, or that ran out of attempts."""

    event: Event
    agent: str
    reason: str
    attempts: int
    error: str


class MemoryBus:
    """What a node does for its agents, as far as handlers can see it: higher priority first, gates before everything else,
    then the tiers; retries with a doubling delay, dead letters, replays, statistics. One event after the other.

    It is not a node: a retry holds up everything behind it, DEFER counts as done, there is no flow control and nothing
    survives the process. `sleep` is what a retry waits with: give a fake one and tests take no time.
    """

    def __init__(self, settings: Settings | None = None, *, sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep):
        self.settings = settings or Settings(broker="memory")
        self.published: list[Event] = []
        self.dead_letters: list[DeadLetter] = []
        self.counters = {"published": 0, "handled": 0, "failed": 0, "stopped": 0}
        self._sleep = sleep
        self._consumers: list[Consumer] = []
        self._waiting: list[tuple[int, int, Event]] = []
        self._numbers = itertools.count(1)
        self._busy = False

    def add(self, consumer: Consumer) -> Consumer:
        """From now on it gets what its handlers are subscribed to, and publishes here. Conditions (`where`) are the
        node's to ask: a consumer that has some is refused, rather than given what it did not ask for."""
        for type_, (wanted, _) in consumer._handlers.items():
            if wanted["where"]:
                raise ConfigurationError(f"{consumer.name}: where of {type_!r}: a bus in memory asks no conditions")
        consumer.publisher = self.publisher(source=f"memory/{consumer.name}")
        self._consumers.append(consumer)
        return consumer

    def remove(self, consumer: Consumer) -> None:
        self._consumers.remove(consumer)

    def publisher(self, source: str = "memory/program") -> MemoryPublisher:
        return MemoryPublisher(self, source)

    async def publish(self, event: Event | str, data: Any = None, **attributes: Any) -> str:
        """Publishes and handles everything that follows from it, unless a handler is the one who calls."""
        event_id = await self.publisher().publish(event, data, **attributes)
        await self.drain()
        return event_id

    async def drain(self) -> None:
        """Returns once nothing waits any more. Does nothing inside a handler."""
        if self._busy:
            return
        self._busy = True
        try:
            while self._waiting:
                await self._dispatch(heapq.heappop(self._waiting)[2])
        finally:
            self._busy = False

    def replay(self, type: str = "*") -> list[Event]:
        """What was published, in order."""
        return [e for e in self.published if _matches(type, e.type)]

    def _take(self, event: Event) -> str:
        if not event.type or not all(part and part.replace("_", "").isalnum() for part in event.type.split(".")):
            raise PublishError("invalid", f"type: {event.type!r} is not an event type")
        event = dataclasses.replace(event, type=canonical_type(event.type))
        number = next(self._numbers)
        critical = event.type in _CATALOG_CRITICAL
        event.priority = event.priority or ("critical" if critical else "normal")
        event.foreign_id, event.id = event.id, f"memory:1:{PRIORITIES.index(event.priority)}:{event.type}:0:{number}"
        event.time = event.time or time.time_ns()
        event.correlation_id = event.correlation_id or event.id
        self.published.append(event)
        self.counters["published"] += 1
        heapq.heappush(self._waiting, (PRIORITIES.index(event.priority), number, event))
        return event.id

    async def _dispatch(self, event: Event) -> None:
        found = [(PRIORITIES.index(wanted["tier"]), consumer, handler)
                 for consumer in self._consumers
                 for type_, (wanted, handler) in consumer._handlers.items() if _matches(type_, event.type)]
        closed_at = len(PRIORITIES)
        for tier, consumer, handler in sorted(found, key=lambda one: one[0]):
            if tier > closed_at:
                self.counters["stopped"] += 1
                continue
            outcome = await self._handle(event, consumer, handler)
            gate_said_no = tier == 0 and outcome not in (Outcome.DONE, Outcome.DEFER)
            if outcome is Outcome.STOP or gate_said_no:
                closed_at = min(closed_at, tier)

    async def _handle(self, event: Event, consumer: Consumer, handler: Any) -> Outcome | None:
        """None: it is a dead letter."""
        delay = self.settings.retry_delay
        for attempt in range(1, self.settings.max_retries + 2):
            mine = dataclasses.replace(event, attempt=attempt)
            _handling.set(mine)
            try:
                result = handler(mine)
                if inspect.isawaitable(result):
                    result = await result
                self.counters["handled"] += 1
                return Outcome.DONE if result is None else Outcome(result)
            except Stop:
                self.counters["handled"] += 1
                return Outcome.STOP
            except Reject as error:
                self.dead_letters.append(DeadLetter(event, consumer.name, "rejected", attempt, _text(error)))
                return None
            except Exception as error:
                self.counters["failed"] += 1
                text = _text(error)
            finally:
                _handling.set(None)
            if attempt <= self.settings.max_retries:
                await self._sleep(delay)
                delay *= 2
        self.dead_letters.append(DeadLetter(event, consumer.name, "handler_error", attempt, text))
        return None


class MemoryPublisher(_publisher.Publisher):
    """A Publisher of a MemoryBus. Everything is confirmed as soon as it is taken, and nothing of it is durable."""

    def __init__(self, bus: MemoryBus, source: str):
        super().__init__(bus.settings, source=source)
        self._bus = bus

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def _publish(self, events: list[Event], confirm: float | None = None) -> list[Published]:
        results = []
        for event in events:
            try:
                results.append(Published("queued", self._bus._take(self._complete(event)), "",
                                         None if confirm is None else True))
                self.counters["published"] += 1
            except PublishError as error:
                results.append(Published(error.status, "", error.detail))
                self.counters["refused"] += 1
        return results


async def open_publisher(settings: Settings, bus: MemoryBus | None = None) -> _publisher.Publisher:
    """A Publisher as `settings.broker` says; with a `bus` it also stands in for a node that cannot be reached within
    call_timeout, for programs that would rather run without a mesh than not at all."""
    if settings.broker == "memory":
        return (bus or MemoryBus(settings)).publisher()
    publisher = _publisher.Publisher(settings)
    await publisher.open()
    if bus is None or await _reachable(publisher, settings):
        return publisher
    await publisher.close()
    return bus.publisher()


async def _reachable(publisher: _publisher.Publisher, settings: Settings) -> bool:
    try:
        await publisher._connection.wait_up(settings.call_timeout)
        return True
    except ConnectionLost:
        return False


def _matches(filter_: str, type_: str) -> bool:
    return filter_ == "*" or type_ == filter_ or (filter_.endswith(".") and type_.startswith(filter_))


__all__ = ["DeadLetter", "MemoryBus", "MemoryPublisher", "open_publisher"]
