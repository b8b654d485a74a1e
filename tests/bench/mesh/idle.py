"""What an idle node costs: ten legion-node processes with default configuration and one log agent each (everything,
at info, to a file), on loopback. Once all hold all for alive and publish, nobody asks them anything for 20 s.

CPU is from /proc/PID/task/*/schedstat (ns) and, beside it, from user and system time of /proc/PID/stat (10 ms steps);
memory is VmRSS and Pss. The limits of the product are the baselines: 1 % of a core and 30 MiB a node, its worst node.
--quick: three nodes, 3 s.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support import figures, poll
from support.many_nodes import Crowd, measure
from support.mesh import Mesh

CPU_PERCENT_MAX = 1.0
RSS_MIB_MAX = 30.0
LOG_AGENT = {"name": "trace", "builtin": "log", "subscribe": [{"type": "*"}]}


def main():
    quick = figures.arguments(__doc__).quick
    with Mesh() as mesh, Crowd(mesh, 3 if quick else 10, agent=[LOG_AGENT]) as crowd:
        crowd.start()
        crowd.all_alive()
        crowd.publishing()
        poll.window(1 if quick else 10)  # the markers of what was said at the start grow rare
        found = measure(crowd.nodes, 3 if quick else 20)
    figures.line("idle_cpu", found["cpu_percent_max"], "% of a core", "limit", CPU_PERCENT_MAX, **found)
    figures.line("idle_rss", found["rss_mib_max"], "MiB", "limit", RSS_MIB_MAX, mean=found["rss_mib_mean"],
                 pss_mean=found["pss_mib_mean"], pss_max=found["pss_mib_max"])


if __name__ == "__main__":
    main()
