"""Thirty legion-node processes, default timing, each joining through the first: from the start of the last until all
hold all for alive; then what the mesh costs while it is quiet; then ten killed (SIGKILL) at once: until each of the
twenty survivors holds exactly those ten for suspect, and then for dead, and the others for alive.

Every node is asked `nodes` over one connection, every 50 ms, and no more once it agreed, so the times are up to 0.1 s
late. Baselines: for dead, dead_after of the configuration (10 s), which no detector can go below.
--quick: six nodes, two killed, heartbeat 200 ms, suspect_after 600 ms, dead_after 2 s.
"""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support import figures, poll
from support.many_nodes import Crowd, measure
from support.mesh import Mesh

DEFAULT = {"interval": "1s", "suspect_after": "3s", "dead_after": "10s"}
SHORT = {"interval": "200ms", "suspect_after": "600ms", "dead_after": "2s"}


def seconds(text):
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text[:-1])


def kill(crowd, victims, heartbeat):
    survivors = [node for node in crowd.nodes if node not in victims]
    victim_names, survivor_names = {n.name for n in victims}, {n.name for n in survivors}
    for node in victims:
        node.signal(9)
    killed = time.monotonic()
    for node in victims:
        node.process.wait()

    def exactly(*wanted):
        def agrees(states):
            return (all(states.get(n) in wanted for n in victim_names)
                    and all(states.get(n) == "alive" for n in survivor_names))
        return agrees
    for state, wanted in (("suspect", ("suspect", "dead")), ("dead", ("dead",))):
        agreed = crowd.when_each(survivors, exactly(*wanted), f"survivors to hold exactly the killed for {state}")
        times = sorted(at - killed for at in agreed.values())
        figures.line(f"killed_{state}", times[-1], "s", f"{state}_after", seconds(heartbeat[f"{state}_after"]),
                     first=times[0], median=figures.median(times), survivors=len(survivors), killed=len(victims))


def main():
    quick = figures.arguments(__doc__).quick
    count, victim_count, heartbeat = (6, 2, SHORT) if quick else (30, 10, DEFAULT)
    with Mesh() as mesh, Crowd(mesh, count, heartbeat=heartbeat) as crowd:
        begin = time.monotonic()
        last_start = crowd.start()
        times = sorted(at - last_start for at in crowd.all_alive().values())
        figures.line("join", times[-1], "s", first=times[0], median=figures.median(times), nodes=count,
                     starting_took_s=last_start - begin)
        crowd.publishing()
        poll.window(1 if quick else 5)
        found = measure(crowd.nodes, 2 if quick else 10)
        figures.line("join_quiet", found["cpu_percent_mean"], "% of a core", **found)
        kill(crowd, crowd.nodes[-victim_count:], heartbeat)


if __name__ == "__main__":
    main()
