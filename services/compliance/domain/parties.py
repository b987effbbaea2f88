"""Parties once screened, and remembered: who is known costs a look-up, who is not is searched for once. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from libs.common.record import Record
from services.compliance.domain.whitelist import Pair, key_of, party_of, ruled_out, whitelist_version
from services.compliance.matching.index import NameIndex
from services.compliance.matching.screening import MATCHER_VERSION, Hit, SharedNumber, Verdict, screen, screen_numbers
from services.compliance.matching.subject import Subject

Whitelist = Mapping[str, Sequence[Pair]]
"""By the party: what people have ruled out for it, and still holds."""


class ScreenedParty(Record):
    """What screening said about a party, and until when that counts."""

    party_key: str
    verdict: Verdict
    expires_at: datetime


class Parties:
    """The parties of a batch: those that are remembered, and those searched for now."""

    def __init__(
        self,
        index: NameIndex,
        remembered: Mapping[str, Verdict],
        *,
        remember_for: timedelta,
        whitelist: Whitelist | None = None,
    ) -> None:
        self.index = index
        self._whitelist = whitelist or {}
        self._remembered = remembered
        self._remember_for = remember_for
        self._screened: dict[str, ScreenedParty] = {}

    @property
    def versions(self) -> tuple[int, int]:
        """Of the matcher and of all lists: what was found with lesser ones is to be looked at again.

        The matcher's counts first: while processes are replaced, an old one must not undo what a new one has found.
        """
        return MATCHER_VERSION, self.index.version

    def verdict(
        self, subject: Subject, at: datetime, *, cleared: Collection[str] = (), but_for: str | None = None
    ) -> Verdict:
        """What screening says about a party, but for pairs that are whitelisted, and for entries that people have
        cleared this customer of: then nothing is remembered. `but_for`: a pair that counts no more.

        Searched for here, in the decision, and not for a whole batch at once: a name that breaks the
        matcher then costs its own message, and no other.
        """
        pairs = [pair for pair in pairs_of(self._whitelist, subject) if pair.holds(at) and pair.pair_id != but_for]
        if cleared:
            return self._search(subject, pairs, cleared)
        key = party_key(subject, self.index.version, pairs)
        known = self._remembered.get(key)
        if known is not None:
            return known
        screened = self._screened.get(key)
        if screened is None:
            screened = ScreenedParty(
                party_key=key, verdict=self._search(subject, pairs), expires_at=at + self._remember_for
            )
            self._screened[key] = screened
        return screened.verdict

    def resembled(self, subject: Subject, verdict: Verdict, *, cleared: Collection[str] = ()) -> Sequence[Hit]:
        """All hits of a party of which `verdict` found those that count: with those that people have ruled out."""
        if not cleared and not pairs_of(self._whitelist, subject):
            return verdict.hits
        return screen(self.index, subject).hits

    def by_number(
        self, subject: Subject, identifiers: Sequence[str], *, ruled_out: Collection[SharedNumber] = ()
    ) -> Sequence[Hit]:
        """The entries that have an official number of a party's, but for those that people have cleared it of."""
        return screen_numbers(self.index, subject, identifiers, ruled_out=ruled_out)

    def _search(self, subject: Subject, pairs: Sequence[Pair], cleared: Collection[str] = ()) -> Verdict:
        found = screen(self.index, subject, ruled_out=cleared)
        others = ruled_out(pairs, found.hits)
        # Once more, for others may have been left out to make room for these.
        return screen(self.index, subject, ruled_out={*cleared, *others}) if others else found

    @property
    def screened(self) -> list[ScreenedParty]:
        """What was found out in this batch, in the order in which it must be stored: two batches may meet."""
        return sorted(self._screened.values(), key=lambda party: party.party_key)


def pairs_of(whitelist: Whitelist, subject: Subject) -> Sequence[Pair]:
    """What people have ruled out for a party."""
    return whitelist.get(party_of(subject), ()) if whitelist else ()


def party_key(subject: Subject, catalogue_version: int, pairs: Sequence[Pair] = ()) -> str:
    """What a party is remembered under: a hash, so that no name is kept, of all that could change the answer."""
    return key_of(subject, f"{catalogue_version}.{MATCHER_VERSION}.{whitelist_version(pairs)}")
