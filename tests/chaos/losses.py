"""What plain subscriptions missed, counted from the records, and what the node's books say of the same life."""

import collections

from chaos import rules
from chaos.history import origin_of, stream_of, type_of


class Loss:
    """Of one plain subscription in the last life of its node: prefix, middle, tail, and the bounds of what the books
    may say. What came before the baseline is in no book, and where the baseline of a stream was only the node knows; so
    what lies before the first event it got may be counted or not, unless it was out before the node was started."""

    def __init__(self, reader):
        self.reader = reader
        self.prefix = self.middle = self.tail = self.unseen = 0
        self.least = self.most = 0
        self.read = 0
        self.outside = 0         # handed over and in no book
        self.book = None
        self.violations = []

    @property
    def exact(self):
        return self.least == self.most


def _in_life(history, reader, life):
    """stream -> sorted sequences handed over in this life."""
    handed = collections.defaultdict(set)
    for line in history.handed(reader):
        if line.node_pid == life["pid"]:
            stream, sequence = stream_of(line.id)
            handed[stream].add(sequence)
    return {stream: sorted(sequences) for stream, sequences in handed.items()}


def _gap_before(sequences, count):
    """Missing between the first event and the one behind the first `count`."""
    if count <= 0 or len(sequences) < 2:
        return 0
    last = sequences[min(count, len(sequences) - 1)]
    return last - sequences[0] + 1 - (sequences.index(last) + 1)


def of(history, reader, life):
    """The losses of a plain reader in `life`, the present one of its node, compared with its books."""
    loss = Loss(reader)
    handed = _in_life(history, reader, life)
    loss.read = sum(len(sequences) for sequences in handed.values())
    _take_book(history, loss)
    earlier = collections.defaultdict(set)  # out before this life began: not in its books
    for event_id, (_, at, _) in history.answered.items():
        if at < life["started"]:
            stream, sequence = stream_of(event_id)
            earlier[stream].add(sequence)
    for stream, last in history.last.items():
        if not rules.matches(reader.filter, type_of(f"{stream}:0")):
            continue
        alive = origin_of(stream + ":0") in history.living
        got = handed.get(stream, [])
        if not got:
            unseen = last - len(earlier[stream])
            loss.unseen += unseen
            loss.most += unseen
            continue
        prefix, tail = got[0] - 1, last - got[-1]
        middle = got[-1] - got[0] + 1 - len(got)
        known = sum(1 for sequence in earlier[stream] if sequence < got[0])
        loss.prefix += prefix - known
        loss.middle += middle
        loss.tail += tail
        loss.most += prefix - known + middle + tail
        loss.least += middle - _gap_before(got, loss.outside) + (tail if alive else 0)
    _compare(loss)
    return loss


def _take_book(history, loss):
    for entry in history.stats[loss.reader.node_name]["subscriptions"]:
        if entry["agent"] == loss.reader.agent and entry["type"] == loss.reader.filter:
            loss.book = entry
    loss.outside = max(0, loss.read - loss.book["delivered"] - loss.book["dead"])


def _compare(loss):
    book, name = loss.book, loss.reader.name
    if book["balance"] or book["pending"]:
        loss.violations.append(f"books: {name} has balance {book['balance']} and {book['pending']} pending: {book}")
    if book["delivered"] > loss.read:
        loss.violations.append(f"books: {name} counts {book['delivered']} delivered, and was handed {loss.read}")
    missed = sum(book["lost"].values()) + sum(book["filtered"].values()) + book["expired"]
    # What died may have been handed over or not.
    if missed + book["dead"] < loss.least or missed > loss.most:
        loss.violations.append(f"books: {name} counts {missed} as not delivered ({book}); by its record it is "
                               f"{loss.least} to {loss.most} (prefix {loss.prefix}, middle {loss.middle}, "
                               f"tail {loss.tail}, streams never heard {loss.unseen}, outside {loss.outside})")


def books_balance(history):
    """Every subscription of every node, durable ones too."""
    for node, stats in history.stats.items():
        for entry in stats["subscriptions"]:
            if entry["balance"] or entry["pending"]:
                yield f"books: {node}/{entry['agent']} {entry['type']} does not balance: {entry}"


class Repeats:
    """Of a durable subscription: hand-overs that are no further attempt of the event, those among them that count
    attempts back, and lives of its agent. Both are allowed after the end of a node or an agent: a consumer that starts
    while the one spool that has its last records is away goes on from what another spool knows."""

    def __init__(self, history, reader):
        self.again = self.counted_back = 0
        highest = {}
        handed = history.handed(reader)
        for line in handed:
            before = highest.get(line.id, 0)
            self.again += line.attempt <= before
            self.counted_back += line.attempt < before
            highest[line.id] = max(before, line.attempt)
        self.lives = len({line.pid for line in handed})
