"""A network of this run's own: a namespace per node, joined by veth pairs to a bridge in one more namespace.

Nothing of it is in the machine's own namespace, so removing the namespaces removes everything. Whoever has to speak to
a node enters its namespace (inside()) and uses the node's own address, which no fault of the network touches.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess
import sys

PREFIX = "legion-chaos-"
RELAY = pathlib.Path(__file__).resolve().parent / "relay.py"
NOBODY = "02:00:00:00:ff:ff"  # no card has it: frames for it reach the bridge and end there
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*command, input=None):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, input=input, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def why_not():
    """None when this user may make namespaces here, otherwise what is in the way."""
    missing = [p for p in ("ip", "tc", "nsenter", "setpriv") if not shutil.which(p)]
    if missing:
        return f"programs are missing: {', '.join(missing)}"
    if os.geteuid() != 0:
        return "namespaces need root"
    name = f"{PREFIX}try-{os.getpid()}"
    try:
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", name, "link", "add", "a0", "type", "veth", "peer", "name", "b0")
    except OSError as error:
        return str(error)
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return None


@contextlib.contextmanager
def _entered(path):
    """The calling thread is in another network namespace; threads it starts meanwhile stay there."""
    with open("/proc/thread-self/ns/net", "rb") as home, open(path, "rb") as other:
        if LIBC.setns(other.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")
        try:
            yield
        finally:
            if LIBC.setns(home.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns back")


class Namespaces:
    """The network of nodes named at the start. `run_id` makes the names of the namespaces this run's own."""

    mode = "namespaces"

    def __init__(self, run_id, names):
        self.names = list(names)
        self.spaces = {name: f"{PREFIX}{run_id}-{name}" for name in self.names}
        self.switch = f"{PREFIX}{run_id}-switch"
        self.cuts = {}      # (from, to) -> how many faults want it cut
        self.relays = {}    # name -> Popen
        self.unshaped = None

    def open(self):
        run("ip", "netns", "add", self.switch)
        self._ip(self.switch, ["link set lo up", "link add br0 type bridge", "link set br0 up"])
        for name in self.names:
            run("ip", "netns", "add", self.spaces[name])
            self._ip(self.switch, [f"link add {self._port(name)} type veth peer name eth0 netns {self.spaces[name]}",
                                   f"link set {self._port(name)} master br0 up"])
            self._ip(self.spaces[name], ["link set lo up", f"link set eth0 address {self._mac(name)}",
                                         f"addr add {self.host(name)}/24 dev eth0", "link set eth0 up"])
        for name in self.names:
            others = [other for other in self.names if other != name]
            self._ip(self.spaces[name], [self._neighbour(other, self._mac(other)) for other in others])
        try:
            self._shape(self.switch, self._port(self.names[0]), 1000)
            self._unshape(self.switch, self._port(self.names[0]))
        except OSError as error:
            self.unshaped = str(error)

    def missing(self):
        """Kinds of faults that cannot be made here -> why."""
        return {"narrow": self.unshaped} if self.unshaped else {}

    def close(self):
        for name in list(self.relays):
            self._end_relay(name)
        for space in [*self.spaces.values(), self.switch]:
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)

    # --- where a node is ----------------------------------------------------------------------------------------------
    def host(self, name):
        return f"10.77.0.{self.names.index(name) + 1}"

    def port(self, name):
        return 7400

    def tables(self, name):
        """What the node's configuration says about the network."""
        return {"listen": f"tcp://{self.host(name)}:{self.port(name)}"}, {"security": {"mode": "none"}}

    def within(self, name):
        """What stands before a command that is to run where the node is."""
        return ["nsenter", f"--net=/run/netns/{self.spaces[name]}", "--"]

    def inside(self, name):
        return _entered(f"/run/netns/{self.spaces[name]}")

    # --- faults -------------------------------------------------------------------------------------------------------
    def cut(self, pairs):
        """From now on nothing that the first of each pair sends reaches the second."""
        self._count(pairs, 1)

    def mend(self, pairs):
        self._count(pairs, -1)

    def unplug(self, name):
        self._ip(self.switch, [f"link set {self._port(name)} down"])

    def plug(self, name):
        self._ip(self.switch, [f"link set {self._port(name)} up"])

    def narrow(self, name, kbit):
        """At most so much a second, each way."""
        self._shape(self.switch, self._port(name), kbit)
        self._shape(self.spaces[name], "eth0", kbit)

    def widen(self, name):
        self._unshape(self.switch, self._port(name))
        self._unshape(self.spaces[name], "eth0")

    def disturb(self, name, **settings):
        """Puts a relay into the node's cable (see relay.py for the settings). Done once disturbed() says so."""
        near, far, to_bridge = self._port(name), f"r{self.names.index(name)}", f"s{self.names.index(name)}"
        self._ip(self.switch, [f"link add {far} type veth peer name {to_bridge}", f"link set {far} up",
                               f"link set {to_bridge} master br0 up"])
        arguments = [f"--{key.replace('_', '-')}={value}" for key, value in settings.items()]
        self.relays[name] = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/run/netns/{self.switch}", "--", sys.executable,
             str(RELAY), near, far, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        os.set_blocking(self.relays[name].stdout.fileno(), False)

    def disturbed(self, name):
        """Whether the relay is in place; puts it there when it is ready."""
        relay = self.relays[name]
        if relay.poll() is not None:
            raise OSError(f"the relay of {name} ended with {relay.returncode}")
        if not relay.stdout.read():
            return False
        self._ip(self.switch, [f"link set {self._port(name)} nomaster"])
        relay.stdin.write(b"go\n")
        relay.stdin.flush()
        return True

    def undisturb(self, name):
        self._end_relay(name)
        self._ip(self.switch, [f"link del r{self.names.index(name)}", f"link set {self._port(name)} master br0"])

    def _end_relay(self, name):
        relay = self.relays.pop(name)
        relay.kill()
        relay.wait()
        relay.stdin.close()
        relay.stdout.close()

    # --- how ----------------------------------------------------------------------------------------------------------
    def _port(self, name):
        return f"p{self.names.index(name)}"

    def _mac(self, name):
        return f"02:00:00:00:00:{self.names.index(name) + 1:02x}"

    def _neighbour(self, other, mac):
        return f"neigh replace {self.host(other)} lladdr {mac} dev eth0 nud permanent"

    def _count(self, pairs, by):
        changed = {}  # name -> lines for its namespace
        for pair in pairs:
            before = self.cuts.get(pair, 0)
            self.cuts[pair] = before + by
            if (before > 0) != (before + by > 0):
                source, target = pair
                changed.setdefault(source, []).append(self._neighbour(target, NOBODY if by > 0 else self._mac(target)))
        for source, lines in changed.items():
            self._ip(self.spaces[source], lines)

    @staticmethod
    def _ip(space, lines):
        run("ip", "-n", space, "-batch", "-", input="\n".join(lines) + "\n")

    @staticmethod
    def _shape(space, device, kbit):
        run("tc", "-n", space, "qdisc", "replace", "dev", device, "root", "tbf", "rate", f"{kbit}kbit", "burst", "16k",
            "latency", "300ms")

    @staticmethod
    def _unshape(space, device):
        run("tc", "-n", space, "qdisc", "del", "dev", device, "root")
