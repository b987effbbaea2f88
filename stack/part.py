"""What everything that is started has in common: how it is run, and how it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
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
