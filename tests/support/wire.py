"""A client of a remote agent, written from docs/protocol.md alone: nothing but pyzmq and msgpack."""

import itertools
import time
import unittest

import msgpack
import zmq

from support.mesh import Mesh


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Wire:
    """One DEALER at a control port."""

    def __init__(self, node, unread_max=1000):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, unread_max)
        self.socket.connect(f"tcp://127.0.0.1:{node.port}")
        self.ids = itertools.count(1)
        self.told = []  # notifications that have not been looked at
        self.session = None

    def close(self):
        self.socket.close()
        self.context.term()

    def _read(self, timeout):
        if not self.socket.poll(int(timeout * 1000)):
            return None
        return msgpack.unpackb(self.socket.recv(), raw=False, strict_map_key=False)

    def call(self, method, params, timeout=20.0):
        number = next(self.ids)
        self.socket.send(msgpack.packb([0, number, method, params]))
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            message = self._read(left)
            if message is None:
                break
            if message[0] == 2:
                self.told.append(message)
            elif message[0] == 1 and message[1] == number:
                if message[2] is not None:
                    raise Refused(*message[2])
                return message[3]
        raise AssertionError(f"no answer to {method}")

    def say(self, method, *values, session=None):
        self.socket.send(msgpack.packb([2, method, [self.session if session is None else session, *values]]))

    def attach(self, name, **params):
        answer = self.call("agent.attach", {"name": name, **params})
        self.session = answer["session"]
        return answer

    def hear(self, method, timeout=20.0):
        """The params of the next notification of this method; others stay."""
        deadline = time.monotonic() + timeout
        while True:
            for at, (_, said, params) in enumerate(self.told):
                if said == method:
                    del self.told[at]
                    return params
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            message = self._read(left)
            if message is not None and message[0] == 2:
                self.told.append(message)

    def runs(self, timeout=20.0):
        """The runs of the next `agent.deliver`."""
        params = self.hear("agent.deliver", timeout)
        if params is None:
            return []
        session, runs = params
        assert session == self.session, (session, self.session)
        return runs

    def events(self, timeout=20.0):
        """[delivery, attempt, event] of the next `agent.deliver`, the event as a CloudEvent map."""
        found = []
        for delivery, subscription, attempt, prefix, type_, priority, sequence, events in self.runs(timeout):
            for k, (at, source, version, attributes, data) in enumerate(events):
                found.append([delivery + k, attempt, {
                    "id": f"{prefix}:{sequence + k}", "type": type_, "priority": priority, "time": at, "source": source,
                    "schemaversion": version, "key": attributes.get(5), "correlation": attributes.get(1), "data": data,
                    "subscription": subscription}])
        return found


def agent(name="worker", types=("job.done",), tier=None, **settings):
    return {"name": name, "remote": True, "retry": {"max_attempts": 3, "delay": "20ms"}, **settings,
            "subscribe": [{"type": t, **({"tier": tier} if tier else {})} for t in types]}


class WireTest(unittest.TestCase):
    def start(self, *agents, **tables):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        self.node = self.mesh.node("a", agent=list(agents), **tables).start().ready()

    def wire(self, **options):
        wire = Wire(self.node, **options)
        self.addCleanup(wire.close)
        return wire

    def numbers(self, wire, count, answer=True):
        """data.n and attempt of so many deliveries, acknowledged one by one."""
        found = []
        while len(found) < count:
            events = wire.events()
            assert events, f"only {found} came; log:\n{self.node.log()}"
            for delivery, attempt, event in events:
                found.append((event["data"]["n"], attempt))
                if answer:
                    wire.say("agent.ack", delivery)
        return found


# A client as a program: one line `n attempt` a delivery, written down before anything is done with it.
CLIENT = """
import msgpack, os, signal, zmq
socket = zmq.Context().socket(zmq.DEALER)
socket.connect("tcp://127.0.0.1:{port}")
number = 0
session = None
while session is None:
    number += 1
    socket.send(msgpack.packb([0, number, "agent.attach", {{"name": "{name}"}}]))
    message = msgpack.unpackb(socket.recv(), strict_map_key=False)
    if message[0] == 1 and message[2] is None:
        session = message[3]["session"]
    else:
        socket.poll(50)
with open("{path}", "a", buffering=1) as seen:
    while True:
        if not socket.poll(1000):
            socket.send(msgpack.packb([0, 0, "agent.beat", {{"session": session}}]))
            continue
        message = msgpack.unpackb(socket.recv(), strict_map_key=False)
        if message[0] != 2 or message[1] != "agent.deliver":
            continue
        for delivery, _, attempt, _, _, _, _, events in message[2][1]:
            for k, event in enumerate(events):
                n = event[4]["n"]
                print(n, attempt, file=seen)
                what = {do}
                if what == "die":
                    socket.poll(200)  # its work; what it answered before has left the process meanwhile
                    os.kill(os.getpid(), signal.SIGKILL)
                if what == "hold":
                    signal.pause()
                socket.send(msgpack.packb([2, "agent.ack", [session, delivery + k]]))
"""
