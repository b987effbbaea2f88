"""Waiting for a signal, with a bound: the only way a test may let time pass."""

import time
from collections.abc import Callable
from typing import Any

PAUSE_PER_LOOK, PAUSE_SECONDS_MAX = 4, 0.5
"""For so many times as long as a look took nobody looks again: it takes the machine from what is waited for."""


def wait_until(condition: Callable[[], bool], *, seconds_max: float = 20.0, every_seconds: float = 0.01) -> None:
    """Return as soon as the condition, looked at so often, holds. Raises AssertionError if it doesn't in time."""
    deadline = time.monotonic() + seconds_max
    while not _look(condition, every_seconds):
        assert time.monotonic() < deadline, "waited in vain"


def wait_for(look: Callable[[], Any], expected: object, *, seconds_max: float = 20.0) -> None:
    """Return as soon as what is seen is as expected. Raises AssertionError if it isn't in time, with what differs."""
    seen: list[Any] = []

    def is_seen() -> bool:
        seen[:] = [look()]
        return bool(seen == [expected])

    deadline = time.monotonic() + seconds_max
    while not _look(is_seen, 0.01) and time.monotonic() < deadline:
        pass
    assert seen == [expected], f"{seen[0]!r}, not {expected!r}"


def _look(condition: Callable[[], bool], every_seconds: float) -> bool:
    """Whether it holds; if not, after a pause."""
    began = time.monotonic()
    if condition():
        return True
    took = time.monotonic() - began
    time.sleep(max(every_seconds, min(PAUSE_PER_LOOK * took, PAUSE_SECONDS_MAX)))
    return False
