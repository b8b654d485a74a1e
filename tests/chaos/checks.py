"""The checkers. Each yields what is violated, as text; they know the records of the run and nothing of the product."""

import collections

from chaos import rules
from chaos.history import stream_of, type_of


def identities(history):
    """Nobody was handed, and no spool has, what nobody published; one event has one id, one id one event."""
    ids_of = collections.defaultdict(set)
    seen = {i: key for i, (key, _, _) in history.answered.items()}
    wheres = [(name, ((line.id, line.key) for line in lines)) for name, lines in history.lines.items()]
    wheres += [(f"spool {name}", iter(events)) for name, events in history.stored.items()]
    for where, events in wheres:
        for event_id, key in events:
            type_, _ = history.attempted.get(key, (None, None))
            if type_ is None:
                yield f"unexpected: {where} has {event_id} {key}, which nobody published"
            elif type_ != type_of(event_id):
                yield f"unexpected: {where} has {event_id}, published as {type_}"
            if seen.setdefault(event_id, key) != key:
                yield f"one id, two events: {event_id} is {seen[event_id]} and, for {where}, {key}"
    for event_id, key in seen.items():
        ids_of[key].add(event_id)
    for key, ids in ids_of.items():
        if len(ids) > 1:
            yield f"numbered twice: {key} is {sorted(ids)}"


def publish_order(history):
    """Within a stream the events of one publisher have ascending numbers."""
    streams = collections.defaultdict(list)
    for event_id, (publisher, number) in history.key_of.items():
        stream, sequence = stream_of(event_id)
        streams[stream, publisher].append((sequence, number))
    for (stream, publisher), events in streams.items():
        events.sort()
        for (_, before), (sequence, number) in zip(events, events[1:]):
            if number <= before:
                yield f"order: {stream}:{sequence} is {publisher}'s number {number}, behind its number {before}"


def order(history, reader):
    """First hand-overs (of durable ones: first completions) come in the order of their stream."""
    if reader.part == "gate" or reader.group:
        return  # what is repaired for somebody behind it reaches a gate after what is live
    last = {}
    if reader.durable:
        events = [(None, event_id) for event_id in history.done(reader)]
    else:
        events = list(dict.fromkeys((line.node_pid, line.id) for line in history.handed(reader)))
    for life, event_id in events:
        stream, sequence = stream_of(event_id)
        before = last.get((life, stream), 0)
        if sequence <= before:
            yield f"order: {reader.name} got {event_id} after {before}"
        last[life, stream] = sequence


def repeats(history, reader):
    """Within one life of its node an event comes again only as a further attempt, never more than there are; to a plain
    subscription never in another life."""
    attempts, lives = {}, {}
    for line in history.handed(reader):
        if line.attempt > rules.ATTEMPTS:
            yield f"attempts: {reader.name} was handed {line.id} as attempt {line.attempt}"
        if reader.part == "gate" or reader.group:
            continue  # a share may go to another member, seemingly alone, and come back
        before = attempts.get((line.node_pid, line.id), 0)
        if line.attempt <= before:
            yield f"duplicate: {reader.name} was handed {line.id} as attempt {line.attempt} after attempt {before}"
        attempts[line.node_pid, line.id] = line.attempt
        if not reader.durable and lives.setdefault(line.id, line.node_pid) != line.node_pid:
            yield f"duplicate: {reader.name} was handed {line.id} in two lives of its node"


def at_least_once(history, reader):
    """Everything confirmed that matches was done, or is a dead letter, or did not pass the gate."""
    if not reader.durable:
        return
    done = set(history.done(reader))
    dead = {letter["id"] for letter in history.letters if letter["agent"] == reader.name}
    for event_id, (_, number) in history.confirmed.items():
        if not rules.matches(reader.filter, type_of(event_id)) or event_id in done or event_id in dead:
            continue
        if reader.gate and not rules.passes_gate(number):
            continue
        yield f"confirmed and not handled: {event_id} by {reader.name}"


def groups(history):
    """Of what is confirmed and matches, every event was done by some member or is a letter of one; and over all members
    together first completions come in the order of their stream, because whoever takes a share over begins behind what
    was done."""
    for group in sorted({reader.group for reader in history.readers if reader.group}):
        members = [reader for reader in history.readers if reader.group == group]
        names = {reader.name for reader in members}
        over = history.done_together(members) | {one["id"] for one in history.letters if one["agent"] in names}
        for event_id in history.confirmed:
            if rules.matches(members[0].filter, type_of(event_id)) and event_id not in over:
                yield f"confirmed and not handled: {event_id} by no member of {group}"
        last = {}
        for event_id in history.done_together(members):
            stream, sequence = stream_of(event_id)
            if sequence <= last.get(stream, 0):
                yield f"order: {group} did {event_id} first after {last[stream]}"
            last[stream] = sequence


def gates(history, reader):
    """What is behind a gate is handed over only after the gate said yes in the same life of the node."""
    if not reader.gate:
        return
    allowed = {}
    for line in history.lines[reader.gate.name]:
        if line.kind == "A":
            allowed.setdefault((line.node_pid, line.id), line.at)
    for line in history.handed(reader):
        at = allowed.get((line.node_pid, line.id))
        if at is None or at > line.at:
            yield f"gate: {reader.name} was handed {line.id} before {reader.gate.name} said yes"


def letters(history, reader):
    """The poison, and nothing else, is dead, after exactly as many attempts as there are."""
    if not reader.durable and not reader.group:
        return
    mine = [letter for letter in history.letters if letter["agent"] == reader.name]
    counts = collections.Counter(letter["id"] for letter in mine)
    for event_id, count in counts.items():
        if count > 1:
            yield f"letters: {count} of {event_id} for {reader.name}"
    for letter in mine:
        key = history.key_of.get(letter["id"])
        if reader.part != "coroner" or not key or not rules.poison(key[1]):
            yield f"letters: {letter['id']} of {reader.agent} is no poison and dead: {letter['reason']}"
        elif letter["attempts"] != rules.ATTEMPTS or letter["reason"] != "handler_error":
            yield f"letters: {letter['id']} died of {letter['reason']} after {letter['attempts']} attempts"
    if reader.part == "coroner":
        for event_id, (_, number) in history.confirmed.items():
            if type_of(event_id).startswith("poison.") and rules.poison(number) and event_id not in counts:
                yield f"letters: the poison {event_id} is no dead letter"


def spools(history):
    """Every spool has every confirmed event, and none twice."""
    for name, events in history.stored.items():
        counts = collections.Counter(event_id for event_id, _ in events)
        for event_id in history.confirmed:
            if event_id not in counts:
                yield f"confirmed and not stored: {event_id} at {name}"
        for event_id, count in counts.items():
            if count > 1:
                yield f"stored {count} times: {event_id} at {name}"


def all_of(history):
    """Every violation of the run, by checker."""
    found = {"identities": list(identities(history)), "publish order": list(publish_order(history)),
             "spools": list(spools(history)), "groups": list(groups(history))}
    for check in (order, repeats, at_least_once, gates, letters):
        name = check.__name__.replace("_", " ")
        found[name] = [text for reader in history.readers for text in check(history, reader)]
    return found
