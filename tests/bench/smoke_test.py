"""Every benchmark works: each line is complete, and its counts agree. How fast anything was is not looked at."""

import json
import os
import pathlib
import subprocess
import unittest

PROGRAM = pathlib.Path(os.environ["LEGION_BIN"]) / "legion-bench"
MEMBERS = {"bench", "variant", "value", "unit", "baseline", "baseline_value", "ratio", "runs", "quick"}
# Those with nodes, whose books have to come to the same as the counts of the benchmark.
MESH_LINES = {"local_dispatch", "mesh_throughput", "mesh_latency", "flood", "isolation"}


def bench(*arguments):
    # About 15 s; the watchdog leaves room for sanitizers.
    return subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=450)


class Benchmarks(unittest.TestCase):
    def assert_complete(self, line):
        self.assertEqual(MEMBERS - line.keys(), set())
        self.assertIs(line["quick"], True)
        self.assertGreater(line["value"], 0)
        self.assertGreater(line["baseline_value"], 0)

    def assert_losses_agree(self, line):
        """The benchmark's own counts, against the books of the nodes by reason."""
        lost = line["lost"] + line.get("low_lost", 0) + line.get("lost_by_stopped", 0)
        self.assertEqual(sum(line["lost_by_reason"].values()), lost)
        for name in ("published", "critical_published", "low_published"):
            for side in ("", "baseline_"):
                self.assertGreater(line.get(side + name, 1), 0)
        self.assertLessEqual(line.get("low_lost", 0), line.get("low_published", 0))

    def test_every_benchmark_prints_complete_lines_whose_counts_agree(self):
        names = bench("--list").stdout.split()
        done = bench("--quick")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual({line["bench"] for line in lines}, set(names))
        self.assertEqual(len({(line["bench"], line["variant"]) for line in lines}), len(lines))
        for line in lines:
            with self.subTest(bench=line["bench"], variant=line["variant"]):
                self.assert_complete(line)
                if line["bench"] in MESH_LINES:
                    self.assert_losses_agree(line)

    def test_an_unknown_name_is_answered_with_all_names(self):
        done = bench("mesh_thruput")
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        for name in bench("--list").stdout.split():
            self.assertIn(name, done.stderr)


if __name__ == "__main__":
    unittest.main()
