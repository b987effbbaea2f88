"""Pairs of a party and a listed entry that two people have found to be different ones. Pure.

    proposed ──► in force ──► ended: by a person, or by its time
        └──► ended: a second person did not agree

A pair holds for exactly this party and exactly this entry: what is known of either changes, and it is asked about anew.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

import msgspec

from libs.common import ids
from libs.common.record import Record
from services.compliance.matching.screening import Hit
from services.compliance.matching.subject import Subject

PAIR_DAYS_MAX = 366
"""People look anew at least once a year."""
_LAST_DAY = date(9999, 12, 30)


class PairState(StrEnum):
    """How far people have come with a pair."""

    PROPOSED = "proposed"
    IN_FORCE = "in_force"
    """Until its time is over: that is looked at whenever it is asked for."""
    ENDED = "ended"


class Pair(Record, omit_defaults=True):
    """A party and an entry that it is not."""

    pair_id: str
    party: str
    subject: Subject
    reference: str
    """The entry, among all lists."""
    listed_name: str
    entry: str
    """A hash of the entry as it was when people looked at it."""
    case_id: str | None
    """Where it was proposed; None if it came by a file."""
    state: PairState
    until: datetime
    reason: str
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    end_proposed_by: str | None = None
    """Who wants it ended, for `end_reason`: it holds until another person confirms that."""
    end_proposed_at: datetime | None = None
    ended_by: str | None = None
    ended_at: datetime | None = None
    end_reason: str = ""
    version: int = 1

    def holds(self, at: datetime) -> bool:
        """Whether it rules the entry out at this moment."""
        return self.state is PairState.IN_FORCE and at < self.until

    @property
    def is_waiting(self) -> bool:
        """Whether a second person is to say something: that it holds, or that it ends."""
        return self.state is PairState.PROPOSED or (
            self.state is PairState.IN_FORCE and self.end_proposed_by is not None
        )

    def stands(self, at: datetime) -> bool:
        """Whether it rules the entry out at this moment, or will once a second person agrees."""
        return self.state is not PairState.ENDED and at < self.until


def end_of(day: date) -> datetime:
    """The moment at which a pair ends that holds until the end of a day (UTC)."""
    day = min(day, _LAST_DAY)
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def is_distinct(subject: Subject) -> bool:
    """Whether enough is known of a party to tell it from others: of a name and a country alone, everybody who has them
    would be ruled out. A day of birth, or of a company's registration, or an official number is enough."""
    return bool(subject.identifier) or (subject.born is not None and subject.born.is_exact)


def party_of(subject: Subject) -> str:
    """A party, as a hash of all that is known of it: no name, and another one as soon as anything changes."""
    return _uuid(words_of(subject))


def pair_id_of(subject: Subject, reference: str) -> str:
    """A party and an entry have one pair, however often it is proposed."""
    return ids.derive(party_of(subject), "compliance", "pair", reference)


def entry_of(hit: Hit) -> str:
    """A hash of the entry that is hit, as its list gives it."""
    return blake2b(msgspec.json.encode(hit.listed), digest_size=16).hexdigest()


def words_of(subject: Subject) -> tuple[str, ...]:
    """All of a party that could change what screening says of it."""
    return (
        " ".join(subject.name.casefold().split()),
        subject.birth_date or "",
        subject.country or "",
        subject.kind or "",
        subject.identifier or "",
    )


def whitelist_version(pairs: Iterable[Pair]) -> str:
    """What a party's remembered answer depends on of the whitelist: "0" while it holds nothing of the party."""
    said = sorted((pair.reference, pair.entry) for pair in pairs)
    return blake2b(msgspec.json.encode(said), digest_size=8).hexdigest() if said else "0"


def ruled_out(pairs: Iterable[Pair], hits: Iterable[Hit]) -> frozenset[str]:
    """The references of those hits that a pair rules out: the entry still has to be what people have seen."""
    entries = {pair.reference: pair.entry for pair in pairs}
    return frozenset(hit.reference for hit in hits if entries.get(hit.reference) == entry_of(hit))


def _uuid(words: Iterable[str]) -> str:
    text = blake2b("\x1f".join(words).encode(errors="replace"), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def key_of(subject: Subject, versions: str) -> str:
    """What a party is remembered under: a hash, so that no name is kept, of all that could change the answer."""
    return _uuid((*words_of(subject), versions))
