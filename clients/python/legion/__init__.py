"""Agents of a legion mesh in Python: publish, consume, replay.

`Publisher` and `Consumer` are asyncio; `legion.sync` is for programs with threads, `legion.testing` a bus in this process.
"""

from .consumer import Consumer, on
from .errors import (ConfigurationError, ConnectionLost, LegionError, NodeError, NotConfirmed, PublishError, Reject, Retry,
                     Stop)
from .events import Event, Outcome
from .publisher import Published, Publisher
from .past import replay
from .settings import Settings

__all__ = ["ConfigurationError", "ConnectionLost", "Consumer", "Event", "LegionError", "NodeError", "NotConfirmed",
           "Outcome", "PublishError", "Published", "Publisher", "Reject", "Retry", "Settings", "Stop", "on", "replay"]
__version__ = "0.1.0"
