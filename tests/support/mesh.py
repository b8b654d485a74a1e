"""Real legion-node processes for tests: temporary folders, free ports, nothing left behind."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile

from support import ports
from support.poll import until
from support.rpc import Control

BIN = pathlib.Path(os.environ.get("LEGION_BIN", "build/release/bin")).resolve()
PYTHON = "/usr/bin/python3"
EXIT_UNAVAILABLE = 69

# Short enough that death is seen soon, long enough that a busy machine does not suspect the living for good.
FAST = {"heartbeat": {"interval": "200ms", "suspect_after": "1s", "dead_after": "3s"}}


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
    return json.dumps(str(value))


def toml_tables(tables):
    """{"node": {...}} becomes [node], lists of dicts become [[...]]; an agent's `subscribe` list is nested."""
    lines = []
    for name, table in tables.items():
        for entry in table if isinstance(table, list) else [table]:
            lines.append(f"[[{name}]]" if isinstance(table, list) else f"[{name}]")
            nested = entry.get("subscribe", []) if name == "agent" else []
            for key, value in entry.items():
                if name == "agent" and key == "subscribe":
                    continue
                lines.append(f"{key} = {toml_value(value)}")
            for subscription in nested:
                lines.append("[[agent.subscribe]]")
                lines += [f"{k} = {toml_value(v)}" for k, v in subscription.items()]
    return "\n".join(lines) + "\n"


def with_spools(topics, spools):
    """The [[topic]] tables of a node, where the rule for everything says how many spools a confirm waits for."""
    everything = next((t for t in topics if t["prefix"] == "*"), {"prefix": "*"})
    return [{"spools": spools, **everything}, *(t for t in topics if t["prefix"] != "*")]


