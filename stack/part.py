"""What every real part has in common: how it is fetched, started, and known to be ready."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


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
    ready_seconds_max: int = 60
