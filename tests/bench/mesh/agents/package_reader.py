"""A consumer of the Python package that counts: COUNT events, then when the first and the last came, into RECORD."""

import json
import os
import pathlib
import resource
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[4] / "clients" / "python"))

from legion import Consumer, on  # noqa: E402

COUNT = int(os.environ["COUNT"])


class Reader(Consumer):
    name = "reader"
    seen = 0
    first = 0.0

    @on("remote.load")
    def take(self, event):
        if self.seen == 0:
            self.first, self.before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
        self.seen += 1
        if self.seen == COUNT:
            last, used = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
            cpu = used.ru_utime + used.ru_stime - self.before.ru_utime - self.before.ru_stime
            pathlib.Path(os.environ["RECORD"]).write_text(json.dumps({"first": self.first, "last": last, "cpu": cpu}))


class ManyReader(Reader):
    concurrency = 64


(ManyReader if os.environ.get("MANY") else Reader)().run()
