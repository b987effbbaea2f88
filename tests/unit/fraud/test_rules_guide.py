"""The guide to the language of rules: its examples compile, and its bounds are those of the code."""

import re
from pathlib import Path

import pytest

from services.fraud.domain.rulebook import bounds
from tests.unit.fraud.catalogue import HEAD, compiled, rule

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "rules.md").read_text()
EXAMPLES = re.findall(r"```rules\n(.*?)```", GUIDE, re.DOTALL)
EXPRESSIONS = re.findall(
    r"`([^`]+)`", "\n".join(re.findall(r"^\| .* \| (`.*) \|$", GUIDE.split("## Expressions")[1], re.M))
)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_compile(example: str) -> None:
    assert compiled(example).rules


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_compile(expression: str) -> None:
    compiled(HEAD + f"let example = {expression}\n" + rule("example is known"))


def test_examples_were_found() -> None:
    assert len(EXAMPLES) == 3
    assert len(EXPRESSIONS) > 10


def test_bounds_are_those_of_the_code() -> None:
    told = GUIDE.split("## Bounds")[1].split("## ")[0].replace("\n", " ")
    known = (
        f"{bounds.FILE_BYTES_MAX // 1024} KiB, {bounds.RULES_MAX} rules and {bounds.LETS_MAX} lets",
        f"at most {bounds.NAME_LENGTH_MAX} characters, a text {bounds.TEXT_LENGTH_MAX}",
        f"with its values {bounds.REASON_LENGTH_MAX}",
        f"nest at most {bounds.NESTING_MAX} deep",
        f"{bounds.NUMBER_MAX:,.0f}".replace(",", " "),
        f"first {bounds.FAULTS_MAX} faults",
    )
    assert all(bound in told for bound in known)
