"""The control port, spoken with nothing but pyzmq and msgpack (docs/protocol.md)."""

import itertools

import msgpack
import zmq


class RpcError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Control:
    """One connection to a control port. Close it, or use it as a context manager."""

    _ids = itertools.count(1)

    def __init__(self, address):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.IPV6, 1)
        self.socket.connect(address if "://" in address else f"tcp://{address}")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()
        self.context.term()

    def call(self, method, params=None, timeout=10.0):
        """The result of one call; None when no answer came in time."""
        number = next(self._ids)
        self.socket.send(msgpack.packb([0, number, method, params], use_bin_type=True))
        while self.socket.poll(int(timeout * 1000)):
            kind, answered, error, result = msgpack.unpackb(self.socket.recv(), raw=False, strict_map_key=False)
            if kind != 1 or answered != number:
                continue
            if error is not None:
                raise RpcError(*error)
            return result
        return None
