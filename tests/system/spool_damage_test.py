"""Damage to a spool's file: it is named and costs what was hit; what others have comes back. Nothing is deleted."""

import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll, work
from support.mesh import Mesh

BATCH = 50
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
        with work.Publisher(self.source, batch=BATCH) as publisher:
            poll.until(lambda: publisher.count() >= events, lambda: f"{publisher.count()} of {events} confirms")
        return publisher.confirmed

    def blocks(self):
        """Where compressed blocks begin in the file, those included that are not used any more."""
        content = self.path.read_bytes()
        found = []
        at = content.find(ZSTD)
        while at >= 0:
            found.append(at)
            at = content.find(ZSTD, at + 1)
        return found

    def damage_a_block(self):
        """Flips a bit in a block of published events; returns what verify says of it, and how many events it costs."""
        _, whole = work.verify(self.mesh, self.path)
        blocks = self.blocks()
        self.random.shuffle(blocks)
        for at in blocks:
            flip(self.path, at + 12)
            code, report = work.verify(self.mesh, self.path)
            lost = whole["events"] - report["events"]
            if lost >= BATCH:
                self.assertEqual(1, code)
                return report, lost
            flip(self.path, at + 12)
        self.fail("no block of published events was found")

    def filled(self, spool, confirmed, by, mend=None):
        """Waits until the spool has all of it, each once. `mend`: a spool that is restarted when it freezes."""
        def has_all():
            if mend and (mend.spool_stats() or {}).get("frozen"):
                mend.restart().ready()
            return set(work.stored_ids(self.mesh, spool)) >= set(confirmed)
        poll.until(has_all, lambda: f"{spool.name} to have it all: {by}; its log:\n{spool.log()[-3000:]}", pause=0.2)
        work.check_stored_once(self, work.stored_ids(self.mesh, spool), confirmed)

    def test_a_flipped_bit_costs_its_block_which_is_named(self):
        confirmed = self.publish(5000)
        self.vault.terminate()
        report, lost = self.damage_a_block()
        self.assertEqual(1, len(report["damage"]), report)
        self.assertIn("block", report["damage"][0])
        self.source.kill()  # it could fill the hole
        size = self.path.stat().st_size
        self.vault.start().ready()
        ids = work.stored_ids(self.mesh, self.vault)  # reading finds it
        poll.until(lambda: self.vault.spool_stats()["quarantined"] == 1, "the damaged block to be set aside")
        missing = set(confirmed) - set(ids)
        self.assertTrue(missing, "the damage hit nothing: this shows nothing")
        self.assertLessEqual(len(missing), lost, "only the block is lost")
        self.assertEqual(len(ids), len(set(ids)))
        self.assertGreaterEqual(self.path.stat().st_size, size, "nothing is deleted")

    def test_what_a_damaged_block_held_comes_back_from_its_origin(self):
        confirmed = self.publish(5000)
        self.vault.terminate()
        self.damage_a_block()
        self.vault.start().ready()
        self.filled(self.vault, confirmed, "from the origin, without another restart")
        self.assertEqual(1, self.vault.spool_stats()["quarantined"])

    def test_what_a_damaged_block_held_comes_back_from_the_other_spool(self):
        other = self.mesh.node("other", join=[self.vault], spool={}, topic=work.CONFIRMED).start().ready()
        confirmed = self.publish(5000)
        self.filled(other, confirmed, "from the origin")
        self.source.kill()
        self.vault.terminate()
        self.damage_a_block()
        self.vault.start().ready()
        self.filled(self.vault, confirmed, "from the other spool")

    def test_a_truncated_tail_is_found_and_refilled_from_the_origin(self):
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
            self.filled(self.vault, confirmed, "from the origin, after a restart where it is frozen", mend=self.vault)
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
