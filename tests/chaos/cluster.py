"""The processes of a run: two spools, 3 to 8 other nodes, their agents and the publishers."""

import os
import pathlib
import shutil
import signal
import struct
import subprocess
import time

import zmq

from chaos import load, machine, rules
from support import mesh as support_mesh
from support.mesh import BIN, PYTHON
from support.rpc import Control
from support.scripted import processes_of_session

HERE = pathlib.Path(__file__).resolve().parent
QUICK = {"restart_delay": "50ms", "restart_delay_max": "500ms",
         "retry": {"max_attempts": rules.ATTEMPTS, "delay": "50ms"}}
TOPICS = [{"prefix": name, **policy} for name, policy in rules.TYPES.items()]
JOURNAL = {"confirmed_bytes": "4MiB", "captured_bytes": "4MiB"}


class Reader:
    """One subscription of one agent, and the record of what it was handed."""

    def __init__(self, run, node_name, agent, filter_, part="plain", durable=None, tier=None, gate=None,
                 group=None):
        self.node_name, self.agent, self.filter, self.part = node_name, agent, filter_, part
        self.durable, self.tier = durable, tier
        self.gate = gate      # the Reader of the gate that stands before this one
        self.group = group    # its name, where it is a member of one
        self.path = run.folder / f"record-{node_name}-{agent}"
        shared = {"group": group, "home": run.spool_names[0], "shares": rules.SHARES, "start": "beginning"}
        subscribe = {"type": filter_, **({"durable": durable, "start": "beginning"} if durable else {}),
                     **(shared if group else {}),
                     **({"tier": tier} if tier else {})}
        self.table = {"name": agent, "exec": [PYTHON, str(HERE / "agents" / "worker.py")],
                      "env": {"RECORD": str(self.path), "PART": part}, **QUICK, "subscribe": [subscribe]}

    @property
    def name(self):
        return f"{self.node_name}/{self.agent}"


class ChaosNode(support_mesh.Node):
    """A node of the run's network. Remembers its lives: which process, from when to when, and how it ended."""

    def __init__(self, run, name, tables):
        self.run = run
        settings, more = run.network.tables(name)
        super().__init__(run, name, {**tables, **more, "node": {**tables.get("node", {}), **settings}},
                         port=run.network.port(name))
        self.lives = []       # dicts: pid, started, ended, how ("killed", "exit 0", ..)
        self.frozen = False
        self.context = None
        self.clock = None     # path of the shift of its wall clock, where there is one

    def prepare(self):
        """A context whose connections begin where the node is."""
        with self.run.network.inside(self.name):
            self.context = zmq.Context()
            self.context.socket(zmq.DEALER).close()  # its I/O thread starts here and stays

    def control(self):
        return Control(f"tcp://{self.run.network.host(self.name)}:{self.port}", context=self.context)

    def call(self, method, params=None, timeout=10.0):
        with self.control() as control:
            return control.call(method, params, timeout)

    def start(self, *arguments):
        environment = machine.environment()
        if self.clock:
            environment.update(LD_PRELOAD=str(self.run.clock_library), CHAOS_CLOCK=str(self.clock))
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.run.tether, *self.run.network.within(self.name), BIN / "legion-node", self.config_path,
                 *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment)
        self.lives.append({"pid": self.process.pid, "started": time.monotonic(), "ended": None, "how": None})
        return self

    @property
    def life(self):
        return self.lives[-1]

    def kill(self):
        if self.running():
            super().kill()
            self.ended("killed")
        self.ended()

    def ask_to_end(self):
        self.signal(signal.SIGTERM)

    def ended(self, how=None):
        """Whether its present life is over; writes down when and how."""
        if self.process.poll() is None:
            return False
        if self.life["ended"] is None:
            self.life.update(ended=time.monotonic(), how=how or f"exit {self.process.returncode}")
        return True

    def freeze(self):
        self.frozen = True
        super().freeze()

    def thaw(self):
        self.frozen = False
        if self.running():
            super().thaw()

    def publishing(self):
        """Up and open for publishing; asks once."""
        try:
            return bool((self.call("stats", timeout=0.5) or {}).get("publishing"))
        except Exception:  # pylint: disable=broad-except
            return False

    def shift_clock(self, seconds):
        with open(self.clock, "r+b") as file:
            file.write(struct.pack("q", int(seconds * 1e9)))


