"""What an exec agent in Python takes and gives: events a second into one that parses each line and acknowledges it,
with concurrency 1 and 64, and out of one that publishes as fast as its output is taken, without answers and with 64
publishes waiting for theirs (a flush after every line, as docs/protocol.md advises).

Into: a feed fills the agent's mailbox (as large as all of it) in the first moments; from the first event the agent
reads to the last, by its own clock. Out: from the agent's start to its last line being taken, or answered; the sink of
the same node has to see what was accepted. CPU: of the agent by itself; of the node user and system time, its start and
the feed or sink included, over the time of the case. agent_waited_percent is the time the agent was ready to run and
had no core; what is left of 100 % it waited for the node.

Baseline: the same Python program on two plain pipes, fed prepared lines by this program, which throws its lines away.
--quick: a tenth of the events.
"""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support import figures, ports, process_figures
from support.mesh import PYTHON, Mesh
from support.poll import until

AGENTS = pathlib.Path(__file__).resolve().parent / "agents"
TYPE = "exec.load"
LINE = ('{"specversion":"1.0","id":"n1:1763000000000000000:2:exec.load:0:%d","type":"exec.load","source":"n1/load",'
        '"time":"2025-11-10T17:23:53.971744500Z","priority":"normal",'
        '"correlationid":"n1:1763000000000000000:2:exec.load:0:%d","sequence":"%d",'
        '"data":{"symbol":"XBT/USDT","price":105433.6,"volume":0.54321,"side":"buy"},"delivery":%d,'
        '"attempt":1}\n')


def environment(mesh, count, window=0):
    record = mesh.folder / f"record-{os.urandom(4).hex()}"
    return record, {"COUNT": str(count), "WINDOW": str(window), "TYPE": TYPE, "RECORD": str(record)}


def read_record(record, watchdog=120):
    """What the agent wrote down; it writes it at once."""
    until(lambda: record.exists() and record.read_text().endswith("}"), "the agent to be done", watchdog, 0.05)
    return json.loads(record.read_text())


def rate(record, count):
    return count / (record["last"] - record["first"])


def piped(mesh, script, count, window=0):
    """The record of a program on two plain pipes. Publishes that wait for answers get them here at once."""
    record, env = environment(mesh, count, window)
    process = mesh.spawn([PYTHON, AGENTS / script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         env={**os.environ, **env})

    def feed():
        block = "".join(LINE % (n, n, n, n) for n in range(1, count + 1)).encode()
        process.stdin.write(block)
        process.stdin.flush()

    def answer():
        given = 0
        while block := os.read(process.stdout.fileno(), 65536):
            lines = block.count(b"\n")
            if window:
                text = "".join('{"published":%d,"id":"n1:1763000000000000000:2:exec.load:0:%d"}\n' % (n, n)
                               for n in range(given, given + lines))
                process.stdin.write(text.encode())
                process.stdin.flush()
            given += lines
    threads = [threading.Thread(target=answer, daemon=True)]
    if script == "reader.py":
        threads.append(threading.Thread(target=feed, daemon=True))
    for thread in threads:
        thread.start()
    found = read_record(record)
    process.stdin.close()
    process.wait(timeout=10)
    return found


def in_a_node(mesh, agents, record):
    """(record, CPU % of the node, when the record was read, node). The CPU since the node's start over the time of the
    record."""
    node = mesh.node(f"n{len(mesh.nodes)}", fast=False, port=ports.free_run(), agent=agents).start().ready()
    found = read_record(record)
    ended, used = time.monotonic(), process_figures.sample(node.pid)
    return found, used.ticks / max(found["last"] - found["first"], 1e-9) * 100, ended, node


def print_line(bench, record, base, count, node_percent, **extras):
    percent = 100 / (record["last"] - record["first"])
    figures.line(bench, rate(record, count), "events/s", "the same program on plain pipes", rate(base, count),
                 events=count, agent_cpu_percent=record["cpu"] * percent,
                 agent_waited_percent=record["waited"] * percent, node_cpu_percent=node_percent,
                 agent_us_an_event=record["cpu"] / count * 1e6,
                 baseline_us_an_event=base["cpu"] / count * 1e6, **extras)


def into(mesh, concurrency, count, base):
    record, env = environment(mesh, count)
    reader = {"name": "reader", "exec": [PYTHON, str(AGENTS / "reader.py")], "env": env, "concurrency": concurrency,
              "capacity": min(2 * count, 10_000_000), "subscribe": [{"type": TYPE}]}
    feed = {"name": "load", "builtin": "feed", "type": TYPE, "speed": "max", "count": count}
    found, percent, _, node = in_a_node(mesh, [reader, feed], record)
    until(lambda: node.book("reader", TYPE)["delivered"] == count, lambda: f"all delivered: {node.stats()}")
    book = node.book("reader", TYPE)
    assert book["balance"] == 0 and sum(book["lost"].values()) == 0, book
    print_line(f"exec_into_concurrency_{concurrency}", found, base, count, percent)


def out_of(mesh, window, count, base):
    record, env = environment(mesh, count, window)
    writer = {"name": "writer", "exec": [PYTHON, str(AGENTS / "writer.py")], "env": env}
    sink = {"name": "sink", "builtin": "sink", "capacity": 2 * count, "subscribe": [{"type": TYPE}]}
    found, percent, ended, node = in_a_node(mesh, [writer, sink], record)

    def accepted():
        counters = node.agent("writer")["counters"]
        return counters.get("published", 0) + counters.get("refused", 0) >= count
    until(accepted, lambda: f"all taken: {node.agent('writer')}")
    published = node.agent("writer")["counters"].get("published", 0)
    until(lambda: node.book("sink", TYPE)["delivered"] == published, lambda: f"sink: {node.stats()}", pause=0.01)
    book = node.book("sink", TYPE)
    assert book["balance"] == 0 and sum(book["lost"].values()) == 0, book
    print_line(f"exec_out_window_{window}", found, base, count, percent, published=published,
               refused=node.agent("writer")["counters"].get("refused", 0),
               sink_had_all_after_s=max(0.0, time.monotonic() - ended))


def main():
    scale = 10 if figures.arguments(__doc__).quick else 1
    few, many = 50_000 // scale, 200_000 // scale
    with Mesh() as mesh:
        base = piped(mesh, "reader.py", many)
        into(mesh, 1, few, piped(mesh, "reader.py", few))
        into(mesh, 64, many, base)
        out_of(mesh, 0, many, piped(mesh, "writer.py", many))
        out_of(mesh, 64, many, piped(mesh, "writer.py", many, 64))


if __name__ == "__main__":
    main()
