"""The report of a run: figures for JSON (docs/operations.md has the keys), and one screen of text."""

import collections

from chaos import losses, rules
from chaos.history import origin_of, stream_of, type_of

LONGEST = 800  # characters of a violation in the text; the JSON has all of it


def of_origins(history, names):
    """node -> what its publishers tried and what is known of it."""
    rows = {name: collections.Counter() for name in names}
    for _, (_, node) in history.attempted.items():
        rows[node]["attempted"] += 1
    for event_id in history.key_of:
        rows[origin_of(event_id)[0]]["numbered"] += 1
    for event_id in history.confirmed:
        rows[origin_of(event_id)[0]]["confirmed"] += 1
    for node, refused in history.refused.items():
        rows[node]["refused"] = sum(refused.values())
    keys = ("attempted", "numbered", "confirmed", "refused")
    return {name: {key: row[key] for key in keys} for name, row in rows.items()}


def of_plain(history, cluster, violations):
    """reader -> what a plain subscription read and missed in the last life of its node."""
    rows = {}
    for reader in history.readers:
        if reader.part != "plain":
            continue
        loss = losses.of(history, reader, cluster[reader.node_name].life)
        violations += loss.violations
        everything = history.handed(reader)
        rows[reader.name] = {
            "read": loss.read, "prefix": loss.prefix, "middle": loss.middle, "tail": loss.tail,
            "never_heard": loss.unseen,
            "book": {k: loss.book[k] for k in ("published", "delivered", "filtered", "expired", "dead", "lost")},
            "book_least": loss.least, "book_most": loss.most, "exact": loss.exact,
            "read_in_all_lives": len({line.id for line in everything}),
            "handed_again": len(everything) - len({line.id for line in everything}),
            "unexpected": unexpected(history, reader),
        }
    return rows


def of_durable(history):
    """reader -> what a durable subscription got."""
    lost = {row["name"]: row["lost"] for row in history.pending}
    rows = {}
    for reader in history.readers:
        if not reader.durable:
            continue
        repeats = losses.Repeats(history, reader)
        done = set(history.done(reader))
        wanted = [i for i, (_, number) in history.confirmed.items() if rules.matches(reader.filter, type_of(i))
                  and (not reader.gate or rules.passes_gate(number))]
        letters = {letter["id"] for letter in history.letters if letter["agent"] == reader.name}
        rows[reader.name] = {"confirmed": len(wanted), "done": len(done), "letters": len(letters),
                             "missing": sum(1 for i in wanted if i not in done and i not in letters),
                             "handed_again": repeats.again, "counted_back": repeats.counted_back,
                             "unexpected": unexpected(history, reader), "lives": repeats.lives,
                             "lost_for_good": lost.get(reader.durable)}
    return rows


def of_groups(history):
    """group -> what its members got together, and how many events each did."""
    rows = {}
    for group in sorted({reader.group for reader in history.readers if reader.group}):
        members = [reader for reader in history.readers if reader.group == group]
        done = history.done_together(members)
        each = {reader.name: len(history.done(reader)) for reader in members}
        wanted = [i for i in history.confirmed if rules.matches(members[0].filter, type_of(i))]
        names = {reader.name for reader in members}
        letters = {letter["id"] for letter in history.letters if letter["agent"] in names}
        rows[group] = {"confirmed": len(wanted), "done": len(done), "letters": len(letters),
                       "missing": sum(1 for i in wanted if i not in done and i not in letters),
                       "done_by_several": sum(each.values()) - len(done), "done_by": each}
    return rows


def unexpected(history, reader):
    """Hand-overs of what nobody published."""
    return sum(1 for line in history.handed(reader) if line.key not in history.attempted)


def of_spools(history):
    return {name: {"events": len(events), "confirmed_missing": len(history.confirmed.keys() - {i for i, _ in events})}
            for name, events in history.stored.items()}


def streams(history):
    return len({stream_of(i)[0] for i in history.key_of})


def text(figures):
    """One screen, then the violations."""
    out = [f"chaos: seed {figures['seed']}, {figures['seconds']:g} s, {figures['network']}, "
           f"nodes {' '.join(figures['nodes'])}"]
    out += [f"  left out: {kind}: {why}" for kind, why in figures["left_out"].items()]
    kinds = collections.Counter(fault["kind"] for fault in figures["faults"])
    out += ["", f"{len(figures['faults'])} faults: " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())),
            f"{figures['lives']} lives of nodes; {figures['events']['attempted']} events attempted, "
            f"{figures['events']['confirmed']} confirmed, {figures['events']['handed_over']} hand-overs, "
            f"{figures['events']['streams']} streams"]
    out += ["", _row("origin", ("attempted", "numbered", "confirmed", "refused"))]
    out += [_row(name, r.values()) for name, r in figures["origins"].items() if r["attempted"]]
    out += ["", "  plain, last life of its node; `book`: not delivered by its books, `record`: by its record",
            _row("reader", ("read", "prefix", "middle", "tail", "unheard", "book", "record", "again", "unexp."))]
    for name, r in figures["plain"].items():
        book = sum(r["book"]["lost"].values()) + sum(r["book"]["filtered"].values()) + r["book"]["expired"]
        record = str(r["book_least"]) if r["exact"] else f"{r['book_least']}..{r['book_most']}"
        out.append(_row(name, (*(r[k] for k in ("read", "prefix", "middle", "tail", "never_heard")), book, record,
                               r["handed_again"], r["unexpected"])))
    out += ["", _row("durable", ("confirmed", "done", "letters", "missing", "again", "unexp.", "lives"))]
    keys = ("confirmed", "done", "letters", "missing", "handed_again", "unexpected", "lives")
    out += [_row(name, (r[key] for key in keys)) for name, r in figures["durable"].items()]
    out += [f"  group {name}: {r['confirmed']} confirmed, {r['done']} done, {r['letters']} letters, "
            f"{r['missing']} missing, {r['done_by_several']} by several; "
            + ", ".join(f"{count} by {member}" for member, count in r["done_by"].items())
            for name, r in figures["groups"].items()]
    out += ["", *(f"  spool {name}: {r['events']} events, {r['confirmed_missing']} confirmed ones missing"
                  for name, r in figures["spools"].items())]
    out += [f"  {what}: {seconds} s" for what, seconds in figures["timings"].items()]
    out += ["", *_violations(figures["violations"])]
    return "\n".join(out)


def _row(name, cells):
    return f"  {name:<12}" + "".join(f"{cell:>11}" for cell in cells)


def _violations(violations):
    count = sum(len(found) for found in violations.values())
    if not count:
        return ["nothing is violated"]
    out = [f"{count} VIOLATIONS"]
    for check, found in violations.items():
        out += [f"  {check}: {line if len(line) <= LONGEST else line[:LONGEST] + ' ..'}" for line in found[:20]]
        if len(found) > 20:
            out.append(f"  {check}: and {len(found) - 20} more")
    return out
