"""Where an installation lives."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from stack.settings import REPOSITORY, StackSettings


@pytest.mark.parametrize("folder", [REPOSITORY, REPOSITORY.parent, Path("/"), Path.home(), Path()])
def test_a_folder_that_holds_more_than_data_is_refused_for_it_is_removed_with_the_data(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(ValidationError, match="holds more than Weir's data"):
        StackSettings(folder=folder)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_FOLDER", "")
    assert StackSettings().folder == REPOSITORY / ".weir" / "main"


def test_a_relative_folder_is_taken_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert StackSettings(folder=Path("data")).folder == tmp_path.resolve() / "data"


def test_secrets_are_made_up_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first = StackSettings(folder=tmp_path / "data").secrets.get("postgres/payments")
    assert StackSettings(folder=tmp_path / "data").secrets.get("postgres/payments") == first
    assert (tmp_path / "data" / "secrets.json").stat().st_mode & 0o077 == 0


def test_several_who_make_secrets_up_at_once_forget_none(tmp_path: Path) -> None:
    def make_up(number: int) -> tuple[str, str]:
        name = f"postgres/{number}"
        return name, StackSettings(folder=tmp_path / "data").secrets.get(name)

    with ThreadPoolExecutor(8) as processes:
        made = list(processes.map(make_up, range(40)))
    secrets = StackSettings(folder=tmp_path / "data").secrets
    assert [secrets.get(name) for name, _ in made] == [secret for _, secret in made]
