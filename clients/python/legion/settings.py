"""Settings, and the environment variables they come from."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Mapping
from typing import Any

from .errors import ConfigurationError
from .events import PRIORITIES

_LEVELS = {"trace": logging.DEBUG, "debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING,
           "warning": logging.WARNING, "error": logging.ERROR, "off": logging.CRITICAL + 1}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a program reaches its node and how it behaves there. Every value has a default; see `from_env()`."""

    node: str = "127.0.0.1:7400"
    """LEGION_NODE: HOST:PORT of a node's control port."""
    broker: str = "node"
    """LEGION_BROKER: "node", or "memory" for a bus inside this process (development and tests)."""
    buffer_size: int = 1000
    """LEGION_CONSUMER_BUFFER_SIZE: events this program has without having answered them, at most."""
    max_retries: int = 3
    """LEGION_CONSUMER_MAX_RETRIES: hand-overs after the first. Of an agent that its node declares, the node's hold."""
    retry_delay: float = 0.1
    """LEGION_CONSUMER_RETRY_DELAY_MS, here in seconds: before the second hand-over; doubles after that."""
    publisher_priority: str = ""
    """LEGION_PUBLISHER_PRIORITY: of events that name none; empty: their type's policy decides."""
    batch_size: int = 1000
    """LEGION_PUBLISHER_BATCH_SIZE: events in one message of `publish_batch()`."""
    log_level: str = "info"
    """LEGION_LOG_LEVEL: of the logger "legion"."""
    log_events: bool = False
    """LEGION_LOG_EVENTS: a line for every event published and handled."""
    call_timeout: float = 10.0
    """LEGION_CALL_TIMEOUT_MS, here in seconds: for an answer of the node."""
    lease: float = 10.0
    """LEGION_CONSUMER_LEASE_MS, here in seconds: a consumer silent for so long is away."""

    def __post_init__(self) -> None:
        host, _, port = self.node.removeprefix("tcp://").rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ConfigurationError(f"LEGION_NODE: {self.node!r} is not HOST:PORT")
        if self.broker not in ("node", "memory"):
            raise ConfigurationError(f"LEGION_BROKER: {self.broker!r} is neither node nor memory")
        if self.publisher_priority and self.publisher_priority not in PRIORITIES:
            raise ConfigurationError(f"LEGION_PUBLISHER_PRIORITY: {self.publisher_priority!r} is none of {PRIORITIES}")
        if self.log_level not in _LEVELS:
            raise ConfigurationError(f"LEGION_LOG_LEVEL: {self.log_level!r} is none of {tuple(_LEVELS)}")
        for name, low, high in (("buffer_size", 1, 10_000), ("max_retries", 0, 999), ("batch_size", 1, 10_000),
                                ("retry_delay", 0, 3600), ("lease", 0.5, 600), ("call_timeout", 0.001, 86400)):
            if not low <= getattr(self, name) <= high:
                raise ConfigurationError(f"{name}: {getattr(self, name)} is not from {low} to {high}")

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """The defaults, over them what the environment says, over that `overrides`. Unknown LEGION_CONSUMER_ and
        LEGION_PUBLISHER_ variables are errors: a misspelt one would be believed to be in force."""
        values: dict[str, Any] = {}
        for name, text in (os.environ if environment is None else environment).items():
            if name in _VARIABLES:
                field, read = _VARIABLES[name]
                try:
                    values[field] = read(text)
                except ValueError as error:
                    raise ConfigurationError(f"{name}: {text!r}: {error}") from None
            elif name.startswith(("LEGION_CONSUMER_", "LEGION_PUBLISHER_")):
                raise ConfigurationError(f"{name}: there is no such variable; there are {', '.join(_VARIABLES)}")
        return cls(**{**values, **overrides})

    def dump(self) -> dict[str, Any]:
        """Every effective value."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return json.dumps(self.dump())

    @property
    def address(self) -> str:
        """The control port as ZeroMQ wants it."""
        return self.node if "://" in self.node else f"tcp://{self.node}"

    def apply_log_level(self) -> None:
        """Sets the level of the logger "legion". Programs that configure logging themselves leave this out."""
        logging.getLogger("legion").setLevel(_LEVELS[self.log_level])


def _address(text: str) -> str:
    if ":" in text:
        return text
    if "." in text or text == "localhost":
        return f"{text}:7400"
    raise ValueError("a host without a dot is written with its port, HOST:PORT")


def _truth(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("expected true or false")


def _milliseconds(text: str) -> float:
    return int(text) / 1000


_VARIABLES: dict[str, tuple[str, Any]] = {
    "LEGION_NODE": ("node", _address),
    "LEGION_BROKER": ("broker", str.lower),
    "LEGION_CONSUMER_BUFFER_SIZE": ("buffer_size", int),
    "LEGION_CONSUMER_MAX_RETRIES": ("max_retries", int),
    "LEGION_CONSUMER_RETRY_DELAY_MS": ("retry_delay", _milliseconds),
    "LEGION_CONSUMER_LEASE_MS": ("lease", _milliseconds),
    "LEGION_PUBLISHER_PRIORITY": ("publisher_priority", str.lower),
    "LEGION_PUBLISHER_BATCH_SIZE": ("batch_size", int),
    "LEGION_CALL_TIMEOUT_MS": ("call_timeout", _milliseconds),
    "LEGION_LOG_LEVEL": ("log_level", str.lower),
    "LEGION_LOG_EVENTS": ("log_events", _truth),
}
