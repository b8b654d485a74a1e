"""What a run makes of the machine besides its network: small disks, and wall clocks that can be wrong."""

import os
import pathlib
import shutil
import subprocess

from support.mesh import BIN

CLOCK = pathlib.Path(__file__).resolve().parent / "clock_shift.c"


def environment():
    """Of the run, without what would configure a node."""
    return {k: v for k, v in os.environ.items() if not k.startswith("LEGION_")}


class Disk:
    """A file system in memory for one spool, so that it can be full without anybody else noticing."""

    def __init__(self, path, mebibytes):
        self.path, self.mebibytes = path, mebibytes

    def mount(self):
        """Whether it could be."""
        self.path.mkdir()
        return self._mount(f"size={self.mebibytes}m")

    def fill(self):
        """From now on there is no room but what is in use: no further page for anybody."""
        state = os.statvfs(self.path)
        return self._mount(f"remount,size={(state.f_blocks - state.f_bfree) * state.f_frsize}")

    def make_room(self):
        return self._mount(f"remount,size={self.mebibytes}m")

    def unmount(self):
        subprocess.run(["umount", self.path], capture_output=True, check=False)

    def _mount(self, options):
        command = ["mount", "-t", "tmpfs", "-o", options, "legion-chaos", self.path]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def compile_clock(folder):
    """(library, None), or (None, why nodes cannot have a wall clock of their own here)."""
    library = pathlib.Path(folder) / "clock_shift.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        return None, "there is no C compiler"
    done = subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, CLOCK, "-ldl"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, f"clock_shift.c does not compile: {done.stderr.strip()[:200]}"
    tried = subprocess.run([BIN / "legion-node", "--version"], capture_output=True, text=True, check=False,
                           env={**environment(), "LD_PRELOAD": str(library)})
    if tried.returncode != 0:
        return None, f"legion-node does not run with a preloaded library: {tried.stderr.strip()[:200]}"
    return library, None
