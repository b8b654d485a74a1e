"""Publishing: one event, batches, with retry, confirmed."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
import uuid
from collections.abc import Iterable
from typing import Any

import msgpack

from .connection import Connection
from .errors import ConnectionLost, NotConfirmed, PublishError
from .events import Event
from .settings import Settings

log = logging.getLogger("legion")

_MESSAGE_BYTES_MAX = 900_000  # a control message has at most 1 MiB; an event larger than this travels alone
_TRY_AGAIN = ("would_block", "closed")


@dataclasses.dataclass(slots=True)
class Published:
    """What became of one event. `status` is queued when it was taken, else would_block, too_big, invalid, refused or
    closed; `confirmed` is None where nobody asked."""

    status: str
    id: str = ""
    detail: str = ""
    confirmed: bool | None = None

    def __bool__(self) -> bool:
        return self.status == "queued"


class Publisher:
    """Publishes over the control port of a node. Use it as `async with Publisher(settings) as publisher:`.

    Thread: the event loop's; `legion.sync.Publisher` is for any thread. Nothing is buffered here: a call returns when
    the node has taken the event and numbered it. The connection comes back by itself; a call made while it is down
    waits for it within its time-out.
    """

    def __init__(self, settings: Settings | None = None, *, source: str = "", connection: Connection | None = None):
        """`source` of events that name none (else the node's, `node/control`, or `node/agent` of a consumer)."""
        self.settings = settings or Settings.from_env()
        self.source = source
        self._connection = connection
        self._owns = connection is None
        self._packer = msgpack.Packer(use_bin_type=True)
        self.counters = {"published": 0, "refused": 0, "retried": 0, "confirmed": 0}

    async def __aenter__(self) -> Publisher:
        await self.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def open(self) -> None:
        if self._connection is None:
            self._connection = Connection(self.settings.address)

    async def close(self) -> None:
        if self._owns and self._connection is not None:
            self._connection.close()
            self._connection = None

    async def publish(self, event: Event | str, data: Any = None, **attributes: Any) -> str:
        """Publishes one event, `publish(Event(..))` or `publish("trade.approved", {..}, key="XBT")`, and returns its id.
        Attributes are the fields of Event, and `cause`: the event this one is a consequence of. Errors: PublishError,
        ConnectionLost (it may have been taken)."""
        result = (await self._publish([_event(event, data, attributes)]))[0]
        if not result:
            raise PublishError(result.status, result.detail)
        return result.id

    async def publish_batch(self, events: Iterable[Event | tuple[str, Any]]) -> list[Published]:
        """Publishes many events in the order given, and says of each what became of it. Errors: ConnectionLost (what was
        not answered may have been taken)."""
        return await self._publish([e if isinstance(e, Event) else Event(*e) for e in events])

    async def publish_confirmed(self, event: Event | str, data: Any = None, *, timeout: float | None = None,
                                **attributes: Any) -> str:
        """As publish(), and returns once as many spools as its type asks for have it on disk. Errors: as publish(), and
        NotConfirmed after `timeout` seconds; a type that is not confirmed is PublishError invalid."""
        wait = self.settings.call_timeout if timeout is None else timeout
        result = (await self._publish([_event(event, data, attributes)], confirm=wait))[0]
        if not result:
            raise PublishError(result.status, result.detail)
        if not result.confirmed:
            raise NotConfirmed(result.id)
        return result.id

    async def publish_with_retry(self, event: Event | str, data: Any = None, *, attempts: int | None = None,
                                 delay: float | None = None, **attributes: Any) -> str:
        """As publish(), again after `delay` seconds (doubling, varied) while the node has no room, is stopping or cannot
        be reached; `attempts` in all. Every attempt carries the same foreign id, because one whose answer was lost may
        have been taken: receivers can tell a repeat by it."""
        event = _event(event, data, attributes)
        event.id = event.id or str(uuid.uuid4())
        left = self.settings.max_retries + 1 if attempts is None else attempts
        pause = self.settings.retry_delay if delay is None else delay
        while True:
            left -= 1
            try:
                return await self.publish(event)
            except ConnectionLost:
                if left <= 0:
                    raise
            except PublishError as error:
                if left <= 0 or error.status not in _TRY_AGAIN:
                    raise
            self.counters["retried"] += 1
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))
            pause *= 2

    async def _publish(self, events: list[Event], confirm: float | None = None) -> list[Published]:
        """In messages of at most batch_size events and about 900 kB, one after the other, so the order is kept."""
        await self.open()
        results: list[Published] = []
        packed: list[bytes] = []
        size = 0
        for event in events:
            one = self._packer.pack(self._complete(event).to_cloudevent())
            if packed and (len(packed) == self.settings.batch_size or size + len(one) > _MESSAGE_BYTES_MAX):
                results += await self._send(packed, confirm)
                packed, size = [], 0
            packed.append(one)
            size += len(one)
        if packed:
            results += await self._send(packed, confirm)
        if self.settings.log_events:
            for event, result in zip(events, results, strict=True):
                log.info("event published: %s %s %s", result.id or event.type, result.status, result.detail)
        return results

    def _complete(self, event: Event) -> Event:
        if (self.source and not event.source) or (self.settings.publisher_priority and not event.priority):
            return dataclasses.replace(event, source=event.source or self.source,
                                       priority=event.priority or self.settings.publisher_priority)
        return event

    async def _send(self, packed: list[bytes], confirm: float | None) -> list[Published]:
        pack = self._packer
        params = [pack.pack_map_header(1 if confirm is None else 3), pack.pack("events"),
                  pack.pack_array_header(len(packed)), *packed]
        timeout = self.settings.call_timeout
        if confirm is not None:
            params += [pack.pack("confirm"), pack.pack(True), pack.pack("timeout_ms"),
                       pack.pack(max(1, int(confirm * 1000)))]
            timeout += confirm
        answer = await self._connection.call_packed("publish", b"".join(params), timeout)
        results = [Published(a["status"], a.get("id", ""), a.get("detail", ""), a.get("confirmed")) for a in answer]
        taken = sum(map(bool, results))
        self.counters["published"] += taken
        self.counters["refused"] += len(results) - taken
        self.counters["confirmed"] += sum(r.confirmed is True for r in results)
        return results


def _event(event: Event | str, data: Any, attributes: dict[str, Any]) -> Event:
    cause = attributes.pop("cause", None)
    ttl = attributes.pop("ttl", None)
    if isinstance(event, Event):
        event = dataclasses.replace(event, **attributes)
    else:
        event = Event(event, data, **attributes)
    if ttl is not None:
        event.expires_at = time.time_ns() + int(ttl * 1e9)
    return event.caused_by(cause) if cause is not None else event
