"""Holds the rules of rules.py to this tree; one test a rule. Run by ctest, or by hand: selfcheck.py [ROOT] [-v]."""

import os
import sys
import unittest
from pathlib import Path

import rules
from tree import Tree


class ThisTree(unittest.TestCase):
    longMessage = False

    @classmethod
    def setUpClass(cls):
        cls.tree = Tree(os.environ.get("LEGION_TREE") or Path(__file__).resolve().parents[2])
        if "mesh/base/error.hpp" not in cls.tree.files:
            raise AssertionError(f"{cls.tree.root} is not the source tree: no rule would find anything to look at")


def hold(rule):
    def test(self):
        violations = list(rule(self.tree))
        self.assertFalse(violations, f"{len(violations)} violations: {rule.__doc__}\n  " + "\n  ".join(violations))

    test.__doc__ = rule.__doc__
    return test


for each in rules.RULES:
    setattr(ThisTree, "test_" + each.__name__, hold(each))

if __name__ == "__main__":
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():
        os.environ["LEGION_TREE"] = sys.argv.pop(1)
    unittest.main()
