"""Waiting for a condition: the one place of the Python tests that sleeps."""

import time


def until(condition, what, watchdog=60.0, pause=0.02):
    """Polls `condition` until it returns something true and returns that. Fails with `what` after `watchdog` seconds.

    `what` may be a function that describes the last state seen.
    """
    deadline = time.monotonic() + watchdog
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"gave up after {watchdog:g} s waiting for: {text}")
        time.sleep(pause)


def holds(condition, seconds, what, pause=0.02):
    """Fails as soon as `condition` is false within `seconds`: for things that must not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            raise AssertionError(f"did not hold for {seconds:g} s: {what}")
        time.sleep(pause)


def window(seconds):
    """A measuring window: returns the seconds that really passed. Never for waiting until something has happened."""
    begin = time.monotonic()
    time.sleep(seconds)
    return time.monotonic() - begin
