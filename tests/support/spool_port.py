"""The spool port, asked with nothing but pyzmq and msgpack (docs/protocol.md, "Spool queries")."""

import hashlib
import itertools

import msgpack
import zmq


class SpoolPort:
    """One connection to a spool for questions. Use it as a context manager."""

    _ids = itertools.count(1)

    def __init__(self, node):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(f"tcp://127.0.0.1:{node.port + 5}")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()
        self.context.term()

    def ask(self, method, params=None, timeout=10.0):
        """(result, frames); None when no answer came in time. An error of the spool is raised."""
        number = next(self._ids)
        self.socket.send(msgpack.packb([16, number, method, params], use_bin_type=True))
        while self.socket.poll(int(timeout * 1000)):
            head, *body = self.socket.recv_multipart()
            kind, answered, error, result, sizes = msgpack.unpackb(head, raw=False, strict_map_key=False)
            if kind != 17 or answered != number:
                continue
            if error is not None:
                raise RuntimeError(f"{method}: {error}")
            frames, at = [], 0
            for size in sizes or []:
                frames.append(body[0][at:at + size])
                at += size
            return result, frames
        return None

    def journals(self):
        """(origin, incarnation, journal) -> what the spool has of it; None when it does not answer."""
        found, after = {}, None
        while True:
            answer = self.ask("journals", {"after": after} if after else {})
            if answer is None:
                return None
            for state in answer[0]["journals"]:
                after = [state["origin"], state["inc"], state["journal"]]
                found[tuple(after)] = state
            if not answer[0].get("more"):
                return found

    def frames(self, key, state):
        """position -> digest of the frame there, of one journal."""
        origin, incarnation, journal = key
        found = {}
        for first, last in state["ranges"]:
            while first <= last:
                answer = self.ask("journal", {"origin": origin, "inc": incarnation, "journal": journal, "first": first,
                                              "last": last, "bytes": 4 << 20})
                assert answer is not None, f"no answer to journal {key} {first}..{last}"
                result, bodies = answer
                bodies = iter(bodies)
                if not result["records"]:
                    break
                for begin, end, _, spans in result["records"]:
                    if spans is None:
                        found[begin] = hashlib.sha256(next(bodies)).hexdigest()
                    first = end + 1
        return found


def contents(node):
    """What makes two spools the same: of each journal whose it is, where it ended, and every frame. None: no answer."""
    with SpoolPort(node) as port:
        journals = port.journals()
        if journals is None:
            return None
        return {key: (state["boot"], state.get("final"), state["ranges"], state["voids"], port.frames(key, state))
                for key, state in journals.items()}
