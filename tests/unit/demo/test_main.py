"""The exit status of the demo: 0 only if all of it holds, 1 if something doesn't, 2 if it could not be found out."""

from pathlib import Path
from typing import Any

import pytest

import demo.__main__ as command
from demo.run import Unended
from stack.part import StackError


class Recorded:
    """Stands for an installation: the exit status is told without one."""

    def __init__(self, settings: object, **_: Any) -> None:
        self.settings = settings
        self.done: list[str] = []

    def up(self, say: object) -> None:
        self.done.append("up")

    def down(self) -> None:
        self.done.append("down")


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """What `main` starts, in a run that does nothing and goes well."""
    recorded = Recorded(None)
    monkeypatch.setattr(command, "Stack", lambda *_, **__: recorded)
    monkeypatch.setattr("demo.client.register_client", lambda _: "key")
    monkeypatch.setattr(command, "seed_users", lambda _: None)
    monkeypatch.setattr("demo.summary.addresses", lambda *_: recorded.done.append("addresses"))
    monkeypatch.setattr(command, "_run", lambda *_, **__: True)
    return recorded


def status(**options: Any) -> int:
    with pytest.raises(SystemExit) as ended:
        command.main(**options)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_0_if_all_of_it_holds_and_everything_is_stopped(installation: Recorded) -> None:
    assert status() == 0
    assert installation.done == ["up", "down"]


def test_1_if_not_all_of_it_holds(installation: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_run", lambda *_, **__: False)
    assert status() == 1
    assert installation.done == ["up", "down"]


def test_what_is_kept_is_left_running_and_its_addresses_told(
    installation: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_run", lambda *_, **__: False)
    assert status(keep=True) == 1
    assert installation.done == ["up", "addresses"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file"),
        ("TX_DATETIME,CUSTOMER_ID\n", "lacks the columns TERMINAL_ID, TX_AMOUNT"),
        (
            "TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT\n2018-04-01,[/7],3,[/nothing]\n",
            "TX_AMOUNT of line 2 is '[/nothing]'",
        ),
    ],
)
def test_2_before_anything_starts_if_the_file_is_wrong(
    installation: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    path = tmp_path / "cards.csv"
    if content is not None:
        path.write_text(content)
    assert status(input_file=path) == 2
    assert message in " ".join(capsys.readouterr().out.split())
    assert installation.done == []


@pytest.mark.parametrize("error", [StackError("Java is missing"), Unended("3 payments did not end")])
def test_2_if_payments_go_on_or_the_parts_fail(
    installation: Recorded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(*_: object, **__: object) -> bool:
        raise error

    monkeypatch.setattr(command, "_run", fail)
    assert status() == 2
    assert str(error) in capsys.readouterr().out
    assert installation.done == ["up", "down"]
