"""What Prometheus is told of payments."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

from libs.common import figures
from libs.common.service import Runtime
from libs.common.sweep import NoClaim
from schemas.accounts.events import DeclineReason
from schemas.fraud.events import FraudOutcome
from services.payments import queries
from services.payments.settings import PaymentsSettings
from tests.integration.payments.scene import assessed, declined, held, order, posted, screened, three_answers
from tests.serving import Api, message_of, tell

SECOND = timedelta(seconds=1)


def ordered(api: Api, count: int) -> list[str]:
    return [api.post("/v1/payments", order()).json()["payment_id"] for _ in range(count)]


def shown(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def seen(runtime: Runtime, name: str, now: datetime, **labels: str) -> float | None:
    """What Prometheus sees after a look at that time."""
    runtime.figures.run_once(now)
    return shown(runtime.metrics, name, **labels)


def test_payments_past_their_deadline_are_counted_and_those_that_have_ended_are_not(api: Api) -> None:
    settings = api.runtime.settings
    assert isinstance(settings, PaymentsSettings)
    first, _ = ordered(api, 2)
    now = datetime.now(UTC)
    late = now + timedelta(seconds=settings.suspend_seconds) + SECOND
    assert seen(api.runtime, "payments_past_deadline", now) == 0
    assert seen(api.runtime, "payments_past_deadline", late) == 2
    tell(api.runtime, *three_answers(first), posted(first))
    assert seen(api.runtime, "payments_past_deadline", late) == 1


def test_a_payment_is_past_its_deadline_by_the_time_in_its_state_and_not_by_its_age(api: Api) -> None:
    (payment_id,) = ordered(api, 1)
    settings = api.runtime.settings
    assert isinstance(settings, PaymentsSettings)
    late = datetime.now(UTC) + timedelta(seconds=settings.suspend_seconds) + SECOND
    tell(api.runtime, assessed(payment_id, FraudOutcome.REVIEW), screened(payment_id), held(payment_id))
    assert seen(api.runtime, "payments_past_deadline", late) == 0, "a person has days"
    later = datetime.now(UTC) + timedelta(seconds=settings.review_seconds) + SECOND
    assert seen(api.runtime, "payments_past_deadline", later) == 1


def test_open_payments_are_counted_by_their_state_with_the_age_of_the_oldest(api: Api) -> None:
    initiated, suspended, approved, settled = ordered(api, 4)
    tell(api.runtime, assessed(suspended, FraudOutcome.REVIEW), screened(suspended), held(suspended))
    tell(api.runtime, *three_answers(approved), *three_answers(settled), posted(settled))
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    api.runtime.figures.run_once(in_an_hour)
    open_ = {
        state: shown(api.runtime.metrics, "payments_open", state=state)
        for state in ("initiated", "suspended", "approved", "blocking", "settled")
    }
    assert open_ == {"initiated": 1, "suspended": 1, "approved": 1, "blocking": 0, "settled": None}
    age = shown(api.runtime.metrics, "payments_oldest_open_age_seconds", state="initiated")
    assert age is not None
    assert 3_500 < age < 3_700
    assert shown(api.runtime.metrics, "payments_oldest_open_age_seconds", state="blocking") == 0
    assert initiated


def test_counting_stops_where_it_is_no_longer_worth_it(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MEASURED_MAX", 3)
    ordered(api, 5)
    assert seen(api.runtime, "payments_open", datetime.now(UTC), state="initiated") == 3


def test_every_end_is_counted_once_with_its_public_reason(api: Api) -> None:
    def ends() -> dict[tuple[str, str], float]:
        counted = {
            (end, reason): shown(api.runtime.metrics, "payments_ended_total", end=end, reason=reason) or 0.0
            for end, reason in (("settled", "none"), ("cancelled", "none"), ("rejected", "insufficient_funds"))
        }
        for way in ("straight", "reviewed"):
            counted["settled", way] = (
                shown(api.runtime.metrics, "payments_journey_seconds_count", end="settled", way=way) or 0.0
            )
        return counted

    before = ends()
    settled, cancelled, unfunded, open_ = ordered(api, 4)
    tell(api.runtime, *three_answers(settled), posted(settled), screened(cancelled))
    tell(api.runtime, declined(unfunded, DeclineReason.INSUFFICIENT_FUNDS), assessed(open_))
    api.post(f"/v1/payments/{cancelled}/cancel")
    # What comes after an end changes the payment, and is no second end.
    tell(api.runtime, posted(settled), assessed(unfunded), screened(unfunded), held(cancelled))
    expected = dict.fromkeys(before, 1.0) | {("settled", "reviewed"): 0.0}
    assert {end: count - before[end] for end, count in ends().items()} == expected


def test_what_waits_for_people_is_counted_by_its_reasons_and_is_no_straight_journey(api: Api) -> None:
    def counted() -> tuple[float | None, ...]:
        return (
            shown(api.runtime.metrics, "payments_suspended_total", reason="fraud_review"),
            shown(api.runtime.metrics, "payments_journey_seconds_count", end="cancelled", way="reviewed"),
            shown(api.runtime.metrics, "payments_journey_seconds_count", end="cancelled", way="straight"),
        )

    before = counted()
    (suspended,) = ordered(api, 1)
    tell(api.runtime, assessed(suspended, FraudOutcome.REVIEW), screened(suspended), held(suspended))
    tell(api.runtime, screened(suspended))
    api.post(f"/v1/payments/{suspended}/cancel")
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1.0, 1.0, 0.0]  # type: ignore[operator]


def test_a_journey_leads_to_its_trace(api: Api) -> None:
    (payment_id,) = ordered(api, 1)
    messages = [message_of(body) for body in (*three_answers(payment_id), posted(payment_id))]
    api.runtime.unit.run(messages, NoClaim())
    page = openmetrics(api.runtime.metrics).decode()  # type: ignore[no-untyped-call]
    (trace_id,) = {message.trace.traceparent.split("-")[1] for message in messages[-1:]}
    assert f'trace_id="{trace_id}"' in page


def test_figures_that_are_no_longer_looked_at_are_shown_no_more(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(api.runtime, "payments_past_deadline", datetime.now(UTC)) == 0
    monkeypatch.setattr(figures, "STALE_SECONDS", 0.0)
    assert shown(api.runtime.metrics, "payments_past_deadline") is None


def test_each_figure_says_what_it_means(api: Api) -> None:
    api.runtime.figures.run_once(datetime.now(UTC))
    text = generate_latest(api.runtime.metrics).decode()
    for name in ("payments_open", "payments_past_deadline", "payments_oldest_open_age_seconds", "payments_ended_total"):
        (line,) = [line for line in text.splitlines() if line.startswith(f"# HELP {name} ")]
        assert len(line.split()) > 5
