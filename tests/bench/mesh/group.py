"""What more members give a group: events a second handled by 1, 2 and 4 members whose handler waits 1 ms with each.

A spool, a node that publishes more than four members handle (captured, 256 keys, 16 shards), and the members, one agent
of concurrency 1 each, 8 shares together. Measured over 10 s once every share has a holder and all members have handled
events: what the books of all members have as delivered, by the clock of this program. The baseline is one member; 1 ms
an event alone would be 1000 events/s.
--quick: 3 s.
"""

import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support import figures
from support.mesh import PYTHON, Mesh
from support.poll import until

AGENTS = pathlib.Path(__file__).resolve().parent / "agents"
TOPIC = [{"prefix": "group.", "durability": "captured", "shards": 16}]
SHARES = 8
KEYS = 256
PER_SECOND = 6000


def delivered(members):
    """(events that all members have handled, of each)"""
    each = [sum(one["delivered"] for one in m.stats()["subscriptions"] if one["agent"] == "worker") for m in members]
    return sum(each), each


def held(mesh, vault):
    rows = json.loads(mesh.cli("pending", "--group", "crew", "-o", "json", node=vault).stdout or "[]")
    return sum(share["state"] == "active" for row in rows for share in row["shares"])


def measure(count, seconds):
    with Mesh(spools=1) as mesh:
        vault = mesh.node("vault", spool={}, topic=TOPIC).start().ready()
        subscribe = [{"type": "group.", "group": "crew", "home": "vault", "shares": SHARES}]
        members = []
        for i in range(count):
            worker = {"name": "worker", "exec": [PYTHON, str(AGENTS / "waiter.py")], "subscribe": subscribe}
            members.append(mesh.node(f"m{i + 1}", join=[vault], agent=[worker], topic=TOPIC).start())
        for member in members:
            member.ready()
        rows = mesh.folder / "rows.csv"
        rows.write_text("key,price\n" + "".join(f"k{n},105433.6\n" for n in range(KEYS)))
        feed = {"name": "load", "builtin": "feed", "type": "group.work", "file": str(rows), "repeat": True,
                "rate": PER_SECOND, "key": "key", "wait_for_nodes": count + 2}
        until(lambda: held(mesh, vault) == SHARES, "every share to have a holder", 120)
        mesh.node("source", join=[vault], agent=[feed], topic=TOPIC).start().ready()
        until(lambda: min(delivered(members)[1]) > 200, lambda: f"all to work: {delivered(members)}", 120)
        began, (before, _) = time.monotonic(), delivered(members)
        until(lambda: time.monotonic() >= began + seconds, "the time to pass", seconds + 60)
        after, each = delivered(members)
        return (after - before) / (time.monotonic() - began), each


def main():
    seconds = 3 if figures.arguments(__doc__).quick else 10
    one = None
    for count in (1, 2, 4):
        rate, each = measure(count, seconds)
        one = one or rate
        figures.line(f"group_members_{count}", rate, "events/s", "one member", one, members=count, handled=each)


if __name__ == "__main__":
    main()
