"""Rubbish on every port of a node while a counted flow passes: refused, counted, and nothing else happens."""

import os
import pathlib
import random
import socket
import struct
import sys
import threading
import time
import unittest

import msgpack
import zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support import ports  # noqa: E402
from support.mesh import Mesh  # noqa: E402
from support.poll import until  # noqa: E402
from support.rpc import Control, RpcError  # noqa: E402
from support.scripted import PROBE, Scripted, link, numbered, settled  # noqa: E402

SEED = int(os.environ.get("LEGION_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
FLOWS = ("flow.first", "flow.second")
MARKER = "this text is in every event of the flow"
LANES = range(4)


class FakeMember:
    """A node that is none: four XPUBs and a ROUTER that answers hello, all speaking whatever a test wants."""

    def __init__(self, target, name):
        self.context = zmq.Context()
        self.port = ports.free_run()
        self.name = name
        self.incarnation = time.time_ns()
        self.boot = os.urandom(16)
        self.router = self.context.socket(zmq.ROUTER)
        self.router.bind(f"tcp://127.0.0.1:{self.port}")
        self.lanes = [self.context.socket(zmq.XPUB) for _ in LANES]
        for i, lane in enumerate(self.lanes):
            lane.setsockopt(zmq.XPUB_VERBOSE, 1)
            lane.bind(f"tcp://127.0.0.1:{self.port + 1 + i}")
        self.subscribed = [set() for _ in LANES]
        self.stopping = False
        self.thread = threading.Thread(target=self._answer, daemon=True)
        self.thread.start()
        with Control(target.address) as control:
            control.call("hello", {"vmin": 1, "vmax": 1, "observer": False, "self": self.member()})

    def member(self):
        lanes = [f"tcp://127.0.0.1:{self.port + 1 + i}" for i in LANES]
        return {"name": self.name, "inc": self.incarnation, "boot": self.boot, "control": f"tcp://127.0.0.1:{self.port}",
                "lanes": lanes, "roles": [], "version": "fake", "state": "alive"}

    def _answer(self):
        while not self.stopping:
            if not self.router.poll(50):
                continue
            *envelope, body = self.router.recv_multipart()
            _, number, method, _ = msgpack.unpackb(body, strict_map_key=False)
            result = {"v": 1, "self": self.member(), "highest": 0, "taken": False, "roster": [self.member()]}
            reply = [1, number, None, result if method == "hello" else []]
            self.router.send_multipart([*envelope, msgpack.packb(reply)])

    def wait_connected(self):
        def heartbeats_wanted():
            while self.lanes[0].poll(0):
                self.subscribed[0].add(self.lanes[0].recv())
            return b"\x01agent.heartbeat\0" in self.subscribed[0]
        until(heartbeats_wanted, lambda: f"a node to connect to the fake member: {self.subscribed[0]}")

    def frame(self, type_, lane, *, version=1, first=1, events=(), origin=None, flags=0, incarnation=None):
        head = type_.encode() + b"\0\0" + b"\x97" + msgpack.packb(version) + msgpack.packb(origin or self.name)
        head += b"\xcf" + struct.pack(">Q", self.incarnation if incarnation is None else incarnation) + msgpack.packb(lane)
        head += b"\xcf" + struct.pack(">Q", first) + b"\xcc" + bytes([flags])
        return head + b"\xdd" + struct.pack(">I", len(events)) + b"".join(events)

    def event(self, number):
        return msgpack.packb([time.time_ns(), f"{self.name}/x", 1, {}, {"n": number}])

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.context.destroy(linger=0)


class Attacked(unittest.TestCase):
    """Node a is attacked. b publishes flow.first, a publishes flow.second; agents on a and c must hear both."""

    @classmethod
    def setUpClass(cls):
        print(f"LEGION_SEED={SEED}", file=sys.stderr)
        cls.random = random.Random(SEED)
        cls.mesh = Mesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.near = Scripted(cls.mesh, "near", [*FLOWS, "fake.event", PROBE])
        cls.far = Scripted(cls.mesh, "far", [*FLOWS, PROBE])
        cls.a = cls.mesh.node("a", agent=[cls.near.table]).start()
        cls.b = cls.mesh.node("b", join=[cls.a]).start()
        cls.c = cls.mesh.node("c", join=[cls.a], agent=[cls.far.table]).start()
        for node in (cls.a, cls.b, cls.c):
            node.ready()
        for origin in (cls.a, cls.b):
            link(origin, cls.a, "near")
            link(origin, cls.c, "far")
        cls.total = 0
        cls.rss = cls.a.rss_bytes()

    def attack(self, attack):
        """Runs attack(port) for every port of a, with the flow going on, until the flow is through; then looks whether
        anything was disturbed."""
        stop = threading.Event()
        failed = []

        def flow():
            try:
                for _ in range(20):
                    for node, type_ in ((self.b, FLOWS[0]), (self.a, FLOWS[1])):
                        results = node.publish_all(numbered(type_, 25, type(self).total, text=MARKER))
                        assert {r["status"] for r in results} == {"queued"}, results
                    type(self).total += 25
            except Exception as error:  # noqa: BLE001 - told in the main thread
                failed.append(error)
            finally:
                stop.set()
        before = sum(self.a.stats()["refused"].values())
        publisher = threading.Thread(target=flow, daemon=True)
        publisher.start()
        rounds = 0
        while rounds == 0 or not stop.is_set():
            for port in range(self.a.port, self.a.port + 5):
                attack(port)
            rounds += 1
        publisher.join()
        self.assertEqual([], failed)
        self.assert_undisturbed()
        return sum(self.a.stats()["refused"].values()) - before

    def assert_undisturbed(self):
        for node, agent in ((self.a, self.near), (self.c, self.far)):
            name = agent.table["name"]
            for type_ in FLOWS:
                until(lambda n=node, m=name, t=type_: settled(n.book(m, t), self.total),
                      lambda n=node, m=name, t=type_: f"{m} to settle {self.total}: {n.book(m, t)}\n{n.log()[-3000:]}")
                self.assertEqual(self.total, node.book(name, type_)["delivered"])
                self.assertEqual(list(range(self.total)), agent.numbers(type_))
        self.assertLess(self.a.rss_bytes(), self.rss + 200 * 1024 * 1024)
        self.mesh.alive_everywhere([self.a, self.b, self.c])

    def refused(self, reason):
        return self.a.stats()["refused"].get(reason, 0)

    @staticmethod
    def say(port, data, read=True):
        """Everything that came back until the other side hung up or said nothing for a moment."""
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.settimeout(0.05)
            answer = b""
            try:
                connection.sendall(data)
                while read:
                    chunk = connection.recv(65536)
                    if not chunk:
                        break
                    answer += chunk
            except OSError:
                pass
            return answer


class Garbage(Attacked):
    def test_random_bytes_are_refused(self):
        refused = self.attack(lambda port: self.say(port, self.random.randbytes(self.random.randrange(1, 5000))))

        self.assertGreater(refused, 0)

    def test_an_http_client_gets_no_events(self):
        answers = []
        request = b"GET /" + b"subscribe" * 20 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        # The bytes after which an XPUB without a guard takes a stranger for an old subscriber to everything.
        old_greeting = b"\x01\x00" + b"\x01\x01" + b"\x02\x00\x01"

        refused = self.attack(lambda port: answers.extend((self.say(port, request), self.say(port, old_greeting))))

        self.assertGreater(refused, 0)
        together = b"".join(answers)
        self.assertNotIn(MARKER.encode(), together)
        self.assertNotIn(b"agent.heartbeat", together)
        self.assertLess(max(map(len, answers)), 256)

    def test_half_open_connections_and_half_greetings_are_given_up(self):
        held = []
        greeting = b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\x00" + b"NULL" + b"\0" * 16 + b"\0" + b"\0" * 31

        def hold(port):
            if len(held) >= 300:
                return
            for length in (0, 1, 10, 30, len(greeting)):
                connection = socket.create_connection(("127.0.0.1", port), timeout=10)
                connection.sendall(greeting[:length])
                held.append(connection)
        try:
            self.attack(hold)

            def given_up(connection):
                connection.setblocking(False)
                try:
                    while connection.recv(4096):
                        pass
                    return True
                except BlockingIOError:
                    return False
                except OSError:
                    return True
            until(lambda: all(given_up(c) for c in held), "the node to close what never completes its handshake")
            self.assertGreaterEqual(self.refused("handshake_failed") + self.refused("handshake_protocol_error"), len(held))
        finally:
            for connection in held:
                connection.close()
        self.assert_undisturbed()

    def test_peers_of_a_wrong_kind_are_refused(self):
        context = zmq.Context()
        self.addCleanup(context.destroy, linger=0)

        def wrong(port):
            kinds = (zmq.SUB, zmq.PUSH, zmq.PAIR) if port == self.a.port else (zmq.PUSH, zmq.REQ, zmq.PUB, zmq.ROUTER)
            for kind in kinds:
                peer = context.socket(kind)
                peer.setsockopt(zmq.LINGER, 0)
                peer.connect(f"tcp://127.0.0.1:{port}")
                try:
                    peer.send(b"hello", zmq.DONTWAIT)
                except zmq.ZMQError:
                    pass
                peer.poll(20)
                peer.close()

        refused = self.attack(wrong)

        self.assertGreater(refused, 0)

    def test_subscribers_may_ask_for_anything_and_send_anything(self):
        context = zmq.Context()
        self.addCleanup(context.destroy, linger=0)
        before = self.refused("bad_sync")

        def speak(port):
            if port == self.a.port:
                return
            peer = context.socket(zmq.XSUB)
            peer.setsockopt(zmq.LINGER, 100)
            peer.connect(f"tcp://127.0.0.1:{port}")
            for message in (b"", b"\x02user frame", b"\x01" + b"x" * 500, b"\x01~sync.", b"\x01~sync.a", b"\x01~sync.a.b.c\0",
                            b"\x01~sync.a.b.0000000000000000\0", b"\x01~sync.x.b.0000000000000000\0", b"\x00never asked for",
                            b"\x01~sync." + b"\xff" * 100 + b"\0", self.random.randbytes(900)):
                peer.send(message)
            peer.send_multipart([b"\x01flow.", b"\x01", b"\x01" * 500])
            peer.send(b"\x01" + b"y" * 5000)
            peer.poll(20)
            peer.close()

        self.attack(speak)

        self.assertGreater(self.refused("bad_sync"), before)

    def test_malformed_requests_are_refused_and_good_ones_between_them_answered(self):
        context = zmq.Context()
        self.addCleanup(context.destroy, linger=0)
        before = self.a.stats()["refused"]
        bad = [b"\xc1", b"\x94", b"hello", msgpack.packb([]), msgpack.packb([0, 1, "stats"]), msgpack.packb([0, -1, "stats", None]),
               msgpack.packb([0, "one", "stats", None]), msgpack.packb([1, 1, None, None]), msgpack.packb([2, 1, "stats", None]),
               msgpack.packb([0, 1, 2, None]), msgpack.packb([0, 1, "stats", None]) + b"\0", b"\x91" * 100_000,
               b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", self.random.randbytes(1000)]
        multipart = [[b"", b""], [b"a", b"b"], [b"", b"a", b"b"], [b"a", b"b", b"c", b"d"]]
        answered_badly = [("no_such_method", None), ("hello", None), ("hello", {"vmin": 1, "vmax": 1, "observer": False, "self": {}}),
                          ("hello", {"vmin": 90, "vmax": 99, "observer": True, "self": {"name": "~0a", "boot": b"x" * 16}}),
                          ("tails", {"origin": "a"}), ("tails", {"origin": "a", "incarnation": 1, "lane": 9}),
                          ("publish", {}), ("publish", {"events": 5}), ("publish", {"events": [None] * 10_001}),
                          ("goodbye", {"name": 5, "incarnation": 1})]

        def ask(port):
            if port != self.a.port:
                return
            raw = context.socket(zmq.DEALER)
            raw.connect(f"tcp://127.0.0.1:{port}")
            for body in bad:
                raw.send(body)
            for parts in multipart:
                raw.send_multipart(parts)
            with Control(self.a.address) as control:
                for method, params in answered_badly:
                    with self.assertRaises(RpcError, msg=f"{method} {params}"):
                        self.assertIsNotNone(control.call(method, params, timeout=30), f"no answer to {method}")
                statuses = [r["status"] for r in control.call("publish", {"events": [None, 5, {}, {"type": "Bad Type"}]})]
                self.assertEqual(["invalid"] * 4, statuses)
                self.assertEqual("a", control.call("stats")["node"])
            self.assertEqual(0, raw.poll(0), "a malformed request was answered")
            raw.close(linger=1000)

        refused = self.attack(ask)

        after = self.a.stats()["refused"]
        self.assertGreaterEqual(after["bad_request"] - before.get("bad_request", 0), len(bad))
        self.assertGreaterEqual(after["control_malformed"] - before.get("control_malformed", 0), len(multipart))
        self.assertGreaterEqual(refused, len(bad) + len(multipart) + len(answered_badly))

    def test_goodbyes_and_hellos_of_strangers_do_not_change_who_is_there(self):
        with Control(self.a.address) as control:
            control.call("goodbye", {"name": "b", "incarnation": 1})
            control.call("goodbye", {"name": "nobody", "incarnation": 2**62})
            control.call("goodbye", {"name": "a", "incarnation": 1})
            observer = {"name": "~" + "0a" * 8, "boot": os.urandom(16)}
            try:
                control.call("hello", {"vmin": 1, "vmax": 1, "observer": True, "self": observer})
            except RpcError:
                pass

        members = self.a.members()
        self.assertEqual(["alive"] * 3, [members[name]["state"] for name in ("a", "b", "c")])
        self.assertNotIn("nobody", members)
        self.attack(lambda port: None)

    def test_messages_beyond_any_limit_end_their_connection_only(self):
        big = b"x" * (1024 * 1024 + 8 * 1024)
        context = zmq.Context()
        self.addCleanup(context.destroy, linger=0)
        sent = []

        def send_big(port):
            if len(sent) >= 40:
                return
            peer = context.socket(zmq.DEALER if port == self.a.port else zmq.XSUB)
            peer.connect(f"tcp://127.0.0.1:{port}")
            peer.send(big)
            sent.append(port)
            peer.poll(20)
            peer.close(linger=0)
            header = b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\x00" + b"NULL" + b"\0" * 48
            ready = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB"
            self.say(port, header + ready + b"\x02" + struct.pack(">Q", 1 << 62) + b"y" * 10_000)

        self.attack(send_big)

        self.assertGreaterEqual(len(sent), 5)

    def test_a_cancel_of_a_topic_that_nobody_has_silences_nobody(self):
        header = b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\x00" + b"NULL" + b"\0" * 48
        ready = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB"
        self.attack(lambda port: self.say(port, header + ready + b"\0\x02\0z" + b"\0\x08\0unknown"))

    def test_bad_frames_of_a_member_are_refused_and_its_good_ones_pass(self):
        fake = FakeMember(self.a, "fake")
        self.addCleanup(fake.stop)
        fake.wait_connected()
        until(lambda: self.a.state_of("fake"), "the fake member to be in the roster")
        before = self.a.stats()["refused"]
        good = [fake.event(n) for n in range(10)]
        normal = 2
        until(lambda: b"\x01fake.event\0" in self.drain(fake, normal), lambda: f"{fake.subscribed[normal]}")
        plain = fake.frame("fake.event", normal, events=good)
        bad = [plain[:n] for n in (12, 13, 20, 30, 40)]
        bad += [plain[:12] + b"\xc1" * 50, b"fake.event\0\0" + b"\x91" * 50_000,
                fake.frame("fake.event", 0, events=good), fake.frame("fake.event", 9, events=good),
                fake.frame("fake.event", normal, first=0, events=good), fake.frame("fake.event", normal, origin="Not A Name"),
                fake.frame("fake.event", normal, first=2**64 - 1, events=good), fake.frame("fake.event", normal, flags=1),
                b"fake.event\0\0" + b"\x97" + b"\xdd\xff\xff\xff\xff"]
        versions = [fake.frame("fake.event", normal, version=2, events=good), fake.frame("fake.event", normal, version=127)]
        versions.append(fake.frame("fake.event", normal, flags=0x80, events=good))
        lane = fake.lanes[normal]

        for message in bad + versions:
            lane.send(message)
        fake.lanes[0].send(fake.frame("agent.heartbeat", 0, events=[msgpack.packb([time.time_ns(), "fake/x", 1, {}, {"self": 1}])]))
        lane.send(plain)
        refused = self.attack(lambda port: lane.send(self.random.choice(bad)))

        until(lambda: self.near.numbers("fake.event") == list(range(10)), lambda: f"{self.near.numbers('fake.event')}")
        # Of a frame that is right up to its last event only that event is lost, and counted.
        lane.send(fake.frame("fake.event", normal, first=11, events=[fake.event(10), fake.event(11)])[:-1])
        until(lambda: self.near.numbers("fake.event") == list(range(11)), lambda: f"{self.near.numbers('fake.event')}")
        until(lambda: self.a.stats()["dead_letters"].get("undecodable", 0) == 1, lambda: f"{self.a.stats()['dead_letters']}")
        # Bytes behind the last event are found when the events are asked for: then none of them can be trusted.
        lane.send(fake.frame("fake.event", normal, first=13, events=[fake.event(12), fake.event(13)]) + b"\0")
        until(lambda: self.a.stats()["dead_letters"].get("undecodable", 0) == 3, lambda: f"{self.a.stats()['dead_letters']}")
        self.assertEqual(list(range(11)), self.near.numbers("fake.event"))
        after = self.a.stats()["refused"]
        self.assertGreaterEqual(after.get("bad_frame", 0) - before.get("bad_frame", 0), len(bad))
        self.assertEqual(len(versions), after.get("wrong_version", 0) - before.get("wrong_version", 0))
        self.assertEqual(1, after.get("bad_heartbeat", 0) - before.get("bad_heartbeat", 0))
        self.assertGreater(refused, 0)

    def test_a_member_whose_frames_are_too_big_costs_its_own_link_only(self):
        fake = FakeMember(self.a, "fake-big")
        self.addCleanup(fake.stop)
        fake.wait_connected()
        until(lambda: b"\x01fake.event\0" in self.drain(fake, 2), lambda: f"{fake.subscribed[2]}")

        fake.lanes[2].send(b"fake.event\0\0" + b"x" * (2 * 1024 * 1024))

        self.attack(lambda port: None)
        # The link is dialled again, and its subscriptions come again.
        fake.subscribed[2].clear()
        until(lambda: b"\x01fake.event\0" in self.drain(fake, 2), "node a to dial the link again")

    @staticmethod
    def drain(fake, lane):
        while fake.lanes[lane].poll(0):
            fake.subscribed[lane].add(fake.lanes[lane].recv())
        return fake.subscribed[lane]


class StolenAddresses(Attacked):
    def test_a_hello_with_addresses_of_others_does_not_cut_their_links(self):
        member = {"name": "thief", "inc": time.time_ns(), "boot": os.urandom(16), "roles": [], "version": "x", "state": "alive",
                  "control": f"tcp://127.0.0.1:{self.b.port}", "lanes": [f"tcp://127.0.0.1:{self.b.port + 1 + i}" for i in LANES]}
        with Control(self.a.address) as control:
            control.call("hello", {"vmin": 1, "vmax": 1, "observer": False, "self": member})
            self.attack(lambda port: None)
            control.call("goodbye", {"name": "thief", "incarnation": member["inc"]})
        until(lambda: self.a.state_of("thief") in ("left", None), lambda: f"{self.a.members()}")
        for _ in range(3):
            self.attack(lambda port: None)
        self.assertEqual("alive", self.a.state_of("b"))


if __name__ == "__main__":
    unittest.main()
