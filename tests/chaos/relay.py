"""Stands in a cable and passes frames on, late or not at all: what a kernel without netem cannot do.

  relay.py NEAR FAR [--delay MS] [--jitter MS] [--loss-in P] [--loss-out P] [--seed N]

NEAR is the device towards the node. Prints "ready", waits for a line on its standard input, then copies between the
two until it is killed. `in` is towards the node. Order is kept. Frames travel with their virtio header, so large
segments and checksums that the sender left to the card pass unharmed.
"""

import argparse
import collections
import random
import select
import socket
import sys
import time

PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 15, 23, 1, 1
WAITING_MAX = 20_000  # frames; beyond it the cable drops, as any queue does


def packet_socket(device):
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    one.setsockopt(socket.SOL_PACKET if hasattr(socket, "SOL_PACKET") else 263, PACKET_VNET_HDR, 1)
    one.setsockopt(263, PACKET_IGNORE_OUTGOING, 1)
    index = socket.if_nametoindex(device)
    membership = index.to_bytes(4, sys.byteorder) + PACKET_MR_PROMISC.to_bytes(2, sys.byteorder) + bytes(10)
    one.setsockopt(263, PACKET_ADD_MEMBERSHIP, membership)
    one.bind((device, 3))  # ETH_P_ALL
    one.setblocking(False)
    return one


class Way:
    """One direction of the cable."""

    def __init__(self, source, target, loss):
        self.source, self.target, self.loss = source, target, loss
        self.waiting = collections.deque()  # (when due, frame)

    def take(self, now, draw, delay, jitter):
        for _ in range(64):
            try:
                frame = self.source.recv(70_000)
            except BlockingIOError:
                return
            if draw.random() < self.loss or len(self.waiting) >= WAITING_MAX:
                continue
            due = now + delay + draw.random() * jitter
            self.waiting.append((max(due, self.waiting[-1][0]) if self.waiting else due, frame))

    def give(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            _, frame = self.waiting.popleft()
            try:
                self.target.send(frame)
            except OSError:
                pass  # the device is down or full: a lost frame


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("near")
    parser.add_argument("far")
    for name in ("delay", "jitter", "loss-in", "loss-out"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    draw = random.Random(told.seed)
    print("ready", flush=True)
    sys.stdin.readline()
    near, far = packet_socket(told.near), packet_socket(told.far)
    ways = (Way(far, near, told.loss_in), Way(near, far, told.loss_out))
    poller = select.poll()
    for one in (near, far):
        poller.register(one, select.POLLIN)
    while True:
        now = time.monotonic()
        for way in ways:
            way.take(now, draw, told.delay / 1000, told.jitter / 1000)
        for way in ways:
            way.give(time.monotonic())
        due = min((way.waiting[0][0] for way in ways if way.waiting), default=None)
        poller.poll(None if due is None else max(0.0, (due - time.monotonic()) * 1000))


main()
