"""A payment's timeline across services: what payments saw of all, if the desk may ask it, else what is known here.

Payments hears every answer there is about a payment, so its record is the one timeline of all services. It is read
for each look at a case, with the key of staff's that the installation gives, and never kept: what a case rests on are
events alone.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import httpx
import msgspec

from libs.common.record import Record
from services.compliance.desk.render import plain
from services.compliance.domain.case import Case
from services.compliance.domain.work import Screening
from services.compliance.settings import ComplianceSettings

TIMEOUT_SECONDS = 2.0
ANSWER_BYTES_MAX = 1_000_000
STEPS_SHOWN_MAX = 200

log = logging.getLogger(__name__)


class Source(StrEnum):
    """Whose record a timeline is."""

    PAYMENTS = "payments"
    OWN = "own"
    """What compliance itself knows: payments is not asked, by configuration."""
    AWAY = "away"
    """The same, because payments did not answer."""


class JourneyStep(Record):
    """A line of a payment's timeline."""

    at: datetime
    what: str
    detail: str
    service: str
    """Whose doing it was."""


class Journey(Record):
    """What became of a payment, in order."""

    source: Source
    steps: tuple[JourneyStep, ...]


class _Step(Record):
    at: datetime
    what: str
    detail: str | None = None


class _Answer(Record):
    timeline: tuple[_Step, ...]


_decode = msgspec.json.Decoder(_Answer).decode

_SERVICES = {
    "fraud answered": "fraud",
    "compliance answered": "compliance",
    "compliance looked again": "compliance",
    "under review": "compliance",
    "reviewers decided": "compliance",
    "funds held": "accounts",
    "funds declined": "accounts",
    "funds released": "accounts",
    "posting refused": "accounts",
    "settled": "accounts",
    "blocked": "accounts",
}
"""By what payments saw. All else is its own doing."""


class Journeys:
    """Finds payments' timelines."""

    def __init__(self, settings: ComplianceSettings) -> None:
        self._client: httpx.Client | None = None
        if settings.payments_url is not None and settings.payments_key is not None:
            self._client = httpx.Client(
                base_url=settings.payments_url,
                headers={"Authorization": f"Bearer {settings.payments_key.get_secret_value()}"},
                timeout=TIMEOUT_SECONDS,
            )

    def find(self, case: Case, screening: Screening | None) -> Journey | None:
        """The timeline of a case's payment; None if it is about none."""
        if case.payment is None or case.payment_id is None:
            return None
        if self._client is None:
            return Journey(source=Source.OWN, steps=_own(case, screening))
        steps = _ask(self._client, case.payment_id)
        if steps is None:
            return Journey(source=Source.AWAY, steps=_own(case, screening))
        return Journey(source=Source.PAYMENTS, steps=steps)


def _ask(client: httpx.Client, payment_id: str) -> tuple[JourneyStep, ...] | None:
    """What payments answers; None if it can't be reached, or answers anything else than such a timeline."""
    try:
        answer = client.get(f"/v1/payments/{payment_id}")
        answer.raise_for_status()
        if len(answer.content) > ANSWER_BYTES_MAX:
            raise ValueError(f"{len(answer.content)} bytes")
        steps = _decode(answer.content).timeline
    except (httpx.HTTPError, ValueError, msgspec.MsgspecError) as error:
        log.warning("payments did not tell a timeline", extra={"payment_id": payment_id, "error": str(error)})
        return None
    return tuple(
        JourneyStep(
            at=step.at,
            what=plain(step.what),
            detail=plain(step.detail or ""),
            service=_SERVICES.get(step.what, "payments"),
        )
        for step in steps[-STEPS_SHOWN_MAX:]
    )


def _own(case: Case, screening: Screening | None) -> tuple[JourneyStep, ...]:
    assert case.payment is not None
    found = [_step(case.payment.order.instructed_at, "ordered", f"by {case.payment.order.client_id}", "payments")]
    if screening is not None:
        found.append(_step(screening.screened_at, "compliance answered", screening.outcome.value, "compliance"))
    if case.told_at is not None:
        evidence = case.payment.evidence
        answers: Sequence[tuple[str, str | None]] = (
            ("fraud", evidence.fraud_outcome),
            ("funds", evidence.funds_outcome),
        )
        known = ", ".join(f"{name} {value}" for name, value in answers if value)
        found.append(_step(case.told_at, "suspended", known, "payments"))
    if case.ended_at is not None and not case.is_second_look:
        decided = f"reviewers decided: {case.decision.value}" if case.decision else "went on, or ended, without people"
        found.append(_step(case.ended_at, decided, "", "compliance" if case.decision else "payments"))
    return tuple(sorted(found, key=lambda step: step.at))


def _step(at: datetime, what: str, detail: str, service: str) -> JourneyStep:
    return JourneyStep(at=at, what=what, detail=plain(detail), service=service)
