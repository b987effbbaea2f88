"""People rule a pair of party and entry out, two of them, for a time; and end that. Pure.

Every function refuses first, in the order of PairRefusal, and acts last. What screening would block can't be ruled out:
a listed party's money goes neither on nor back, whoever says so. Nor can a party of whom hardly more than a name is
known: a pair holds for every party of whom the same is known.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.message import Command
from libs.common.record import replace
from schemas.compliance.events import ScreeningOutcome
from services.compliance.domain import customers
from services.compliance.domain.acts import CaseCommand, DeskCommand, act, put_down
from services.compliance.domain.audit import AuditVerb, ObjectKind
from services.compliance.domain.case import SYSTEM, ActKind, Case
from services.compliance.domain.whitelist import (
    PAIR_DAYS_MAX,
    Pair,
    PairState,
    entry_of,
    is_distinct,
    pair_id_of,
    party_of,
)
from services.compliance.domain.work import Work
from services.compliance.matching.screening import Hit
from services.compliance.matching.subject import Subject


class PairRefusal(StrEnum):
    """Why it is refused, in order of precedence."""

    CASE_UNKNOWN = "case_unknown"
    NOT_OPEN = "not_open"
    PAIR_UNKNOWN = "pair_unknown"
    NOTE_MISSING = "note_missing"
    END_OUT_OF_RANGE = "end_out_of_range"
    LISTED_PARTY = "listed_party"
    NUMBER_LISTED = "number_listed"
    PARTY_INDISTINCT = "party_indistinct"
    ALREADY_WHITELISTED = "already_whitelisted"
    WRONG_STATE = "wrong_state"
    END_PROPOSED = "end_proposed"
    OWN_PROPOSAL = "own_proposal"
    STALE = "stale"


_IN_WORDS = {
    PairRefusal.CASE_UNKNOWN: "there is no such case",
    PairRefusal.NOT_OPEN: "the case has been decided or closed",
    PairRefusal.PAIR_UNKNOWN: "the case has no such hit any more, or there is no such pair",
    PairRefusal.NOTE_MISSING: "a reason must say how the two are told apart",
    PairRefusal.END_OUT_OF_RANGE: f"it ends later than now, within {PAIR_DAYS_MAX} days: then people look anew",
    PairRefusal.LISTED_PARTY: "what screening blocks can't be ruled out",
    PairRefusal.NUMBER_LISTED: "a document has proven that the customer has the entry's official number: whether it is "
    "somebody else the case decides",
    PairRefusal.PARTY_INDISTINCT: "no whole date of birth or registration of the party is known, nor an official "
    "number: everybody of that name would be ruled out",
    PairRefusal.ALREADY_WHITELISTED: "this pair is whitelisted, or proposed to be, already",
    PairRefusal.WRONG_STATE: "the pair does not wait for that any more",
    PairRefusal.END_PROPOSED: "its end is proposed already: another person confirms it",
    PairRefusal.OWN_PROPOSAL: "another person must confirm what you have proposed",
    PairRefusal.STALE: "it has changed since you looked at it",
}
_FIELDS = {PairRefusal.NOTE_MISSING: "note", PairRefusal.END_OUT_OF_RANGE: "until"}


class ProposePair(CaseCommand):
    """Say that a party of a case is not the entry that it resembles."""

    pair_id: str
    until: datetime
    note: str


class PairCommand(DeskCommand):
    """Something a person wants to do with a pair."""

    pair_id: str
    version: int
    """The version of the pair that the person has seen."""


class ConfirmPair(PairCommand):
    """Agree, as a second person: from now on it is no hit; or, where its end is proposed, a hit again."""


class EndPair(PairCommand):
    """Disagree with a pair that was proposed; of one in force, propose that it is ruled out no more."""

    note: str


class KeepPair(PairCommand):
    """Disagree with its end, or propose that no more: it goes on."""


class ExpirePair(Command):
    """Its time is over."""

    pair_id: str


def propose(work: Work, command: ProposePair, at: datetime) -> Sequence[Event] | Refusal:
    """A person says why a hit is someone else, and until when that may hold."""
    case = work.cases.get(command.case_id)
    if case is None or case.opened_at is None:
        return _refusal(PairRefusal.CASE_UNKNOWN)
    if case.has_ended:
        return _refusal(PairRefusal.NOT_OPEN)
    found = next((one for one in _hits(work, case) if pair_id_of(one[0], one[1].reference) == command.pair_id), None)
    if found is None:
        return _refusal(PairRefusal.PAIR_UNKNOWN)
    if not command.note.strip():
        return _refusal(PairRefusal.NOTE_MISSING)
    if not at < command.until <= at + timedelta(days=PAIR_DAYS_MAX):
        return _refusal(PairRefusal.END_OUT_OF_RANGE)
    subject, hit = found
    if hit.outcome is ScreeningOutcome.BLOCK:
        return _refusal(PairRefusal.LISTED_PARTY)
    if case.customer is not None and hit.reference in {one.reference for one in case.customer.numbers_listed}:
        return _refusal(PairRefusal.NUMBER_LISTED)
    if not is_distinct(subject):
        return _refusal(PairRefusal.PARTY_INDISTINCT)
    known = work.pairs.get(command.pair_id)
    if known is not None and known.stands(at) and _is_of(known, hit):
        return _refusal(PairRefusal.ALREADY_WHITELISTED)
    if command.version != case.version:
        return _refusal(PairRefusal.STALE)
    pair = Pair(
        pair_id=command.pair_id,
        party=party_of(subject),
        subject=subject,
        reference=hit.reference,
        listed_name=hit.listed_name,
        entry=entry_of(hit),
        case_id=case.case_id,
        state=PairState.PROPOSED,
        until=command.until,
        reason=command.note.strip(),
        proposed_by=command.actor,
        proposed_at=at,
        version=known.version if known is not None else 0,
    )
    _put(work, pair, command, at, "pair_proposed", f"until {command.until:%Y-%m-%d}", pair.reason)
    note = f"{subject.name} is not {hit.reference} {hit.listed_name}\n{pair.reason}"
    act(work, case, ActKind.PAIR_PROPOSED, command, at, note=note)
    return []


def confirm(work: Work, command: ConfirmPair, at: datetime) -> Sequence[Event] | Refusal:
    """A second person agrees: the pair is no hit until its end; or it ends."""
    pair = work.pairs.get(command.pair_id)
    if pair is None:
        return _refusal(PairRefusal.PAIR_UNKNOWN)
    if pair.until <= at:
        return _refusal(PairRefusal.END_OUT_OF_RANGE, "its time is over: propose it anew")
    if not pair.is_waiting:
        return _refusal(PairRefusal.WRONG_STATE)
    if command.actor == (pair.end_proposed_by or pair.proposed_by):
        return _refusal(PairRefusal.OWN_PROPOSAL)
    if command.version != pair.version:
        return _refusal(PairRefusal.STALE)
    if pair.end_proposed_by is not None:
        return _ended(work, pair, command, at)
    confirmed = replace(pair, state=PairState.IN_FORCE, confirmed_by=command.actor, confirmed_at=at)
    _put(work, confirmed, command, at, AuditVerb.PAIR_CONFIRMED.value, f"until {pair.until:%Y-%m-%d}")
    return []


def end(work: Work, command: EndPair, at: datetime) -> Sequence[Event] | Refusal:
    """A person does not agree: it never was ruled out. Or one sees that it holds no more: another has to confirm it."""
    pair = work.pairs.get(command.pair_id)
    if pair is None:
        return _refusal(PairRefusal.PAIR_UNKNOWN)
    if not command.note.strip():
        return _refusal(PairRefusal.NOTE_MISSING)
    if pair.state is PairState.ENDED:
        return _refusal(PairRefusal.WRONG_STATE)
    if pair.end_proposed_by is not None:
        return _refusal(PairRefusal.END_PROPOSED)
    if command.version != pair.version:
        return _refusal(PairRefusal.STALE)
    pair = replace(pair, end_reason=command.note.strip())
    if pair.state is PairState.PROPOSED:
        ended = replace(pair, state=PairState.ENDED, ended_by=command.actor, ended_at=at)
        _put(work, ended, command, at, "pair_ended", pair.end_reason)
    else:
        proposed = replace(pair, end_proposed_by=command.actor, end_proposed_at=at)
        _put(work, proposed, command, at, "pair_end_proposed", pair.end_reason)
    return []


def keep(work: Work, command: KeepPair, at: datetime) -> Sequence[Event] | Refusal:
    """A person does not agree with its end, or with what they proposed themselves: it goes on."""
    pair = work.pairs.get(command.pair_id)
    if pair is None:
        return _refusal(PairRefusal.PAIR_UNKNOWN)
    if pair.state is not PairState.IN_FORCE or pair.end_proposed_by is None:
        return _refusal(PairRefusal.WRONG_STATE)
    if command.version != pair.version:
        return _refusal(PairRefusal.STALE)
    kept = replace(pair, end_proposed_by=None, end_proposed_at=None, end_reason="")
    _put(work, kept, command, at, "pair_kept", f"its end was proposed by {pair.end_proposed_by}")
    return []


def expire(work: Work, command: ExpirePair, at: datetime) -> Sequence[Event]:
    """A pair whose time is over is a hit again, of customers too."""
    pair = work.pairs.get(command.pair_id)
    if pair is None or pair.state is not PairState.IN_FORCE or at < pair.until:
        return []
    ended = replace(pair, state=PairState.ENDED, ended_by=SYSTEM, ended_at=at, end_reason="its time was over")
    work.pairs.put(pair.pair_id, replace(ended, version=pair.version + 1))
    return customers.pair_ended(work, pair, at)


def _ended(work: Work, pair: Pair, command: ConfirmPair, at: datetime) -> Sequence[Event]:
    ended = replace(pair, state=PairState.ENDED, ended_by=command.actor, ended_at=at)
    _put(work, ended, command, at, "pair_ended", pair.end_reason, f"proposed by {pair.end_proposed_by}")
    return customers.pair_ended(work, pair, at)


def _hits(work: Work, case: Case) -> Iterator[tuple[Subject, Hit]]:
    """Whom the case is about, with each entry that they resemble."""
    screening = work.screenings.get(case.payment_id) if case.payment_id is not None else None
    for role in screening.roles if screening is not None else ():
        if role.subject is not None:
            yield from ((role.subject, hit) for hit in role.verdict.hits)
    if case.customer is not None and case.customer.subject is not None:
        yield from ((case.customer.subject, hit) for hit in case.customer.verdict.hits)


def _is_of(pair: Pair, hit: Hit) -> bool:
    return pair.entry == entry_of(hit)


def _put(work: Work, pair: Pair, command: DeskCommand, at: datetime, verb: str, *said: str) -> None:
    work.pairs.put(pair.pair_id, replace(pair, version=pair.version + 1))
    about = f"{pair.subject.name} is not {pair.reference} {pair.listed_name}"
    put_down(work, command, at, verb, ObjectKind.WHITELIST, pair.pair_id, (about, *said))


def _refusal(reason: PairRefusal, detail: str | None = None) -> Refusal:
    return Refusal(reason=reason, detail=detail or _IN_WORDS[reason], field=_FIELDS.get(reason))
