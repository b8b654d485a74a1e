"""Where no namespaces can be made: every node on 127.0.0.1, reached by the others through a proxy that can be cut."""

import contextlib

from support import ports
from support.proxy import Proxy

WHY = "needs a network of its own"


class Proxies:
    """Same verbs as network.Namespaces, as far as proxies go: `unplug` cuts what others have opened to a node; what it
    opened to them stays."""

    mode = "loopback"

    def __init__(self, _, names):
        self.names = list(names)
        self.fronts, self.backs, self.proxies = {}, {}, {}

    def open(self):
        for name in self.names:
            self.backs[name], self.fronts[name] = ports.free_run(), ports.free_run()
            self.proxies[name] = Proxy(self.fronts[name], self.backs[name])

    def missing(self):
        return {kind: WHY for kind in ("partition", "one-way", "disturb", "narrow")}

    def close(self):
        for proxy in self.proxies.values():
            proxy.stop()

    def host(self, name):
        return "127.0.0.1"

    def port(self, name):
        """Of the node itself."""
        return self.backs[name]

    def tables(self, name):
        return {"advertise": f"tcp://127.0.0.1:{self.fronts[name]}"}, {}

    def within(self, name):
        return []

    def inside(self, name):
        return contextlib.nullcontext()

    def unplug(self, name):
        self.proxies[name].cut()

    def plug(self, name):
        self.proxies[name].mend()
