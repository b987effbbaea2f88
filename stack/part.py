"""What everything that is started has in common: how it is run, and how it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

Say = Callable[[str], None]
"""Told what is being done, step by step: some steps take long."""


class StackError(Exception):
    """The real parts can't be had or started; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process kept alive by the supervisor."""

    name: str
    command: tuple[str, ...]
    is_ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    directory: Path | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 20
    ready_seconds_max: int = 120


@dataclass(frozen=True, kw_only=True)
class PartState:
    """How one part or service is."""

    name: str
    state: str
    """ready, starting, failing, stopped."""
    age: str
    """Since when, in words; empty where it does not run."""


def in_words(age: timedelta) -> str:
    """As a person reads it: 12 s, 3 min, 5 h, 2 d."""
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if age.total_seconds() >= 2 * seconds:
            return f"{age.total_seconds() // seconds:.0f} {unit}"
    return f"{age.total_seconds():.0f} s"
