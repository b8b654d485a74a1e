"""Whether `legion-cli tail` keeps up with 100,000 events/s, and whether it says so when it does not.

A node's feed (synthetic prices, 100,000 events/s for 5 s) starts once the tail is connected to every node: it waits for
a second node, which is started then. So every event is covered: events shown + lost as reported on standard error
= published, and `unaccounted` is what is left over. Shown is counted in what arrives at a pipe and has to agree with
the tail's last line, which alone says it for /dev/null.

Cases: -o jsonl to /dev/null; -o jsonl to a pipe whose lines are counted; table to /dev/null; --report (counts only);
then what it cannot follow: a feed as fast as it goes (three and ten times the events), and a reader that takes 2 MiB/s
until the feed has finished. Baseline: what the feed published a second meanwhile; a ratio below 1 means that events got
lost or came later. CPU is that of the time the feed took. --quick: 1 s of events a case.
"""

import pathlib
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support import figures, ports, process_figures
from support.mesh import BIN, Mesh
from support.poll import until, window

RATE = 100_000
SLOW_BYTES_PER_S = 2 * 2**20
BUSY_S_A_LOOK = 0.0025  # CPU of 50 ms; 100,000 events/s take several times that
TYPE = "flow.load"


class Reader:
    """Counts the lines of a pipe, as fast as it can or, until it is told to hurry, at so many bytes a second."""

    def __init__(self, pipe, bytes_per_second=None):
        self.lines = 0
        self.hurry = threading.Event()
        self.last = time.monotonic()
        self.thread = threading.Thread(target=self._run, args=(pipe, bytes_per_second), daemon=True)
        self.thread.start()

    def _run(self, pipe, bytes_per_second):
        while block := pipe.read1(65536):
            self.lines += block.count(b"\n")
            self.last = time.monotonic()
            if bytes_per_second and not self.hurry.is_set():
                self.hurry.wait(len(block) / bytes_per_second)


class Tail:
    def __init__(self, mesh, node, arguments, to_pipe, bytes_per_second=None):
        self.notes_path = mesh.folder / "tail.err"
        with open(self.notes_path, "wb") as notes:
            command = [BIN / "legion-cli", "--node", f"127.0.0.1:{node.port}", "tail", TYPE, *arguments]
            self.process = mesh.spawn(command, stdout=subprocess.PIPE if to_pipe else subprocess.DEVNULL, stderr=notes)
        self.reader = Reader(self.process.stdout, bytes_per_second) if to_pipe else None

    def notes(self):
        return self.notes_path.read_text(errors="replace")

    def cpu(self):
        return process_figures.cpu_seconds(self.process.pid)

    def lost(self):
        """As said so far."""
        said = re.findall(r"lost \d+ events? \((\d+) in all\)", self.notes())
        return int(said[-1]) if said else 0

    def until_done(self, published):
        """When (time.monotonic()) it last showed something. Through a pipe it is done when every event is accounted
        for, or after 30 s without progress: after a long stall TCP itself pauses for seconds. Otherwise when it has
        only followed heartbeats for 1.5 s."""
        seen, used, since = None, self.cpu(), time.monotonic()
        while time.monotonic() - since < (30 if self.reader else 1.5):
            window(0.05)
            now, cpu = (self.reader.lines if self.reader else 0, self.lost()), self.cpu()
            if self.reader and sum(now) >= published:
                break
            if now != seen or cpu - used > BUSY_S_A_LOOK:
                since = time.monotonic()
            seen, used = now, cpu
        return self.reader.last if self.reader else since

    def end(self):
        """(exit code, shown, lost) by its own last line."""
        self.process.send_signal(2)
        code = self.process.wait(timeout=60)
        if self.reader:
            self.reader.thread.join(timeout=60)
        said = re.search(r"(\d+) events? (?:shown|counted) in .*, (\d+) lost", self.notes())
        assert said, self.notes()
        return code, int(said.group(1)), int(said.group(2))


def run(bench, arguments, to_pipe, count, rate, bytes_per_second=None):
    speed = {"rate": rate} if rate else {"speed": "max"}
    feed = {"name": "load", "builtin": "feed", "type": TYPE, "count": count, "wait_for_nodes": 2, **speed}
    with Mesh() as mesh:
        node = mesh.node("feeder", fast=False, port=ports.free_run(), agent=[feed]).start().ready()
        tail = Tail(mesh, node, arguments, to_pipe, bytes_per_second)
        until(lambda: "connected to every node" in tail.notes(), lambda: f"tail to be connected: {tail.notes()}")
        before = [process_figures.sample(node.pid).ticks, tail.cpu()]
        mesh.node("starter", join=[node], fast=False, port=ports.free_run()).start()
        until(lambda: node.agent("load")["counters"].get("published"), "the feed to begin", pause=0.01)
        began = time.monotonic()
        until(lambda: node.agent("load")["state"] == "finished", lambda: f"the feed to end: {node.agent('load')}",
              pause=0.05)
        fed = time.monotonic() - began
        cpu = [process_figures.sample(node.pid).ticks - before[0], tail.cpu() - before[1]]
        if tail.reader:
            tail.reader.hurry.set()
        assert node.publish(TYPE, {"last": True}, priority="normal")["status"] == "queued"
        published = count + 1
        took = tail.until_done(published) - began
        code, shown, lost = tail.end()
        if tail.reader:
            assert tail.reader.lines == shown, (tail.reader.lines, shown)
        warnings = [line for line in tail.notes().splitlines() if "lost" in line]
        figures.line(bench, shown / took, "events shown/s", "published/s", count / fed, shown=shown, lost=lost,
                     published=published, unaccounted=published - shown - lost, exit_code=code, feeding_took_s=fed,
                     showing_took_s=took, node_cpu_percent=cpu[0] / fed * 100, tail_cpu_percent=cpu[1] / fed * 100,
                     notes_of_loss=len(warnings) - 1, first_note_of_loss=warnings[0] if lost else None,
                     no_longer_covered=tail.notes().count("no longer covered"))


def main():
    seconds = 1 if figures.arguments(__doc__).quick else 5
    count = RATE * seconds
    run("tail_jsonl_null", ["-o", "jsonl"], False, count, RATE)
    run("tail_jsonl_pipe", ["-o", "jsonl"], True, count, RATE)
    run("tail_table_null", [], False, count, RATE)
    run("tail_report", ["--report"], False, count, RATE)
    run("tail_flood_pipe", ["-o", "jsonl"], True, 3 * count, None)
    run("tail_flood_slow_reader", ["-o", "jsonl"], True, 10 * count, None, SLOW_BYTES_PER_S)
    run("tail_slow_reader", ["-o", "jsonl"], True, count, RATE, SLOW_BYTES_PER_S)


if __name__ == "__main__":
    main()
