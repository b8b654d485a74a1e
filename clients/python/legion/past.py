"""Stored events, read from a spool in the order it recorded them. docs/protocol.md, "Spool queries" and "Frames"."""

from __future__ import annotations

import asyncio
import datetime
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import msgpack
import zmq
import zmq.asyncio

from .connection import Connection
from .consumer import canonical_type
from .errors import ConnectionLost, LegionError, NodeError
from .events import PRIORITIES, Event, of_run
from .settings import Settings

_BYTES = 1 << 20
_ASK_AGAIN = 0.1
_COMPRESSED = 0x01

Time = int | float | datetime.datetime
"""ns since 1970 (int), seconds since 1970 (float) or a datetime with a zone."""


def to_ns(time: Time) -> int:
    if isinstance(time, datetime.datetime):
        if time.tzinfo is None:
            raise LegionError("a time without a zone means something else on every machine; give it one")
        return int(time.timestamp() * 1e9)
    return time if isinstance(time, int) else int(time * 1e9)


async def spool_addresses(settings: Settings) -> list[str]:
    """Of every spool in the roster of the node that has not left."""
    connection = Connection(settings.address)
    try:
        members, after, more = [], "", True
        while more:
            page = await connection.call("roster", {"after": after}, settings.call_timeout)
            members += page["members"]
            more = page["more"] and bool(page["members"])
            after = members[-1]["name"] if members else ""
        return [m["spool"] for m in members if m.get("spool") and m["state"] not in ("left", "dead")]
    finally:
        connection.close()


async def replay(types: str | Iterable[str] = "*", *, since: Time | None = None, before: Time | None = None,
                 correlation: str = "", settings: Settings | None = None, spool: str = "") -> AsyncIterator[Event]:
    """Every stored event that matches, in the order in which one spool recorded them, up to what was recorded when the
    iteration began to end. `types`: types or families; `since`, `before`: by the events' own time; `correlation`: events
    of one workflow. `spool`: HOST:PORT of a spool's port; empty: the first of the mesh that answers. Of each stream the
    events come in order. Nothing is acknowledged and no cursor moves. Errors: ConnectionLost, NodeError, LegionError."""
    settings = settings or Settings.from_env()
    filters = [canonical_type(t) for t in ([types] if isinstance(types, str) else types)]
    conditions: dict[str, Any] = {"bytes": _BYTES}
    if filters != ["*"]:
        conditions["types"] = filters
    if since is not None:
        conditions["since"] = to_ns(since)
    if before is not None:
        conditions["before"] = to_ns(before)
    if correlation:
        conditions["correlation"] = correlation
    addresses = [spool] if spool else await spool_addresses(settings)
    if not addresses:
        raise LegionError("this mesh has no spool that could replay anything")
    with _Questions(addresses[0] if "://" in addresses[0] else f"tcp://{addresses[0]}", settings.call_timeout) as questions:
        at, end = 1, False
        while not end:
            result, body = await questions.ask("scan", {**conditions, "from": at})
            at, end = result["next"], result["end"]
            for frame in body:
                for event in events_of_frame(frame):
                    if _matches(event, filters, conditions, correlation):
                        yield event


def events_of_frame(frame: bytes) -> Iterator[Event]:
    """The events of one frame, a run of one stream. Errors: LegionError for what is no frame of version 1."""
    type_, _, rest = frame.partition(b"\0")
    version, origin, incarnation, lane, first, flags, events = _array(rest[1:])
    if version != 1:
        raise LegionError(f"a frame of version {version} is not understood")
    if flags & _COMPRESSED:
        events = _expand(events)
    wire_type = type_.decode()
    name = wire_type.removeprefix("~replay.") if wire_type.startswith("~") else wire_type
    prefix = f"{origin}:{incarnation}:{lane}:{wire_type}:{rest[0]}"
    run = [0, 0, 1, prefix, name, PRIORITIES[lane], first, events]
    return (of_run(run, k, None) for k in range(len(events)))


def _array(body: bytes) -> list[Any]:
    try:
        return msgpack.unpackb(body, raw=False, strict_map_key=False, unicode_errors="surrogateescape")
    except (ValueError, msgpack.UnpackException) as error:
        raise LegionError(f"a frame that cannot be read: {error}") from None


def _expand(compressed: bytes) -> list[Any]:
    try:
        import zstandard
    except ImportError:
        raise LegionError("this frame is compressed; the package zstandard is needed to read it") from None
    return _array(zstandard.ZstdDecompressor().decompress(compressed))


def _matches(event: Event, filters: list[str], conditions: dict[str, Any], correlation: str) -> bool:
    """A frame is given whole when one of its events matches."""
    if event.time < conditions.get("since", 0) or event.time >= conditions.get("before", 1 << 63):
        return False
    trace = event.traceparent.split("-")[1:2]
    if correlation and correlation not in (event.correlation_id, event.causation_id, event.id, *trace):
        return False
    return any(f == "*" or event.type == f or (f.endswith(".") and event.type.startswith(f)) for f in filters)


class _Questions:
    """A DEALER for questions to a spool."""

    def __init__(self, address: str, timeout: float):
        self.address = address
        self.timeout = timeout
        self.ids = itertools.count(1)
        self.context = zmq.asyncio.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.IPV6, 1)
        self.socket.connect(address)

    def __enter__(self) -> _Questions:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()
        self.context.term()

    async def ask(self, method: str, params: dict[str, Any]) -> tuple[Any, list[bytes]]:
        while True:
            number = next(self.ids)
            await self.socket.send(msgpack.packb([16, number, method, params]))
            try:
                return await asyncio.wait_for(self._answer(number), self.timeout)
            except (TimeoutError, asyncio.TimeoutError):
                raise ConnectionLost(f"{self.address}: no answer to {method} within {self.timeout:g} s") from None
            except NodeError as error:
                if error.code != "would_block":
                    raise
            await asyncio.sleep(_ASK_AGAIN)

    async def _answer(self, number: int) -> tuple[Any, list[bytes]]:
        while True:
            head, *body = await self.socket.recv_multipart()
            kind, answered, error, result, sizes = msgpack.unpackb(head, raw=False, strict_map_key=False)
            if kind != 17 or answered != number:
                continue
            if error is not None:
                raise NodeError(*error)
            ends = list(itertools.accumulate(sizes or [], initial=0))
            return result, [body[0][a:b] for a, b in itertools.pairwise(ends)]
