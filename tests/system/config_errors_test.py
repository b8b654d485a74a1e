"""What keeps a node from starting: the exit code, and a message that names the place."""

import contextlib
import os
import pathlib
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support import ports  # noqa: E402
from support.mesh import BIN, Mesh  # noqa: E402

CONFIGURATION = 78
REFERENCE = pathlib.Path(__file__).resolve().parents[2] / "config" / "reference.toml"

# One file for each kind of mistake: name, text, line of the mistake, pattern of its message.
MISTAKES = [
    ("unknown key", '[node]\nname = "n"\nstate_dri = "s"\n', 3, r'unknown key "state_dri" in \[node\].*did you mean "?state_dir'),
    ("unknown table", '[node]\nname = "n"\n[hartbeat]\ninterval = "1s"\n', 3, r"unknown table \[hartbeat\].*heartbeat"),
    ("key of another table", '[node]\nname = "n"\ninterval = "1s"\n', 3, r"interval.*\[heartbeat\]"),
    ("key outside a table", 'interval = "1s"\n[node]\nname = "n"\n', 1, r"interval.*\[heartbeat\]"),
    ("wrong type", '[node]\nname = "n"\nlocal = "yes"\n', 3, r"local.*boolean|local.*true.*\"yes\""),
    ("number for a duration", '[node]\nname = "n"\n[heartbeat]\ninterval = 5\n', 4, r"interval.*duration"),
    ("bad unit", '[node]\nname = "n"\n[heartbeat]\ninterval = "5 parsecs"\n', 4, r"interval.*5 parsecs"),
    ("bad size", '[node]\nname = "n"\n[[topic]]\nprefix = "a."\nmax_bytes = "3 apples"\n', 5, r"max_bytes.*3 apples"),
    ("out of range", '[node]\nname = "n"\n[retry]\nmax_attempts = 0\n', 4, r"max_attempts.*1"),
    ("order of durations", '[node]\nname = "n"\n[heartbeat]\nsuspect_after = "20s"\n', 4, r"suspect_after.*dead_after|dead_after.*suspect_after"),
    ("no name", '[node]\nlisten = "tcp://127.0.0.1:7400"\n', 1, r"name"),
    ("bad name", '[node]\nname = "Node 1"\n', 2, r"name.*Node 1"),
    ("bad address", '[node]\nname = "n"\nlisten = "udp://127.0.0.1:7400"\n', 3, r"listen.*udp"),
    ("port too high", '[node]\nname = "n"\nlisten = "tcp://127.0.0.1:40000"\n', 3, r"listen.*32768"),
    ("run of ports too high", '[node]\nname = "n"\nlisten = "tcp://127.0.0.1:32765"\n', 3, r"listen.*32768"),
    ("beyond loopback", '[node]\nname = "n"\nlisten = "tcp://192.0.2.1:7400"\n', 3, r'listen.*\[security\].*mode = "none"'),
    ("wildcard without advertise", '[node]\nname = "n"\nlisten = "tcp://0.0.0.0:7400"\n[security]\nmode = "none"\n', 3, r"advertise"),
    ("security that does not exist", '[node]\nname = "n"\n[security]\nmode = "curve"\n', 4, r"mode.*curve"),
    ("too many spools", '[node]\nname = "n"\n[[topic]]\nprefix = "a."\nspools = 9\n', 5, r"spools.*0 to 4"),
    ("spool path", '[node]\nname = "n"\n[spool]\npath = "/"\n', 4, r"\[spool\] path.*directory"),
    ("durable without spools", '[node]\nname = "n"\n[[topic]]\nprefix = "*"\nspools = 0\n[[agent]]\nname = "x"\nexec = ["a"]\n'
     '[[agent.subscribe]]\ntype = "a."\ndurable = "d"\n', 11, r"durable.*no spool"),
    ("topic without prefix", '[node]\nname = "n"\n[[topic]]\npriority = "low"\n', 3, r"prefix"),
    ("bad priority", '[node]\nname = "n"\n[[topic]]\nprefix = "a."\npriority = "urgent"\n', 5, r"priority.*urgent"),
    ("exec and builtin", '[node]\nname = "n"\n[[agent]]\nname = "x"\nexec = ["cat"]\nbuiltin = "sink"\n', None, r"exec.*builtin|builtin.*exec"),
    ("neither exec nor builtin", '[node]\nname = "n"\n[[agent]]\nname = "x"\n', 3, r"exec.*builtin|builtin.*exec"),
    ("unknown builtin", '[node]\nname = "n"\n[[agent]]\nname = "x"\nbuiltin = "sinc"\n', 5, r"builtin.*sinc"),
    ("key of another kind", '[node]\nname = "n"\n[[agent]]\nname = "x"\nbuiltin = "sink"\nrate = 5\n', 6, r"rate"),
    ("empty exec", '[node]\nname = "n"\n[[agent]]\nname = "x"\nexec = []\n', 5, r"exec"),
    ("agents of one name", '[node]\nname = "n"\n[[agent]]\nname = "x"\nexec = ["a"]\n[[agent]]\nname = "x"\nexec = ["b"]\n', None, r"\bx\b"),
    ("bad subscription", '[node]\nname = "n"\n[[agent]]\nname = "x"\nexec = ["a"]\n[[agent.subscribe]]\ntype = "A B"\n', 7, r"type.*A B"),
    ("syntax", '[node]\nname = "n"\nlisten = \n', 3, r"not TOML"),
    ("key twice", '[node]\nname = "n"\nname = "m"\n', 3, r"not TOML"),
]


