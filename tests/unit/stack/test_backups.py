"""Postgres' own programs, where no server of ours has ever run: in Docker, an image brings it."""

from pathlib import Path

import pytest

from stack import backups
from stack.part import StackError
from stack.settings import StackSettings


@pytest.mark.parametrize("program", ["pg_dump", "pg_restore"])
def test_a_backup_needs_no_server_of_ours_not_even_as_root(program: str, tmp_path: Path) -> None:
    backups.run(StackSettings(folder=tmp_path), program, "--version")


def test_what_a_program_says_against_its_arguments_is_told(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"pg_dump: .*no-such-option"):
        backups.run(StackSettings(folder=tmp_path), "pg_dump", "--no-such-option")
