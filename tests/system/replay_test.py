"""Stored events go out again: into the mesh to those who asked for replays, or to one agent; each once, as what it was."""

import os
import pathlib
import signal
import sys
import unittest

import zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from local_pair_test import Subscriber  # noqa: E402
from support.mesh import Mesh  # noqa: E402
from support.poll import holds, until  # noqa: E402
from support.rpc import RpcError  # noqa: E402
from support.scripted import PROBE, Scripted, link, settled  # noqa: E402
from tail_test import Tail  # noqa: E402

TRADE = "trade.approved"
ALERT = "risk.alert"


def with_replay(agent):
    for subscription in agent.table["subscribe"]:
        subscription["replay"] = True
    return agent


def stored(count, first=0, type_=TRADE, **data):
    """Events as a spool has them: published once, by a node that may be gone."""
    return [{"type": type_, "id": f"gone:5:0:{type_}:0:{n + 1}", "source": "gone/desk", "time": 1_700_000_000_000_000_000 + n,
             "priority": "critical", "correlationid": f"gone:5:0:{type_}:0:{n + 1}", "foreignid": f"order-{n}",
             "expirytime": 1_700_000_001_000_000_000, "data": {"n": n, **data}} for n in range(first, first + count)]


class Replay(unittest.TestCase):
    """Node a replays. On node b, `backtest` takes replays of one type, `family` and `all` of more; `desk` and `nosy` take
    what happens only."""

    def start(self, gate=None, **backtest):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        self.backtest = with_replay(Scripted(self.mesh, "backtest", [TRADE, PROBE], **backtest))
        self.family = with_replay(Scripted(self.mesh, "family", ["trade."]))
        self.all = with_replay(Scripted(self.mesh, "all", ["*"]))
        self.desk = Scripted(self.mesh, "desk", [TRADE])
        self.nosy = Scripted(self.mesh, "nosy", ["*"])
        agents = [self.backtest, self.family, self.all, self.desk, self.nosy]
        if gate:
            self.gate = Scripted(self.mesh, "gate", [TRADE], tier="critical", env={"KEY": "gate"})
            agents.append(self.gate)
        self.a = self.mesh.node("a").start()
        self.b = self.mesh.node("b", join=[self.a], agent=[agent.table for agent in agents]).start()
        self.a.ready()
        self.b.ready()
        link(self.a, self.b, "backtest")

    def replay(self, events, to="mesh", node=None):
        return (node or self.a).call("replay", {"events": events, "to": to}, timeout=60)

    def assert_queued(self, entries):
        self.assertEqual({"queued"}, {entry["status"] for entry in entries}, entries[:3])

    def test_into_the_mesh_it_reaches_those_who_take_replays_once_and_nobody_else(self):
        self.start()
        tail = Tail(self.mesh, self.b).connected()
        context = zmq.Context()
        self.addCleanup(context.destroy, linger=0)
        program = Subscriber(context, self.b, b"")
        self.addCleanup(program.socket.close)
        until(lambda: self.a.publish(PROBE, {"n": -2}) and program.read(), "the program to be heard")
        live = self.a.publish(TRADE, {"n": 1000})
        entries = self.replay(stored(50) + stored(1, first=900, type_=ALERT))
        self.assert_queued(entries)
        until(lambda: len(self.backtest.events(TRADE)) >= 51 and len(self.family.events(TRADE)) >= 51
              and len(self.all.events(ALERT)) >= 1 and len(self.all.events(TRADE)) >= 51,
              lambda: f"the replay: {len(self.backtest.events(TRADE))}\n{self.b.log()}")
        until(lambda: self.desk.numbers(TRADE) == [1000], "the desk to get the live one")

        for agent in (self.backtest, self.family, self.all):
            got = [e for e in agent.events(TRADE) if "replayof" in e]
            self.assertEqual(list(range(50)), [e["data"]["n"] for e in got])
            self.assertEqual([f"gone:5:0:{TRADE}:0:{n + 1}" for n in range(50)], [e["replayof"] for e in got])
            self.assertEqual([e["id"] for e in entries[:50]], [e["id"] for e in got])
            self.assertEqual({("gone/desk", "critical")}, {(e["source"], e["priority"]) for e in got})
            self.assertEqual([f"order-{n}" for n in range(50)], [e["foreignid"] for e in got])
            self.assertNotIn("expirytime", got[0])
            self.assertIn(live["id"], [e["id"] for e in agent.events(TRADE) if "replayof" not in e])
        self.assertRegex(entries[0]["id"], r"^a:\d+:0:~replay\.trade\.approved:0:1$")
        self.assertEqual([900], self.all.numbers(ALERT))
        holds(lambda: self.desk.numbers(TRADE) == [1000] and self.nosy.numbers(TRADE, ALERT) == [1000], 1,
              "those without replay = true get what happened only")
        until(lambda: settled(self.b.book("backtest", TRADE), 51), lambda: str(self.b.book("backtest", TRADE)))
        self.assertTrue(settled(self.b.book("desk", TRADE), 1))
        self.assertEqual([1000], program.numbers(TRADE, ALERT), "nor do programs of the host")
        self.assertEqual([1000], [e["data"]["n"] for e in tail.events() if e["type"] in (TRADE, ALERT)], "nor observers")

    def test_an_agent_of_the_replaying_node_takes_part_as_well(self):
        self.start()
        self.assert_queued(self.replay(stored(20), node=self.b))
        until(lambda: self.backtest.numbers(TRADE) == list(range(20)), "the replay of its own node")
        until(lambda: settled(self.b.book("backtest", TRADE), 20), lambda: str(self.b.book("backtest", TRADE)))
        self.assertEqual([], self.desk.numbers(TRADE))

    def test_to_one_agent_it_reaches_that_one_only_whether_it_takes_replays_or_not(self):
        self.start()
        entries = self.replay(stored(30), to="b/desk", node=self.b)
        self.assert_queued(entries)
        until(lambda: self.desk.numbers(TRADE) == list(range(30)), lambda: f"the desk\n{self.b.log()}")
        got = self.desk.events(TRADE)
        self.assertEqual([e["id"] for e in entries], [e["id"] for e in got])
        self.assertEqual([f"gone:5:0:{TRADE}:0:{n + 1}" for n in range(30)], [e["replayof"] for e in got])
        holds(lambda: not self.backtest.events(TRADE) and not self.nosy.events(TRADE), 1, "nobody else gets them")
        until(lambda: settled(self.b.book("desk", TRADE), 30), lambda: str(self.b.book("desk", TRADE)))
        self.assertTrue(settled(self.b.book("backtest", TRADE), 0))

        entries = self.replay(stored(1, type_=ALERT), to="b/desk", node=self.b)
        self.assertEqual("refused", entries[0]["status"])
        self.assertIn("no subscription of b/desk takes risk.alert", entries[0]["detail"])
        for to, code, node in (("b/desk", "not_found", self.a), ("b/nobody", "not_found", self.b), ("", "bad_data", self.b),
                               ("somewhere", "not_found", self.b)):
            with self.assertRaises(RpcError, msg=to) as refused:
                self.replay(stored(1), to=to, node=node)
            self.assertEqual(code, refused.exception.code, str(refused.exception))

    def test_a_full_mailbox_says_would_block_and_nothing_is_lost_or_out_of_order(self):
        self.start(capacity={"critical": 10})
        pid = until(lambda: self.backtest.pids(), "the agent to run")[-1]
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(lambda: os.kill(pid, signal.SIGCONT))
        waiting = stored(300)
        first = self.replay(waiting, to="b/backtest", node=self.b)
        taken = sum(entry["status"] == "queued" for entry in first)
        self.assertEqual(["queued"] * taken + ["would_block"] * (300 - taken), [entry["status"] for entry in first])
        self.assertGreater(taken, 0)
        os.kill(pid, signal.SIGCONT)
        waiting = waiting[taken:]

        def all_taken():
            entries = self.replay(waiting, to="b/backtest", node=self.b)
            del waiting[:sum(entry["status"] == "queued" for entry in entries)]
            return not waiting
        until(all_taken, lambda: f"{len(waiting)} are left")
        until(lambda: self.backtest.numbers(TRADE) == list(range(300)), lambda: str(len(self.backtest.numbers(TRADE))))
        self.assertTrue(settled(self.b.book("backtest", TRADE), 300))

    def test_the_gates_stand_before_a_replay_as_before_everything(self):
        self.start(gate=True)
        self.replay(stored(1, gate="stop") + stored(1, first=1))
        until(lambda: self.backtest.numbers(TRADE) == [1], lambda: f"what the gate let through\n{self.b.log()}")
        self.replay(stored(1, first=2, gate="stop") + stored(1, first=3), to="b/desk", node=self.b)
        until(lambda: self.desk.numbers(TRADE) == [3], "what the gate let through to the desk")
        self.assertEqual([0, 1, 2, 3], self.gate.numbers(TRADE))
        until(lambda: self.b.book("backtest", TRADE)["filtered"]["stopped"] == 1
              and self.b.book("desk", TRADE)["filtered"]["stopped"] == 1, "the books to say so")
        self.assertTrue(settled(self.b.book("gate", TRADE), 0), "the gate takes no replays of its own")

    def test_no_spool_stores_it_and_no_cursor_moves(self):
        mesh = Mesh(spools=1)
        self.addCleanup(mesh.close)
        vault = mesh.node("vault", spool={}).start().ready()
        book = with_replay(Scripted(mesh, "book", [ALERT]))
        book.table["subscribe"][0].update(durable="book", start="beginning")
        desk = mesh.node("desk", join=[vault], agent=[book.table]).start().ready()
        mesh.alive_everywhere([vault, desk])
        events = [{"type": ALERT, "data": {"n": n}} for n in range(10)]
        answers = vault.call("publish", {"events": events, "confirm": True}, timeout=60)
        self.assertTrue(all(answer["confirmed"] for answer in answers), answers)
        until(lambda: book.numbers(ALERT) == list(range(10)), lambda: f"what happened\n{desk.log()}")
        before = vault.spool_stats()["events"]

        self.assert_queued(self.replay(stored(200, first=100, type_=ALERT), node=vault))
        until(lambda: book.numbers(ALERT)[10:] == list(range(100, 300)), lambda: f"the replay\n{desk.log()}")
        self.assertEqual({1}, {e["attempt"] for e in book.events(ALERT)})
        # Confirmed behind the replay in the same journal: had that been captured, it would be stored by now.
        last, = vault.call("publish", {"events": [{"type": ALERT, "data": {"n": 10}}], "confirm": True}, timeout=60)
        self.assertTrue(last["confirmed"])
        until(lambda: book.numbers(ALERT)[210:] == [10], "the stream to go on")
        desk.terminate()
        desk.start().ready()
        until(lambda: settled(desk.book("book", ALERT), 0), "nothing to come again")
        stored_since = vault.spool_stats()["events"] - before
        self.assertLess(stored_since, 100, "besides one alert only cursors and what starting nodes publish")

    def test_events_that_are_wrong_are_named(self):
        self.start()
        good = stored(1)[0]
        entries = self.replay([good, {k: v for k, v in good.items() if k != "id"}, {**good, "type": "~replay.trade.approved"},
                               {**good, "type": "agent.heartbeat"}, {**good, "replayof": "x:1:0:trade.approved:0:7"}])
        self.assertEqual(["queued", "invalid", "invalid", "refused", "queued"], [e["status"] for e in entries])
        self.assertIn("'id'", entries[1]["detail"])
        until(lambda: len(self.backtest.events(TRADE)) == 2, "both good ones")
        self.assertEqual([good["id"], "x:1:0:trade.approved:0:7"], [e["replayof"] for e in self.backtest.events(TRADE)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
