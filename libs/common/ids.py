"""Identifiers: made once at the edge, derived from their cause everywhere else.

Every id but a pseudonym is a UUID of version 7 whose first 48 bits are the time its journey began. A derived id
keeps those bits, so that all rows of a journey lie side by side in every index, however many
millions there are; the other bits are a hash of the cause and of what it caused, so that a replay
produces the same ids (docs/decisions/0003-derived-ids.md).
"""

import hashlib
import os
import re
import time

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME_LENGTH = 14
"""The characters of a UUID's text that hold its time: `0192d3b4-5c6d-` of `0192d3b4-5c6d-7…`."""

_VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""The digit that says that a UUID is one, by a random digit: two bits of it are fixed."""


def new(*, at_seconds: float | None = None) -> str:
    """A new UUIDv7: for what enters the system from outside. `at_seconds` is Unix time, now if not given."""
    milliseconds = int((time.time() if at_seconds is None else at_seconds) * 1000)
    digits = f"{milliseconds:012x}"
    return _version_7(f"{digits[:8]}-{digits[8:]}-", os.urandom(10).hex())


def first_of(at_seconds: float) -> str:
    """No id of a journey that began at this Unix time, or later, comes before this one."""
    digits = f"{int(at_seconds * 1000):012x}"
    return _version_7(f"{digits[:8]}-{digits[8:]}-", "0" * 20)


def derive(cause_id: str, *what: object) -> str:
    """The id of what `cause_id` brought about: the same for the same cause and words, always."""
    text = "/".join((cause_id, *map(str, what)))
    return _version_7(cause_id[:_TIME_LENGTH], hashlib.blake2b(text.encode(), digest_size=10).hexdigest())


def named(*words: str) -> str:
    """The id of something there is one of, known by its name, such as an internal account."""
    return derive("00000000-0000-7000-8000-000000000000", *words)


def pseudonym(digest: bytes) -> str:
    """An id for whom only a hash is known: a UUID of version 8, which none of the others is."""
    digits = digest[:16].hex()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:]}"


def is_pseudonym(id_: str) -> bool:
    """Whether an id was made by `pseudonym`."""
    return id_[_TIME_LENGTH] == "8"


def is_id(text: str) -> bool:
    """Whether this is a UUID in the one spelling used here: lower case with hyphens."""
    return _ID.fullmatch(text) is not None


def _version_7(time_part: str, noise: str) -> str:
    return f"{time_part}7{noise[:3]}-{_VARIANTS[noise[3]]}{noise[4:7]}-{noise[7:19]}"
