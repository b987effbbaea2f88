"""What payments' tests over HTTP share: accounts it knows of, orders, what the others answer, looks at the database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.common import ids
from libs.common.events import Event
from libs.common.service import Runtime
from schemas.accounts.events import AccountClosed, AccountFrozen, AccountOpened, FundsDeclined, FundsHeld, FundsPosted
from schemas.compliance.events import ComplianceScreened, PartyRole, ScreeningHit, ScreeningOutcome
from schemas.fraud.events import FraudAssessed, FraudFinding, FraudOutcome
from schemas.payments.events import PaymentInitiated
from tests.serving import counts, tell, told

BODY_BYTES_MAX, FILE_BYTES_MAX = 4_000, 2_000_000
NOW = datetime.now(UTC)

ANNS, BENS, CARLS, YENS, FROZEN, CLOSED, UNKNOWN = (
    ids.named(name) for name in ("anns", "bens", "carls", "yens", "frozen", "closed", "unknown")
)
STORED = ("payments", "refunds", "batches", "refused_lines", "outbox", "idempotency_keys")


def know_accounts(runtime: Runtime) -> None:
    """Ann, Ben and Carl have euros, someone has yen; one account is frozen and one closed."""
    opened = [
        AccountOpened(
            account_id=account_id,
            customer_id=ids.derive(account_id, "owner"),
            currency="JPY" if account_id == YENS else "EUR",
            opened_at=NOW,
        )
        for account_id in (ANNS, BENS, CARLS, YENS, FROZEN, CLOSED)
    ]
    tell(runtime, *opened)
    tell(
        runtime,
        AccountFrozen(account_id=FROZEN, customer_id=ids.derive(FROZEN, "owner"), frozen_at=NOW),
        AccountClosed(account_id=CLOSED, customer_id=ids.derive(CLOSED, "owner"), closed_at=NOW),
    )


def order(place: str | None = None, value: Any = None, **fields: Any) -> dict[str, Any]:
    """An order of Ann's to pay Ben, with another value at a place such as `debtor.name`; `...` leaves it out."""
    body: dict[str, Any] = {
        "currency": "EUR",
        "amount": "12.34",
        "debtor": {"account_id": ANNS, "name": "Ann Miller"},
        "creditor": {"account_id": BENS, "name": "Ben Baker"},
        **fields,
    }
    if place is not None:
        *parents, last = place.split(".")
        holder = body[parents[0]] if parents else body
        if value is ...:
            del holder[last]
        else:
            holder[last] = value
    return body


def stored(runtime: Runtime) -> dict[str, int]:
    """How much a request has left behind."""
    return {table: count for table, count in counts(runtime, *STORED).items() if count}


def initiated(runtime: Runtime) -> list[PaymentInitiated]:
    """The orders that the others have been, or will be, asked about."""
    return [event for event in told(runtime) if isinstance(event, PaymentInitiated)]


# What the others answer about a payment of Ann's


def assessed(payment_id: str, outcome: FraudOutcome = FraudOutcome.ALLOW) -> FraudAssessed:
    findings: Sequence[FraudFinding] = (FraudFinding(rule="velocity", score=0.7, reason="seven in an hour"),)
    return FraudAssessed(
        payment_id=payment_id,
        debtor_account_id=ANNS,
        outcome=outcome,
        score=0.7 if outcome is not FraudOutcome.ALLOW else 0.0,
        findings=() if outcome is FraudOutcome.ALLOW else tuple(findings),
        rules_version="1",
        assessed_at=NOW,
    )


def screened(payment_id: str, outcome: ScreeningOutcome = ScreeningOutcome.CLEAR) -> ComplianceScreened:
    hit = ScreeningHit(
        role=PartyRole.CREDITOR, list_name="UN", entity_id="7", listed_name="Benn", score=0.9, explanation="one letter"
    )
    return ComplianceScreened(
        payment_id=payment_id,
        debtor_account_id=ANNS,
        outcome=outcome,
        hits=() if outcome is ScreeningOutcome.CLEAR else (hit,),
        lists_version="1",
        screened_at=NOW,
    )


def held(payment_id: str) -> FundsHeld:
    return FundsHeld(
        payment_id=payment_id,
        debtor_account_id=ANNS,
        amount_minor=1234,
        fee_minor=22,
        currency="EUR",
        held_at=NOW,
        expires_at=NOW + timedelta(days=30),
    )


def declined(payment_id: str, reason: Any) -> FundsDeclined:
    return FundsDeclined(payment_id=payment_id, debtor_account_id=ANNS, reason=reason, declined_at=NOW)


def posted(payment_id: str) -> FundsPosted:
    return FundsPosted(
        payment_id=payment_id,
        debtor_account_id=ANNS,
        creditor_account_id=BENS,
        amount_minor=1234,
        fee_minor=22,
        currency="EUR",
        transfer_id=ids.derive(payment_id, "transfer"),
        posted_at=NOW,
    )


def three_answers(payment_id: str) -> tuple[Event, ...]:
    """All that approves a payment."""
    return assessed(payment_id), screened(payment_id), held(payment_id)
