"""A spool that cannot write: confirming freezes, all see it, nothing that was said is wrong, a restart mends it."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import poll, work
from support.mesh import Mesh

ROOM = 2 << 20  # bytes that the file may still grow
JOURNAL = {"confirmed_bytes": "1MiB", "captured_bytes": "1MiB"}
# Compresses badly, so that the room is used up soon.
TEXT = "".join(chr(33 + (i * 7919 + i * i) % 90) for i in range(2000))


class DiskFull(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh(spools=1)
        self.addCleanup(self.mesh.close)
        self.vault = self.mesh.node("vault", spool={}, topic=work.CONFIRMED).start().ready()
        self.source = self.mesh.node("source", join=[self.vault], topic=work.CONFIRMED, journal=JOURNAL).start().ready()
        self.mesh.alive_everywhere([self.vault, self.source])

    def fill_up(self, publisher):
        poll.until(lambda: publisher.count() > 100, "the first confirms")
        self.vault.limit_files(self.vault.spool_path.stat().st_size + ROOM)
        poll.until(lambda: (self.vault.spool_stats() or {}).get("frozen"),
                   lambda: f"the spool to freeze: {self.vault.spool_stats()}", watchdog=120)

    def test_it_freezes_says_so_and_goes_on_after_a_restart(self):
        with work.Publisher(self.source, text=TEXT, batch=200, timeout_ms=1000) as publisher:
            self.fill_up(publisher)
            self.assertRegex(self.vault.spool_stats()["frozen"], r"(?i)too large|no space|full|write|disk I/O error")
            poll.until(lambda: self.source.members()["vault"]["spool_frozen"], "the others to see that it is frozen")
            poll.until(lambda: self.source.stats()["degraded"], "the publisher to be degraded")
            poll.until(lambda: publisher.refusals["would_block"], "publishers to be held back once the journal is full")
            count = publisher.count()
            poll.holds(lambda: publisher.count() == count, 2, "nothing to be confirmed any more")
            self.assertTrue(self.vault.running())
            # What it has can be read meanwhile.
            work.check_stored_once(self, work.stored_ids(self.mesh, self.vault), publisher.confirmed)
            self.vault.restart()  # the new process has no limit
            poll.until(lambda: publisher.count() > count + 500, "confirms after the restart", watchdog=120)
            poll.until(lambda: not self.source.stats()["degraded"], "the publisher to be whole again")
        work.check_stored_once(self, work.stored_ids(self.mesh, self.vault), publisher.confirmed)

    def test_room_alone_does_not_make_it_confirm_again(self):
        with work.Publisher(self.source, text=TEXT, batch=200, timeout_ms=1000) as publisher:
            self.fill_up(publisher)
            self.vault.limit_files()
            # By then every confirm that was given before has been counted.
            poll.until(lambda: publisher.refusals["would_block"], "publishers to be held back once the journal is full")
            count = publisher.count()
            poll.holds(lambda: publisher.count() == count, 3, "an error of fsync is never taken back without a restart")

    def test_a_spool_that_cannot_begin_to_write_does_not_start(self):
        self.vault.terminate()
        path = self.vault.spool_path
        path.chmod(0o400)
        folder = path.parent
        if not folder_refuses(folder):
            self.skipTest("this user may write everything")
        self.vault.start()
        self.assertEqual(73, self.vault.wait_exit())
        self.assertIn(str(path), self.vault.log())

    def test_a_second_process_on_the_same_file_is_refused(self):
        path = str(self.vault.spool_path)
        second = self.mesh.node("second", join=[self.vault], spool={"path": path}, topic=work.CONFIRMED)
        second.start()
        self.assertEqual(73, second.wait_exit())
        self.assertRegex(second.log(), r"(?i)another process|in use")
        self.assertTrue(self.vault.running())


def folder_refuses(folder):
    """Whether file permissions mean anything to this user."""
    probe = folder / "probe"
    probe.write_text("")
    probe.chmod(0o400)
    try:
        probe.open("r+").close()
    except PermissionError:
        return True
    finally:
        probe.unlink()
    return False


if __name__ == "__main__":
    unittest.main()
