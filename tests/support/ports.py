"""Free runs of TCP ports below the range the kernel takes for outgoing connections."""

import random
import socket


def is_free(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_run(count=6, host="127.0.0.1"):
    """The first of `count` consecutive ports that nobody listens on. Random, so that parallel tests rarely meet."""
    for _ in range(200):
        base = random.randrange(10240, 32768 - count)
        if all(is_free(host, base + i) for i in range(count)):
            return base
    raise AssertionError(f"no run of {count} free ports on {host}")
