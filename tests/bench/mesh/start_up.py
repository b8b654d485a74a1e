"""How long a node takes to start: from exec to the first answer of the control port, and until it publishes; alone, and
joining a mesh of three. Median of ten starts with a new state directory each, default configuration. The asker redials
every millisecond and has one question under way, so the times are a few milliseconds late at most.

Baseline: `legion-node --version`, from exec to its end: loading the program and its libraries.
--quick: three starts.
"""

import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support import figures, ports
from support.mesh import BIN, Mesh
from support.many_nodes import Crowd
from support.poll import until
from support.rpc import Control


def version_once():
    begin = time.monotonic()
    subprocess.run([BIN / "legion-node", "--version"], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - begin


def start_once(mesh, name, join):
    """(s to the first answer, s to publishing) of one start; the node is stopped in order afterwards."""
    node = mesh.node(name, join=join, fast=False, port=ports.free_run())
    with Control(node.address, redial_ms=1) as control:
        begin = time.monotonic()
        node.start()
        assert control.call("stats", timeout=60), node.log()
        answered = time.monotonic() - begin
        until(lambda: control.call("stats")["publishing"], lambda: f"{name} to publish: {node.log()}", pause=0.001)
        publishing = time.monotonic() - begin
    assert node.terminate() == 0, node.log()
    return answered, publishing


def main():
    count = 3 if figures.arguments(__doc__).quick else 10
    base = figures.median([version_once() for _ in range(count)]) * 1000
    with Mesh() as mesh, Crowd(mesh, 3) as crowd:
        crowd.start()
        crowd.all_alive()
        crowd.publishing()
        for how, join in (("alone", []), ("joining_3", crowd.nodes[:1])):
            starts = [start_once(mesh, f"late-{how.replace('_', '-')}-{i}", join) for i in range(count)]
            for what, times in zip(("answers", "publishes"), zip(*starts)):
                times = [t * 1000 for t in times]
                figures.line(f"start_up_{how}_{what}", figures.median(times), "ms", "legion-node --version", base,
                             least=min(times), most=max(times), runs=count)


if __name__ == "__main__":
    main()
