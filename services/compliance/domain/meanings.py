"""What people can decide about a case, in their words, and what that comes to. Pure.

Events and the API say approve, reject and block whatever it is about. To people those words are about money that is
held, or a customer that is to be served: of what has moved already they say whether it is explained or suspicious.
"""

from collections.abc import Sequence

from libs.common.record import Record
from schemas.compliance.events import CaseDecision
from services.compliance.domain.case import SYSTEM, Act, Case, CaseReason

_NOTHING_IS_CHANGED = "should have been decided; nothing is changed by it"
_ABOUT_MOVED = {
    CaseDecision.APPROVE: "explained",
    CaseDecision.REJECT: "suspicious",
    CaseDecision.BLOCK: "suspicious",
}


class Choice(Record):
    """One of the things that can be decided."""

    decision: CaseDecision
    word: str
    meaning: str


def choices(case: Case) -> tuple[Choice, ...]:
    """What can be decided about a case, each once; whether it may be is the case's to say (`Case.may_end_in`)."""
    meanings = _meanings(case)
    return tuple(
        Choice(decision=decision, word=word_of(case, decision), meaning=meaning)
        for decision, meaning in meanings.items()
    )


def word_of(case: Case, decision: CaseDecision) -> str:
    """A decision about this case as people say it."""
    return _ABOUT_MOVED.get(decision, decision.value) if _is_about_moved(case) else decision.value


def words_of(case: Case, acts: Sequence[Act]) -> dict[int, str]:
    """What was decided or proposed by each of a case's acts, by its number, as people said it then.

    Of a payment that was held once, and was found to have settled later, the earlier acts were about held money.
    """
    decided = {act.number: act.decision for act in acts if act.decision is not None}
    found = [act.number for act in acts if act.actor == SYSTEM and CaseReason.FOUND_LATER in act.note]
    since = min(found, default=0) if _was_found_later(case) else 0
    return {
        number: word_of(case, decision) if number > since else decision.value for number, decision in decided.items()
    }


def _is_about_moved(case: Case) -> bool:
    return bool(case.alerts) or _was_found_later(case)


def _was_found_later(case: Case) -> bool:
    return case.is_second_look and CaseReason.FOUND_LATER in case.reasons


def _meanings(case: Case) -> dict[CaseDecision, str]:
    """What each decision comes to. A listed party's money is blocked, whatever people decide."""
    if _was_found_later(case):
        # Where only blocking may be said, that is what suspicious stands for.
        wrong = CaseDecision.REJECT if case.may_end_in(CaseDecision.REJECT) else CaseDecision.BLOCK
        return {
            CaseDecision.APPROVE: "it is someone else, or nothing is wrong",
            wrong: "it should not have settled: what follows is done outside, and nothing is changed by it",
        }
    if case.alerts:
        # What has moved has moved; whether the customer is served is another case's to decide.
        return {
            CaseDecision.APPROVE: "the next alert opens another case",
            CaseDecision.REJECT: "the compliance officer considers a report",
        }
    if case.is_second_look:
        return dict.fromkeys((CaseDecision.APPROVE, CaseDecision.REJECT, CaseDecision.BLOCK), _NOTHING_IS_CHANGED)
    if case.payment is None:
        block = "do not serve this listed customer: what it owns is blocked"
        reject = "do not serve this customer"
        if case.is_about_listed_party:
            reject += "; what it owns is blocked all the same"
    else:
        is_listed = case.is_about_listed_party and case.may_end_in(CaseDecision.REJECT)
        reject = "refuse it; the money is blocked all the same" if is_listed else "refuse it, money goes back"
        block = "keep the money in blocked funds"
    return {CaseDecision.APPROVE: "let it go on", CaseDecision.REJECT: reject, CaseDecision.BLOCK: block}
