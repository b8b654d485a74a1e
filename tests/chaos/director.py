"""Carries a plan out. A fault is a generator; it yields when it is to go on: a number of seconds or a condition."""

import os
import signal
import time

from chaos import plan
from support import poll
from support.scripted import processes_of_session

END_WATCHDOG = 60.0   # seconds for a node that was asked to end
SLOW_STEP = 2.0        # seconds; a machine that is this slow is worth a line
READY_WATCHDOG = 15.0  # seconds a roll waits for a node before it goes on with the next one


class Director:
    """Runs in the main thread only: processes that are tethered end with the thread that started them."""

    def __init__(self, run, cluster, network, say):
        self.run, self.cluster, self.network, self.say = run, cluster, network, say
        self.running = []     # [generator, when or condition, fault]
        self.down = set()     # names of nodes that a fault took down and will start
        self.cables = set()   # names of nodes whose cable has a fault
        self.done = []        # (fault, seconds after the load began), in order
        self.left_out = 0
        self.violations = []
        self.begin = None

    def now(self):
        return time.monotonic() - self.begin

    def conduct(self, faults, seconds):
        """The whole plan; returns when the time is over, with what is not undone yet still in force."""
        self.begin = time.monotonic()
        waiting = list(faults)
        while self.now() < seconds:
            while waiting and waiting[0].at <= self.now():
                self._begin(waiting.pop(0))
            self._turn()
            poll.window(0.01)

    def heal(self, watchdog=120):
        """Brings everything that is under way to its end at once, and starts what is down."""
        for entry in self.running:
            if not callable(entry[1]):
                entry[1] = 0.0
        deadline = time.monotonic() + watchdog
        while self.running:
            self._turn()
            if time.monotonic() > deadline:
                raise AssertionError(f"faults that do not end: {[str(e[2]) for e in self.running]}")
            poll.window(0.01)

    def _begin(self, fault):
        # The plan has no two of a kind at once; on a busy machine what was before may not be over yet.
        taken = self.down if fault.kind in plan.PROCESS else self.cables if fault.kind in plan.CABLE else ()
        if any(name in taken for name in fault.targets):
            self.left_out += 1
            return
        self.say(f"{self.now():7.2f}  {fault}")
        self.done.append((fault, self.now()))
        steps = getattr(self, "_" + fault.kind.replace("-", "_"))(fault)
        entry = [steps, 0.0, fault]
        self.running.append(entry)
        self._advance(entry)  # so that whom it has is known before the next one begins

    def _advance(self, entry):
        begin = time.monotonic()
        try:
            told = next(entry[0])
            entry[1] = told if callable(told) else time.monotonic() + told
        except StopIteration:
            self.running.remove(entry)
        took = time.monotonic() - begin
        if took > SLOW_STEP:
            self.say(f"{self.now():7.2f}  (a step of {entry[2].kind} {','.join(entry[2].targets)} took {took:.1f} s)")

    def _turn(self):
        for entry in list(self.running):
            if entry[1]() if callable(entry[1]) else time.monotonic() >= entry[1]:
                self._advance(entry)
        for node in self.cluster.nodes:
            if node.name not in self.down and node.ended():
                self._unexpected_end(node)

    def _unexpected_end(self, node):
        self.violations.append(f"{node.name} ended by itself: {node.life['how']}; log: {node.log()[-1500:]}")
        self.say(f"{self.now():7.2f}  {node.name} ended by itself: {node.life['how']}")
        self.down.add(node.name)
        entry = [self._start_later(node), 0.0, plan.Fault(self.now(), "start", [node.name], 1.0, {})]
        self.running.append(entry)
        self._advance(entry)

    def _start_later(self, node):
        yield 1.0
        node.start()
        self.down.discard(node.name)

    def _nodes(self, fault):
        return [self.cluster[name] for name in fault.targets]

    # --- processes ----------------------------------------------------------------------------------------------------
    def _kill(self, fault):
        nodes = self._nodes(fault)
        self.down.update(fault.targets)
        for node in nodes:
            node.kill()
        yield fault.length
        for node in nodes:
            node.start()
            self.down.discard(node.name)

    _kill_spool = _kill_both_spools = _kill

    def _kill_again(self, fault):
        yield from self._kill(fault)
        self.down.update(fault.targets)
        yield 0.15
        yield from self._kill(fault)

    def _kill_agent(self, fault):
        node, = self._nodes(fault)
        if node.running():
            agents = sorted(set(processes_of_session(node.pid)) - {node.pid})
            if agents:
                try:
                    os.kill(agents[fault.details["which"] % len(agents)], signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it ended by itself meanwhile
        yield 0.0

    def _freeze(self, fault):
        node, = self._nodes(fault)
        self.down.add(node.name)
        node.freeze()
        yield fault.length
        node.thaw()
        self.down.discard(node.name)

    def _end_in_order(self, node):
        """SIGTERM; goes on when the process is over."""
        asked = time.monotonic()
        node.ask_to_end()
        yield lambda: node.ended() or time.monotonic() > asked + END_WATCHDOG
        if not node.ended():
            self.violations.append(f"{node.name} did not end within {END_WATCHDOG:g} s of SIGTERM; "
                                   f"log: {node.log()[-1500:]}")
            node.kill()
        elif node.life["how"] != "exit 0":
            self.violations.append(f"{node.name}: {node.life['how']} after SIGTERM; log: {node.log()[-1500:]}")

    def _restart(self, fault):
        node, = self._nodes(fault)
        self.down.add(node.name)
        yield from self._end_in_order(node)
        yield fault.length
        node.start()
        self.down.discard(node.name)

    def _roll(self, fault):
        self.down.update(fault.targets)
        for node in self._nodes(fault):
            yield from self._end_in_order(node)
            node.start()
            started = time.monotonic()
            looked = [started]

            def ready(node=node, started=started, looked=looked):
                if time.monotonic() < looked[0]:
                    return False
                looked[0] = time.monotonic() + 0.3
                return node.publishing() or time.monotonic() > started + READY_WATCHDOG
            yield ready
            self.down.discard(node.name)

    def _full_disk(self, fault):
        node, = self._nodes(fault)
        self.down.add(node.name)
        disk = self.cluster.disk_of(node)
        if disk:
            disk.fill()
        else:
            node.limit_files(node.spool_path.stat().st_size + 65536)
        yield fault.length
        if node.ended():
            self.violations.append(f"{node.name} ended on a full disk: {node.life['how']}; log: {node.log()[-1500:]}")
        if disk:
            disk.make_room()
        if fault.details["then"] == "kill" or not disk or node.ended():
            node.kill()
        else:
            yield from self._end_in_order(node)
        node.start()  # only a restart makes a spool confirm again
        self.down.discard(node.name)

    def _clock(self, fault):
        node, = self._nodes(fault)
        node.shift_clock(fault.details["seconds"])
        yield fault.length
        node.shift_clock(0)

    # --- the network --------------------------------------------------------------------------------------------------
    def _partition(self, fault):
        pairs = plan.pairs_of(fault, self.network.names)
        self.network.cut(pairs)
        yield fault.length
        self.network.mend(pairs)

    _one_way = _partition

    def _unplug(self, fault):
        name, = fault.targets
        self.cables.add(name)
        self.network.unplug(name)
        yield fault.length
        self.network.plug(name)
        self.cables.discard(name)

    def _narrow(self, fault):
        name, = fault.targets
        self.cables.add(name)
        self.network.narrow(name, fault.details["kbit"])
        yield fault.length
        self.network.widen(name)
        self.cables.discard(name)

    def _disturb(self, fault):
        name, = fault.targets
        self.cables.add(name)
        self.network.disturb(name, **fault.details)
        yield lambda: self.network.disturbed(name)
        yield fault.length
        self.network.undisturb(name)
        self.cables.discard(name)
