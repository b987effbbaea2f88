"""The threat model names a test for each of its answers, and each of these is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.settings import REPOSITORY

PAGE = REPOSITORY / "docs" / "threat-model.md"
KINDS = set("STRIDE")
_SECTION = re.compile(r"^## (\d+\. .*)$", re.M)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def sections() -> dict[str, str]:
    _, *parts = _SECTION.split(PAGE.read_text())
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rows(text: str) -> Iterator[tuple[str, str]]:
    """The kind of each threat, and the cell that says what shows its answer."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] in KINDS:
            assert len(cells) == 4, line
            yield cells[0], cells[3]


@pytest.mark.parametrize("name", sections())
def test_every_border_is_looked_at_from_all_six_sides(name: str) -> None:
    assert {kind for kind, _ in rows(sections()[name])} == KINDS


@pytest.mark.parametrize("name", sections())
def test_every_answer_names_a_test_that_is_there_or_says_that_none_is(name: str) -> None:
    for _, shown_by in rows(sections()[name]):
        named = _TEST.findall(shown_by)
        assert named or shown_by.startswith("not tested: "), shown_by
        for path, test in named:
            assert test in _tests_of(REPOSITORY / path), f"{path} has no {test}"


def _tests_of(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
