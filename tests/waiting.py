"""Waiting for a signal, with a bound: the only way a test may let time pass."""

import time
from collections.abc import Callable
from typing import Any


def wait_until(condition: Callable[[], bool], *, seconds_max: float = 20.0, every_seconds: float = 0.01) -> None:
    """Return as soon as the condition, looked at so often, holds. Raises AssertionError if it doesn't in time."""
    deadline = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(every_seconds)


def wait_for(look: Callable[[], Any], expected: object, *, seconds_max: float = 20.0) -> None:
    """Return as soon as what is seen is as expected. Raises AssertionError if it isn't in time, with what differs."""
    deadline = time.monotonic() + seconds_max
    while (seen := look()) != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen == expected, f"{seen!r}, not {expected!r}"
