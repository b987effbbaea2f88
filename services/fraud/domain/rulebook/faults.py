"""What is wrong with a rulebook, in an analyst's words. Pure."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from libs.common.record import Record
from services.fraud.domain.rulebook.bounds import FAULTS_MAX, NAME_LENGTH_MAX

_SHOWN_MAX = 20


class RulebookFault(Record):
    """One fault, and where it is. Lines and columns count from 1."""

    line: int
    column: int
    message: str


class RulebookFaulty(Exception):
    """A rulebook that can't judge, and all its faults in the order of the file, at least one."""

    def __init__(self, faults: tuple[RulebookFault, ...]) -> None:
        super().__init__(f"{faults[0].line}:{faults[0].column}: {faults[0].message}")
        self.faults = faults


class Faults:
    """The faults found so far; at most FAULTS_MAX of them."""

    def __init__(self) -> None:
        self._found: list[RulebookFault] = []

    @property
    def is_full(self) -> bool:
        """Whether looking for more is of no use."""
        return len(self._found) >= FAULTS_MAX

    def add(self, line: int, column: int, message: str) -> None:
        if not self.is_full:
            self._found.append(RulebookFault(line=line, column=column, message=message))

    def sorted(self) -> tuple[RulebookFault, ...]:
        """In the order of the file."""
        return tuple(sorted(self._found, key=lambda fault: (fault.line, fault.column)))


def suggestion(word: str, known: Collection[str]) -> str:
    """A sentence that offers the nearest known word, if one is near; to stand behind a fault."""
    near = get_close_matches(word[:NAME_LENGTH_MAX], known, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def listed(words: Iterable[str], last: str = "or") -> str:
    """Words as they are told to people: a, b or c."""
    *others, final = words
    if len(others) >= _SHOWN_MAX:
        others, final = others[:_SHOWN_MAX], "others"
    return f"{', '.join(others)} {last} {final}" if others else final


def quoted(text: str) -> str:
    """What stands in the file, cut to what a message can hold."""
    return f"“{text if len(text) <= NAME_LENGTH_MAX else text[: NAME_LENGTH_MAX - 1] + '…'}”"
