"""The control port, spoken with nothing but pyzmq and msgpack (docs/protocol.md)."""

import itertools

import msgpack
import zmq


class RpcError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Control:
    """One connection to a control port. Close it, or use it as a context manager.

    Many of them share a `context`, which then stays open. `redial_ms`: wait before a refused connection is tried again.
    """

    _ids = itertools.count(1)

    def __init__(self, address, context=None, redial_ms=100):
        self.own_context = zmq.Context() if context is None else None
        self.socket = (context or self.own_context).socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RECONNECT_IVL, redial_ms)
        self.socket.setsockopt(zmq.IPV6, 1)
        self.socket.connect(address if "://" in address else f"tcp://{address}")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()
        if self.own_context:
            self.own_context.term()

    def call(self, method, params=None, timeout=10.0):
        """The result of one call; None when no answer came in time."""
        return self.answer(self.ask(method, params), timeout)

    def ask(self, method, params=None):
        """Sends a request and returns its number, for answer()."""
        number = next(self._ids)
        self.socket.send(msgpack.packb([0, number, method, params], use_bin_type=True))
        return number

    def answer(self, number, timeout=10.0):
        """The result of the request `number`; None when no answer came in time. Other answers are thrown away."""
        while self.socket.poll(int(timeout * 1000)):
            kind, answered, error, result = msgpack.unpackb(self.socket.recv(), raw=False, strict_map_key=False)
            if kind != 1 or answered != number:
                continue
            if error is not None:
                raise RpcError(*error)
            return result
        return None
