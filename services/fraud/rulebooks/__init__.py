"""The rulebook that is shipped: what judges until analysts release one of their own."""

from functools import cache
from pathlib import Path

from services.fraud.domain.judging import CATALOGUE
from services.fraud.domain.rulebook.rulebook import Rulebook, compile_rulebook

TEXT = (Path(__file__).parent / "default.rules").read_text()


@cache
def shipped() -> Rulebook:
    """Compiled once. That it has no faults is a test's to say."""
    return compile_rulebook(TEXT, CATALOGUE)
