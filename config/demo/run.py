"""A mesh of six nodes on this machine: plays a thousand trades through it and shows where every event went.

    ./dev demo           starts the nodes, shows what happens, ends by itself with a summary; 0 when every sum agrees
    ./dev demo --keep    leaves the mesh running and plays on
    ./dev demo --stop    ends what --keep left
    ./dev demo --package the same with the Python agents as programs of their own (clients/python)
"""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import time
import tomllib

sys.dont_write_bytecode = True

from runner import kept  # noqa: E402
from runner.checks import Check, book_checks, flow_checks, read_orders, roster_checks  # noqa: E402
from runner.control import Unreachable  # noqa: E402
from runner.mesh import CONFIGS, LATE, Demo, Failed  # noqa: E402
from runner.stored import show_stored  # noqa: E402
from runner.summary import print_checks, print_kept, print_summary, say  # noqa: E402


def show(demo):
    """The whole demo up to the summary; whether everything agrees."""
    rows = sum(1 for _ in open(CONFIGS / "xbtusdt-trades.csv", encoding="utf-8")) - 1
    demo.start()
    demo.start_tail()
    before = demo.join_late(rows)
    accounts, quiet = demo.wait_quiet()
    demo.end_tail()
    orders = read_orders(demo.folder / "orders.jsonl")
    print_summary(accounts, LATE)
    checks = [Check("nothing moves any more", quiet, True)]
    checks += flow_checks(accounts, rows, orders, kill_switch_limit())
    checks += book_checks(accounts, LATE, before)
    checks += roster_checks(accounts)
    checks += show_stored(demo, accounts, orders)
    if not demo.keep:
        checks += demo.leave()
    return print_checks(checks)


def kill_switch_limit():
    with open(CONFIGS / "executor.toml", "rb") as file:
        agents = tomllib.load(file)["agent"]
    return float(next(agent for agent in agents if agent["name"] == "kill-switch")["env"]["LIMIT"])


def run(programs, keep, package=False):
    began = time.monotonic()
    demo = Demo(programs, keep, package)
    left_running = False
    agrees = None  # None: interrupted
    try:
        agrees = show(demo)
        if agrees and keep:
            demo.play_on()
            left_running = True
    except (Failed, Unreachable) as why:
        agrees = False
        say(f"demo: {why}")
    finally:
        if not left_running:
            demo.close()
            if agrees is False:
                demo.print_logs()
                say(f"demo: failed; every process is ended, the logs are in {demo.folder}")
            else:
                shutil.rmtree(demo.folder, ignore_errors=True)
    if left_running:
        print_kept(kept.recall(), programs)
    elif agrees:
        say(f"Every process has ended; the demo took {time.monotonic() - began:.0f} s.")
    return 0 if agrees else 1


def run_kept(programs):
    with kept.only_one() as only:
        running = kept.recall()
        if not only and not running:
            say("demo: another --keep is just starting")
            return 1
        if running:
            say("demo: a mesh is already running")
            print_kept(running, programs)
            return 0
        return run(programs, keep=True)


def stop():
    running = kept.recall()
    if running is None:
        say("demo: no mesh is running")
        return 0
    killed = kept.stop(running)
    say(f"demo: ended {', '.join(node['name'] for node in running['nodes'])}")
    if killed:
        say(f"demo: had to be killed: {', '.join(killed)}")
    return 1 if killed else 0


def interrupt(number, _frame):
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(prog="dev demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="where legion-node and legion-cli are")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--keep", action="store_true", help="leave the mesh running and play on")
    which.add_argument("--package", action="store_true", help="Python agents as programs of their own")
    which.add_argument("--stop", action="store_true", help="end what --keep left running")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        return stop() if options.stop else start(options)
    except BrokenPipeError:  # whoever read our output has gone; everything is ended by now
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as why:
        say(f"demo: {why}")
        return 1


def start(options):
    programs = options.bin.resolve()
    if not os.access(programs / "legion-node", os.X_OK):
        say(f"demo: there is no legion-node in {programs}; ./dev build makes it")
        return 1
    return run_kept(programs) if options.keep else run(programs, keep=False, package=options.package)


if __name__ == "__main__":
    sys.exit(main())
