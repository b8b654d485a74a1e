"""The end of a run: everything healed, drained and asked, then ended in order."""

import json
import time

from chaos import rules
from support import poll

WATCHDOG = 240.0


class Final:
    def __init__(self, cluster, director, say):
        self.cluster, self.director, self.say = cluster, director, say
        self.seconds = {}
        self.violations = []

    def _timed(self, what, begin):
        self.seconds[what] = round(time.monotonic() - begin, 1)
        self.say(f"   {what}: {self.seconds[what]} s")

    def heal(self):
        """No fault in force, every node up, all agree, every publisher gets confirms again."""
        begin = time.monotonic()
        self.director.heal()
        for node in self.cluster.nodes:
            poll.until(node.publishing, lambda n=node: f"{n.name} to publish; log:\n{n.log()[-3000:]}", WATCHDOG,
                       pause=0.1)
        self.cluster_agrees()
        self._timed("all up and in agreement after the last fault", begin)
        healed = time.monotonic()
        clients = self.cluster.clients
        poll.until(lambda: all(c.last_confirm > healed or c.failure for c in clients),
                   lambda: f"confirms for {[c.name for c in clients if c.last_confirm <= healed]}", WATCHDOG, pause=0.1)
        self._timed("confirms at every publisher", begin)

    def cluster_agrees(self):
        """Every node holds the same lives of all nodes for alive."""
        nodes = self.cluster.nodes

        def seen_by(node):
            return {(name, row["state"], row["incarnation"]) for name, row in node.members().items()}

        def agree():
            views = [{one for one in seen_by(n) if one[1] == "alive"} for n in nodes]
            return len(views[0]) == len(nodes) and all(view == views[0] for view in views)
        poll.until(agree, lambda: f"all to hold the same lives for alive: { {n.name: seen_by(n) for n in nodes} }",
                   WATCHDOG, pause=0.1)

    def drain(self):
        """Load off; until nothing is under way any more."""
        begin = time.monotonic()
        self.cluster.stop_load()
        self._settle(self._undone, "nothing to wait for durable subscriptions")
        self._settle(self._spools_differ, "the spools to have the same")
        self._settle(self._books_move, "the books to stand still")
        self._timed("drained", begin)

    def _settle(self, open_, what):
        """A watchdog that runs out is a violation, and the checks go on with what there is."""
        try:
            poll.until(lambda: not open_(), lambda: f"{what}: {open_()}", WATCHDOG, pause=0.3)
        except AssertionError as error:
            self.violations.append(f"drain: {error}")

    def pending(self):
        return json.loads(self.cluster.cli("pending", "-o", "json", node=self.cluster.nodes[0]).stdout or "[]")

    def _undone(self):
        rows = self.pending()
        names = {reader.durable for reader in self.cluster.readers if reader.durable}
        groups = {reader.group for reader in self.cluster.readers if reader.group}
        names |= {f"{group}/{share}" for group in groups for share in range(rules.SHARES)}
        missing = names - {row["name"] for row in rows}
        return [f"{name} is not there" for name in missing] + [
            row for row in rows if row["pending"] or row["stalled"] or row["retrying"] or row["state"] != "active"]

    def _spools_differ(self):
        one, other = self.cluster.spool_names[:2]
        done = self.cluster.cli("spool", "verify", one, "--against", other, node=self.cluster[one])
        return None if done.returncode == 0 else done.stdout + done.stderr

    def _books(self):
        return {n.name: [(e["agent"], e["type"], e["published"], e["delivered"], e["lost"], e["pending"], e["balance"])
                         for e in n.stats()["subscriptions"]] for n in self.cluster.nodes}

    def _books_move(self):
        """Tail markers come within an interval of the last event (200 ms), and again twice as late each time."""
        before = self._books()
        poll.window(2.0)
        now = self._books()
        moving = {name for name in now if now[name] != before[name]}
        return moving | {name for name, rows in now.items() if any(row[5] or row[6] for row in rows)}

    def ask(self, history):
        """What the checkers need from the living mesh."""
        cluster = self.cluster
        for node in cluster.nodes:
            history.stats[node.name] = stats = node.stats()
            lanes = [node.call("tails", {"origin": node.name, "incarnation": stats["incarnation"], "lane": lane})
                     for lane in range(4)]
            ours = [[tail for tail in lane or [] if tail[0] in rules.TYPES] for lane in lanes]
            history.add_tails(node.name, stats["incarnation"], ours)
        for name in cluster.spool_names:
            done = cluster.cli("replay", "load.", "work.", "order.", "poison.", "crew.", "--spool", name,
                               "--format", "%i %d", node=cluster[name], timeout=300)
            if done.returncode != 0:
                self.violations.append(f"replay from {name}: exit {done.returncode}: {done.stderr[-500:]}")
            history.add_stored(name, done.stdout)
            verified = cluster.cli("spool", "verify", name, "--full", node=cluster[name], timeout=300)
            if verified.returncode != 0:
                self.violations.append(f"spool verify {name}: exit {verified.returncode}: {verified.stdout}"
                                       f"{verified.stderr}")
        history.letters = json.loads(
            cluster.cli("dlq", "ls", "--state", "all", "-o", "json", node=cluster.spools_[0]).stdout or "[]")
        history.pending = self.pending()

    def end(self):
        """SIGTERM to all, the spools last; every exit code is 0."""
        begin = time.monotonic()
        spools = self.cluster.spools_
        for group in ([n for n in self.cluster.nodes if n not in spools], spools):
            for node in group:
                node.ask_to_end()
            for node in group:
                poll.until(node.ended, lambda n=node: f"{n.name} to end; log:\n{n.log()[-2000:]}", 90)
                if node.life["how"] != "exit 0":
                    self.violations.append(f"{node.name}: {node.life['how']} after SIGTERM; log: {node.log()[-1500:]}")
        self._timed("ended in order", begin)
