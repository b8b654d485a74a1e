"""An event, as it is published and as a handler gets it."""

from __future__ import annotations

import dataclasses
import enum
import time as _time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .session import Session

PRIORITIES = ("critical", "high", "normal", "low")


class Outcome(enum.Enum):
    """What a handler may return instead of raising. Nothing (None) means DONE."""

    DONE = "ack"
    STOP = "stop"
    """Done, and not for the later tiers."""
    DEFER = "defer"
    """The answer comes later, by `Event.ack()` and the others."""


@dataclasses.dataclass(slots=True)
class Event:
    """One event. Times are nanoseconds since 1970 in UTC; text that is absent is empty.

    To publish, `type` and `data` are enough: the rest is filled in by the node and its policies. `data` is what
    MessagePack can say: None, bool, int, float, str, bytes, lists, and dicts with string keys.
    """

    type: str
    data: Any = None
    id: str = ""
    """Its coordinate, `node:incarnation:lane:type:shard:sequence`; of an event to publish the id it has elsewhere."""
    source: str = ""
    time: int = 0
    priority: str = ""
    key: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""
    tracestate: str = ""
    schema_version: int = 1
    expires_at: int = 0
    foreign_id: str = ""
    replay_of: str = ""
    """Of a replayed event: the id it was first published with."""
    extensions: dict[str, str] = dataclasses.field(default_factory=dict)
    attempt: int = 1
    """1 for the first hand-over of this event to this agent."""
    delivery: int = 0
    _session: Session | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def age(self) -> float:
        """Seconds since `time`."""
        return (_time.time_ns() - self.time) / 1e9

    def caused_by(self, cause: Event) -> Event:
        """This event as a consequence of `cause`: correlation, causation and trace context, where it has none."""
        self.causation_id = self.causation_id or cause.id
        self.correlation_id = self.correlation_id or cause.correlation_id or cause.id
        if not self.traceparent:
            self.traceparent, self.tracestate = cause.traceparent, self.tracestate or cause.tracestate
        return self

    # Answers to a deferred delivery. From the thread of the event loop; False: the session it came in is over, and the
    # event comes again.
    def ack(self) -> bool:
        return self._answer("agent.ack")

    def nack(self, error: str = "") -> bool:
        return self._answer("agent.nack", error)

    def reject(self, error: str = "") -> bool:
        return self._answer("agent.reject", error)

    def stop(self) -> bool:
        return self._answer("agent.stop")

    def _answer(self, method: str, *values: str) -> bool:
        return self._session is not None and self._session.answer(method, self.delivery, *values)

    def to_cloudevent(self) -> dict[str, Any]:
        """The map of `publish` on the control port."""
        members: dict[str, Any] = {"type": self.type, "data": self.data}
        for name, value in (("id", self.id or self.foreign_id), ("source", self.source), ("time", self.time),
                            ("priority", self.priority), ("partitionkey", self.key),
                            ("correlationid", self.correlation_id), ("causationid", self.causation_id),
                            ("traceparent", self.traceparent), ("tracestate", self.tracestate),
                            ("expirytime", self.expires_at), ("replayof", self.replay_of)):
            if value:
                members[name] = value
        if self.schema_version != 1:
            members["schemaversion"] = self.schema_version
        return {**self.extensions, **members} if self.extensions else members


def of_run(run: list[Any], k: int, session: Session | None) -> Event:
    """Event k of a run of `agent.deliver`. docs/protocol.md, "Remote agents"."""
    at, source, version, attributes, data = run[7][k]
    event_id = f"{run[3]}:{run[6] + k}"
    event = Event(run[4], data, event_id, source, at, run[5], "", event_id, "", "", "", version, 0, "", "", {}, run[2],
                  run[0] + k, session)
    if attributes:
        _take_attributes(event, attributes)
    return event


_TEXTS = {1: "correlation_id", 2: "causation_id", 3: "traceparent", 4: "tracestate", 5: "key", 6: "expires_at",
          7: "foreign_id", 8: "replay_of", 9: "extensions"}


def _take_attributes(event: Event, attributes: Mapping[int, Any]) -> None:
    for key, value in attributes.items():
        if name := _TEXTS.get(key):
            setattr(event, name, value)
