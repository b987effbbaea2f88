"""Processes that outlived their supervisor: found by the mark it leaves in what it starts, and ended.

Without this, a killed supervisor would leave Kafka and Postgres running, which nobody then knows of.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

from stack.waiting import wait_until

_PROCESSES = Path("/proc")


def end(server: str, configuration: Path, *, seconds: float) -> int:
    """End a supervisor and all it had started: asked to at first, killed in the end. Returns how many there were.

    `server` is its address, `configuration` the file it was started with, `seconds` how long a request may take.
    """
    found = find(server, configuration)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        for pid in _heads(find(server, configuration)):
            _signal(pid, number)
        if wait_until(lambda: not find(server, configuration), seconds=seconds):
            break
    return len(found)


def find(server: str, configuration: Path) -> list[int]:
    """The ids of the supervisor's process and of all that descend from it."""
    mark = f"SUPERVISOR_SERVER_URL={server}".encode()
    return [pid for pid in _pids() if mark in _words(pid, "environ") or _is_supervisor(pid, configuration)]


def _is_supervisor(pid: int, configuration: Path) -> bool:
    command = _words(pid, "cmdline")
    return str(configuration).encode() in command and any(word.endswith(b"supervisord") for word in command)


def _heads(pids: list[int]) -> list[int]:
    """Those whose parent is none of them: a server ends its own workers, in the order it needs."""
    return [pid for pid in pids if _parent(pid) not in pids]


def _pids() -> list[int]:
    return [int(path.name) for path in _PROCESSES.iterdir() if path.name.isdigit()] if _PROCESSES.exists() else []


def _words(pid: int, file: str) -> list[bytes]:
    try:
        return (_PROCESSES / str(pid) / file).read_bytes().split(b"\0")
    except OSError:
        return []


def _parent(pid: int) -> int:
    try:
        # The name may hold anything, but no closing parenthesis follows its own.
        after_name = (_PROCESSES / str(pid) / "stat").read_text().rpartition(")")[2]
        return int(after_name.split()[1])
    except OSError:
        return 0


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
