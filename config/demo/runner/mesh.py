"""The nodes of the demo and what happens to them, step by step."""

import pathlib
import random
import signal
import subprocess
import tempfile
import time

from runner import kept
from runner.accounts import Accounts
from runner.checks import Check
from runner.control import Unreachable
from runner.processes import Node, end, end_with_parent, environment, free_ports, others, stores
from runner.programs import as_programs
from runner.summary import say

CONFIGS = pathlib.Path(__file__).resolve().parent.parent
FIRST = ("feed", "vault", "signals", "risk", "executor")
LATE = ("auditor",)
MARKET = "market"  # plays on in a mesh that is kept
LIVE_TYPES = ("signal.", "trade.", "order.", "risk.alert")
LOOK_EVERY = 0.1
QUIET_FOR = 1.5  # more than a heartbeat interval, so that every tail marker has been heard
STALLED_AFTER = 20.0
TELL_EVERY = 10.0
WATCHDOG = 90.0
QUIET_WATCHDOG = 300.0  # a machine that is busy with other things gets there too


class Failed(Exception):
    """The demo cannot go on."""


class Demo:
    """Ends every process it started in close(), whatever happened before."""

    def __init__(self, programs, keep, package=False):
        """`package`: the agents in Python are programs of their own, on the package of clients/python."""
        self.keep = keep
        self.cli = programs / "legion-cli"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="legion-demo-"))
        ports = dict(zip((*FIRST, *LATE, MARKET), free_ports(len(FIRST) + len(LATE) + 1)))
        joins = {name: () if name == "feed" else ("feed",) for name in ports} | {"auditor": ("risk",)}
        program = programs / "legion-node"
        self.nodes, self.agents = {}, {}
        for name, port in ports.items():
            config, self.agents[name] = CONFIGS / f"{name}.toml", []
            if package:
                config, self.agents[name] = as_programs(config, self.folder)
            self.nodes[name] = Node(program, config, self.folder, port, [ports[other] for other in joins[name]])
        self.first = [self.nodes[name] for name in FIRST]
        self.all = self.first + [self.nodes[name] for name in LATE]
        self.tail = None

    # --- the parts of the show ----------------------------------------------------------------------------------------

    def start(self):
        order = random.sample(self.first, len(self.first))
        for node in order:
            self.start_node(node)
        say(f"started {', '.join(node.name for node in order)}; logs in {self.folder}")
        self.wait(lambda: self.alive_everywhere(self.first), "all nodes to see each other")
        say(f"all {len(self.first)} see each other; the feed begins when it has looked around for two seconds")

    def start_node(self, node):
        node.start(detached=self.keep)
        for agent in self.agents[node.name]:
            agent.start(node.port, self.keep, **node.shared)
        if self.keep:
            kept.remember([n for n in self.nodes.values() if n.process], self.folder)

    def start_tail(self):
        if not self.cli.exists():
            say(f"no live view: there is no {self.cli}")
            return
        command = [self.cli, "--node", f"127.0.0.1:{self.nodes['signals'].port}", "tail", *LIVE_TYPES]
        say(f"$ legion-cli {' '.join(command[1:])}")
        self.tail = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment(), preexec_fn=end_with_parent)

    def end_tail(self):
        if self.tail is None:
            return
        self.tail.send_signal(signal.SIGINT)
        try:
            self.tail.wait(5)
        except subprocess.TimeoutExpired:
            self.tail.kill()
            self.tail.wait()
        self.tail = None

    def join_late(self, rows):
        """Starts the auditor when a third was played; returns what the origins had published before."""
        self.wait(lambda: self.played() >= rows // 3, "a third of the trades to be played")
        before = Accounts(self.first).published
        say(f"auditor joins late, through risk: {self.played()} of {rows} trades are played")
        self.start_node(self.nodes["auditor"])
        self.wait(lambda: self.alive_everywhere(self.all), "everybody to see the auditor")
        return before

    def wait_quiet(self):
        """The accounts once nothing moves any more and everything has arrived; or, should it never arrive, as they are
        after nothing moved for long. And which of the two it was."""
        self.wait(lambda: self.feed()["state"] == "finished", "the feed to finish")
        say("every trade is played; waiting until nothing moves any more")
        accounts = Accounts(self.all)
        moved = told = time.monotonic()

        def settled():
            nonlocal accounts, moved, told
            before, accounts = accounts, Accounts(self.all)
            now = time.monotonic()
            if accounts.fingerprint() != before.fingerprint():
                moved = now
            if now - told > TELL_EVERY:
                told = now
                say(f"still at work: {accounts.pending()} events wait for a handler")
            return now - moved > (QUIET_FOR if accounts.quiet(LATE) else STALLED_AFTER)

        self.wait(settled, "the mesh to be quiet", watchdog=QUIET_WATCHDOG)
        return accounts, accounts.quiet(LATE)

    def leave(self):
        """The auditor says goodbye first, so that the others can tell; returns checks."""
        auditor, signals = self.nodes["auditor"], self.nodes["signals"]
        auditor.process.terminate()
        try:
            self.wait(lambda: signals.control.nodes()["auditor"]["state"] == "left", "the goodbye", [auditor], 20.0)
        except Failed:
            pass
        state = signals.control.nodes()["auditor"]["state"]
        say()
        say(f"auditor says goodbye; signals holds it for {state}. Now the others end.")
        codes = self.end_nodes(self.all)
        return [
            Check("auditor after its goodbye, as signals sees it", state, "left"),
            Check("exit codes of the nodes", codes, [0] * len(codes)),
        ]

    def play_on(self):
        self.start_node(self.nodes[MARKET])
        self.wait(lambda: self.alive_everywhere([*self.all, self.nodes[MARKET]]), "the market to be seen")

    # --- looking ------------------------------------------------------------------------------------------------------

    def feed(self):
        stats = self.nodes["feed"].control.stats()
        return next(agent for agent in stats["agents"] if agent["agent"] == "trades")

    def played(self):
        return self.feed()["counters"].get("published", 0)

    @staticmethod
    def alive_everywhere(nodes):
        names = {node.name for node in nodes}
        rosters = [node.control.nodes() for node in nodes]
        return all(names <= {n for n, row in roster.items() if row["state"] == "alive"} for roster in rosters)

    def wait(self, condition, what, may_end=(), watchdog=WATCHDOG):
        deadline = time.monotonic() + watchdog
        while True:
            for node in self.nodes.values():
                if node.process and not node.running() and node not in may_end:
                    raise Failed(f"{node.name} ended with {node.process.returncode}")
            try:
                if condition():
                    return
                reason = ""
            except Unreachable as why:
                reason = f" ({why})"
            if time.monotonic() > deadline:
                raise Failed(f"waited {watchdog:g} s for {what}{reason}")
            time.sleep(LOOK_EVERY)

    def logged_by(self, name):
        """What a node and the programs attached to it have logged."""
        paths = [self.nodes[name].log_path, *(agent.log_path for agent in self.agents[name])]
        return "".join(path.read_text(errors="replace") for path in paths if path.exists())

    # --- the end ------------------------------------------------------------------------------------------------------

    def print_logs(self):
        for node in self.nodes.values():
            if node.process:
                say(f"--- {node.log_path}")
                say(node.log_tail())

    @staticmethod
    def end_nodes(nodes):
        """Those that store last, so that the others' last words are recorded. Returns the exit codes."""
        return [code for some in (others(nodes), stores(nodes)) for code in end([node.process for node in some])]

    def close(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # ending takes seconds at most; once is enough
        self.end_tail()
        self.end_nodes([node for node in self.nodes.values() if node.process])
        end([agent.process for agents in self.agents.values() for agent in agents if agent.process])
        if self.keep:
            kept.forget()
