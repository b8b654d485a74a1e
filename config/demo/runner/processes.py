"""Starts and ends the processes of the demo, and only those."""

import ctypes
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

from runner.control import Control

PORTS_OF_A_NODE = 6
PORTS_FROM, PORTS_TO = 20000, 32000  # below what the kernel gives to outgoing connections
GRACE = 20.0  # longer than drain_timeout
STORES = ("vault",)


def free_ports(count):
    """The first ports of `count` free runs."""
    bases = list(range(PORTS_FROM, PORTS_TO, 10))
    random.shuffle(bases)
    found = (base for base in bases if all(is_free(base + i) for i in range(PORTS_OF_A_NODE)))
    return [next(found) for _ in range(count)]


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def end_with_parent():
    """Runs in the child: it gets SIGTERM should the demo itself be killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def environment(**extra):
    """Ours without LEGION_*, which would override the configuration, and no byte code beside the agents."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEGION_")}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | extra


class Node:
    """A legion-node with a file of config/demo."""

    def __init__(self, program, config, folder, port, join):
        self.name = config.stem
        self.port = port
        self.control = Control(port)
        self.log_path = folder / f"{self.name}.log"
        self.process = None
        self._command = [
            program, config,
            "--set", f"node.listen=tcp://127.0.0.1:{port}",
            "--set", f"node.state_dir={folder / self.name}",
        ]  # fmt: skip
        if join:
            self._command += ["--set", f"node.join={','.join(f'tcp://127.0.0.1:{other}' for other in join)}"]
        self.shared = {"LEDGER": str(folder / "orders.jsonl"), "REPAIRED": str(folder / "repaired")}
        self._environment = environment(**self.shared)

    def start(self, detached=False):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment,
                start_new_session=True, preexec_fn=None if detached else end_with_parent)  # fmt: skip

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log_tail(self, lines=15):
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def stores(nodes):
    """Those with a spool."""
    return [node for node in nodes if node.name in STORES]


def others(nodes):
    return [node for node in nodes if node.name not in STORES]


def end(processes, grace=GRACE):
    """SIGTERM to all, SIGKILL to what is left after the grace time; returns their exit codes."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + grace
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return [process.returncode for process in processes]


def start_time(pid):
    """In clock ticks since the system started; with the pid it names one process. None when there is none."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None
