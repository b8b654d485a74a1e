"""How nodes find each other and how they leave."""

import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support import ports  # noqa: E402
from support.mesh import Mesh  # noqa: E402
from support.poll import holds, until  # noqa: E402
from support.rpc import Control  # noqa: E402
from support.scripted import PROBE, Scripted, link, numbered, settled  # noqa: E402

# Short, so that a join address at which nobody answers does not hold up a start for long.
LINKS = {"redial_max": "300ms", "connect_timeout": "500ms"}


def listening(port, host="127.0.0.1", **more):
    return {**LINKS, "listen": f"tcp://{host}:{port}", **more}


class Startup(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)

    def listener(self, name):
        return Scripted(self.mesh, name, ["flow.data", "system.", PROBE])

    def assert_everyone_hears(self, origin, receivers):
        """`receivers`: {node: its Scripted}."""
        for node, agent in receivers.items():
            link(origin, node, agent.table["name"])
        before = {n: r.numbers("flow.data") for n, r in receivers.items()}
        origin.publish_all(numbered("flow.data", 50))
        for node, agent in receivers.items():
            until(lambda a=agent, n=node: a.numbers("flow.data")[len(before[n]):] == list(range(50)),
                  lambda a=agent, n=node: f"{n.name} to hear {origin.name}: {a.numbers('flow.data')[-60:]}")

    def three_that_point_at_each_other(self):
        bases = [ports.free_run() for _ in range(3)]
        nodes = {}
        for i, name in enumerate(("a", "b", "c")):
            agent = self.listener(f"listener-{name}")
            join = [f"tcp://127.0.0.1:{base}" for j, base in enumerate(bases) if j != i]
            node = self.mesh.node(name, join=join, port=bases[i], node=LINKS, agent=[agent.table])
            nodes[node] = agent
        return nodes

    def assert_one_mesh(self, nodes):
        for node in nodes:
            node.ready()
        self.mesh.alive_everywhere(list(nodes))
        for node in nodes:
            self.assert_everyone_hears(node, {n: a for n, a in nodes.items() if n is not node})

    def test_three_nodes_that_point_at_each_other_start_together(self):
        nodes = self.three_that_point_at_each_other()
        for node in nodes:
            node.start()

        self.assert_one_mesh(nodes)

    def test_three_nodes_that_point_at_each_other_start_one_after_the_other(self):
        nodes = self.three_that_point_at_each_other()
        for node in reversed(nodes):
            node.start().ready()

        self.assert_one_mesh(nodes)

    def test_a_join_address_where_nobody_is_yet_is_found_when_somebody_comes(self):
        port = ports.free_run()
        early = self.listener("early")
        first = self.mesh.node("first", join=[f"tcp://127.0.0.1:{port}"], node=LINKS, agent=[early.table]).start().ready()
        self.assertEqual(["first"], list(first.members()))

        second = self.mesh.node("second", port=port, node=LINKS).start().ready()

        self.mesh.alive_everywhere([first, second])
        self.assert_everyone_hears(second, {first: early})

    def test_a_node_joins_through_a_member_that_is_not_the_seed(self):
        hears = {}
        seed = self.mesh.node("seed", node=LINKS).start().ready()
        middle = self.mesh.node("middle", join=[seed], node=LINKS).start().ready()
        for name in ("last", "very-last"):
            agent = self.listener(name)
            joined = [middle, *hears][-1]
            hears[self.mesh.node(name, join=[joined], node=LINKS, agent=[agent.table]).start().ready()] = agent

        self.mesh.alive_everywhere([seed, middle, *hears])
        self.assert_everyone_hears(seed, hears)

    def test_a_mesh_goes_on_and_takes_newcomers_without_its_seed(self):
        hears = {}
        seed = self.mesh.node("seed", node=LINKS).start().ready()
        middle = self.mesh.node("middle", join=[seed], node=LINKS).start().ready()
        seed.kill()
        until(lambda: middle.state_of("seed") == "dead", lambda: f"{middle.members()}")

        agent = self.listener("late")
        late = self.mesh.node("late", join=[seed, middle], node=LINKS, agent=[agent.table]).start().ready()
        hears[late] = agent

        self.mesh.alive_everywhere([middle, late])
        self.assert_everyone_hears(middle, hears)

    def test_names_stand_for_addresses(self):
        port = ports.free_run()
        agent = self.listener("ears")
        first = self.mesh.node("first", port=port, node=listening(port, "localhost")).start().ready()
        second = self.mesh.node("second", join=[f"tcp://localhost:{port}"], node=LINKS, agent=[agent.table]).start().ready()

        self.mesh.alive_everywhere([first, second])
        self.assert_everyone_hears(first, {second: agent})

    def test_port_0_on_a_name_takes_a_free_run_too(self):
        node = self.mesh.node("n", node={"listen": "tcp://localhost:0"})
        node.start()
        node.wait_log("publishing is open")
        listing = dict(line.split("=", 1) for line in (node.state_dir / "endpoints").read_text().splitlines())
        port = int(listing["control"].rsplit(":", 1)[1])
        self.assertTrue(10240 <= port < 32768, listing)
        with Control(f"tcp://127.0.0.1:{port}") as control:
            self.assertEqual("n", control.call("stats")["node"])

    def test_a_name_that_means_nothing_is_reported_and_dialled_on(self):
        port = ports.free_run()
        other = self.mesh.node("other", port=port, node=LINKS).start().ready()
        node = self.mesh.node("n", join=["tcp://no-such-host.invalid:7400", f"tcp://127.0.0.1:{port}"], node=LINKS).start()

        node.ready()
        self.mesh.alive_everywhere([other, node])
        node.wait_log("no-such-host.invalid")

    def test_nodes_talk_over_ipv6(self):
        base, other = ports.free_run(host="::1"), ports.free_run(host="::1")
        agent = self.listener("ears")
        first = self.mesh.node("first", node=listening(base, "[::1]")).start()
        second = self.mesh.node("second", join=[f"tcp://[::1]:{base}"], node=listening(other, "[::1]"),
                                agent=[agent.table]).start()
        for node, port in ((first, base), (second, other)):
            node.call = lambda method, params=None, timeout=10.0, p=port: call_at(f"tcp://[::1]:{p}", method, params, timeout)

        first.ready()
        second.ready()
        self.mesh.alive_everywhere([first, second])
        self.assert_everyone_hears(first, {second: agent})
        self.assertEqual(f"[::1]:{base}", second.members()["first"]["address"])

    def test_port_zero_takes_a_free_run_and_writes_it_down(self):
        nodes = [self.mesh.node(name, node={**LINKS, "listen": "tcp://127.0.0.1:0"}).start() for name in ("a", "b")]
        for node in nodes:
            endpoints = until(lambda n=node: self.endpoints(n), "the endpoints file")
            port = int(endpoints["control"].rpartition(":")[2])
            self.assertEqual({name: f"tcp://127.0.0.1:{port + i}"
                              for i, name in enumerate(("control", "critical", "high", "normal", "low"))}, endpoints)
            self.assertLess(port + 5, 32768)
            node.port = port
            node.ready()
        self.assertNotIn(nodes[0].port, range(nodes[1].port - 5, nodes[1].port + 6))
        agent = self.listener("ears")
        third = self.mesh.node("c", join=[f"tcp://127.0.0.1:{nodes[0].port}"], node=LINKS, agent=[agent.table]).start().ready()
        self.mesh.alive_everywhere([nodes[0], third])
        self.assert_everyone_hears(nodes[0], {third: agent})

    @staticmethod
    def endpoints(node):
        path = node.state_dir / "endpoints"
        return path.exists() and dict(line.split("=", 1) for line in path.read_text().splitlines())

    def test_a_start_and_an_orderly_end_are_events_that_others_hear(self):
        for number, name in ((signal.SIGTERM, "by-term"), (signal.SIGINT, "by-int")):
            with self.subTest(name):
                agent = self.listener(f"ears-{name}")
                stays = self.mesh.node("stays", node=LINKS, agent=[agent.table]).start().ready()
                goes = self.mesh.node(name, join=[stays], node=LINKS).start().ready()
                self.mesh.alive_everywhere([stays, goes])
                started = until(lambda a=agent: [e for e in a.events("system.startup") if e["source"] == f"{name}/!node"],
                                "system.startup to be heard")
                goes.publish("flow.data", {"n": 1})

                goes.signal(number)

                self.assertEqual(0, goes.wait_exit())
                until(lambda s=stays, n=name: s.state_of(n) == "left", lambda s=stays: f"{s.members()}")
                ended = until(lambda a=agent: [e for e in a.events("system.shutdown") if e["source"] == f"{name}/!node"],
                              lambda a=agent: f"system.shutdown to be heard: {a.events()}")
                self.assertEqual((1, 1), (len(started), len(ended)))
                self.assertIn("stopped", goes.log())
                self.assertEqual(["flow.data", "system.shutdown"],
                                 sorted(e["type"] for e in agent.events() if e["source"].startswith(name)
                                        and e["type"] != "system.startup"))
                self.assertEqual(0, stays.terminate())

    def test_what_was_published_before_sigterm_is_handled_and_answers_still_go_out(self):
        ears = Scripted(self.mesh, "ears", ["said.hello", PROBE])
        worker = Scripted(self.mesh, "worker", ["job.publish", PROBE])
        stays = self.mesh.node("stays", node=LINKS, agent=[ears.table]).start().ready()
        goes = self.mesh.node("goes", join=[stays], node=LINKS, agent=[worker.table]).start().ready()
        link(stays, goes, "worker")
        link(goes, stays, "ears")
        for n in range(0, 500, 100):
            stays.publish_all([{"type": "job.publish", "data": {"n": i, "do": ["publish", {"type": "said.hello", "data": {"n": i}}, i]}}
                               for i in range(n, n + 100)])
        until(lambda: goes.book("worker", "job.publish")["published"] == 500, "all jobs to arrive")

        self.assertEqual(0, goes.terminate())

        self.assertEqual(list(range(500)), worker.numbers("job.publish"))
        until(lambda: settled(stays.book("ears", "said.hello"), 500), lambda: f"{stays.book('ears', 'said.hello')}")
        self.assertEqual(list(range(500)), ears.numbers("said.hello"))

    def test_a_node_that_comes_back_under_its_name_has_a_higher_incarnation(self):
        agent = self.listener("ears")
        stays = self.mesh.node("stays", node=LINKS, agent=[agent.table]).start().ready()
        again = self.mesh.node("again", join=[stays], node=LINKS).start().ready()
        seen = []
        for end in (again.terminate, again.kill, again.terminate):
            self.mesh.alive_everywhere([stays, again])
            seen.append(again.stats()["incarnation"])
            self.assert_everyone_hears(again, {stays: agent})
            end()
            again.start().ready()
        until(lambda: stays.members()["again"]["incarnation"] > seen[-1], "the last life to be known")

        self.assertEqual(sorted(set(seen)), seen)

    def test_an_address_can_pass_to_another_name_and_back(self):
        agent = self.listener("ears")
        stays = self.mesh.node("stays", node=LINKS, agent=[agent.table]).start().ready()
        first = self.mesh.node("first", join=[stays], node=LINKS).start().ready()
        self.assert_everyone_hears(first, {stays: agent})
        first.kill()
        until(lambda: stays.state_of("first") == "dead", lambda: f"{stays.members()}")
        other = self.mesh.node("other", join=[stays], port=first.port, node=LINKS).start().ready()
        self.mesh.alive_everywhere([stays, other])
        self.assert_everyone_hears(other, {stays: agent})
        self.assertEqual(0, other.terminate())
        until(lambda: stays.state_of("other") == "left", lambda: f"{stays.members()}")

        first.start().ready()

        self.mesh.alive_everywhere([stays, first])
        self.assert_everyone_hears(first, {stays: agent})
        # The links of one that left are closed after suspect_after (1 s); this one has the same address.
        holds(lambda: stays.state_of("first") == "alive", 3, "first stays alive when the links of other are closed")
        self.assert_everyone_hears(first, {stays: agent})

    def test_an_address_whose_later_owner_left_long_ago_is_connected_again(self):
        agent = self.listener("ears")
        stays = self.mesh.node("stays", node=LINKS, agent=[agent.table]).start().ready()
        first = self.mesh.node("first", join=[stays], node=LINKS).start().ready()
        self.mesh.alive_everywhere([stays, first])
        first.kill()
        other = self.mesh.node("other", join=[stays], port=first.port, node=LINKS).start().ready()
        self.mesh.alive_everywhere([stays, other])
        self.assertEqual(0, other.terminate())
        holds(lambda: stays.state_of("other") in ("alive", "left"), 2, "other has left, and its links are closed meanwhile")

        first.start().ready()

        self.mesh.alive_everywhere([stays, first])
        self.assert_everyone_hears(first, {stays: agent})


def call_at(address, method, params, timeout):
    from support.rpc import Control
    with Control(address) as control:
        return control.call(method, params, timeout)


if __name__ == "__main__":
    unittest.main()
