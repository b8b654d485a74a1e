"""Many streams: one event on each of 10,000 types from one node, to a sink with one family subscription on another;
then both are left alone for a minute and a half while the tail markers of the streams grow rare (1, 2, 4, .. 60 s).
Measured in windows of 10 s: CPU of both, bytes a second on the wire and markers that arrived; and memory per stream,
the growth of the resident set. Baseline of the CPU: the same pair before, quiet for 5 s. Default timing.
--quick: 1,000 streams, three windows of 3 s.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from subscriptions import Sinks, books, pair, publish_each, types_of

from support import figures, process_figures
from support.many_nodes import LANES
from support.mesh import Mesh
from support.poll import window
from support.rpc import Control


def quiet(nodes, tcp, seconds):
    """CPU % of each node, and bytes/s on the wire, in a window in which nobody asks them anything."""
    before = [process_figures.sample(node.pid) for node in nodes]
    tcp.since()
    window(seconds)
    after = [process_figures.sample(node.pid) for node in nodes]
    sent, _, _ = tcp.since()
    windows = [process_figures.between(a, b) for a, b in zip(before, after)]
    return [w.cpu_percent for w in windows], sent


def markers(node):
    return sum(lane["markers"] for lane in node.stats()["lanes"])


def main():
    quick = figures.arguments(__doc__).quick
    count, windows, seconds = (1000, 3, 3) if quick else (10000, 9, 10)
    types = types_of(count)
    with Mesh() as mesh:
        sinks = Sinks(mesh, ["many."])
        nodes = pair(mesh, sinks.tables)
        publisher, receiver = nodes
        tcp = process_figures.TcpBytes(publisher.port + lane for lane in LANES)
        still, still_bytes = quiet(nodes, tcp, 2 if quick else 5)
        sizes = [process_figures.sample(node.pid).rss for node in nodes]
        with Control(publisher.address) as control:
            publish_each(control, types, sinks)
        sinks.close()
        grown = [process_figures.sample(node.pid).rss - size for node, size in zip(nodes, sizes)]
        seen = markers(receiver)
        for i in range(windows):
            cpu, sent = quiet(nodes, tcp, seconds)
            now = markers(receiver)
            figures.line("streams_markers", cpu[0], "% of a core (publisher)", "before the streams", still[0],
                         from_s=i * seconds, to_s=(i + 1) * seconds, streams=count, receiver_cpu_percent=cpu[1],
                         receiver_cpu_percent_before=still[1], lane_bytes_per_s=sent,
                         lane_bytes_per_s_before=still_bytes, markers_per_s=(now - seen) / seconds)
            seen = now
        for node, growth in zip(nodes, grown):
            figures.line(f"streams_{node.name}_memory", growth / count, "B a stream", streams=count)
        found = books(receiver)
        assert found["unbalanced"] == 0 and found["lost"] == 0, found


if __name__ == "__main__":
    main()
