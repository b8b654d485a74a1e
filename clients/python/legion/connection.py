"""One connection to the control port of a node: questions, notifications, coming back after a loss."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from typing import Any

import msgpack
import zmq

from .errors import ConnectionLost, LegionError, NodeError

log = logging.getLogger("legion")

_REDIAL_MS = 100
_REDIAL_MAX_MS = 2000
_READ_MAX = 64  # messages, before others get their turn on the event loop


class Connection:
    """A DEALER on an event loop. Nothing here blocks; everything is called on that loop's thread.

    It dials until it is closed. A question needs a connection that is up and waits for it within its time-out; when the
    connection is lost every question under way fails with ConnectionLost, because nobody knows how far it got.
    """

    def __init__(self, address: str):
        self.address = address
        self.on_notification: Callable[[str, list[Any]], None] | None = None
        self.on_up: Callable[[], None] | None = None
        self.on_down: Callable[[], None] | None = None
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._up = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._context = zmq.Context()
        self._packer = msgpack.Packer(use_bin_type=True)
        self._scheduled = False
        self._closed = False
        self._open()

    @property
    def is_up(self) -> bool:
        return self._up.is_set()

    def _open(self) -> None:
        self._socket = self._context.socket(zmq.DEALER)
        for option, value in ((zmq.LINGER, 500), (zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.IMMEDIATE, 1), (zmq.IPV6, 1),
                              (zmq.RECONNECT_IVL, _REDIAL_MS), (zmq.RECONNECT_IVL_MAX, _REDIAL_MAX_MS),
                              (zmq.TCP_KEEPALIVE, 1), (zmq.TCP_KEEPALIVE_IDLE, 10), (zmq.HANDSHAKE_IVL, 4000)):
            self._socket.setsockopt(option, value)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        self._socket.connect(self.address)
        self._loop.add_reader(self._socket.fileno(), self._read)
        self._loop.add_reader(self._monitor.fileno(), self._watch)
        self._look_soon()

    def _shut(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_reader(self._monitor.fileno())
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close()

    def reopen(self) -> None:
        """Gives the connection up and dials anew: for one that seems up and is silent."""
        if self._closed:
            return
        self._shut()
        self._lose()
        self._open()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._shut()
        self._fail_waiting("the connection is closed")
        self._context.term()

    async def wait_up(self, timeout: float) -> None:
        """Errors: ConnectionLost when there is no connection within `timeout` seconds."""
        if self._up.is_set():
            return
        try:
            await asyncio.wait_for(self._up.wait(), timeout)
        except (TimeoutError, asyncio.TimeoutError):
            raise ConnectionLost(f"{self.address}: no connection within {timeout:g} s; is a node running there?") from None

    async def call(self, method: str, params: Any = None, timeout: float = 10.0) -> Any:
        """The result of one question. Errors: NodeError, ConnectionLost."""
        return await self.call_packed(method, self._packer.pack(params), timeout)

    async def call_packed(self, method: str, params: bytes, timeout: float) -> Any:
        """As call(), with params that are MessagePack already."""
        if self._closed:
            raise LegionError("the connection is closed")
        deadline = self._loop.time() + timeout
        await self.wait_up(timeout)
        number = next(self._ids)
        head = b"\x94\x00" + self._packer.pack(number) + self._packer.pack(method)
        if not self._send(head + params):
            raise ConnectionLost(f"{self.address}: the connection went away")
        future = self._waiting[number] = self._loop.create_future()
        try:
            return await asyncio.wait_for(future, deadline - self._loop.time())
        except (TimeoutError, asyncio.TimeoutError):
            raise ConnectionLost(f"{self.address}: no answer to {method} within {timeout:g} s") from None
        finally:
            self._waiting.pop(number, None)

    def notify(self, method: str, params: list[Any]) -> bool:
        """False: there is no connection, nothing was said."""
        return not self._closed and self._send(self._packer.pack([2, method, params]))

    def _send(self, message: bytes) -> bool:
        try:
            self._socket.send(message, zmq.NOBLOCK)
        except zmq.Again:
            return False
        # Sending may have taken in what the descriptor had told of.
        self._look_soon()
        return True

    def _look_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._scheduled = False
        if not self._closed:
            self._watch()
            self._read()

    def _read(self) -> None:
        for _ in range(_READ_MAX):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            except zmq.ZMQError:
                return
            self._take(parts)
            if self._closed:
                return
        self._look_soon()

    def _take(self, parts: list[bytes]) -> None:
        try:
            message = msgpack.unpackb(parts[-1], raw=False, strict_map_key=False, unicode_errors="surrogateescape")
            kind = message[0]
            if kind == 1:
                future = self._waiting.get(message[1])
                if future is None or future.done():
                    return
                if message[2] is None:
                    future.set_result(message[3])
                else:
                    future.set_exception(NodeError(*message[2]))
            elif kind == 2 and self.on_notification:
                self.on_notification(message[1], message[2])
        except (ValueError, TypeError, IndexError, msgpack.UnpackException):
            log.warning("%s: a message that cannot be read was ignored", self.address)

    def _watch(self) -> None:
        while True:
            try:
                event = int.from_bytes(self._monitor.recv_multipart(zmq.NOBLOCK)[0][:2], "little")
            except zmq.ZMQError:
                return
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._up.set()
                if self.on_up:
                    self.on_up()
            elif event == zmq.EVENT_DISCONNECTED:
                self._lose()

    def _lose(self) -> None:
        if not self._up.is_set():
            return
        self._up.clear()
        self._fail_waiting("the connection was lost")
        if self.on_down:
            self.on_down()

    def _fail_waiting(self, why: str) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionLost(f"{self.address}: {why}"))
        self._waiting.clear()
