"""The mesh that --keep leaves running: remembered in a file, ended by --stop."""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import time

from runner.processes import GRACE, STORES, start_time


def folder():
    """Ours alone, so that nobody else can name processes for us to end."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    path = pathlib.Path(base) / "legion-demo"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def boot_id():
    return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@contextlib.contextmanager
def only_one():
    """Two runs of --keep at once would forget one mesh. Yields whether this is the only one."""
    with open(folder() / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def remember(nodes, logs):
    kept = {
        "boot": boot_id(),
        "logs": str(logs),
        "nodes": [{"name": n.name, "port": n.port, "pid": n.process.pid, "started": start_time(n.process.pid)}
                  for n in nodes],
    }  # fmt: skip
    path = folder() / "mesh.json"
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(kept, indent=2) + "\n")
    temporary.replace(path)


def recall():
    """The remembered mesh with those of its nodes that still run; None when none does."""
    try:
        kept = json.loads((folder() / "mesh.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    kept["nodes"] = [node for node in kept["nodes"] if kept["boot"] == boot_id() and alive(node)]
    return kept if kept["nodes"] else None


def alive(node):
    return node["started"] is not None and start_time(node["pid"]) == node["started"] and not is_zombie(node["pid"])


def is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return True


def stop(kept):
    """Ends the nodes, those that store last; returns the names of those that had to be killed."""
    stores = [node for node in kept["nodes"] if node["name"] in STORES]
    others = [node for node in kept["nodes"] if node not in stores]
    killed = end(others) + end(stores)
    forget()
    if pathlib.Path(kept["logs"]).name.startswith("legion-demo-"):
        shutil.rmtree(kept["logs"], ignore_errors=True)
    return [node["name"] for node in killed]


def end(nodes):
    """Returns those that had to be killed."""
    deadline = time.monotonic() + GRACE
    send(nodes, signal.SIGTERM)
    while (nodes := [node for node in nodes if alive(node)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    send(nodes, signal.SIGKILL)
    return nodes


def send(nodes, number):
    for node in nodes:
        if alive(node):
            with contextlib.suppress(ProcessLookupError):
                os.kill(node["pid"], number)


def forget():
    (folder() / "mesh.json").unlink(missing_ok=True)
