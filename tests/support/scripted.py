"""Exec agents of tests/system/agents, and what they wrote down."""

import json
import os
import pathlib

from support.poll import until

AGENTS = pathlib.Path(__file__).resolve().parent.parent / "system" / "agents"
PYTHON = "/usr/bin/python3"
QUICK = {"restart_delay": "50ms", "restart_delay_max": "200ms", "retry": {"max_attempts": 3, "delay": "20ms"}}


class Scripted:
    """The table of one agent that runs agents/scripted.py, and its record."""

    def __init__(self, mesh, name, types, tier=None, command=None, env=None, **settings):
        self.path = mesh.folder / f"record-{name}-{os.urandom(4).hex()}"
        subscribe = [{"type": t, **({"tier": tier} if tier else {})} for t in types]
        self.table = {"name": name, "exec": command or [PYTHON, str(AGENTS / "scripted.py")],
                      "env": {"RECORD": str(self.path), **(env or {})}, **QUICK, **settings, "subscribe": subscribe}

    def entries(self):
        """Everything written so far, in order. A line that is being written is left for the next look."""
        if not self.path.exists():
            return []
        whole, _, _ = self.path.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def events(self, *types):
        """The events handed over, every attempt of them, in order."""
        events = [e["event"] for e in self.entries() if "event" in e]
        return [e for e in events if not types or e["type"] in types]

    def numbers(self, *types):
        """data.n of the events handed over."""
        return [e["data"]["n"] for e in self.events(*types)]

    def attempts(self, *types):
        """(data.n, attempt) of the events handed over."""
        return [(e["data"]["n"], e["attempt"]) for e in self.events(*types)]

    def answers(self):
        return [e["answer"] for e in self.entries() if "answer" in e]

    def acked_numbers(self):
        """data.n of the events it said yes to, in the order it did."""
        handed = {}
        acked = []
        for entry in self.entries():
            if "event" in entry:
                handed[entry["pid"], entry["event"]["delivery"]] = entry["event"]["data"]["n"]
            elif "acked" in entry:
                acked.append(handed[entry["pid"], entry["acked"]])
        return acked

    def pids(self):
        """The processes that wrote, oldest first."""
        return list(dict.fromkeys(e["pid"] for e in self.entries()))


def program(name):
    return [PYTHON, str(AGENTS / name)]


def settled(book, published):
    """Whether a book has an entry for each of `published` events and waits for none."""
    return book["published"] == published and book["pending"] == 0 and book["balance"] == 0


def processes_of_session(session):
    """Ids of the processes in the session of a node: itself, its agents, and what they started. Zombies are over."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry.name))
    return found


PROBE = "test.probe"


def link(publisher, receiver, agent):
    """Returns once what `publisher` sends in the normal lane is counted in the books of `receiver`, whose `agent` is
    subscribed to PROBE. Without this the first events of a test may go out before somebody listens."""
    before = receiver.book(agent, PROBE)["published"]

    def counted():
        publisher.publish(PROBE, {"n": -1})
        return receiver.book(agent, PROBE)["published"] > before
    until(counted, lambda: f"{receiver.name} to count what {publisher.name} publishes", pause=0.05)


def numbered(type_, count, first=0, **data):
    """CloudEvents with data.n from `first` on."""
    return [{"type": type_, "data": {"n": n, **data}} for n in range(first, first + count)]