class Node:
    """One process at a time under one name; start() again begins its next life."""

    def __init__(self, mesh, name, tables, port=None):
        self.mesh = mesh
        self.name = name
        self.folder = mesh.folder / f"{name}-{len(mesh.nodes)}"
        self.folder.mkdir()
        self.state_dir = self.folder / "state"
        self.log_path = self.folder / "log"
        self.config_path = self.folder / "node.toml"
        self.port = port or ports.free_run()
        node = {"name": name, "listen": f"tcp://127.0.0.1:{self.port}", "state_dir": str(self.state_dir)}
        node.update(tables.get("node", {}))
        self.tables = {**tables, "node": node}
        self.tables["topic"] = with_spools(tables.get("topic", []), mesh.spools)
        self.address = node.get("advertise", node["listen"])
        self.config_path.write_text(toml_tables(self.tables))
        self.process = None
        # Whether it may go to other ports, when somebody else has taken these meanwhile: until it is up, or others were
        # told its address.
        self.may_move = port is None and not {"listen", "advertise"} & tables.get("node", {}).keys()

    def _moved(self):
        """Whether it ended because its ports were taken, and was started on others."""
        if not self.may_move or self.process.poll() != EXIT_UNAVAILABLE or "Address already in use" not in self.log():
            return False
        self.port = ports.free_run()
        self.address = self.tables["node"]["listen"] = f"tcp://127.0.0.1:{self.port}"
        self.config_path.write_text(toml_tables(self.tables))
        self.start(*self.process.args[2:])
        return True

    def start(self, *arguments):
        assert self.process is None or self.process.poll() is not None
        log = open(self.log_path, "ab")
        with log:
            self.process = subprocess.Popen(
                [BIN / "legion-node", self.config_path, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        return self

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def restart(self, *arguments):
        """kill -9 and a new life at once, in the same state directory."""
        self.kill()
        return self.start(*arguments)

    def freeze(self):
        """SIGSTOP: it keeps its connections and says nothing."""
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def limit_files(self, bytes_max=resource.RLIM_INFINITY):
        """From now on no file of the running process grows beyond this, as on a full disk. Its log counts too."""
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (bytes_max, hard))

    @property
    def spool_path(self):
        """The file of a node with a [spool] table."""
        return self.state_dir / self.tables["spool"].get("path", "spool.db")

    def terminate(self, watchdog=60):
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout=watchdog)

    def wait_exit(self, watchdog=120):
        return self.process.wait(timeout=watchdog)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, pattern, watchdog=60):
        return until(lambda: re.search(pattern, self.log()), lambda: f"{self.name} to log {pattern!r}; log:\n{self.log()}",
                     watchdog)

    def call(self, method, params=None, timeout=10.0):
        with Control(f"tcp://127.0.0.1:{self.port}") as control:
            return control.call(method, params, timeout)

    def ready(self, watchdog=60):
        """Running and publishing."""
        def open_for_publishing():
            assert self.process.poll() is None or self._moved(), f"{self.name} ended: {self.log()}"
            stats = self.call("stats", timeout=2)
            return stats and stats["publishing"]
        until(open_for_publishing, lambda: f"{self.name} to be ready; log:\n{self.log()}", watchdog)
        self.may_move = False
        return self

    def stats(self):
        result = self.call("stats")
        assert result is not None, f"{self.name} did not answer; log:\n{self.log()}"
        return result

    def book(self, agent, type_):
        for entry in self.stats()["subscriptions"]:
            if entry["agent"] == agent and entry["type"] == type_:
                return entry
        raise AssertionError(f"{self.name} has no subscription {agent} {type_}")

    def settled(self, agent, type_, published):
        """The book of a subscription, once all that was published is counted and over."""
        def is_settled():
            book = self.book(agent, type_)
            return book["published"] == published and book["pending"] == 0 and book["balance"] == 0
        until(is_settled, lambda: f"{self.book(agent, type_)}\n{self.log()}")
        return self.book(agent, type_)

    def agent(self, name):
        return next(a for a in self.stats()["agents"] if a["agent"] == name)

    def members(self):
        """name -> row of `nodes`."""
        return {row["name"]: row for row in self.call("nodes") or []}

    def state_of(self, name):
        row = self.members().get(name)
        return row["state"] if row else None

    def publish(self, type_, data=None, **attributes):
        """One event over the control port; returns {status, id?, detail?}."""
        return self.publish_all([{"type": type_, "data": data, **attributes}])[0]

    def publish_all(self, events):
        return self.call("publish", {"events": events}, timeout=60)

    def spool_stats(self):
        """`spool` of stats; None when it does not answer (stopped, starting)."""
        return (self.call("stats", timeout=2) or {}).get("spool")

    def rss_bytes(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")


class Mesh:
    """The nodes of one test. close() ends every process it started and removes the folder.

    `spools`: how many spools a confirm waits for. 0: a mesh without a spool, where confirmed types are sent at once.
    """

    def __init__(self, spools=0):
        self.spools = spools
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="legion-test-"))
        self.nodes = []
        self.processes = []
        self.proxies = []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def node(self, name, join=(), fast=True, port=None, **tables):
        """A node that is not started yet. `join`: nodes or addresses."""
        merged = {**(FAST if fast else {}), **tables}
        addresses = [j.address if isinstance(j, Node) else j for j in join]
        for joined in join:
            if isinstance(joined, Node):
                joined.may_move = False
        if addresses:
            merged["node"] = {**merged.get("node", {}), "join": addresses}
        node = Node(self, name, merged, port)
        self.nodes.append(node)
        return node

    def spawn(self, arguments, **options):
        process = subprocess.Popen(arguments, stdin=options.pop("stdin", subprocess.DEVNULL), **options)
        self.processes.append(process)
        return process

    def cli(self, *arguments, node=None, check=None, input=None, timeout=60):
        """Runs legion-cli to its end. `check`: the exit code expected."""
        command = [BIN / "legion-cli", *(["--node", f"127.0.0.1:{node.port}"] if node else []), *arguments]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LEGION_")}
        done = subprocess.run(command, capture_output=True, text=True, input=input, timeout=timeout, env=environment)
        if check is not None:
            assert done.returncode == check, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def alive_everywhere(self, nodes, watchdog=60):
        """Every node of `nodes` holds every other one for alive."""
        names = {n.name for n in nodes}

        def converged():
            return all(names <= {m for m, row in n.members().items() if row["state"] == "alive"} for n in nodes)
        until(converged, lambda: f"all alive everywhere: { {n.name: {m: r['state'] for m, r in n.members().items()} for n in nodes} }",
              watchdog)

    def close(self):
        for process in self.processes + [n.process for n in self.nodes if n.process]:
            if process.poll() is None:
                try:
                    process.send_signal(signal.SIGCONT)
                    process.kill()
                except ProcessLookupError:
                    pass
            process.wait()
        for node in self.nodes:
            if node.process:
                self._end_orphans(node.process.pid)
        for proxy in self.proxies:
            proxy.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _end_orphans(session):
        """Exec agents of a node that was killed: they are in the session the node began."""
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    os.kill(int(entry.name), signal.SIGKILL)
            except (OSError, IndexError):
                continue
