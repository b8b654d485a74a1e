"""TCP proxies between nodes, so that a test can cut links without touching the machine's network."""

import selectors
import socket
import threading

from support import ports


def proxied(mesh, name, join=(), **tables):
    """A node that others reach only through node.proxy, which can be cut; tests reach its port itself."""
    port, front = ports.free_run(), ports.free_run()
    proxy = Proxy(front, port)
    mesh.proxies.append(proxy)
    tables.setdefault("node", {})["advertise"] = f"tcp://127.0.0.1:{front}"
    node = mesh.node(name, join=join, port=port, **tables)
    node.proxy = proxy
    return node


class Proxy:
    """Forwards a run of ports on 127.0.0.1 to another run. cut() drops what is connected and refuses what comes;
    mend() lets connections through again."""

    def __init__(self, listen_base, target_base, count=6):
        self.pairs = {}          # socket -> its other side
        self.listeners = {}      # listening socket -> target port
        self.is_cut = False
        self.lock = threading.Lock()
        self.selector = selectors.DefaultSelector()
        self.wake_read, self.wake_write = socket.socketpair()
        self.selector.register(self.wake_read, selectors.EVENT_READ)
        for i in range(count):
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", listen_base + i))
            listener.listen(128)
            listener.setblocking(False)
            self.listeners[listener] = target_base + i
            self.selector.register(listener, selectors.EVENT_READ)
        self.stopping = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def cut(self):
        with self.lock:
            self.is_cut = True
            for end in list(self.pairs):
                self._close(end)

    def mend(self):
        with self.lock:
            self.is_cut = False

    def stop(self):
        self.stopping = True
        self.wake_write.send(b"x")
        self.thread.join()
        with self.lock:
            for end in list(self.pairs):
                self._close(end)
            for listener in self.listeners:
                listener.close()
        self.selector.close()
        self.wake_read.close()
        self.wake_write.close()

    def _close(self, end):
        other = self.pairs.pop(end, None)
        for one in (end, other):
            if one is None:
                continue
            self.pairs.pop(one, None)
            try:
                self.selector.unregister(one)
            except (KeyError, ValueError):
                pass
            one.close()

    def _accept(self, listener):
        try:
            near, _ = listener.accept()
        except OSError:
            return
        if self.is_cut:
            near.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.listeners[listener]), timeout=5)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            self.pairs[one] = other
            self.selector.register(one, selectors.EVENT_READ)

    def _forward(self, end):
        try:
            chunk = end.recv(65536)
            if chunk:
                self.pairs[end].sendall(chunk)
                return
        except OSError:
            pass
        self._close(end)

    def _run(self):
        while not self.stopping:
            for key, _ in self.selector.select(timeout=0.5):
                with self.lock:
                    if key.fileobj is self.wake_read:
                        continue
                    if key.fileobj in self.listeners:
                        self._accept(key.fileobj)
                    elif key.fileobj in self.pairs:
                        self._forward(key.fileobj)
