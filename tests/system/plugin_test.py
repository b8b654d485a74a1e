"""Agents in shared objects: what they do on a node, and what a node says of one that it cannot use."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support.mesh import BIN, Mesh  # noqa: E402
from support.poll import until  # noqa: E402

VETO = pathlib.Path(BIN).parent / "lib" / "libveto.so"
STRANGER = pathlib.Path(BIN).parent / "tests" / "unit" / "api" / "plugins" / "libstranger.so"
FAMILIES = STRANGER.with_name("libfamilies.so")
OTHER = STRANGER.with_name("libother_interface.so")
ORDER = "order.requested"


def order(quantity):
    return {"symbol": "XBT/USDT", "action": "buy", "quantity": float(quantity), "price": 100.0}


class Plugins(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)

    def node(self, **veto):
        sinks = [{"name": "desk", "builtin": "sink", "subscribe": [{"type": ORDER}]},
                 {"name": "audit", "builtin": "sink", "subscribe": [{"type": "trade.rejected"}]}]  # fmt: skip
        return self.mesh.node("a", agent=[{"name": "veto", "plugin": VETO, **veto}, *sinks])

    def publish_three(self, node):
        for quantity in (1, 9, 2):
            self.assertEqual(node.publish(ORDER, order(quantity))["status"], "queued")
        until(lambda: node.book("desk", ORDER)["delivered"] == 2, lambda: f"two orders to pass\n{node.log()}")
        until(lambda: node.book("audit", "trade.rejected")["delivered"] == 1, "the third to be rejected")
        self.assertEqual(node.book("desk", ORDER)["filtered"]["stopped"], 1)

    def test_its_own_handlers_say_what_it_takes(self):
        node = self.node(settings={"limit": 500}).start()
        node.ready()
        self.publish_three(node)
        self.assertEqual(node.agent("veto")["kind"], "plugin")
        self.assertEqual(node.terminate(), 0)

    def test_the_configuration_says_what_it_takes(self):
        node = self.node(settings={"limit": 500}, subscribe=[{"type": ORDER, "tier": "critical"}]).start()
        node.ready()
        self.publish_three(node)

    def test_may_be_a_member_of_a_group(self):
        self.mesh.spools = 1
        sharded = [{"prefix": "order.", "durability": "confirmed", "shards": 16}]
        vault = self.mesh.node("vault", spool={}, topic=sharded).start().ready()
        member = {"type": ORDER, "group": "desk", "home": "vault", "shares": 4, "start": "beginning"}
        veto = {"name": "veto", "plugin": VETO, "settings": {"limit": 500}, "subscribe": [member]}
        audit = {"name": "audit", "builtin": "sink", "subscribe": [{"type": "trade.rejected"}]}
        node = self.mesh.node("a", join=[vault], topic=sharded, agent=[veto, audit]).start().ready()
        orders = [{"type": ORDER, "data": order(9), "partitionkey": f"k{n}"} for n in range(40)]
        self.assertEqual({"queued"}, {answer["status"] for answer in node.publish_all(orders)})
        until(lambda: node.book("audit", "trade.rejected")["delivered"] == 40, lambda: f"all of them\n{node.log()}")
        self.assertEqual(0, node.terminate())

    def refusal(self, **veto):
        node = self.node(**veto).start()
        code = node.wait_exit()
        self.assertNotEqual(code, 0)
        return code, node.log()

    def test_says_what_is_wrong_with_it(self):
        code, log = self.refusal(plugin=self.mesh.folder / "nowhere.so")
        self.assertEqual(code, 78)
        self.assertRegex(log, r"plugin: there is no file .*nowhere\.so")
        for plugin, expected in (
            (STRANGER, r"agent veto: .*libstranger\.so is not a legion plugin"),
            (OTHER, r"agent veto: .*was built for plugin interface 99, this is legion"),
            (pathlib.Path(__file__), r"agent veto: cannot load .*plugin_test\.py"),
        ):
            with self.subTest(plugin=plugin.name):
                _, log = self.refusal(plugin=plugin)
                self.assertRegex(log, expected)
        _, log = self.refusal(settings={"limit": "much"})
        self.assertRegex(log, r"agent veto: .*expected limit = NUMBER, found limit = much")
        _, log = self.refusal(subscribe=[{"type": "order."}])
        self.assertRegex(log, r"agent veto: .*no handler takes all of order\.")

    def test_a_durable_name_that_a_plugin_asks_for_is_checked_like_one_of_the_configuration(self):
        def log_of(*others):
            guest = {"name": "guest", "plugin": FAMILIES, "settings": {"durable": "books"}}
            node = self.mesh.node("a", agent=[guest, *others]).start()
            self.assertEqual(78, node.wait_exit())
            return node.log()

        self.assertRegex(log_of(), r'agent guest: the plugin\'s handler of trade\.executed: durable = "books": '
                                   r"this mesh has no spool that could remember it")
        self.mesh.spools = 1
        sink = {"name": "desk", "builtin": "sink", "subscribe": [{"type": "trade.", "durable": "books"}]}
        self.assertRegex(log_of(sink), r'durable = "books" is already the name of one of agent desk')
        twin = {"name": "twin", "plugin": FAMILIES, "settings": {"durable": "books"}}
        self.assertRegex(log_of(twin), r'agent twin: .*durable = "books" is already the name of one of agent guest')

    def test_lives_through_a_restart_of_its_node(self):
        node = self.node(settings={"limit": 500}).start()
        node.ready()
        node.kill()
        node.start()
        node.ready()
        self.publish_three(node)


if __name__ == "__main__":
    unittest.main()
