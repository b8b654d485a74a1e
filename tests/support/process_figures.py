"""What the kernel says about a process and its connections: CPU, memory, descriptors, threads, bytes."""

import dataclasses
import os
import pathlib
import re
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Sample:
    """Taken at one moment. Counters count from the start of the process; those of threads that ended are missing in
    `cpu`, `waited` and `switches`, not in `ticks`."""
    at: float        # s, monotonic
    cpu: float       # s on a core, of all threads, from the scheduler (ns)
    waited: float    # s ready to run while the cores did something else: how busy the machine was
    ticks: float     # s user and system, in steps of 10 ms
    switches: int    # context switches, wanted or not
    threads: int
    fds: int
    rss: int         # bytes, shared pages whole
    pss: int         # bytes, shared pages divided by those who share them


@dataclasses.dataclass
class Window:
    """Between two samples of one process."""
    seconds: float
    cpu_percent: float        # of one core, from the scheduler
    ticks_percent: float      # of one core, from user and system time
    waited_percent: float     # of the time, summed over threads, ready and without a core
    switches_per_second: float


def sample(pid):
    """Raises FileNotFoundError or ProcessLookupError when the process is over."""
    proc = pathlib.Path(f"/proc/{pid}")
    at = time.monotonic()
    cpu = waited = switches = 0
    for task in (proc / "task").iterdir():
        try:
            ran, ready, _ = (task / "schedstat").read_text().split()
            cpu, waited = cpu + int(ran), waited + int(ready)
            switches += sum(int(n) for n in re.findall(r"ctxt_switches:\t(\d+)", (task / "status").read_text()))
        except (FileNotFoundError, ProcessLookupError):
            continue  # a thread that ended
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    return Sample(at, cpu / 1e9, waited / 1e9, (int(fields[11]) + int(fields[12])) / TICK, switches, int(fields[17]),
                  len(os.listdir(proc / "fd")), _kib(proc / "status", "VmRSS"), _kib(proc / "smaps_rollup", "Pss"))


def cpu_seconds(pid):
    """s on a core of all threads that still run."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total / 1e9


def between(first, second):
    seconds = second.at - first.at
    return Window(seconds, (second.cpu - first.cpu) / seconds * 100, (second.ticks - first.ticks) / seconds * 100,
                  (second.waited - first.waited) / seconds * 100, (second.switches - first.switches) / seconds)


class TcpBytes:
    """Payload that passed the TCP connections of listeners on `ports` of this machine, from the kernel's TCP_INFO. Each
    connection is looked at where it was accepted; one that closed between two looks is not counted in that window."""

    def __init__(self, ports):
        self.ports = set(ports)
        self.at = time.monotonic()
        self.before = self._read()

    def since(self):
        """Since the last look: bytes a second sent and received by the side that listens; and how many connections."""
        begin, self.at = self.at, time.monotonic()
        seconds = self.at - begin
        now = self._read()
        changes = [(o - self.before.get(k, (0, 0))[0], i - self.before.get(k, (0, 0))[1]) for k, (o, i) in now.items()]
        self.before = now
        return sum(o for o, _ in changes) / seconds, sum(i for _, i in changes) / seconds, len(now)

    def _read(self):
        done = subprocess.run(["ss", "-tinOH", "state", "established"], capture_output=True, text=True, check=True)
        connections = {}
        for text in done.stdout.splitlines():
            near, far = text.split()[2:4]
            if int(near.rpartition(":")[2]) in self.ports:
                connections[near, far] = (_number(text, "bytes_acked"), _number(text, "bytes_received"))
        return connections


def _number(text, name):
    found = re.search(rf"\b{name}:(\d+)", text)
    return int(found.group(1)) if found else 0


def _kib(path, name):
    found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0
