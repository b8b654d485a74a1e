"""A short chaos run with real processes: nothing is violated, and nothing is left, however it ends."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from chaos import leftovers  # noqa: E402
from support import poll  # noqa: E402

RUN = pathlib.Path(__file__).resolve().parent / "run.py"
SEED = 2783  # most kinds of faults within 20 s
SECONDS = int(os.environ.get("LEGION_CHAOS_SECONDS", "20"))


class Chaos(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.errors = pathlib.Path(self.temporary.name) / "errors"

    def start(self, *arguments):
        with open(self.errors, "wb") as errors:
            process = subprocess.Popen([sys.executable, RUN, *arguments], stdout=subprocess.PIPE, stderr=errors,
                                       text=True, env={**os.environ, "TMPDIR": self.temporary.name})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def folder(self):
        folder, = pathlib.Path(self.temporary.name).glob("legion-chaos-*")
        return folder

    def begun(self, process):
        def under_load():
            self.assertIsNone(process.poll(), self.errors.read_text())
            return "kill" in self.errors.read_text().partition("the load begins")[2]
        poll.until(under_load, self.errors.read_text, 120)
        return self.folder()

    def test_nothing_is_violated(self):
        path = pathlib.Path(self.temporary.name) / "report.json"
        run = self.start("--for", str(SECONDS), "--seed", str(SEED), "--nodes", "3", "--rate", "100",
                         "--json", str(path))
        report, _ = run.communicate()
        self.assertEqual(0, run.returncode, self.errors.read_text() + report)
        self.assertIn("nothing is violated", report)
        figures = json.loads(path.read_text())
        self.assertTrue(figures["ok"])
        self.assertGreater(len(figures["faults"]), 5)
        self.assertGreater(figures["events"]["confirmed"], 100)
        self.assertTrue(all(row["done"] for row in figures["durable"].values()), figures["durable"])
        self.assertEqual([], list(pathlib.Path(self.temporary.name).glob("legion-chaos-*")))

    def test_one_that_is_told_to_stop_leaves_nothing(self):
        run = self.start("--for", "60", "--nodes", "3", "--seed", str(SEED), "--only", "kill")
        folder = self.begun(run)
        self.assertTrue(leftovers.processes(folder))
        run.send_signal(signal.SIGTERM)
        report, _ = run.communicate()
        self.assertEqual(130, run.returncode)
        self.assertIn("interrupted by SIGTERM", report)
        self.assertEqual([], leftovers.of(folder))

    def test_what_a_killed_one_left_goes_with_the_next(self):
        run = self.start("--for", "60", "--nodes", "3", "--seed", str(SEED), "--only", "kill")
        folder = self.begun(run)
        run.kill()
        run.wait()
        self.start("--for", "0", "--nodes", "3", "--only", "kill").wait()
        self.assertEqual([], leftovers.of(folder))
        self.assertFalse(folder.exists())


if __name__ == "__main__":
    unittest.main()