def clean_environment(**more):
    return {**{k: v for k, v in os.environ.items() if not k.startswith("LEGION_")}, **more}


class Configuration(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="legion-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "node.toml"

    def run_node(self, *arguments, text=None, environment=None):
        if text is not None:
            self.file.write_text(text)
        return subprocess.run([BIN / "legion-node", *arguments], capture_output=True, text=True, timeout=60,
                              env=environment or clean_environment(XDG_STATE_HOME=str(self.folder / "state")))

    def effective(self, *arguments, text='[node]\nname = "n"\n', **variables):
        done = self.run_node(self.file, "--print-config", *arguments, text=text,
                             environment=clean_environment(XDG_STATE_HOME=str(self.folder / "state"), **variables))
        self.assertEqual(0, done.returncode, done.stderr)
        return tomllib.loads(done.stdout), done.stdout

    def refused(self, *arguments, text='[node]\nname = "n"\n', **variables):
        done = self.run_node(self.file, *arguments, text=text,
                             environment=clean_environment(XDG_STATE_HOME=str(self.folder / "state"), **variables))
        self.assertEqual(CONFIGURATION, done.returncode, f"{done.stdout}{done.stderr}")
        self.assertEqual("", done.stdout)
        return done.stderr

    def test_every_mistake_is_named_with_its_line(self):
        for name, text, line, pattern in MISTAKES:
            with self.subTest(name):
                done = self.run_node(self.file, text=text)
                self.assertEqual(CONFIGURATION, done.returncode, done.stderr)
                place = re.escape(str(self.file)) + (f":{line}: " if line else r":\d+: ")
                self.assertRegex(done.stderr, f"(?m)^{place}.*(?:{pattern})")
                self.assertRegex(done.stderr, r"problems?, nothing was started\n$")
                self.assertFalse((self.folder / "state").exists())

    def test_all_mistakes_of_a_file_are_told_at_once(self):
        message = self.refused(text='[node]\nname = "N"\nlokal = true\n[heartbeat]\ninterval = 1\n[[topic]]\nprefix = "x"\nspools = 9\n')

        for line in (2, 3, 5, 8):
            self.assertIn(f"{self.file}:{line}: ", message)
        self.assertIn("4 problems, nothing was started", message)

    def test_a_file_that_is_not_there_is_named(self):
        done = self.run_node(self.folder / "absent.toml")

        self.assertEqual(CONFIGURATION, done.returncode)
        self.assertRegex(done.stderr, r"absent\.toml: cannot be opened")

    def test_a_directory_is_no_configuration(self):
        done = self.run_node(self.folder)

        self.assertEqual(CONFIGURATION, done.returncode)
        self.assertIn("is a directory", done.stderr)

    def test_wrong_arguments_are_usage_errors(self):
        self.assertEqual(64, self.run_node().returncode)
        self.assertEqual(64, self.run_node(self.file, "--unknown", text='[node]\nname = "n"\n').returncode)

    def test_overrides_that_name_nothing_are_refused_with_their_source(self):
        self.assertRegex(self.refused(LEGION_HEARTBEAT_INTERVALL="1s"), r"LEGION_HEARTBEAT_INTERVALL.*")
        self.assertRegex(self.refused(LEGION_HEARTBEAT_INTERVAL="soon"), r"environment LEGION_HEARTBEAT_INTERVAL.*soon")
        self.assertRegex(self.refused(LEGION_CONSUMER_SPEED="1"), r"LEGION_CONSUMER_SPEED")
        self.assertRegex(self.refused("--set", "heartbeat.intervall=1s"), r"--set heartbeat\.intervall.*interval")
        self.assertRegex(self.refused("--set", "hartbeat.interval=1s"), r"unknown table \[hartbeat\]")
        self.assertRegex(self.refused("--set", "interval"), r"expected --set table\.key=value")
        self.assertRegex(self.refused("--set", "agent.name=x"), r"only be written in the file")
        self.assertRegex(self.refused("--set", "node.listen=tcp://0.0.0.0:7400"), r"listen")

    def test_file_environment_and_set_override_each_other_in_this_order(self):
        text = '[node]\nname = "n"\n[heartbeat]\ninterval = "100ms"\nsuspect_after = "1s"\ndead_after = "5s"\n'

        config, printed = self.effective("--set", "heartbeat.interval=300ms", text=text, LEGION_HEARTBEAT_INTERVAL="200ms",
                                         LEGION_HEARTBEAT_SUSPECT_AFTER="2s", LEGION_NODE_JOIN="127.0.0.1:7500,localhost")

        self.assertEqual({"interval": "300ms", "suspect_after": "2s", "dead_after": "5s"}, config["heartbeat"])
        self.assertEqual(["tcp://127.0.0.1:7500", "tcp://localhost:7400"], config["node"]["join"])
        self.assertRegex(printed, r'interval = "300ms" +# --set heartbeat\.interval')
        self.assertRegex(printed, r'suspect_after = "2s" +# environment LEGION_HEARTBEAT_SUSPECT_AFTER')
        self.assertRegex(printed, r'dead_after = "5s" +# .*node\.toml:6')

    def test_the_older_variable_names_are_read_below_their_new_ones(self):
        config, _ = self.effective(LEGION_CONSUMER_BUFFER_SIZE="77", LEGION_CONSUMER_MAX_RETRIES="4",
                                   LEGION_CONSUMER_RETRY_DELAY_MS="250", LEGION_PUBLISHER_PRIORITY="HIGH",
                                   LEGION_PUBLISHER_BATCH_SIZE="10", LEGION_LOG_LEVEL="debug", LEGION_LOG_EVENTS="true")

        self.assertIn(config["dispatch"]["capacity"], (77, dict.fromkeys(("critical", "high", "normal", "low"), 77)))
        self.assertEqual((5, "250ms"), (config["retry"]["max_attempts"], config["retry"]["delay"]))
        self.assertEqual(("high", 10), (config["publish"]["priority"], config["publish"]["batch_size"]))
        self.assertEqual(("debug", True), (config["log"]["level"], config["log"]["events"]))
        newer, _ = self.effective(LEGION_CONSUMER_MAX_RETRIES="4", LEGION_RETRY_MAX_ATTEMPTS="9")
        self.assertEqual(9, newer["retry"]["max_attempts"])

    def test_check_prints_the_effective_values_and_starts_nothing(self):
        done = self.run_node(self.file, "--check", text='[node]\nname = "n"\nlisten = "tcp://127.0.0.1:7999"\n')

        self.assertEqual(0, done.returncode)
        self.assertIn('listen = "tcp://127.0.0.1:7999"', done.stdout)
        self.assertIn(f"{self.file}: ok", done.stderr)
        self.assertFalse((self.folder / "state").exists())

    def test_what_print_config_prints_loads_again_as_the_same(self):
        text = ('[node]\nname = "n"\n[[topic]]\nprefix = "a."\nttl = "30s"\n[[agent]]\nname = "x"\nexec = ["cat", "-"]\n'
                'env = { A = "b" }\n[[agent.subscribe]]\ntype = "a.b"\ntier = "critical"\n')
        first, printed = self.effective(text=text)
        second, _ = self.effective(text=printed)

        self.assertEqual(first, second)
        self.assertEqual(["cat", "-"], first["agent"][0]["exec"])
        self.assertEqual({"type": "a.b", "tier": "critical", "replay": False}, first["agent"][0]["subscribe"][0])

    def test_the_reference_file_is_what_the_defaults_are(self):
        reference, _ = self.effective(text=REFERENCE.read_text())
        defaults, _ = self.effective(text='[node]\nname = "node-1"\n')

        self.assertEqual(defaults, reference)


class Start(unittest.TestCase):
    """A configuration that is right, on a machine that does not allow it."""

    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)

    def test_an_address_in_use_is_named(self):
        base = ports.free_run()
        for offset in (0, 3):
            with self.subTest(offset=offset), socket.socket() as taken:
                taken.bind(("127.0.0.1", base + offset))
                taken.listen()
                node = self.mesh.node("n", port=base).start()

                self.assertEqual(69, node.wait_exit())
                self.assertIn(f"tcp://127.0.0.1:{base}", node.log())
                self.assertRegex(node.log(), r"(?i)address.*in use")
                self.assertIn(f"127.0.0.1:{base + offset}: ", node.log())

    def test_a_state_directory_that_cannot_be_created_is_named(self):
        (self.mesh.folder / "file").write_text("not a directory")
        node = self.mesh.node("n", node={"state_dir": str(self.mesh.folder / "file" / "state")}).start()

        self.assertEqual(73, node.wait_exit())
        self.assertRegex(node.log(), re.escape(str(self.mesh.folder / "file")) + r".*cannot create the state directory")

    def test_a_state_directory_of_another_process_is_refused(self):
        shared = str(self.mesh.folder / "shared")
        first = self.mesh.node("n", node={"state_dir": shared}).start().ready()
        second = self.mesh.node("m", node={"state_dir": shared}).start()

        self.assertEqual(73, second.wait_exit())
        self.assertIn(f"{shared}: another process uses this state directory", second.log())
        self.assertTrue(first.running())
        self.assertEqual(0, first.terminate())
        self.assertEqual(0, second.start().ready().terminate())

    def test_a_log_file_that_cannot_be_opened_is_named(self):
        (self.mesh.folder / "file").write_text("not a directory")
        log = str(self.mesh.folder / "file" / "log")
        node = self.mesh.node("n", log={"file": log}).start()

        self.assertEqual(73, node.wait_exit())
        self.assertIn(log, node.log())

    def test_a_kept_incarnation_that_is_damaged_keeps_the_node_from_starting(self):
        node = self.mesh.node("n").start().ready()
        node.terminate()
        (node.state_dir / "incarnation").write_text("soon\n")

        node.start()

        self.assertEqual(73, node.wait_exit())
        self.assertIn("incarnation: not a number", node.log())

    def test_a_store_of_a_later_version_keeps_the_spool_from_starting(self):
        node = self.mesh.node("n", spool={}).start().ready()
        self.assertEqual(0, node.terminate())
        with contextlib.closing(sqlite3.connect(node.spool_path)) as store, store:
            store.execute("PRAGMA user_version = 99")

        node.start()

        self.assertEqual(73, node.wait_exit())
        self.assertRegex(node.log(), r"format version 99.*a later version")


if __name__ == "__main__":
    unittest.main()
