"""How the cost of a quiet node grows with the mesh: 3, 10, 30 and 60 legion-node processes with default configuration
on this machine, one mesh after the other. Each is measured for 10 s after all hold all for alive, publish, and 10 s
more have passed. Then a straight line a + b * N through each figure (least squares), and what it says for 200 nodes.

CPU from /proc/PID/task/*/schedstat, bytes from TCP_INFO of all lane connections (payload of TCP, no headers, control
port not included), heartbeats from what the nodes count as received. All nodes share the cores of the machine: a node
alone on its host pays less for waiting and more for the wire. CPU is what is extrapolated least surely: with the rate
of heartbeats the number that one wake-up finds grows.
A size that does not come together in two minutes (the machine is too busy), or that has no room in memory, is left out
with a line saying so. --quick: 3 and 6 nodes, 2 s.
"""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support import figures, poll
from support.many_nodes import Crowd, measure
from support.mesh import Mesh

FORESEEN = 200
MODELLED = {"cpu_percent_mean": "% of a core", "fds_mean": "descriptors", "rss_mib_mean": "MiB", "pss_mib_mean": "MiB",
            "threads_mean": "threads", "lane_bytes_per_s_mean": "B/s", "heartbeats_received_per_s": "1/s",
            "switches_per_s_mean": "1/s"}
RSS_MIB_A_NODE = 60


def room_for(count):
    """Why so many nodes cannot be started here; None when they can."""
    available = int(next(l for l in open("/proc/meminfo", encoding="ascii") if l.startswith("MemAvailable")).split()[1])
    if available / 1024 < count * RSS_MIB_A_NODE:
        return f"{count * RSS_MIB_A_NODE} MiB are needed, {available // 1024} are available"
    return None


def heartbeats_received(crowd):
    """Events of the critical lane that arrived at all nodes; in a quiet mesh all of them heartbeats."""
    return sum(next(lane for lane in stats["lanes"] if lane["lane"] == "critical")["received"]
               for stats in crowd.ask(crowd.nodes, "stats").values())


def one_mesh(count, settle, seconds):
    with Mesh() as mesh, Crowd(mesh, count) as crowd:
        last_start = crowd.start()
        joined = max(crowd.all_alive().values()) - last_start
        crowd.publishing()
        poll.window(settle)
        before, began = heartbeats_received(crowd), time.monotonic()
        found = measure(crowd.nodes, seconds)
        heartbeats = (heartbeats_received(crowd) - before) / (time.monotonic() - began) / count
    figures.line(f"growth_{count}", found["cpu_percent_mean"], "% of a core", join_s=joined,
                 heartbeats_received_per_s=heartbeats, **found)
    return {**found, "heartbeats_received_per_s": heartbeats}


def main():
    quick = figures.arguments(__doc__).quick
    sizes, settle, seconds = ((3, 6), 1, 2) if quick else ((3, 10, 30, 60), 10, 10)
    found = {}
    for count in sizes:
        if why := room_for(count):
            figures.line(f"growth_{count}", None, "% of a core", skipped=why)
            continue
        try:
            found[count] = one_mesh(count, settle, seconds)
        except AssertionError as error:
            figures.say(str(error)[:2000])
            figures.line(f"growth_{count}", None, "% of a core", skipped="the mesh did not come together on this machine")
    if len(found) < 2:
        return
    for name, unit in MODELLED.items():
        a, b, worst = figures.straight_line(list(found), [f[name] for f in found.values()])
        figures.line(f"growth_model_{name}", a + b * FORESEEN, unit, at_nodes=FORESEEN, a=a, b=b, worst_residual=worst,
                     measured={str(n): f[name] for n, f in found.items()})


if __name__ == "__main__":
    main()
