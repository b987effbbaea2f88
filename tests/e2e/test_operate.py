"""The operators' command line over all services: health, a payment's timeline, reconciliation."""

from datetime import UTC, datetime

from chaos.installation import LOOK_SECONDS, Installation
from chaos.shop import Shop
from stack.settings import SERVICES
from tests.waiting import wait_until


def test_everything_is_well_until_something_is_away(installation: Installation, shop: Shop) -> None:
    installation.wait_ready()
    status, parts = installation.operate("health")
    assert (status, {part["state"] for part in parts}) == (0, {"well"}), parts
    assert {part["part"] for part in parts} >= {"kafka", "registry", *SERVICES}
    with installation.away("fraud"):
        status, parts = installation.operate("health")
    assert status == 1
    assert [part["part"] for part in parts if part["state"] == "ill"] == ["fraud"]


def test_a_payments_timeline_is_told_by_all_services_in_order(installation: Installation, shop: Shop) -> None:
    ordered: list[str] = []

    def settled() -> list[str]:
        rows = installation.rows("payments", "SELECT payment_id::text FROM payments WHERE state = 'settled'")
        return [payment_id for (payment_id,) in rows if payment_id in ordered]

    def is_one_settled() -> bool:
        # Some are rejected, and some wait for people.
        ordered.append(shop.pay())
        return bool(settled())

    wait_until(is_one_settled, seconds_max=60, every_seconds=1.0)
    wait_until(lambda: not installation.rows("payments", "SELECT 1 FROM outbox LIMIT 1"), every_seconds=LOOK_SECONDS)
    status, events = installation.operate("timeline", settled()[0])
    assert status == 0
    names = [event["event"] for event in events]
    assert names[0] == "PaymentInitiated" and names.index("PaymentApproved") < names.index("FundsPosted")
    assert names[-1] == "PaymentSettled"
    assert {event["service"] for event in events} == set(SERVICES)
    assert len({event["event_id"] for event in events}) == len(events)
    assert [event["after_ms"] for event in events] == sorted(event["after_ms"] for event in events)


def test_services_topics_and_databases_agree(installation: Installation, shop: Shop) -> None:
    shop.pay_many(5)
    installation.come_to_rest()
    status, findings = installation.operate("reconcile")
    assert status == 0, [finding for finding in findings if finding["holds"] != "yes"]
    assert len(findings) > 10
    # Of topics that are read from a time on it is the same, but for less.
    shop.pay_many(2)
    since = datetime.now(UTC).isoformat(timespec="seconds").partition("+")[0]
    shop.pay_many(3)
    installation.come_to_rest()
    status, later = installation.operate("reconcile", "--from", since)
    assert status == 0, [finding for finding in later if finding["holds"] != "yes"]
    assert [finding["what"] for finding in later] == [finding["what"] for finding in findings]
    assert [finding["detail"] for finding in later] != [finding["detail"] for finding in findings]
