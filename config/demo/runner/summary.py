"""The words and tables at the end. At most 80 columns."""

import sys

from runner.accounts import ENTRIES, entry

ROW = "{:<20} {:<22} {:>5} ={:>5} +{:>3} +{:>2} +{:>2} +{:>2} +{:>2}"


def say(text=""):
    print(text, flush=True)


def heading(text):
    say()
    say(f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text)


def print_summary(end, late):
    print_flow(end)
    print_books(end, late)
    print_latencies(end)
    print_rosters(end)


def print_flow(end):
    heading("What happened")
    for text, count in (
        ("trades played", end.total("market.data_received")),
        ("candidates", end.total("signal.candidate_trade")),
        ("approved, stored before sent", end.total("trade.approved")),
        ("rejected", end.total("trade.rejected")),
        ("stopped by the kill switch", end.stopped()),
        ("executed", end.total("order.executed")),
        ("dead letters of settlement", end.book("risk", "settlement", "order.executed")["dead"]),
        ("stored in the vault", end.stats["vault"]["spool"]["events"]),
    ):
        say(f"  {text:<28}{count:>6}")


def print_books(end, late):
    heading("published = delivered + filtered + expired + dead + lost + pending")
    for node, book in end.books():
        figures = [entry(book, name) for name in ENTRIES]
        say(ROW.format(f"{node}/{book['agent']}", book["type"], book["published"], *figures))
    for node in late:
        say(f"  {node} joined late: its books begin at its baseline.")


def print_latencies(end):
    heading("Latency in ms")
    say(f"{'':<43} {'until handled':>17} {'in the handler':>17}")
    say(f"{'':<43} {'p50':>8} {'p99':>8} {'p50':>8} {'p99':>8}")
    for node, stats in end.stats.items():
        for handler in stats["handlers"]:
            if handler["total"] == 0:
                continue
            waits = [handler[key] / 1000 for key in ("dispatch_p50_us", "dispatch_p99_us", "p50_us", "p99_us")]
            name = f"{node}/{handler['agent']}"
            say("{:<20} {:<22} {:8.2f} {:8.2f} {:8.2f} {:8.2f}".format(name, handler["type"], *waits))


def print_rosters(end):
    names = list(end.rosters)
    heading("Who sees whom")
    say(f"  {'':<10}" + "".join(f"{name:<12}" for name in names).rstrip())
    for viewer, roster in end.rosters.items():
        states = (roster[name]["state"] if name in roster else "unknown" for name in names)
        say(f"  {viewer:<10}" + "".join(f"{state:<12}" for state in states).rstrip())


def print_checks(checks):
    failed = [check for check in checks if not check.holds]
    heading("Checks")
    for check in checks:
        if not check.holds:
            say(f"  FAILED  {check}")
    say(f"  {len(checks) - len(failed)} of {len(checks)} sums agree")
    return not failed


def print_kept(kept, programs):
    """What to try with a mesh that runs on."""
    ports = {node["name"]: node["port"] for node in kept["nodes"]}
    seed = f"--node 127.0.0.1:{ports.get('signals', next(iter(ports.values())))}"
    cli = f"{programs}/legion-cli {seed}"
    trade = '{"symbol":"XBT/USDT","action":"buy","price":105000,"quantity":0.5,"notional":52500}'
    heading("The mesh runs on")
    for node in kept["nodes"]:
        say(f"  {node['name']:<10} 127.0.0.1:{node['port']}   pid {node['pid']}")
    say(f"  logs in {kept['logs']}")
    heading("To try")
    say(f"  {cli} tail signal. trade. order.")
    say(f"  {cli} stats --all --books")
    say(f"  {cli} nodes")
    say("  # too large: the kill switch stops it, and the auditor logs the alert")
    say(f"  {cli} publish trade.approved '{trade}'")
    say("  # what is on disk")
    say(f"  {cli} tail trade. --since 1m --stop-at-end")
    say(f"  {cli} replay order. --dry-run")
    say(f"  {cli} pending")
    say(f"  {cli} dlq ls --state all")
    say("  ./dev demo --stop")
