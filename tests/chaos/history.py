"""What publishers tried and were told, what agents were handed, what spools have: read from the run's own records."""

import collections
import json

Line = collections.namedtuple("Line", "kind node_pid pid at attempt id key")


def stream_of(event_id):
    """(stream, sequence) of node:incarnation:lane:type:shard:sequence."""
    stream, _, sequence = event_id.rpartition(":")
    return stream, int(sequence)


def type_of(event_id):
    return event_id.split(":")[3]


def origin_of(event_id):
    """(node, incarnation)"""
    node, incarnation, _ = event_id.split(":", 2)
    return node, int(incarnation)


def record_of(path):
    """The lines of one reader's record, oldest first."""
    if not path.exists():
        return []
    whole, _, _ = path.read_text().rpartition("\n")
    lines = []
    for text in whole.splitlines():
        kind, node_pid, pid, at, attempt, event_id, publisher, number = text.split(" ")
        key = publisher, int(number)
        lines.append(Line(kind, int(node_pid), int(pid), int(at) / 1e9, int(attempt), event_id, key))
    return lines


class History:
    """Everything of a run that the checkers need. Nothing in it comes from the product's own counting, but the tails of
    the origins that live at the end."""

    def __init__(self, cluster, told):
        self.readers = cluster.readers
        self.lines = {reader.name: record_of(reader.path) for reader in cluster.readers}
        self.attempted = {}    # key -> (type, node)
        self.answered = {}     # id -> (key, steady seconds, confirmed)
        self.refused = collections.defaultdict(collections.Counter)  # node -> status -> events
        for one in told:
            for key, type_ in one.attempted.items():
                self.attempted[key] = (type_, one.node)
            for key, (event_id, at, confirmed) in one.ids.items():
                self.answered[event_id] = (key, at, confirmed)
            self.refused[one.node].update(one.refused)
        self.confirmed = {i: key for i, (key, _, confirmed) in self.answered.items() if confirmed}
        self.key_of = {i: key for i, (key, _, _) in self.answered.items()}
        for lines in self.lines.values():
            for line in lines:
                self.key_of.setdefault(line.id, line.key)
        self.stored = {}       # spool name -> [(id, key)]
        self.last = {}         # stream -> highest sequence known
        for event_id in self.key_of:
            self._saw(event_id)
        self.living = set()    # (node, incarnation) at the end
        self.stats = {}        # node -> its stats at the end
        self.letters = []
        self.pending = []

    def _saw(self, event_id):
        stream, sequence = stream_of(event_id)
        if sequence > self.last.get(stream, 0):
            self.last[stream] = sequence

    def add_stored(self, spool, text):
        """`text`: a line "id data" for each event the spool has, as legion-cli replay --format '%i %d' writes it."""
        events = self.stored[spool] = []
        for line in text.splitlines():
            event_id, _, data = line.partition(" ")
            data = json.loads(data)
            key = data["p"], data["n"]
            events.append((event_id, key))
            self.key_of.setdefault(event_id, key)
            self._saw(event_id)

    def add_tails(self, node, incarnation, lanes):
        """What a living origin says of its own streams: [[type, shard, next]] by lane."""
        self.living.add((node, incarnation))
        for lane, tails in enumerate(lanes):
            for type_, shard, following in tails:
                stream = f"{node}:{incarnation}:{lane}:{type_}:{shard}"
                self.last[stream] = max(self.last.get(stream, 0), following - 1)

    def handed(self, reader):
        return [line for line in self.lines[reader.name] if line.kind == "H"]

    def done(self, reader):
        """Ids it did, in order, each once."""
        return list(dict.fromkeys(line.id for line in self.lines[reader.name] if line.kind == "D"))

    def done_together(self, readers):
        """Ids that any of them did, in the order of time over all of them, each once."""
        lines = [line for reader in readers for line in self.lines[reader.name] if line.kind == "D"]
        return dict.fromkeys(line.id for line in sorted(lines, key=lambda line: line.at)).keys()
