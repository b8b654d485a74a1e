"""What can go wrong, as exceptions of one family."""

from __future__ import annotations


class LegionError(Exception):
    """Everything this package raises on purpose."""


class ConfigurationError(LegionError):
    """A setting, a handler or a subscription that cannot be used as written; names it."""


class ConnectionLost(LegionError):
    """The node cannot be reached, or went away before it answered. What was asked may have happened or not."""


class NodeError(LegionError):
    """The node answered with an error. `code` is one of docs/operations.md, for example "not_found"."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class PublishError(LegionError):
    """An event was not taken. `status` is would_block, too_big, invalid, refused or closed."""

    def __init__(self, status: str, detail: str = ""):
        super().__init__(f"{status}: {detail}" if detail else status)
        self.status = status
        self.detail = detail


class NotConfirmed(LegionError):
    """The event was taken, and enough spools had not said in time that they have it: it may be durable or not."""

    def __init__(self, event_id: str):
        super().__init__(f"{event_id} is not confirmed")
        self.event_id = event_id


class Retry(Exception):
    """Raise in a handler: failed, hand it over again (until max_attempts). Any other exception means the same."""


class Reject(Exception):
    """Raise in a handler: a dead letter at once. At a gate: nobody behind it gets the event."""


class Stop(Exception):
    """Raise in a handler: done, and not for the later tiers of this node."""
