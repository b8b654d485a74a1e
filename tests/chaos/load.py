"""Publishers with known ids: clients over the control port here, exec agents in agents/source.py."""

import collections
import threading
import time

from chaos import rules
from support.rpc import RpcError


class Told:
    """What one publisher tried and what it was told, by number."""

    def __init__(self, node):
        self.node = node
        self.attempted = {}   # (publisher, number) -> type
        self.ids = {}         # (publisher, number) -> (id, steady seconds when it was told, confirmed)
        self.refused = collections.Counter()  # status -> events


class Client:
    """Publishes through a node's control port from a thread of its own: batches of confirmed types with confirm, and of
    the other types without, in turn. A batch without an answer is not repeated, its numbers are not used again."""

    TIMEOUT_MS = 3000
    PAUSE_MAX = 2.0  # seconds

    def __init__(self, node, name, rate, draw):
        self.node, self.name, self.rate, self.draw = node, name, rate, draw
        self.told = Told(node.name)
        self.number = 0
        self.last_confirm = 0.0   # steady seconds
        self.failure = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._stopping.set()

    def wait(self):
        """Until the thread is over, if it was started."""
        if self._thread.ident:
            self._thread.join()

    def join(self):
        self.stop()
        self.wait()
        if self.failure:
            raise self.failure

    def _batch(self, types, size):
        events = []
        for _ in range(size):
            type_ = types[self.number % len(types)]
            self.told.attempted[self.name, self.number] = type_
            events.append({"type": type_, "key": f"k{self.number % 7}",
                           "data": {"p": self.name, "n": self.number, "text": "x" * self.draw.choice((10, 60, 400))}})
            self.number += 1
        return events

    def _run(self):
        control = self.node.control()
        turn = 0
        try:
            while not self._stopping.is_set():
                turn += 1
                types = rules.CONFIRMED if turn % 2 else rules.UNSTORED
                size = self.draw.choice((1, 5, 20)) if self.draw.random() > 0.01 else 500
                begin = time.monotonic()
                if not self._publish(control, self._batch(types, size), confirm=bool(turn % 2)):
                    control.close()  # answers to this must not meet later questions
                    control = self.node.control()
                pause = min(self.PAUSE_MAX, size / self.rate)  # a burst is not made up for
                self._stopping.wait(max(0.0, pause - (time.monotonic() - begin)))
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure
        finally:
            control.close()

    def _publish(self, control, events, confirm):
        """False when no answer will come."""
        life = self.node.process
        asked = {"events": events, **({"confirm": True, "timeout_ms": self.TIMEOUT_MS} if confirm else {})}
        number = control.ask("publish", asked)
        deadline = time.monotonic() + self.TIMEOUT_MS / 1000 + 2
        while time.monotonic() < deadline:
            try:
                answers = control.answer(number, timeout=0.1)
            except RpcError as error:
                self.told.refused[error.code] += len(events)
                return True
            if answers is not None:
                for event, answer in zip(events, answers):
                    self._take(event, answer, confirm)
                return True
            if self.node.process is not life or life.returncode is not None:
                return False
        return False

    def _take(self, event, answer, confirm):
        now = time.monotonic()
        key = self.name, event["data"]["n"]
        if answer.get("id"):
            confirmed = confirm and bool(answer.get("confirmed"))
            self.told.ids[key] = (answer["id"], now, confirmed)
            if confirmed:
                self.last_confirm = now
        else:
            self.told.refused[answer["status"]] += 1


def told_by_source(node_name, path):
    """What the exec agent agents/source.py wrote into its record."""
    told = Told(node_name)
    if not path.exists():
        return told
    whole, _, _ = path.read_text().rpartition("\n")
    for line in whole.splitlines():
        kind, publisher, number, steady, what = line.split(" ")
        key = publisher, int(number)
        if kind == "T":
            told.attempted[key] = what
        elif kind == "Y":
            # The answer to a confirmed type comes with the confirm, to any other with the number.
            told.ids[key] = (what, int(steady) / 1e9, told.attempted[key] in rules.CONFIRMED)
        else:
            told.refused[what] += 1
    return told
