"""A process whose clock can be set, by libfaketime from Debian's package."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack import debian
from stack.cache import fetch_once
from stack.settings import StackSettings


class Clock:
    """The clock of whatever process is started with its environment."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "offset"
        self._set(0)

    def environment(self, settings: StackSettings) -> dict[str, str]:
        """What a process needs to know to go by this clock. Raises StackError where the library can't be had."""
        return {
            "LD_PRELOAD": str(_library(settings)),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            # As with a real clock that is set: what measures durations goes on.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    @contextmanager
    def off_by(self, seconds: int) -> Iterator[None]:
        """The clock is ahead, or behind, while the block lasts."""
        self._set(seconds)
        try:
            yield
        finally:
            self._set(0)

    def _set(self, seconds: int) -> None:
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{seconds:+d}s\n")
        draft.replace(self._file)


def _library(settings: StackSettings) -> Path:
    package = settings.cache / "libfaketime"
    fetch_once(package, lambda draft: debian.unpack("libfaketime", into=draft))
    (library,) = package.glob("usr/lib/*/faketime/libfaketime.so.1")
    return library
