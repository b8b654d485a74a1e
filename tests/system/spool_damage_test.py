"""Damage to a spool's file: it is named and costs what was hit; what others have comes back. Nothing is deleted."""

import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll, work
from support.mesh import Mesh

ZSTD = b"\x28\xb5\x2f\xfd"  # begins every compressed block


def files_of(path):
    """The file and what SQLite keeps beside it."""
    return [p for p in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")) if p.exists()]


def flip(path, at, mask=0x10):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ mask]))


class Damage(unittest.TestCase):
    def setUp(self):
        self.random = work.seeded()
        self.mesh = Mesh(spools=1)
        self.addCleanup(self.mesh.close)
        self.vault = self.mesh.node("vault", spool={}, topic=work.CONFIRMED).start().ready()
        self.source = self.mesh.node("source", join=[self.vault], topic=work.CONFIRMED).start().ready()
        self.mesh.alive_everywhere([self.vault, self.source])
        self.path = self.vault.spool_path

    def publish(self, events):
        """Confirms so many more; returns their ids."""
        with work.Publisher(self.source) as publisher:
            poll.until(lambda: publisher.count() >= events, lambda: f"{publisher.count()} of {events} confirms")
        return publisher.confirmed

    def keep_a_laggard(self):
        """A second spool that was seen and is away: for it the origin keeps what the first one has."""
        other = self.mesh.node("other", join=[self.vault], spool={}, topic=work.CONFIRMED).start().ready()

        def linked():
            return any(link["spool"] == "other" and link["state"] == "open"
                       for link in self.source.stats()["journal"]["links"])
        poll.until(linked, "the origin's link to the other spool")
        other.kill()

    def blocks(self):
        """Where compressed blocks begin in the file."""
        content = self.path.read_bytes()
        found = []
        at = content.find(ZSTD)
        while at >= 0:
            found.append(at)
            at = content.find(ZSTD, at + 1)
        return found

    def filled(self, spool, confirmed, by):
        """Waits until the spool has all of it, each once."""
        poll.until(lambda: set(work.stored_ids(self.mesh, spool)) >= set(confirmed),
                   f"{spool.name} to have it all: {by}", pause=0.5)
        work.check_stored_once(self, work.stored_ids(self.mesh, spool), confirmed)

    def test_a_flipped_bit_costs_its_block_which_is_named(self):
        confirmed = self.publish(5000)
        self.vault.terminate()
        blocks = self.blocks()
        self.assertGreater(len(blocks), 2)
        flip(self.path, self.random.choice(blocks) + 12)

        code, report = work.verify(self.mesh, self.path)

        self.assertEqual(1, code)
        self.assertEqual(1, len(report["damage"]), report)
        self.assertIn("block", report["damage"][0])
        self.source.kill()  # it could fill the hole
        size = self.path.stat().st_size
        self.vault.start().ready()
        self.assertEqual(1, self.vault.spool_stats()["quarantined"])
        ids = work.stored_ids(self.mesh, self.vault)
        self.assertLess(len(set(ids) & set(confirmed)), len(confirmed), "the damage hit nothing: this shows nothing")
        self.assertGreater(len(ids), len(confirmed) // 2, "only the block is lost")
        self.assertEqual(len(ids), len(set(ids)))
        self.assertGreaterEqual(self.path.stat().st_size, size, "nothing is deleted")

    def test_what_a_damaged_block_held_comes_back_from_the_other_spool(self):
        other = self.mesh.node("other", join=[self.vault], spool={}, topic=work.CONFIRMED).start().ready()
        confirmed = self.publish(5000)
        self.filled(other, confirmed, "from the origin")
        self.source.kill()
        self.vault.terminate()
        flip(self.path, self.random.choice(self.blocks()) + 12)
        self.vault.start().ready()
        self.filled(self.vault, confirmed, "from the other spool")

    def test_a_truncated_tail_is_found_and_refilled_from_the_origin(self):
        self.keep_a_laggard()
        confirmed = self.publish(5000)
        self.vault.terminate()
        with open(self.path, "r+b") as file:
            file.truncate(self.path.stat().st_size - 3 * 4096)

        code, _ = work.verify(self.mesh, self.path)

        self.assertEqual(1, code)
        self.vault.start()
        # Blocks at the end are refilled; where the tree of the file itself is cut, opening it is refused by name.
        poll.until(lambda: not self.vault.running() or (self.vault.call("stats", timeout=2) or {}).get("publishing"),
                   "the spool to start or to refuse")
        if self.vault.running():
            self.filled(self.vault, confirmed, "from the origin")
        else:
            self.assertIn(str(self.path), self.vault.log())
        self.assertTrue(self.path.exists(), "nothing is deleted")

    def test_a_stale_wal_is_not_taken_for_the_present(self):
        self.publish(1000)
        self.vault.kill()  # leaves a WAL behind
        stale = {p.name: p.read_bytes() for p in files_of(self.path)[1:]}
        self.assertTrue(stale, "a killed spool was to leave a WAL")
        self.vault.start().ready()
        confirmed = self.publish(3000)
        self.vault.terminate()
        for name, content in stale.items():
            (self.path.parent / name).write_bytes(content)
        self.vault.start().ready()
        work.check_stored_once(self, work.stored_ids(self.mesh, self.vault), confirmed)

    def test_an_older_copy_is_filled_up_again_from_the_origin(self):
        self.keep_a_laggard()
        self.publish(1000)
        self.vault.terminate()
        copy = self.mesh.folder / "copy"
        copy.mkdir()
        for file in files_of(self.path):
            shutil.copy2(file, copy)
        self.vault.start().ready()
        confirmed = self.publish(3000)
        self.vault.terminate()
        for file in files_of(self.path):
            os.unlink(file)
        for file in copy.iterdir():
            shutil.copy2(file, self.path.parent)
        self.vault.start().ready()
        self.filled(self.vault, confirmed, "the origin sends again what it was told is stored")


if __name__ == "__main__":
    unittest.main()
