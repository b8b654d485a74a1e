"""Free runs of TCP ports below the range the kernel takes for outgoing connections."""

import fcntl
import os
import pathlib
import random
import socket
import tempfile

LOWEST, HIGHEST = 10240, 32768
BLOCK = 8  # ports taken together

# Blocks this process has, until it ends: a port that nobody listens on may be one that another test run is about to use.
_taken = []


def is_free(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _take(block):
    """A lock that no other test run on this machine has; None: one has it."""
    folder = pathlib.Path(tempfile.gettempdir()) / f"legion-test-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = open(folder / str(block), "w")  # pylint: disable=consider-using-with
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def free_run(count=6, host="127.0.0.1"):
    """The first of `count` consecutive ports that nobody listens on and that no other test run gets while this one lives.
    """
    blocks = -(-count // BLOCK)
    for _ in range(400):
        first = random.randrange(LOWEST // BLOCK, HIGHEST // BLOCK - blocks)
        locks = [_take(first + i) for i in range(blocks)]
        base = first * BLOCK
        if all(locks) and all(is_free(host, base + i) for i in range(count)):
            _taken.extend(locks)
            return base
        for lock in filter(None, locks):
            lock.close()
    raise AssertionError(f"no run of {count} free ports on {host}")
