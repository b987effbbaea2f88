"""What a process has to say, and how: one JSON object a line, whoever says it."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from io import StringIO

import pytest

from libs.common import logs


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], StringIO]]:
    """As a process does when it begins. To be called by the test itself: pytest has a hook of its own in each phase."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def begin() -> StringIO:
        monkeypatch.setattr(threading, "excepthook", threading.excepthook)
        output = StringIO()
        logs.configure("payments", "INFO", to=output)
        return output

    yield begin
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_end_of_a_thread_by_an_exception_is_a_record_like_any_other(configure: Callable[[], StringIO]) -> None:
    output = configure()

    def fail() -> None:
        raise RuntimeError("not ready")

    thread = threading.Thread(target=fail, name="fetcher")
    thread.start()
    thread.join()
    (line,) = output.getvalue().splitlines()
    record = json.loads(line)
    assert {name: record[name] for name in ("service", "level", "thread_name")} == {
        "service": "payments",
        "level": "error",
        "thread_name": "fetcher",
    }
    assert "RuntimeError: not ready" in record["exception"]


def test_a_thread_that_ends_because_the_process_does_says_nothing(configure: Callable[[], StringIO]) -> None:
    output = configure()

    def leave() -> None:
        raise SystemExit

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    assert output.getvalue() == ""
