"""Parties once screened, and remembered: who is known costs a look-up, who is not is searched for once. Pure."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b

from libs.common.record import Record
from services.compliance.matching.index import NameIndex
from services.compliance.matching.screening import MATCHER_VERSION, Verdict, screen
from services.compliance.matching.subject import Subject

WHITELIST_VERSION = 0
"""Pairs of party and entry that people have ruled out for good; none can be yet."""


class ScreenedParty(Record):
    """What screening said about a party, and until when that counts."""

    party_key: str
    verdict: Verdict
    expires_at: datetime


class Parties:
    """The parties of a batch: those that are remembered, and those searched for now."""

    def __init__(self, index: NameIndex, remembered: Mapping[str, Verdict], *, remember_for: timedelta) -> None:
        self.index = index
        self._remembered = remembered
        self._remember_for = remember_for
        self._screened: dict[str, ScreenedParty] = {}

    @property
    def versions(self) -> tuple[int, int]:
        """Of the matcher and of all lists: what was found with lesser ones is to be looked at again.

        The matcher's counts first: while processes are replaced, an old one must not undo what a new one has found.
        """
        return MATCHER_VERSION, self.index.version

    def verdict(self, subject: Subject, at: datetime, *, ruled_out: Collection[str] = ()) -> Verdict:
        """What screening says about a party, but for entries that people have ruled out: then nothing is remembered.

        Searched for here, in the decision, and not for a whole batch at once: a name that breaks the
        matcher then costs its own message, and no other.
        """
        if ruled_out:
            return screen(self.index, subject, ruled_out=ruled_out)
        key = party_key(subject, self.index.version)
        known = self._remembered.get(key)
        if known is not None:
            return known
        screened = self._screened.get(key)
        if screened is None:
            screened = ScreenedParty(
                party_key=key, verdict=screen(self.index, subject), expires_at=at + self._remember_for
            )
            self._screened[key] = screened
        return screened.verdict

    @property
    def screened(self) -> list[ScreenedParty]:
        """What was found out in this batch, in the order in which it must be stored: two batches may meet."""
        return sorted(self._screened.values(), key=lambda party: party.party_key)


def party_key(subject: Subject, catalogue_version: int) -> str:
    """What a party is remembered under: a hash, so that no name is kept, of all that could change the answer."""
    words = (
        " ".join(subject.name.casefold().split()),
        subject.birth_date or "",
        subject.country or "",
        subject.kind or "",
        subject.identifier or "",
        f"{catalogue_version}.{MATCHER_VERSION}.{WHITELIST_VERSION}",
    )
    text = blake2b("\x1f".join(words).encode(errors="replace"), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
