"""Chaos with real processes: faults drawn from a seed, under load, then a drain and the checkers (docs/operations.md).

  run.py --for 5m [--seed N] [--nodes N] [--rate N] [--network namespaces|loopback] [--keep] [--json FILE]
"""

import argparse
import json
import pathlib
import random
import re
import shutil
import signal
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from chaos import checks, cluster, director, final, history, leftovers, losses  # noqa: E402
from chaos import loopback, machine, network, plan, report  # noqa: E402


class Interrupted(Exception):
    """SIGINT or SIGTERM: clean up and go."""


def duration(text):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 60s, 5m or 1h")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, None: 1}[found[2]]


def arguments(words):
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--for", dest="seconds", type=duration, default=300.0, metavar="TIME",
                        help="faults for so long (5m)")
    parser.add_argument("--seed", type=int, help="repeats the plan of a run")
    parser.add_argument("--nodes", type=int, choices=range(3, 9), metavar="3..8",
                        help="besides the two spools; drawn otherwise")
    parser.add_argument("--rate", type=float, default=200, help="events a second of all publishers together (200)")
    parser.add_argument("--network", choices=("namespaces", "loopback"),
                        help="namespaces where the machine allows them")
    parser.add_argument("--only", help="kinds of faults, separated by commas")
    parser.add_argument("--keep", action="store_true",
                        help="leaves logs, records and stores, also when nothing is violated")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="the report as JSON")
    told = parser.parse_args(words)
    unknown = set((told.only or "").split(",")) - set(plan.KINDS) - {""}
    if unknown:
        parser.error(f"no such kind of fault: {', '.join(sorted(unknown))}; there are {', '.join(plan.KINDS)}")
    return told


class Run:
    def __init__(self, told, say):
        self.told, self.say = told, say
        self.seed = told.seed if told.seed is not None else random.SystemRandom().randrange(1 << 32)
        self.violations = {}
        self.figures = {}
        self.cluster = self.net = None

    def violated(self, check, lines):
        self.violations.setdefault(check, []).extend(lines)

    def prepare(self, folder):
        draw = random.Random(f"run {self.seed}")
        count = self.told.nodes or draw.randint(3, 8)
        names = ["s1", "s2", *(f"n{i}" for i in range(1, count + 1))]
        left_out = {}
        reason = network.why_not() if self.told.network != "loopback" else "asked for"
        if self.told.network == "namespaces" and reason:
            raise SystemExit(f"no namespaces here: {reason}")
        make = loopback.Proxies if reason else network.Namespaces
        if reason:
            left_out["namespaces"] = f"{reason}; the nodes are on loopback behind proxies"
        self.net = make(leftovers.run_id(folder), names)
        self.net.open()
        left_out.update(self.net.missing())
        library, trouble = machine.compile_clock(folder)
        if trouble:
            left_out["clock"] = trouble
        kinds = [k for k in plan.KINDS if k not in left_out and (not self.told.only or k in self.told.only.split(","))]
        self.cluster = cluster.Cluster(folder, self.net, names, draw, self.told.rate, self.told.seconds, library)
        self.faults = plan.drawn(self.seed, self.told.seconds, names[:2], names[2:], kinds)
        self.figures.update(seed=self.seed, seconds=self.told.seconds, network=self.net.mode, nodes=names,
                            left_out=left_out)
        self.say(f"seed {self.seed}: {', '.join(names)}; {self.net.mode}; {len(self.faults)} faults planned; "
                 f"files in {folder}")
        for what, why in left_out.items():
            self.say(f"left out: {what}: {why}")

    def work(self):
        self.cluster.start()
        self.say("every node is up; the load begins")
        conductor = director.Director(self, self.cluster, self.net, self.say)
        conductor.conduct(self.faults, self.told.seconds)
        self.say("healing")
        ending = final.Final(self.cluster, conductor, self.say)
        ending.heal()
        ending.drain()
        told = history.History(self.cluster, self.cluster.told())
        ending.ask(told)
        ending.end()
        self.violated("processes", conductor.violations)
        self.violated("the end", ending.violations)
        self.judge(told, conductor, ending)

    def judge(self, told, conductor, ending):
        for check, found in checks.all_of(told).items():
            self.violated(check, found)
        books = []
        plain = report.of_plain(told, self.cluster, books)
        self.violated("books", list(losses.books_balance(told)) + books)
        self.figures.update(
            faults=[{"at": round(at, 2), "kind": f.kind, "targets": f.targets, "seconds": f.length, **f.details}
                    for f, at in conductor.done],
            faults_left_out=conductor.left_out, lives=sum(len(n.lives) for n in self.cluster.nodes),
            events={"attempted": len(told.attempted), "numbered": len(told.key_of), "confirmed": len(told.confirmed),
                    "handed_over": sum(len(told.handed(r)) for r in told.readers), "streams": report.streams(told)},
            origins=report.of_origins(told, self.net.names), plain=plain, durable=report.of_durable(told),
            groups=report.of_groups(told),
            spools=report.of_spools(told), timings=ending.seconds)

    def close(self, folder, failure):
        """Whatever happened: processes, mounts and namespaces go; then nothing may be left."""
        if self.cluster:
            self.cluster.close(keep_stores=bool(self.told.keep or failure or any(self.violations.values())))
        if self.net:
            self.net.close()
        left = leftovers.of(folder)
        leftovers.remove(folder, keep_files=True)
        if left:
            self.violated("left behind", left)


def finish(run, folder, lock, failure):
    """Prints and writes the report; returns the exit code."""
    kept = run.told.keep or failure or any(run.violations.values())
    figures = {**run.figures, "violations": {k: v for k, v in run.violations.items() if v}, "failure": failure,
               "files": str(folder) if kept else None}
    figures["ok"] = not failure and not figures["violations"]
    if run.told.json:
        run.told.json.write_text(json.dumps(figures, indent=1) + "\n")
    if "plain" in figures:
        print(report.text(figures), flush=True)
    if failure:
        print(f"the run did not come to its end: {failure}", flush=True)
    print(f"LEGION chaos: {'ok' if figures['ok'] else 'FAILED'}, seed {run.seed}", flush=True)
    if kept:
        (folder / "kept").touch()
        print(f"logs, records and stores are in {folder}", flush=True)
    lock.close()
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if figures["ok"] else 1


def interrupt(number, _):
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    raise Interrupted(signal.Signals(number).name)


def main(words):
    told = arguments(words)
    begin = time.monotonic()

    def say(text):
        print(f"[{time.monotonic() - begin:6.1f}] {text}", file=sys.stderr, flush=True)
    leftovers.sweep(say)
    folder, lock = leftovers.claim()
    run, failure, interrupted = Run(told, say), None, False
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, interrupt)
        run.prepare(folder)
        run.work()
    except Interrupted as error:
        failure, interrupted = f"interrupted by {error}", True
    except Exception as error:  # pylint: disable=broad-except
        failure = f"{type(error).__name__}: {error}"
        traceback.print_exc()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        run.close(folder, failure)
    code = finish(run, folder, lock, failure)
    return 130 if interrupted else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
