"""What is done to whom and when: drawn from a seed alone, before anything runs."""

import dataclasses
import random


@dataclasses.dataclass
class Fault:
    at: float            # seconds after the load began
    kind: str
    targets: list        # names of nodes
    length: float        # seconds until it is undone
    details: dict

    def __str__(self):
        more = " ".join(f"{k}={v}" for k, v in self.details.items())
        return f"{self.kind} {','.join(self.targets)}{' ' + more if more else ''} for {self.length:.1f} s"


# Kind -> (weight, shortest, longest). What stops a process lasts from far less to far more than dead_after (3 s).
KINDS = {
    "kill": (5, 0.0, 6.0),
    "kill-spool": (3, 0.0, 6.0),
    "kill-both-spools": (1, 0.0, 4.0),
    "kill-again": (1, 0.0, 2.0),        # and once more while it is starting
    "kill-agent": (3, 0.0, 0.0),
    "freeze": (4, 0.2, 8.0),
    "restart": (2, 0.0, 2.0),
    "roll": (0.4, 0.0, 0.0),            # every node, one after the other
    "partition": (4, 0.5, 10.0),
    "one-way": (4, 0.5, 10.0),
    "unplug": (3, 0.5, 8.0),
    "disturb": (4, 2.0, 12.0),          # delay, jitter, lost packets
    "narrow": (3, 2.0, 12.0),
    "full-disk": (1, 2.0, 6.0),
    "clock": (2, 3.0, 15.0),
}
PROCESS = {"kill", "kill-spool", "kill-both-spools", "kill-again", "freeze", "restart", "roll", "full-disk"}
CABLE = {"unplug", "disturb", "narrow"}


class _Planner:
    def __init__(self, seed, seconds, spools, others, kinds):
        self.draw = random.Random(f"plan {seed}")
        self.seconds, self.spools, self.others = seconds, spools, others
        self.names = spools + others
        self.kinds = [k for k in KINDS if k in kinds]
        # Some runs are calm and some wild, and each has its own mix.
        self.gap = self.draw.choice((0.8, 1.2, 1.8, 3.0))
        self.weights = [KINDS[k][0] * self.draw.choice((0.3, 1, 1, 2)) for k in self.kinds]
        self.busy = {}  # (name, "process" or "cable") -> until

    def plan(self):
        faults, at = [], 2.0
        while at < self.seconds - 1:
            kind = self.draw.choices(self.kinds, self.weights)[0]
            _, shortest, longest = KINDS[kind]
            # Short ones as often as long ones.
            length = round(shortest + (longest - shortest) * self.draw.random() ** 2, 2)
            length = min(length, self.seconds - at)
            fault = Fault(round(at, 2), kind, self._targets(kind), length, {})
            if self._free(fault):
                fault.details = self._details(fault)
                faults.append(fault)
            at += self.draw.expovariate(1 / self.gap)
        return faults

    def _targets(self, kind):
        if kind in ("kill-spool", "full-disk"):
            return [self.draw.choice(self.spools)]
        if kind == "kill-both-spools":
            return list(self.spools)
        if kind == "roll":
            return self.draw.sample(self.names, len(self.names))
        if kind == "kill-agent":
            return [self.draw.choice(self.others)]
        if kind == "partition":
            return self.draw.sample(self.names, self.draw.randint(1, len(self.names) - 1))
        if kind == "one-way":
            return self.draw.sample(self.names, 2 if self.draw.random() < 0.7 else len(self.names))
        return [self.draw.choice(self.names)]

    def _free(self, fault):
        part = "process" if fault.kind in PROCESS else "cable" if fault.kind in CABLE else None
        if part is None:
            return True
        if any(self.busy.get((name, part), -1) > fault.at for name in fault.targets):
            return False
        for name in fault.targets:
            self.busy[name, part] = fault.at + fault.length + 1.0
        return True

    def _details(self, fault):
        draw = self.draw
        if fault.kind == "disturb":
            loss = draw.choice((0.0, 0.0, 0.02, 0.2, 1.0))
            way = draw.choice(("in", "out", "both"))
            return {"delay": draw.choice((0, 5, 50, 300)), "jitter": draw.choice((0, 10, 100)),
                    "loss_in": loss if way != "out" else 0.0, "loss_out": loss if way != "in" else 0.0,
                    "seed": draw.randrange(1 << 30)}
        if fault.kind == "narrow":
            return {"kbit": draw.choice((64, 256, 1000, 4000))}
        if fault.kind == "clock":
            return {"seconds": draw.choice((-3600, -30, -1.5, -0.2, 0.2, 1.5, 30, 3600))}
        if fault.kind == "full-disk":
            return {"then": draw.choice(("kill", "terminate"))}
        if fault.kind == "kill-agent":
            return {"which": draw.randrange(1 << 16)}
        return {}


def drawn(seed, seconds, spools, others, kinds):
    """The faults of a run, by time. The same arguments give the same plan."""
    return _Planner(seed, seconds, list(spools), list(others), set(kinds)).plan()


def pairs_of(fault, names):
    """(from, to) of everything a partition or a one-way fault swallows."""
    if fault.kind == "partition":
        inside = set(fault.targets)
        return [(a, b) for a in names for b in names if a != b and (a in inside) != (b in inside)]
    first, *rest = fault.targets
    return [(first, other) for other in rest]
