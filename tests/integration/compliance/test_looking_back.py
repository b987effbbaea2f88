"""Settled payments on real parts: looked at again by the sweep when a list changes, within their time."""

from datetime import UTC, datetime, timedelta

from libs.common import ids
from libs.common.service import Runtime
from schemas.payments.events import Answer, PaymentAnswerOverdue, PaymentInitiated, PaymentSettled
from services.compliance.domain.looking_back import GoOn
from services.compliance.domain.work import LookingBack
from services.compliance.store.looking_back import forget_orders
from tests.deciding import decide
from tests.integration.compliance.scene import case_of, initiated, order, rows, take_in
from tests.integration.compliance.test_desk import signed_in
from tests.serving import running
from tests.waiting import wait_until

HEADER = "entity_id,kind,name\n"


def settled(event: PaymentInitiated) -> PaymentSettled:
    ordered = event.order
    return PaymentSettled(
        payment_id=event.payment_id,
        debtor_account_id=ordered.debtor_account_id,
        creditor_account_id=ordered.creditor_account_id,
        debtor_customer_id=ordered.debtor_customer_id,
        creditor_customer_id=ordered.creditor_customer_id,
        amount_minor=ordered.amount_minor,
        currency=ordered.currency,
        instructed_at=ordered.instructed_at,
        transfer_id=ids.new(),
        settled_at=datetime.now(UTC),
    )


def take_in_names(runtime: Runtime, *names: str) -> None:
    take_in(runtime, HEADER + "".join(f"{n},person,{name}\n" for n, name in enumerate(names, 1)))


def sweep(runtime: Runtime) -> None:
    """Have the sweep carry out all that is due."""
    behind = "SELECT count(*) FROM screenings WHERE is_to_look_at"
    done = "SELECT l.is_done AND l.catalogue_version = c.version FROM looking_back l, catalogue c"
    with running(runtime.sweep.run):
        wait_until(lambda: rows(runtime, f"SELECT ({done}), ({behind})") == [(True, 0)])


def test_a_payment_of_which_only_a_late_answer_was_asked_is_looked_at_too(compliance: Runtime) -> None:
    take_in_names(compliance, "Somebody Else Entirely")
    told = initiated(order("Una Wex"))
    overdue = PaymentAnswerOverdue(
        payment_id=told.payment_id, order=told.order, awaited=(Answer.COMPLIANCE,), overdue_at=datetime.now(UTC)
    )
    decide(compliance, overdue)
    decide(compliance, settled(told))
    take_in_names(compliance, "Yolanda Pettigrew", "Una Wex")
    sweep(compliance)
    assert rows(compliance, "SELECT case_id FROM cases") == [(case_of(told),)]


def test_of_payments_without_news_nothing_is_written_when_a_list_changes(compliance: Runtime) -> None:
    take_in_names(compliance, "Somebody Else Entirely")
    events = [initiated(order(creditor=name)) for name in ("Ben Baker", "Yolanda Pettigrew", "Carl Cook")]
    decide(compliance, *events)
    decide(compliance, *map(settled, events))
    written = "SELECT payment_id::text, xmin::text FROM screenings"
    before = dict(rows(compliance, written))
    take_in_names(compliance, "Somebody Else Entirely", "Yolanda Pettigrew")
    sweep(compliance)
    after = dict(rows(compliance, written))
    assert [id_ for id_ in before if after[id_] != before[id_]] == [events[1].payment_id]


def test_a_hit_on_a_settled_payment_becomes_a_case_that_the_desk_shows(compliance: Runtime, address: str) -> None:
    take_in_names(compliance, "Somebody Else Entirely")
    events = [initiated(order(creditor=name)) for name in ("Yolanda Pettigrew", "Ben Baker", "Una Wex")]
    decide(compliance, *events)
    decide(compliance, *map(settled, events[:2]))
    take_in_names(compliance, "Somebody Else Entirely", "Yolanda Pettigrew", "Una Wex")
    sweep(compliance)
    found = rows(compliance, "SELECT case_id, reasons FROM cases")
    assert found == [(case_of(events[0]), ["found_later"])]
    with signed_in(address, "analyst") as analyst:
        page = analyst.http.get(f"/desk/cases/{case_of(events[0])}").text
        assert "Found after it had settled" in page
        assert "Yolanda Pettigrew" in page
    # One that settles after the list has changed is looked at then.
    decide(compliance, settled(events[2]))
    sweep(compliance)
    assert len(rows(compliance, "SELECT FROM cases")) == 2


def aged(runtime: Runtime, payment_id: str, *, screened: int, settled: int | None = None) -> None:
    """Have a payment been screened, and settled, so many days ago."""
    runtime.unit.administer(
        lambda tx: tx.exec_driver_sql(
            """UPDATE screenings SET screened_at = now() - %s * interval '1 day',
                      settled_at = now() - %s::integer * interval '1 day' WHERE payment_id = %s""",
            (screened, settled, payment_id),
        )
    )


def test_orders_are_forgotten_so_long_after_they_settled_and_answers_stay(compliance: Runtime) -> None:
    events = [initiated() for _ in range(5)]
    decide(compliance, *events)
    young, held, long_held, old, over = (event.payment_id for event in events)
    aged(compliance, young, screened=1)
    aged(compliance, held, screened=29)
    aged(compliance, long_held, screened=31, settled=29)
    aged(compliance, old, screened=32, settled=31)
    aged(compliance, over, screened=31)

    def forget(days: int) -> set[str]:
        compliance.unit.administer(lambda tx: forget_orders(timedelta(days=days), tx, 100))
        left = rows(compliance, "SELECT payment_id FROM screenings WHERE ordered IS NOT NULL")
        return {payment_id for (payment_id,) in left}

    assert forget(30) == {young, held, long_held}
    assert forget(2) == {young, held}, "what is held is not forgotten before it can have settled"
    assert forget(0) == set()
    assert rows(compliance, "SELECT count(*) FROM screenings") == [(5,)]


def test_a_look_that_failed_in_another_batch_falls_not_behind_the_mark(compliance: Runtime) -> None:
    event = initiated()
    decide(compliance, event)
    decide(compliance, settled(event))
    after = LookingBack(matcher_version=1, catalogue_version=1, mark=None, is_done=False)
    decide(compliance, GoOn(before=None, after=after, payment_ids=(event.payment_id,)))
    assert rows(compliance, "SELECT is_to_look_at FROM screenings") == [(True,)]
