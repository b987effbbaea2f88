"""Public data are used where they are, and a folder that is named and isn't there is told."""

from pathlib import Path

import pytest

from stack.settings import REPOSITORY
from tests import public_data


def test_a_named_folder_is_looked_into(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEIR_DATA", str(tmp_path))
    assert public_data.folder("fincen") is None
    (tmp_path / "fincen").mkdir()
    assert public_data.folder("fincen") == tmp_path / "fincen"


def test_a_named_folder_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEIR_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="WEIR_DATA: there is no folder"):
        public_data.folder("fincen")


def test_without_a_name_it_is_the_folder_beside_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEIR_DATA", raising=False)
    found = public_data.folder("sanctions")
    beside = (REPOSITORY / "../shared/data/sanctions").resolve()
    assert found == (beside if beside.is_dir() else None)
