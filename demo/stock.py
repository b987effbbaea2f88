"""What was found out after a run, and whether all of it holds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

import httpx

from demo import account, expectations
from demo.account import LOST, End, TimelineEntry
from demo.expectations import WAITING, Fulfilment
from demo.run import Result
from docs import catalogue
from libs.common.codec import Codec
from libs.common.record import Record
from libs.common.registry import Registry
from operate import nothing_lost
from operate.nothing_lost import STATE_BY_END, Finding
from operate.topics import Recorded, read
from schemas.compliance.events import CaseOpened
from schemas.fraud.events import FraudAssessed
from stack.settings import SERVICES, StackSettings

EXAMPLES = ("settled", "settled after review", "rejected after review", "blocked")


class Check(Record):
    """Something that has to hold, and what was counted to see whether it does."""

    what: str
    holds: bool
    detail: str


class Stock(Record):
    """Everything that was found out after a run."""

    result: Result
    ends: dict[str, End]
    books: dict  # type: ignore[type-arg]
    trial_balance: dict  # type: ignore[type-arg]
    comparisons: tuple[Finding, ...]
    events_by_topic: dict[str, Counter]  # type: ignore[type-arg]
    assessments: dict[str, FraudAssessed]
    timelines: dict[str, tuple[str, tuple[TimelineEntry, ...]]]
    """By how it ended: an example's id and its timeline."""
    may_wait: bool
    """Reviews are left to people, and may be open."""

    @property
    def is_well(self) -> bool:
        return all(check.holds for check in self.checks)

    @property
    def fulfilments(self) -> tuple[Fulfilment, ...]:
        """What became of payments of which something was expected."""
        return expectations.compare(self.result.ordered, self.ends, may_wait=self.may_wait)

    @property
    def checks(self) -> tuple[Check, ...]:
        """Everything that has to hold for the run to have gone well."""
        result, books = self.result, self.books
        entries = sum(books["entries_by_currency"].values())
        opened = f"{result.opened:,} of {result.parties:,} opened, {result.funded:,} of {result.to_fund:,} funded"
        has_all = result.opened == result.parties and result.funded == result.to_fund
        no_holds = self.may_wait or books["open_holds"] == 0
        findings = (self._all_ended(), *self._none_ended_wrongly(), *self.comparisons)
        return (
            Check(what="every account is open, and has its money", holds=has_all, detail=opened),
            Check(
                what="the books balance: zero per asset, balances = entries",
                holds=books["is_balanced"],
                detail=f"{entries:,} entries",
            ),
            Check(what="every hold is resolved", holds=no_holds, detail=f"{books['open_holds']:,} open"),
            *(Check(what=finding.what, holds=finding.holds, detail=finding.detail) for finding in findings),
        )

    def _all_ended(self) -> Finding:
        taken_on = {ordered.payment_id for ordered in self.result.ordered if ordered.refusal is None}
        final = {*STATE_BY_END.values(), *((WAITING,) if self.may_wait else ())}
        faults = {
            LOST: taken_on - self.ends.keys(),
            "without an end": {payment_id for payment_id, end in self.ends.items() if end.state not in final},
        }
        return Finding(
            what="every payment of this run was kept, and has ended",
            faults={fault: frozenset(ids) for fault, ids in faults.items() if ids},
            counted=f"{len(taken_on):,} payments",
        )

    def _none_ended_wrongly(self) -> list[Finding]:
        """Nothing is to be said of payments of which nothing was expected."""
        made = self.fulfilments
        if not made:
            return []
        return [
            Finding(
                what="no payment became what it must not",
                faults={fault: ids for one in made for fault, ids in one.faults.items()},
                counted=f"{sum(one.payments for one in made):,} payments made to become something",
            )
        ]


def take_stock(settings: StackSettings, result: Result, *, may_wait: bool) -> Stock:
    """Read topics and databases, and compare."""
    recorded = list(read(settings.messaging(), list(catalogue.topics())))
    databases = {service: settings.database_url(service) for service in SERVICES}
    accepted = [ordered.payment_id for ordered in result.ordered if ordered.refusal is None]
    ends = account.ends(databases["payments"], accepted)
    codec = Codec(Registry(settings.messaging()), [CaseOpened, FraudAssessed])
    this_run = [event for event in recorded if event.caused_at >= result.began_at - timedelta(seconds=1)]
    return Stock(
        result=result,
        ends=ends,
        books=_ask_accounts(settings, "books"),
        trial_balance=_ask_accounts(settings, "trial-balance"),
        comparisons=tuple(nothing_lost.compare(recorded, databases, may_wait=may_wait)),
        events_by_topic=_count(this_run),
        assessments=_assessments(this_run, codec),
        timelines=_timelines(ends, this_run, codec),
        may_wait=may_wait,
    )


def _ask_accounts(settings: StackSettings, what: str) -> dict:  # type: ignore[type-arg]
    answer = httpx.get(
        f"http://{settings.host}:{settings.service_port('accounts')}/v1/{what}",
        headers={"Authorization": f"Bearer {settings.secrets.get('api-key/demo')}"},
        timeout=120,
    )
    answer.raise_for_status()
    return dict(answer.json())


def _count(recorded: Sequence[Recorded]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {topic: Counter() for topic in catalogue.topics()}
    for event in {event.event_id: event for event in recorded}.values():
        counts[event.topic][event.event_type] += 1
    return counts


def _assessments(recorded: Sequence[Recorded], codec: Codec) -> dict[str, FraudAssessed]:
    decoded = (_decode(event, codec) for event in recorded if event.event_type == FraudAssessed.__name__)
    return {event.payment_id: event for event in decoded if isinstance(event, FraudAssessed)}


def _timelines(
    ends: Mapping[str, End], recorded: Sequence[Recorded], codec: Codec
) -> dict[str, tuple[str, tuple[TimelineEntry, ...]]]:
    opened = (_decode(event, codec) for event in recorded if event.event_type == CaseOpened.__name__)
    case_ids = {case.case_id: case.payment_id for case in opened if isinstance(case, CaseOpened) and case.payment_id}
    found = {}
    for how in EXAMPLES:
        # One from the middle: the first ones carry the warming up.
        alike = [end.payment_id for end in ends.values() if end.words == how]
        if alike:
            payment_id = alike[len(alike) // 2]
            found[how] = payment_id, tuple(account.timeline(payment_id, recorded, case_ids))
    return found


def _decode(event: Recorded, codec: Codec) -> object:
    reader = codec.reader_of(event.value)
    return reader.decode(event.value) if reader else None
