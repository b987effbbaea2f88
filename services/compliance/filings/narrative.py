"""The story of a suspicious activity report, in parts as long as the form takes them. Pure."""

import re

from services.compliance.filings.faults import FilingFault

PART_LENGTH_MAX = 4_000
PARTS_MAX = 5
LENGTH_MAX = 17_000
"""In all: the fifth part holds what is left of this (FinCEN's schema of the form, the narrative's sequence number)."""

_NOT_WRITTEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold."""


def parts_of(narrative: str) -> tuple[str, ...]:
    """The narrative in up to five parts, divided between paragraphs, else between sentences, else between words.

    Nothing but space between two parts is left out. Raises FilingFault for one that is empty or too long.
    """
    rest = _NOT_WRITTEN.sub("", narrative.replace("\r\n", "\n")).strip()
    if not rest:
        raise FilingFault("narrative", "is missing: what happened, who, when, where, why it is suspicious, and how")
    if len(rest) > LENGTH_MAX:
        raise FilingFault("narrative", f"has {len(rest):,} characters; at most {LENGTH_MAX:,} can be filed")
    parts: list[str] = []
    while len(rest) > PART_LENGTH_MAX:
        end = _end_of_part(rest, room=PARTS_MAX - len(parts) - 1)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return (*parts, rest)


def _end_of_part(text: str, *, room: int) -> int:
    """Where to divide, so late that what follows fits into the parts that are left."""
    earliest = max(1, len(text) - room * PART_LENGTH_MAX)
    for mark in ("\n\n", "\n", ". ", " "):
        end = text.rfind(mark, earliest, PART_LENGTH_MAX)
        if end >= 0:
            return end + len(mark.rstrip())
    return PART_LENGTH_MAX
