"""What a run that was killed could not remove itself: its folder, mounts, namespaces and what runs in them.

Every run holds a lock in its folder. A folder whose lock is free belongs to a run that is over.
"""

import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from chaos.network import PREFIX
from support.scripted import processes_of_session

FOLDER = pathlib.Path(tempfile.gettempdir())


def claim():
    """(folder, lock) of a new run. The lock is held as long as the file is open."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = open(folder / "new-lock", "w", encoding="ascii")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (folder / "new-lock").rename(folder / "lock")  # nobody sees it free
    return folder, lock


def run_id(folder):
    return folder.name.removeprefix(PREFIX)


def namespaces(folder):
    """Names of the namespaces of a run."""
    known = pathlib.Path("/run/netns")
    return sorted(p.name for p in known.glob(f"{folder.name}-*")) if known.is_dir() else []


def mounts(folder):
    """What is mounted below a run's folder, innermost first."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        points = [line.split()[1] for line in file]
    return sorted((p for p in points if p.startswith(f"{folder}/")), key=len, reverse=True)


def processes(folder):
    """Ids of the processes that run in a run's namespaces, or whose node's folder it is."""
    found = set()
    for name in namespaces(folder):
        done = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
        found.update(int(pid) for pid in done.stdout.split())
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"legion-node") and any(w.startswith(f"{folder}/".encode()) for w in words[1:]):
                found.update(processes_of_session(int(entry.name)) or [int(entry.name)])
    return found - {os.getpid()}


def remove(folder, keep_files=False):
    """Everything of a run that is over."""
    for pid in processes(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for name in namespaces(folder):
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    for point in mounts(folder):
        subprocess.run(["umount", "-l", point], capture_output=True, check=False)
    if not keep_files:
        shutil.rmtree(folder, ignore_errors=True)


def of(folder):
    """What is still there of a run that has removed everything but its files; for the report."""
    return [*(f"process {pid}" for pid in processes(folder)), *(f"namespace {n}" for n in namespaces(folder)),
            *(f"mount {m}" for m in mounts(folder))]


def sweep(say):
    """Removes what runs that were killed have left."""
    for folder in FOLDER.glob(f"{PREFIX}*"):
        if not (folder / "lock").exists() or (folder / "kept").exists():
            continue
        with open(folder / "lock", "r+", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue  # at work
            say(f"removing what a run that was killed has left: {folder}")
            remove(folder)
