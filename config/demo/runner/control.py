"""Asks nodes over their control ports (docs: "Control"): MessagePack arrays over a ZeroMQ DEALER, nothing else."""

import msgpack
import zmq

LANES = 4


class Unreachable(Exception):
    """No answer in time."""


class Control:
    """One connection to one node; reused for every call."""

    _context = None

    def __init__(self, port):
        if Control._context is None:
            Control._context = zmq.Context()
        self._port = port
        self._socket = None
        self._calls = 0

    def call(self, method, params=None, timeout=5.0):
        if self._socket is None:
            self._socket = Control._context.socket(zmq.DEALER)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.connect(f"tcp://127.0.0.1:{self._port}")
        self._calls += 1
        self._socket.send(msgpack.packb([0, self._calls, method, params]))
        while self._socket.poll(int(timeout * 1000)):
            _, number, error, result = msgpack.unpackb(self._socket.recv(), strict_map_key=False)
            if number != self._calls:
                continue  # the late answer to a call that was given up
            if error is not None:
                raise Unreachable(f"{method}: {error[1]}")
            return result
        self.close()  # what is still under way is not wanted any more
        raise Unreachable(f"{method}: no answer in {timeout:g} s")

    def stats(self):
        return self.call("stats")

    def nodes(self):
        """name -> what this node knows of it."""
        return {row["name"]: row for row in self.call("nodes")}

    def published(self, stats):
        """type -> events this node has published in this life, from the tails of its own streams."""
        counts = {}
        for lane in range(LANES):
            origin = {"origin": stats["node"], "incarnation": stats["incarnation"], "lane": lane}
            for event_type, _shard, following in self.call("tails", origin):
                counts[event_type] = counts.get(event_type, 0) + following - 1
        return counts

    def close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None
