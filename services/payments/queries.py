"""What people and programs ask about payments: read-only SQL, and the shapes of the answers."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from libs.common.database import array, fetch, transaction
from libs.common.money import format_amount
from libs.common.record import Record
from services.payments.domain.deadlines import longest_stays
from services.payments.domain.party_data import still_missing
from services.payments.domain.payment import ENDS, Payment, PaymentState, Policy
from services.payments.domain.quota import Quota
from services.payments.domain.refund import Refund
from services.payments.store import REFUNDS, refund_of

REFUSALS_SHOWN_MAX = 1_000
MEASURED_MAX = 20_000
"""Payments that Prometheus is told of: beyond them nobody needs to know how many more there are."""

# In the order of the index that holds nothing else, so that no other plan looks cheaper, whatever the statistics say.
COUNT_IN_FLIGHT = """SELECT count(*) FROM (
  SELECT 1 FROM payments WHERE is_under_way ORDER BY payment_id LIMIT %s
) AS under_way"""

_decode = msgspec.json.Decoder(Payment).decode


class PublicState(StrEnum):
    """What a client sees of everything before the end: nothing that tells of a review."""

    PROCESSING = "processing"
    AUTHORISED = "authorised"
    """It may be captured now, for all its client knows. To filters this too is processing."""


class OpenPayments(Record):
    """The payments of one state that have not ended."""

    state: PaymentState
    count: int
    oldest_at: datetime
    past_deadline: int


def count_in_flight(engine: Engine, at_most: int) -> int:
    """Payments under way, those waiting for a person or a capture apart; counting stops a little past `at_most`."""
    with transaction(engine) as tx:
        ((count,),) = fetch(tx, COUNT_IN_FLIGHT, (at_most + 1,))
    return int(count)


def measure_open(tx: Connection, now: datetime, policy: Policy) -> list[OpenPayments]:
    """The payments that have not ended, by their state: those looked at soonest, as far as it is worth counting."""
    stays = longest_stays(policy)
    rows = fetch(
        tx,
        # A payment is no longer in its state than it is here, which the column tells without opening the body.
        """SELECT p.state, count(*), min(p.initiated_at),
                  count(*) FILTER (WHERE CASE WHEN p.initiated_at < late.since
                                              THEN (p.body::json ->> 'entered_at')::timestamptz < late.since END)
             FROM (SELECT state, initiated_at, body FROM payments
                    WHERE check_at IS NOT NULL ORDER BY check_at LIMIT %s) AS p
             JOIN unnest(%s::text[], %s::timestamptz[]) AS late (state, since) ON late.state = p.state
            GROUP BY p.state""",
        (MEASURED_MAX, [state.value for state in stays], [now - stay for stay in stays.values()]),
    )
    return [
        OpenPayments(state=PaymentState(state), count=count, oldest_at=oldest_at, past_deadline=past_deadline)
        for state, count, oldest_at, past_deadline in rows
    ]


def count_refunds_past_deadline(tx: Connection, now: datetime, policy: Policy) -> int:
    """Refunds that accounts has left unanswered for too long; counting stops where it is no longer worth it."""
    ((count,),) = fetch(
        tx,
        """SELECT count(*) FROM (
             SELECT 1 FROM refunds WHERE check_at IS NOT NULL AND requested_at < %s LIMIT %s
           ) AS unanswered""",
        (now - policy.suspend_after, MEASURED_MAX),
    )
    return int(count)


def find_payment(engine: Engine, payment_id: str) -> tuple[Payment, Sequence[Refund]] | None:
    """A payment with its refunds, the oldest first."""
    with transaction(engine) as tx:
        rows = fetch(tx, "SELECT body FROM payments WHERE payment_id = %s", (payment_id,))
        refunds = _find_refunds(tx, [payment_id])
    return (_decode(rows[0][0]), refunds[payment_id]) if rows else None


def _find_refunds(tx: Connection, payment_ids: Collection[str]) -> Mapping[str, list[Refund]]:
    rows = fetch(
        tx,
        f"""SELECT {REFUNDS.select} FROM refunds WHERE payment_id = ANY(%b::uuid[])
             ORDER BY requested_at, refund_id""",
        (array("uuid", payment_ids),),
    )
    found: defaultdict[str, list[Refund]] = defaultdict(list)
    for refund in map(refund_of, rows):
        found[refund.payment_id].append(refund)
    return found


def list_payments(
    engine: Engine,
    *,
    client_id: str | None,
    is_staff: bool,
    states: Sequence[str] | None,
    debtor_account_id: str | None,
    batch_id: str | None,
    initiated_from: datetime | None,
    initiated_before: datetime | None,
    before: str | None,
    limit: int,
) -> dict[str, Any]:
    """A page of payments, newest first."""
    filters = {
        "client_id = %s": client_id,
        "state = ANY(%b::text[])": states and list(states),
        "debtor_account_id = %s": debtor_account_id,
        "batch_id = %s": batch_id,
        "initiated_at >= %s": initiated_from,
        "initiated_at < %s": initiated_before,
        "payment_id < %s": before,
    }
    given = {condition: value for condition, value in filters.items() if value is not None}
    where = " AND ".join(given) or "true"
    now = datetime.now(UTC)
    with transaction(engine) as tx:
        rows = fetch(
            tx,
            f"SELECT body FROM payments WHERE {where} ORDER BY payment_id DESC LIMIT %s",
            (*given.values(), limit + 1),
        )
        found = [_decode(body) for (body,) in rows[:limit]]
        refunds = _find_refunds(tx, [payment.payment_id for payment in found if payment.refund_count])
    page = [payment_view(payment, refunds[payment.payment_id], is_staff=is_staff, now=now) for payment in found]
    return {"payments": page, "next_cursor": page[-1]["payment_id"] if len(rows) > limit else None}


def payment_view(payment: Payment, refunds: Sequence[Refund] = (), *, is_staff: bool, now: datetime) -> dict[str, Any]:
    """A payment with its refunds as its client sees it now, or with internal reasons and evidence as staff does."""
    order, captured = payment.order, payment.captured
    steps = [step for step in payment.steps if is_staff or not step.is_internal]
    view: dict[str, Any] = {
        "payment_id": payment.payment_id,
        "state": payment.state.value if is_staff or payment.has_ended else _public_state(payment, now).value,
        "reason": payment.public_reason,
        "amount": format_amount(order.amount_minor, order.currency),
        "fee": format_amount(order.fee_minor, order.currency),
        "currency": order.currency,
        "debtor_account_id": order.debtor_account_id,
        "creditor_account_id": order.creditor_account_id,
        "capture": payment.capture,
        "capture_by": payment.capture_by,
        "captured_amount": captured and format_amount(captured.amount_minor, order.currency),
        "captured_fee": captured and format_amount(captured.fee_minor, order.currency),
        "batch_id": payment.batch_id,
        "line_number": payment.line_number,
        "transfer_id": payment.transfer_id,
        "initiated_at": payment.initiated_at,
        "ended_at": payment.ended_at,
        "missing": still_missing(payment),
        "refunds": [refund_view(refund, order.currency) for refund in refunds],
        "timeline": [{"at": step.at, "what": step.what, "detail": step.detail or None} for step in steps],
    }
    if is_staff:
        view |= {
            "client_id": order.client_id,
            "internal_reason": payment.internal_reason,
            "suspension_reasons": payment.reasons,
            "evidence": payment.evidence,
            "deadline_at": payment.deadline_at,
        }
    return msgspec.to_builtins(view)  # type: ignore[no-any-return]


def refund_view(refund: Refund, currency: str) -> dict[str, Any]:
    """A refund as everybody sees it."""
    view = {
        "refund_id": refund.refund_id,
        "payment_id": refund.payment_id,
        "state": refund.state,
        "reason": refund.reason,
        "amount": format_amount(refund.amount_minor, currency),
        "currency": currency,
        "transfer_id": refund.transfer_id,
        "requested_at": refund.requested_at,
        "ended_at": refund.ended_at,
    }
    return msgspec.to_builtins(view)  # type: ignore[no-any-return]


def _public_state(payment: Payment, now: datetime) -> PublicState:
    # By its own time, not by when the sweep ends it: one that people look at outlives it.
    return PublicState.AUTHORISED if payment.awaits_capture(now) else PublicState.PROCESSING


def find_batch(engine: Engine, batch_id: str, *, client_id: str | None) -> dict[str, Any] | None:
    """A file of payments: how far it has come in, what became of its lines, and which were refused."""
    with transaction(engine) as tx:
        batches = fetch(
            tx, "SELECT client_id, opened_at, line_count, completed_at FROM batches WHERE batch_id = %s", (batch_id,)
        )
        if not batches or client_id not in (None, batches[0][0]):
            return None
        states = fetch(tx, "SELECT state, count(*) FROM payments WHERE batch_id = %s GROUP BY state", (batch_id,))
        refused = fetch(
            tx,
            """SELECT line_number, reason, field, detail, count(*) OVER () FROM refused_lines
                WHERE batch_id = %s ORDER BY line_number LIMIT %s""",
            (batch_id, REFUSALS_SHOWN_MAX),
        )
    ((_, opened_at, line_count, completed_at),) = batches
    ended = {state: count for state, count in states if PaymentState(state) in ENDS}
    accepted = sum(count for _, count in states)
    return {
        "batch_id": batch_id,
        "is_complete": completed_at is not None,
        "lines": line_count,
        "accepted": accepted,
        "refused": refused[0][4] if refused else 0,
        "states": {PublicState.PROCESSING.value: accepted - sum(ended.values()), **ended},
        "opened_at": opened_at,
        "completed_at": completed_at,
        "refusals": [
            {"line": line, "reason": reason, "field": field, "detail": detail}
            for line, reason, field, detail, _ in refused
        ],
    }


def list_quotas(tx: Connection, client_id: str | None, now: datetime) -> list[Quota]:
    """What clients may order in a day, and have ordered today: all of them, or one client's."""
    rows = fetch(
        tx,
        """SELECT client_id, measure, CASE WHEN used_on >= %s THEN used ELSE 0 END, most FROM quotas
            WHERE %s::text IS NULL OR client_id = %s ORDER BY client_id, measure""",
        (now.date(), client_id, client_id),
    )
    return [
        Quota(client_id=client, measure=measure, used_on=now.date(), used=used, most=most)
        for client, measure, used, most in rows
    ]


def states_named(name: str, *, is_staff: bool) -> list[str] | None:
    """The states that a filter means, or None if there is none of that name.

    To a client all states before the end look the same, so that it can't ask for one of them either.
    """
    if name == PublicState.PROCESSING:
        return [member.value for member in PaymentState if member not in ENDS]
    known = frozenset(PaymentState) if is_staff else ENDS
    return [name] if name in known else None
