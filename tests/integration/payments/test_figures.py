"""What Prometheus is told of payments' tables."""

from datetime import UTC, datetime, timedelta

from prometheus_client import generate_latest

from libs.common.service import Runtime
from services.payments.settings import PaymentsSettings
from tests.integration.payments.scene import assessed, held, order, posted, screened
from tests.serving import Api, tell

SECOND = timedelta(seconds=1)


def test_payments_past_their_deadline_are_counted_and_those_that_have_ended_are_not(api: Api) -> None:
    settings = api.runtime.settings
    assert isinstance(settings, PaymentsSettings)
    accepted = [api.post("/v1/payments", order()) for _ in range(2)]
    payment_ids = [answer.json()["payment_id"] for answer in accepted]
    now = datetime.now(UTC)
    late = now + timedelta(seconds=settings.suspend_seconds) + SECOND

    assert past_deadline(api.runtime, now) == 0
    assert past_deadline(api.runtime, late) == 2

    for answer in (assessed(payment_ids[0]), screened(payment_ids[0]), held(payment_ids[0]), posted(payment_ids[0])):
        tell(api.runtime, answer)
    assert past_deadline(api.runtime, late) == 1


def past_deadline(runtime: Runtime, now: datetime) -> float:
    runtime.figures.run_once(now)
    lines = generate_latest(runtime.metrics).decode().splitlines()
    (line,) = [line for line in lines if line.startswith("payments_past_deadline ")]
    return float(line.split()[1])