class Cluster:
    """What support.mesh.Mesh is to a test; close() leaves nothing behind."""

    spools = 1

    def __init__(self, folder, network, names, draw, rate, seconds, clock_library=None):
        # Far more than the events take; memory that is not used costs nothing.
        self.disk_mebibytes = 256 + int(rate * seconds * 2000) // (1 << 20)
        self.folder, self.network, self.draw = pathlib.Path(folder), network, draw
        self.spool_names = [n for n in names if n.startswith("s")]
        self.plain_names = [n for n in names if not n.startswith("s")]
        self.clock_library = clock_library
        self.tether = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        self.stop_file = self.folder / "stop-sources"
        self.nodes = []
        self.readers = []
        self.sources = []    # (node name, path of the record)
        self.clients = []
        self.disks = {}      # name of a spool -> machine.Disk
        self._build(rate)

    def _build(self, rate):
        first = self.spool_names[0]
        agents = {name: [] for name in self.spool_names + self.plain_names}
        for name in self.plain_names:
            self._reader(agents, name, "reader", "load.")
        one, two, three = self.plain_names[:3]
        self._reader(agents, one, "desk", "work.", "durable", durable="desk")
        self._reader(agents, two, "clerk", "work.live.", "durable", durable="clerk")
        self._reader(agents, first, "scribe", "work.after", "durable", durable="scribe")
        self._reader(agents, two, "coroner", "poison.", "coroner", durable="coroner")
        gate = self._reader(agents, three, "gate", "order.", "gate", tier="critical")
        self._reader(agents, three, "dealer", "order.", "durable", durable="dealer", gate=gate)
        self._reader(agents, three, "watcher", "order.", "plain", gate=gate, tier="low")
        for name in (one, two, three, self.spool_names[1]):  # the home is the other spool
            self._reader(agents, name, "hand", "crew.", "durable", group="crew")
        per_publisher = rate / len(self.plain_names)
        for number, name in enumerate(self.plain_names):
            if number % 2:
                agents[name].append(self._source(name, per_publisher))
        for name, tables in agents.items():
            self._node(name, tables, first)
        for number, name in enumerate(self.plain_names):
            if not number % 2:
                draw = type(self.draw)(self.draw.random())
                self.clients.append(load.Client(self[name], f"client-{name}", per_publisher, draw))

    def _reader(self, agents, node_name, agent, *args, **kwargs):
        reader = Reader(self, node_name, agent, *args, **kwargs)
        agents[node_name].append(reader.table)
        self.readers.append(reader)
        return reader

    def _source(self, name, rate):
        record = self.folder / f"record-{name}-source"
        self.sources.append((name, record))
        return {"name": "source", "exec": [PYTHON, str(HERE / "agents" / "source.py")], **QUICK,
                "env": {"RECORD": str(record), "NAME": f"source-{name}", "TYPES": " ".join(rules.TYPES),
                        "RATE": str(rate), "STOP": str(self.stop_file)}}

    def _node(self, name, agents, first):
        tables = {**support_mesh.FAST, "topic": TOPICS, "journal": JOURNAL, "agent": agents}
        if name in self.spool_names:
            disk = self._disk(name)
            tables["spool"] = {"path": str(disk.path / "spool.db")} if disk else {}
        if name != first:
            tables["node"] = {"join": [f"tcp://{self.network.host(n)}:{self.network.port(n)}"
                                       for n in (first, self.plain_names[0]) if n != name]}
        node = ChaosNode(self, name, tables)
        if self.clock_library:
            node.clock = self.folder / f"clock-{name}"
            node.clock.write_bytes(struct.pack("q", 0))
        self.nodes.append(node)

    def _disk(self, name):
        """A small disk of its own for a spool, which can be full; None where nothing can be mounted."""
        if self.network.mode != "namespaces":
            return None
        disk = machine.Disk(self.folder / f"disk-{name}", self.disk_mebibytes)
        if not disk.mount():
            return None
        self.disks[name] = disk
        return disk

    def __getitem__(self, name):
        return next(node for node in self.nodes if node.name == name)

    @property
    def spools_(self):
        return [self[name] for name in self.spool_names]

    def disk_of(self, node):
        return self.disks.get(node.name)

    def start(self):
        for node in self.nodes:
            node.prepare()
            node.start()
        for node in self.nodes:
            node.ready(120)
        for client in self.clients:
            client.start()

    def cli(self, *arguments, node, timeout=120):
        """Runs legion-cli where `node` is, to its end."""
        address = f"{self.network.host(node.name)}:{node.port}"
        environment = machine.environment()
        return subprocess.run([*self.network.within(node.name), BIN / "legion-cli", "--node", address, *arguments],
                              capture_output=True, text=True, timeout=timeout, env=environment, check=False)

    def stop_load(self):
        self.stop_file.touch()
        for client in self.clients:
            client.stop()
        for client in self.clients:
            client.join()

    def told(self):
        return [c.told for c in self.clients] + [load.told_by_source(name, path) for name, path in self.sources]

    def close(self, keep_stores=False):
        """`keep_stores`: what is on the small disks is copied to the folder before they go."""
        self.stop_file.touch()
        for client in self.clients:
            client.stop()
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.process.send_signal(signal.SIGCONT)
                node.process.kill()
                node.process.wait()
            for pid in (pid for life in node.lives for pid in processes_of_session(life["pid"])):
                try:
                    os.kill(pid, signal.SIGKILL)  # an agent of a node that was killed
                except ProcessLookupError:
                    pass
        for client in self.clients:
            client.wait()
        for node in self.nodes:
            if node.context:
                node.context.destroy(linger=0)
        for disk in self.disks.values():
            if keep_stores:
                shutil.copytree(disk.path, f"{disk.path}-kept")
            disk.unmount()
