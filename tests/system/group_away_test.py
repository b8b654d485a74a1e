"""Groups whose members are agents that come and go: programs that fail whenever they are started, clients that are
killed. Their shares go to the others, and they get some again when they are back."""

import json
import os
import pathlib
import signal
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support import work
from support.crew import SHARES, TOPIC, Crew
from support.mesh import PYTHON

GROUP = {"type": "work.", "group": "crew", "home": "vault", "shares": SHARES, "start": "beginning"}

# Argument: a JSON object. Writes "NAME ID" before it acknowledges; attaches again whenever it is told to.
WIRE_PROGRAM = """
import json, sys, types
said = json.loads(sys.argv[1])
sys.path.insert(0, said["root"] + "/tests")
from support.wire import Refused, Wire
with open(said["path"], "a", buffering=1) as done:
    while True:
        wire = Wire(types.SimpleNamespace(port=said["port"]))
        try:
            wire.attach("worker", **said["attach"])
            while True:
                events = wire.events(timeout=0.3)
                for delivery, attempt, event in events:
                    print(said["name"], event["id"], file=done)
                    wire.say("agent.ack", delivery)
                if not events:
                    wire.call("agent.beat", {"session": wire.session})
        except Refused as no:
            print(no, file=sys.stderr)
            wire.socket.poll(100)
        wire.close()
"""

PACKAGE_PROGRAM = """
import json, sys
said = json.loads(sys.argv[1])
sys.path.insert(0, said["root"] + "/clients/python")
import legion
done = open(said["path"], "a", buffering=1)
class Worker(legion.Consumer):
    name = "worker"
    @legion.on("work.", group="crew", home="vault", shares=said["shares"], start="beginning")
    async def do(self, event):
        print(said["name"], event.id, file=done)
Worker(legion.Settings(node=f"127.0.0.1:{said['port']}", lease=3.0)).run()
"""


class Programs(Crew):
    """Besides two members that work, `c` has a program that fails at once as long as the file `broken` exists. What it
    is handed then fails with an attempt at each start, so there are many."""

    settings = {"retry": {"max_attempts": 100, "delay": "20ms"}}

    def test_who_fails_whenever_it_is_started_gives_its_shares_to_the_others_until_it_runs(self):
        broken, pid_path = self.mesh.folder / "broken", self.mesh.folder / "pid"
        worker = work.Worker(self.mesh, "worker", [], **self.settings)
        worker.table["env"]["TOGETHER"] = f"{self.together} c"
        worker.table["exec"] = ["/bin/sh", "-c", f"echo $$ > {pid_path}; test -e {broken} && exit 3; exec \"$@\"", "sh",
                                *worker.table["exec"]]
        worker.table["subscribe"] = [GROUP]
        c = self.mesh.node("c", join=[self.vault, self.cellar], agent=[worker.table], topic=TOPIC).start().ready()
        self.shared(3, 3, 2)
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            self.moves_on(publisher)
            broken.touch()
            os.kill(int(pid_path.read_text()), signal.SIGKILL)
            c.wait_log("group crew: agent worker is down; it has no shares until it is up")
            self.shared(4, 4)
            self.assertEqual(0, self.held()["c"])
            self.moves_on(publisher)
            broken.unlink()
            self.shared(3, 3, 2)
            before = len([1 for name, _ in self.did() if name == "c"])
            self.moves_on(publisher)
            self.assertGreater(len([1 for name, _ in self.did() if name == "c"]), before)
        self.all_done(publisher.confirmed)
        again = self.check(twice=True)
        self.assertLessEqual(again, SHARES, "what was in hands when the program was killed, at most")


class Clients(Crew):
    """The members are agents outside the process."""

    program = WIRE_PROGRAM
    declared = True

    def setUp(self):
        self.clients = {}
        super().setUp()
        for name in ("a", "b"):
            self.client(name)

    def member(self, name):
        agents = [{"name": "worker", "remote": True, "lease": "3s", "subscribe": [GROUP]}] if self.declared else []
        return self.mesh.node(name, join=[self.vault, self.cellar], agent=agents, topic=TOPIC)

    def client(self, name):
        node = next(node for node in self.mesh.nodes if node.name == name)
        attach = {} if self.declared else {"subscriptions": [GROUP], "lease_ms": 3000}
        said = {"root": str(ROOT), "path": str(self.together), "port": node.port, "name": name, "attach": attach,
                "shares": SHARES}
        errors = self.mesh.folder / f"client-{name}.log"
        with errors.open("ab") as log:
            self.clients[name] = self.mesh.spawn([PYTHON, "-c", self.program, json.dumps(said)], stderr=log)

    def kill(self, name):
        self.clients[name].send_signal(signal.SIGKILL)
        self.clients[name].wait()

    def work_with_a_client_killed(self):
        self.shared(4, 4)
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            self.moves_on(publisher)
            self.kill("a")
            self.shared(8)
            self.assertEqual(0, self.held()["a"])
            self.moves_on(publisher)
            self.client("a")
            self.shared(4, 4)
            self.moves_on(publisher)
        self.all_done(publisher.confirmed)
        self.check(twice=True)
        self.assertEqual({"a", "b"}, {member for member, _ in self.did()})


class DeclaredClients(Clients):
    def test_the_shares_of_a_client_that_is_killed_are_taken_over_and_given_back(self):
        self.work_with_a_client_killed()
        self.kill("b")
        self.shared(8)
        row = {member["agent"]: member["state"] for member in self.group()["members"]}
        self.assertEqual({"a/worker": "here", "b/worker": "away"}, row)

    def test_a_client_that_is_back_within_the_grace_has_never_been_away(self):
        self.shared(4, 4)
        moved = self.group()["moved"]
        with work.Publisher(self.source, types=("work.a", "work.b"), keys=64) as publisher:
            self.moves_on(publisher)
            self.kill("a")
            self.client("a")
            self.moves_on(publisher)
        self.all_done(publisher.confirmed)
        self.check(twice=True)
        self.shared(4, 4)
        self.assertEqual(moved, self.group()["moved"], self.group())


class ClientsThatNobodyDeclared(Clients):
    declared = False

    def test_the_shares_of_a_client_that_is_killed_are_taken_over_and_given_back(self):
        self.work_with_a_client_killed()


class PythonConsumers(Clients):
    declared = False
    program = PACKAGE_PROGRAM

    def test_two_consumers_share_the_work_and_one_that_is_killed_is_followed(self):
        self.work_with_a_client_killed()


if __name__ == "__main__":
    unittest.main()
