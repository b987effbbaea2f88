"""Waiting for a signal, with a bound: the only way a test may let time pass."""

import time
from collections.abc import Callable
from typing import Any

PAUSE_PER_LOOK, PAUSE_SECONDS_MAX = 4, 0.5
"""For so many times as long as a look took nobody looks again: it takes the machine from what is waited for."""


def wait_until(condition: Callable[[], bool], *, seconds_max: float = 20.0, every_seconds: float = 0.01) -> None:
    """Return as soon as the condition, looked at so often, holds. Raises AssertionError if it doesn't in time."""
    began = time.monotonic()
    deadline = began + seconds_max
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        began = _pause(began, every_seconds)


def wait_for(look: Callable[[], Any], expected: object, *, seconds_max: float = 20.0) -> None:
    """Return as soon as what is seen is as expected. Raises AssertionError if it isn't in time, with what differs."""
    began = time.monotonic()
    deadline = began + seconds_max
    while (seen := look()) != expected and time.monotonic() < deadline:
        began = _pause(began, 0.01)
    assert seen == expected, f"{seen!r}, not {expected!r}"


def _pause(began: float, every_seconds: float) -> float:
    """Let time pass after a look that began then; returns when the next one begins."""
    took = time.monotonic() - began
    time.sleep(max(every_seconds, min(PAUSE_PER_LOOK * took, PAUSE_SECONDS_MAX)))
    return time.monotonic()
