"""Growth: what an event costs with ten million payments stored, against a hundred thousand.

The past is loaded by SQL. Times are of the ledger's and payments' own units of work, on one thread.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from bench import batches, ledger, orders
from bench.figures import Figures
from libs.common import ids
from libs.common.database import execute, transaction
from libs.common.service import Runtime
from schemas.accounts.events import AccountOpened, FundsHeld, FundsPosted
from schemas.compliance.events import ComplianceScreened, ScreeningOutcome
from schemas.fraud.events import FraudAssessed, FraudOutcome
from schemas.payments.events import PaymentInitiated, PaymentPersonalData
from services.accounts.__main__ import SERVICE as ACCOUNTS
from services.payments.__main__ import SERVICE as PAYMENTS
from services.payments.domain.intake import InitiatePayment
from tests.parts import Parts

SMALL, LARGE = 100_000, 10_000_000
STEP = 1_000_000
MEASURED = 5_000
BATCH = 500
PAYERS = 1_000

_ID = "(lpad(to_hex(x'018f00000000'::bigint + n / 8), 12, '0') || '7' || substr(md5({salt} || n::text), 1, 19))::uuid"
"""Ids as they come to be in life: ordered by time, but for the last digits."""


def ledger_growth(parts: Parts) -> Figures:
    """Holding and posting the money of a payment."""
    with parts.runtime(ACCOUNTS) as runtime:
        payers, payees = ledger.funded_accounts(runtime, PAYERS)

        def measure(seed: int) -> float:
            payments = orders.initiated(MEASURED, payers=payers, payees=payees, seed=seed)
            held = batches.apply(runtime, payments, batch_size=BATCH)
            posted = batches.apply(runtime, [ledger.approved(event) for event in payments], batch_size=BATCH)
            return sum(held) + sum(posted)

        return _growth("ledger", runtime, _LEDGER_PAST, measure)


def journey_growth(parts: Parts) -> Figures:
    """What payments does for a payment: taking it on, three answers, and the posting."""
    with parts.runtime(PAYMENTS) as runtime:
        payers, payees = [ids.new() for _ in range(PAYERS)], [ids.new() for _ in range(orders.MERCHANTS)]
        batches.apply(runtime, [_opened(id_) for id_ in (*payers, *payees)], batch_size=BATCH)

        def measure(seed: int) -> float:
            seconds = 0.0
            payments = orders.initiated(MEASURED, payers=payers, payees=payees, seed=seed)
            seconds += sum(batches.ask(runtime, [_command(event) for event in payments], batch_size=BATCH))
            for answer in (_assessed, _screened, _held, _posted):
                seconds += sum(batches.apply(runtime, [answer(event) for event in payments], batch_size=BATCH))
            return seconds

        return _growth("journey", runtime, _JOURNEY_PAST, measure)


def _growth(name: str, runtime: Runtime, past: Sequence[str], measure: Callable[[int], float]) -> Figures:
    _load(runtime, past, 0, SMALL)
    measure(1)
    small = min(measure(2), measure(3))
    _load(runtime, past, SMALL, LARGE)
    measure(4)
    large = min(measure(5), measure(6))
    return {
        f"{name}_microseconds_per_payment_with_100_thousand": small / MEASURED * 1e6,
        f"{name}_microseconds_per_payment_with_10_million": large / MEASURED * 1e6,
        f"{name}_growth_ratio": large / small,
    }


def _load(runtime: Runtime, past: Sequence[str], start: int, end: int) -> None:
    for first in range(start, end, STEP):
        with transaction(runtime.engine) as tx:
            execute(tx, "SET LOCAL statement_timeout = 0")
            for statement in past:
                execute(tx, statement.replace("{first}", str(first)).replace("{last}", str(min(first + STEP, end) - 1)))
            tx.commit()
    with runtime.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("VACUUM ANALYZE")
        connection.exec_driver_sql("RESET statement_timeout")


def _past(table: str, columns: str, values: str, salt: str = "''") -> str:
    """A statement that stores the payments from {first} to {last} in a table."""
    chosen = values.replace("{id}", _ID.format(salt=salt))
    return f"INSERT INTO {table} ({columns}) SELECT {chosen} FROM generate_series({{first}}, {{last}}) n"


_ACCOUNT = "md5((n % 100000)::text)::uuid"
_OTHER = "md5('other' || (n % 100000)::text)::uuid"

_LEDGER_PAST = (
    "ALTER TABLE entries DISABLE TRIGGER USER",
    _past(
        "holds",
        "payment_id, debtor_account_id, creditor_account_id, amount_minor, currency, status, transfer_id, sequence",
        f"{{id}}, {_ACCOUNT}, {_OTHER}, 100, 'EUR', 'posted', {{id}}, 2",
    ),
    _past(
        "transfers",
        "transfer_id, kind, payment_id, debit_account_id, credit_account_id, amount_minor, currency, effective_at, "
        "recorded_at",
        f"{{id}}, 'payment', {{id}}, {_ACCOUNT}, {_OTHER}, 100, 'EUR', now(), now()",
    ),
    *(
        _past(
            "entries",
            "account_id, number, transfer_id, amount_minor, balance_minor, effective_at, recorded_at",
            f"{account}, n / 100000 + 1, {{id}}, {sign}100, 0, now(), now()",
        )
        for account, sign in ((_ACCOUNT, "-"), (_OTHER, ""))
    ),
    *(_past("inbox", "consumer, event_id", "'accounts', {id}", salt) for salt in ("'held'", "'posted'")),
    "ALTER TABLE entries ENABLE TRIGGER USER",
)

_JOURNEY_PAST = (
    _past(
        "payments",
        "payment_id, client_id, state, debtor_account_id, amount_minor, currency, initiated_at, body",
        f"{{id}}, 'bench', 'settled', {_ACCOUNT}, 100, 'EUR', now(), repeat('x', 200)",
    ),
    *(_past("inbox", "consumer, event_id", "'payments', {id}", f"'{n}'") for n in range(4)),
)


def _opened(account_id: str) -> AccountOpened:
    return AccountOpened(
        account_id=account_id, customer_id=ids.derive(account_id, "owner"), currency="EUR", opened_at=orders.START
    )


def _command(event: PaymentInitiated) -> InitiatePayment:
    order = event.order
    assert isinstance(order.personal, PaymentPersonalData)
    return InitiatePayment(
        payment_id=event.payment_id,
        client_id=order.client_id,
        debtor_account_id=order.debtor_account_id,
        creditor_account_id=order.creditor_account_id,
        amount_minor=order.amount_minor,
        currency=order.currency,
        channel=order.channel,
        device_id=order.device_id,
        ip_country=order.ip_country,
        personal=order.personal,
    )


def _assessed(event: PaymentInitiated) -> FraudAssessed:
    return FraudAssessed(
        payment_id=event.payment_id,
        debtor_account_id=event.order.debtor_account_id,
        outcome=FraudOutcome.ALLOW,
        score=0.0,
        rules_version="bench",
        assessed_at=event.initiated_at,
    )


def _screened(event: PaymentInitiated) -> ComplianceScreened:
    return ComplianceScreened(
        payment_id=event.payment_id,
        debtor_account_id=event.order.debtor_account_id,
        outcome=ScreeningOutcome.CLEAR,
        lists_version="bench",
        screened_at=event.initiated_at,
    )


def _held(event: PaymentInitiated) -> FundsHeld:
    return FundsHeld(
        payment_id=event.payment_id,
        debtor_account_id=event.order.debtor_account_id,
        amount_minor=event.order.amount_minor,
        currency=event.order.currency,
        held_at=event.initiated_at,
        expires_at=event.initiated_at + timedelta(days=30),
    )


def _posted(event: PaymentInitiated) -> FundsPosted:
    return FundsPosted(
        payment_id=event.payment_id,
        debtor_account_id=event.order.debtor_account_id,
        creditor_account_id=event.order.creditor_account_id,
        amount_minor=event.order.amount_minor,
        currency=event.order.currency,
        transfer_id=event.payment_id,
        posted_at=event.initiated_at,
    )
