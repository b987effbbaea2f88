"""What stands in for a service is gone afterwards, and the service is back, however badly it ends."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos import installation as module
from chaos.installation import Another, Installation
from tests.waiting import wait_until

PORT_BASE = 28_000
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
signal.pause()
"""
POLITE = """
import signal, sys
def end(*_):
    print('{"event": "stopped"}', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("here", flush=True)
signal.pause()
"""
SHORT_LIVED = 'print("here", flush=True)'


class Supervisor:
    """Keeps what it was asked to do."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def stop(self, name: str) -> None:
        self.asked.append(("stop", name))

    def start(self, name: str) -> None:
        self.asked.append(("start", name))


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.setattr(module, "END_SECONDS_MAX", 0.5)
    monkeypatch.setattr(Another, "wait_ready", lambda other: wait_until(lambda: "here" in other.log))
    monkeypatch.setattr(Installation, "wait_ready", lambda *_: None)
    found = Installation(tmp_path / "weir", PORT_BASE)
    (found.settings.folder / "logs").mkdir(parents=True)
    monkeypatch.setattr(found, "supervisor", Supervisor())
    yield found


def code(folder: Path, text: str) -> Path:
    (folder / "services").mkdir()
    (folder / "services" / "payments.py").write_text(text)
    return folder


def begun(installation: Installation, folder: Path, text: str) -> Another:
    other = installation.one_more("payments", directory=code(folder, text))
    other.wait_ready()
    return other


def test_one_that_does_not_stop_is_a_failure_and_is_gone_all_the_same(
    installation: Installation, tmp_path: Path
) -> None:
    deaf = begun(installation, tmp_path, DEAF)
    with pytest.raises(AssertionError, match="did not stop"):
        deaf.end()
    assert deaf.process.poll() is not None


def test_one_that_died_by_itself_is_a_failure(installation: Installation, tmp_path: Path) -> None:
    other = begun(installation, tmp_path, SHORT_LIVED)
    wait_until(lambda: other.process.poll() is not None)
    with pytest.raises(AssertionError, match="died by itself"):
        other.end()


def test_one_that_we_killed_or_ended_is_none(installation: Installation, tmp_path: Path) -> None:
    polite = begun(installation, tmp_path, POLITE)
    polite.end()
    polite.end()
    killed = installation.one_more("payments", directory=tmp_path)
    killed.kill()
    killed.end()


def test_the_service_is_started_again_and_nobody_is_left_when_one_ends_badly(
    installation: Installation, tmp_path: Path
) -> None:
    supervisor = installation.supervisor
    with (
        pytest.raises(AssertionError, match="did not stop"),
        installation.instead("payments", ("worker",), ("relay",), directory=code(tmp_path, DEAF)) as others,
    ):
        pass
    assert [other.process.poll() is not None for other in others] == [True, True]
    assert supervisor.asked == [("stop", "payments"), ("start", "payments")]  # type: ignore[attr-defined]


def test_who_has_gone_by_himself_does_not_keep_the_others_from_being_killed() -> None:
    gone, alive = (subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) for _ in range(2))
    gone.kill()
    gone.wait()
    module._kill([*module.family(gone.pid), *module.family(alive.pid)])
    assert alive.wait(5) == -9
    assert not Path(f"/proc/{gone.pid}").exists()
