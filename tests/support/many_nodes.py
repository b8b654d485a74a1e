"""Meshes of many nodes for benchmarks: started quickly, asked cheaply, measured together."""

import time

import zmq

from support import ports, process_figures
from support.figures import mean
from support.poll import until, window
from support.rpc import Control

PORTS_A_NODE = 6
LANES = range(1, 5)


class Crowd:
    """Nodes with default timing on one run of ports; each joins through the first. One control connection to each.
    Use it as a context manager around a Mesh that ends the processes."""

    def __init__(self, mesh, count, prefix="n", **tables):
        base = ports.free_run(PORTS_A_NODE * count)
        self.context = zmq.Context()
        self.nodes = []
        for i in range(count):
            join = self.nodes[:1]
            self.nodes.append(mesh.node(f"{prefix}{i}", join=join, fast=False, port=base + PORTS_A_NODE * i, **tables))
        self.controls = {}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for control in self.controls.values():
            control.close()
        self.context.term()

    def start(self):
        """Starts all; returns when the last one was (time.monotonic())."""
        for node in self.nodes:
            node.start()
        return time.monotonic()

    def control(self, node):
        if node.name not in self.controls:
            self.controls[node.name] = Control(node.address, self.context, redial_ms=20)
        return self.controls[node.name]

    def ask(self, nodes, method, timeout=10.0):
        """node name -> answer; all are asked before the first answer is waited for. Without an answer: None."""
        numbers = [(node, self.control(node).ask(method)) for node in nodes]
        return {node.name: self.control(node).answer(number, timeout) for node, number in numbers}

    def when_each(self, nodes, agrees, what, watchdog=120.0, pause=0.05):
        """node name -> time.monotonic() at which agrees(states) was first seen true, states being name -> state by that
        node's own roster. A node that agreed is not asked again."""
        agreed = {}
        seen = {}

        def all_agree():
            for name, rows in self.ask([n for n in nodes if n.name not in agreed], "nodes").items():
                seen[name] = {row["name"]: row["state"] for row in rows or []}
                if agrees(seen[name]):
                    agreed[name] = time.monotonic()
            return len(agreed) == len(nodes)
        until(all_agree, lambda: f"{what}; not yet: { {n: s for n, s in seen.items() if n not in agreed} }", watchdog,
              pause)
        return agreed

    def all_alive(self, watchdog=120.0):
        """node name -> when that node held every node for alive."""
        names = {node.name for node in self.nodes}
        return self.when_each(self.nodes, lambda states: names <= {n for n, s in states.items() if s == "alive"},
                              "all to hold all for alive", watchdog)

    def publishing(self, watchdog=120.0):
        """Waits until every node publishes."""
        open_ones = set()

        def all_open():
            for name, stats in self.ask([n for n in self.nodes if n.name not in open_ones], "stats").items():
                if stats and stats["publishing"]:
                    open_ones.add(name)
            return len(open_ones) == len(self.nodes)
        until(all_open, lambda: f"all to publish; open: {open_ones}", watchdog, 0.1)


def measure(nodes, seconds):
    """A dict of a window in which nobody asks the nodes anything. `lane_bytes`: what the lanes of one node send to all
    its peers; in a closed mesh each receives as much."""
    tcp = process_figures.TcpBytes(node.port + lane for node in nodes for lane in LANES)
    first = [process_figures.sample(node.pid) for node in nodes]
    window(seconds)
    second = [process_figures.sample(node.pid) for node in nodes]
    sent, _, connections = tcp.since()
    windows = [process_figures.between(a, b) for a, b in zip(first, second)]
    passed = mean([w.seconds for w in windows])
    cpu = [w.cpu_percent for w in windows]
    return {
        "nodes": len(nodes), "window_s": passed,
        "cpu_percent_mean": mean(cpu), "cpu_percent_max": max(cpu), "cpu_percent_total": sum(cpu),
        "ticks_percent_mean": mean([w.ticks_percent for w in windows]),
        "waited_percent_mean": mean([w.waited_percent for w in windows]),
        "switches_per_s_mean": mean([w.switches_per_second for w in windows]),
        "rss_mib_mean": mean([s.rss for s in second]) / 2**20, "rss_mib_max": max(s.rss for s in second) / 2**20,
        "pss_mib_mean": mean([s.pss for s in second]) / 2**20, "pss_mib_max": max(s.pss for s in second) / 2**20,
        "fds_mean": mean([s.fds for s in second]), "fds_max": max(s.fds for s in second),
        "threads_mean": mean([s.threads for s in second]),
        "lane_bytes_per_s_mean": sent / len(nodes), "lane_connections": connections,
    }
