"""What payments were made to become, beside what they became: as expected, otherwise but harmless, or never to be."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from demo.account import LOST, REFUSED, End
from demo.story import Kind, Ordered
from libs.common.record import Record
from schemas.payments.events import InternalReason

SETTLED, AFTER_REVIEW = "settled", "settled after review"
WAITING = "suspended"
"""For a person, who may be asked to look: then it has not become anything yet."""


class Outcome(Record):
    """What became of a payment, and why."""

    words: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.words} ({self.reason})" if self.reason else self.words


class Expectation(Record):
    """What may become of payments of one kind."""

    ends: tuple[str, ...]
    """What they were made to become."""
    exceptions: frozenset[Outcome] = frozenset()
    """What else may become of as many as `few`, and this share of them. Anything else must not be."""
    few: int = 0
    share_max: Fraction = Fraction(0)

    def exceptions_max(self, payments: int) -> int:
        """How many of so many payments may be exceptions."""
        return self.few + int(payments * self.share_max)


_HARMLESS = Expectation(
    ends=(SETTLED, AFTER_REVIEW),
    exceptions=frozenset(
        {
            Outcome(words="rejected", reason=InternalReason.FRAUD_BLOCK),
            Outcome(words="rejected after review", reason=InternalReason.REVIEWER_REJECTED),
            Outcome(words="rejected after review", reason=InternalReason.REVIEW_TIMED_OUT),
        }
    ),
    # False alarms of fraud: a payer or a shop with a fraud lately makes the next harmless payment suspect. Backtests of
    # streams of 1,000 to 100,000 payments show at most 3 in 1,000, all for people to see, who reject some of them.
    few=3,
    share_max=Fraction(5, 1_000),
)

EXPECTATIONS: Mapping[Kind, Expectation] = {
    Kind.GOOD: _HARMLESS,
    # Each is above what the shipped rules take for usual, whoever pays: none may pass unseen.
    Kind.SUSPICIOUS: Expectation(ends=("rejected", "rejected after review", AFTER_REVIEW)),
    Kind.LISTED: Expectation(ends=("blocked",)),
    # Some names stay the listed person's own without the letter that was left out: they are blocked.
    Kind.ALIKE: Expectation(
        ends=("rejected after review", AFTER_REVIEW, "blocked"),
        exceptions=frozenset({Outcome(words=SETTLED)}),
        # Screening promises to find 98 of 100 listed names with a slip in them.
        few=2,
        share_max=Fraction(2, 100),
    ),
    Kind.UNDERFUNDED: Expectation(ends=("rejected", "rejected after review")),
    Kind.SHIPPED_IN_PART: _HARMLESS,
    Kind.RETURNED: _HARMLESS,
    Kind.MALFORMED: Expectation(ends=(REFUSED,)),
}
"""Of what a file holds nothing is known beforehand."""


class Fulfilment(Record):
    """What became of all payments of one kind."""

    kind: Kind
    became: Mapping[str, int]
    as_expected: int
    waiting: int
    exceptions: dict[Outcome, frozenset[str]]
    """The ids of those that became something else that a few may."""
    exceptions_max: int
    never: dict[Outcome, frozenset[str]]
    """The ids of those that became what none may."""

    @property
    def payments(self) -> int:
        return sum(self.became.values())

    @property
    def otherwise(self) -> int:
        return self.payments - self.as_expected - self.waiting

    @property
    def faults(self) -> dict[str, frozenset[str]]:
        """The ids of those that must not have become what they did, by what that is."""
        faults = {f"{self.kind} {outcome}": ids for outcome, ids in self.never.items()}
        if len(too_many := _all(self.exceptions.values())) > self.exceptions_max:
            words = ", ".join(sorted(str(outcome) for outcome in self.exceptions))
            faults[f"{self.kind} {words}, where {self.exceptions_max:,} may be"] = too_many
        return faults


def compare(ordered: Iterable[Ordered], ends: Mapping[str, End], *, may_wait: bool) -> tuple[Fulfilment, ...]:
    """What became of every kind of payment of which something was expected. `may_wait`: reviews may be open."""
    by_kind: dict[Kind, list[Ordered]] = defaultdict(list)
    for item in ordered:
        by_kind[item.order.kind].append(item)
    return tuple(
        _compare(kind, expectation, by_kind[kind], ends, may_wait=may_wait)
        for kind, expectation in EXPECTATIONS.items()
        if kind in by_kind
    )


def outcome(item: Ordered, ends: Mapping[str, End]) -> Outcome:
    """What became of a payment."""
    if item.refusal is not None:
        return Outcome(words=REFUSED, reason=item.refusal)
    end = ends.get(item.payment_id)
    return Outcome(words=end.words, reason=end.reason) if end else Outcome(words=LOST)


def in_words(fulfilments: Sequence[Fulfilment]) -> str:
    """A sentence with how many became what they were made to become, and how many did not."""
    payments = sum(one.payments for one in fulfilments)
    said = f"{sum(one.as_expected for one in fulfilments):,} of {payments:,} payments became what was expected"
    if held_up := sum(one.became.get(AFTER_REVIEW, 0) for one in fulfilments if SETTLED in EXPECTATIONS[one.kind].ends):
        said += f", {held_up:,} harmless {'one' if held_up == 1 else 'ones'} among them after review"
    if otherwise := sum(one.otherwise for one in fulfilments):
        each = (
            f"{len(ids):,} {one.kind} {outcome}"
            for one in fulfilments
            for outcome, ids in sorted((one.exceptions | one.never).items(), key=lambda item: str(item[0]))
        )
        said += f"; {otherwise:,} did not: {', '.join(each)}"
    if waiting := sum(one.waiting for one in fulfilments):
        said += f"; waiting for a person: {waiting:,}"
    faults = sum(len(ids) for one in fulfilments for ids in one.faults.values())
    return f"{said}. Became what must not be: {f'{faults:,}' if faults else 'none'}."


def _compare(
    kind: Kind, expectation: Expectation, items: Sequence[Ordered], ends: Mapping[str, End], *, may_wait: bool
) -> Fulfilment:
    ids: dict[Outcome, set[str]] = defaultdict(set)
    for item in items:
        ids[outcome(item, ends)].add(item.payment_id)
    expected = {one for one in ids if one.words in expectation.ends}
    waiting = {one for one in ids if may_wait and one.words == WAITING}
    exceptions = ids.keys() & expectation.exceptions
    became: Counter[str] = Counter()
    for one, theirs in ids.items():
        became[one.words] += len(theirs)
    return Fulfilment(
        kind=kind,
        became=became,
        as_expected=len(_all(ids[one] for one in expected)),
        waiting=len(_all(ids[one] for one in waiting)),
        exceptions={one: frozenset(ids[one]) for one in exceptions},
        exceptions_max=expectation.exceptions_max(len(items)),
        never={one: frozenset(ids[one]) for one in ids.keys() - expected - waiting - exceptions},
    )


def _all(sets: Iterable[Iterable[str]]) -> frozenset[str]:
    return frozenset().union(*sets)
