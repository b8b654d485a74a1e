"""The synchronous face, for programs with threads: every call here may be made from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any, TypeVar

from . import publisher as _publisher
from .consumer import Consumer
from .errors import LegionError
from .events import Event
from .publisher import Published
from .past import replay as _replay
from .settings import Settings

T = TypeVar("T")


class Loop:
    """An event loop on a thread of its own."""

    def __init__(self, name: str = "legion"):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, what: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """The result of a coroutine that runs there. Not from that thread: it would wait for itself."""
        if threading.current_thread() is self._thread:
            what.close()
            raise LegionError("a synchronous call inside the event loop; use the asyncio classes there")
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(timeout)

    def close(self) -> None:
        if self.loop.is_closed():
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Publisher:
    """legion.Publisher with calls that wait. Thread: any, several at once. Use it as a context manager or close() it."""

    def __init__(self, settings: Settings | None = None, *, source: str = ""):
        self.settings = settings or Settings.from_env()
        self._loop = Loop("legion-publisher")
        self._inner = _publisher.Publisher(self.settings, source=source)
        self._loop.call(self._inner.open())

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._loop.loop.is_closed():
            self._loop.call(self._inner.close())
            self._loop.close()

    @property
    def counters(self) -> dict[str, int]:
        return dict(self._inner.counters)

    def publish(self, event: Event | str, data: Any = None, **attributes: Any) -> str:
        return self._loop.call(self._inner.publish(event, data, **attributes))

    def publish_batch(self, events: Iterable[Event | tuple[str, Any]]) -> list[Published]:
        return self._loop.call(self._inner.publish_batch(events))

    def publish_confirmed(self, event: Event | str, data: Any = None, *, timeout: float | None = None,
                          **attributes: Any) -> str:
        return self._loop.call(self._inner.publish_confirmed(event, data, timeout=timeout, **attributes))

    def publish_with_retry(self, event: Event | str, data: Any = None, *, attempts: int | None = None,
                           delay: float | None = None, **attributes: Any) -> str:
        return self._loop.call(
            self._inner.publish_with_retry(event, data, attempts=attempts, delay=delay, **attributes))


class Running:
    """A consumer that serves on a thread of its own, between start and stop(). Handlers run on that thread."""

    def __init__(self, consumer: Consumer):
        self.consumer = consumer
        self._loop = Loop(f"legion-{consumer.name}")
        self._serving = asyncio.run_coroutine_threadsafe(consumer.serve(), self._loop.loop)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def wait_attached(self, timeout: float = 30.0) -> None:
        """Errors: what serve() ended with, TimeoutError."""
        async def attached() -> None:
            attach = asyncio.ensure_future(self.consumer.wait_attached(timeout))
            serving = asyncio.wrap_future(self._serving)
            await asyncio.wait({attach, serving}, return_when=asyncio.FIRST_COMPLETED)
            await (attach if attach.done() else serving)
        self._loop.call(attached())

    def stop(self, timeout: float | None = 60.0) -> None:
        """Finishes what is in hands, detaches, and raises what serve() ended with."""
        if self._loop.loop.is_closed():
            return
        self._loop.loop.call_soon_threadsafe(self.consumer.stop)
        try:
            self._serving.result(timeout)
        finally:
            self._loop.close()


def start(consumer: Consumer) -> Running:
    """Serves `consumer` on a thread."""
    return Running(consumer)


def replay(types: str | Iterable[str] = "*", **conditions: Any) -> Iterator[Event]:
    """legion.replay.replay() as an iterator that waits."""
    loop = Loop("legion-replay")
    events = _replay(types, **conditions)
    try:
        while True:
            try:
                yield loop.call(anext(events))
            except StopAsyncIteration:
                return
    finally:
        loop.call(events.aclose())
        loop.close()
