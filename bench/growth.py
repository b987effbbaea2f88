"""Growth: what an event costs with ten million payments stored, against a hundred thousand.

The past is loaded by SQL. Times are of the ledger's and payments' own units of work, on one thread.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import psycopg

from bench import batches, ledger, orders, transfers
from bench.figures import Figures, median
from libs.common import ids
from libs.common.service import Runtime, Service
from schemas.accounts.events import AccountOpened, FundsHeld, FundsPosted
from schemas.compliance.events import ComplianceScreened, ScreeningOutcome
from schemas.fraud.events import FraudAssessed, FraudOutcome
from schemas.payments.events import PaymentInitiated, PaymentPersonalData
from services.accounts.__main__ import SERVICE as ACCOUNTS
from services.accounts.domain.transfers import Book
from services.payments.__main__ import SERVICE as PAYMENTS
from services.payments.domain.intake import InitiatePayment
from stack import postgres
from tests.parts import Parts

SMALL, LARGE = 100_000, 10_000_000
STEP = 1_000_000
MEASURED = 5_000
BATCH = 500
PAYERS = 1_000
ROUNDS = 7

Past = tuple[str, str]
"""A table, and the statement that stores the payments from {first} to {last} in it."""

_ID = "(lpad(to_hex(x'018f00000000'::bigint + n / 8), 12, '0') || '7' || substr(md5({salt} || n::text), 1, 19))::uuid"
"""Ids as they come to be in life: ordered by time, but for the last digits."""


def ledger_growth(parts: Parts) -> Figures:
    """Holding and posting the money of a payment."""
    return _growth("ledger", parts, ACCOUNTS, _LEDGER_PAST, _Ledger)


def transfer_growth(parts: Parts) -> Figures:
    """A transfer by request, a thousand at a time."""
    return _growth("transfer", parts, ACCOUNTS, _LEDGER_PAST, _Transfers)


def journey_growth(parts: Parts) -> Figures:
    """What payments does for a payment: taking it on, three answers, and the posting."""
    return _growth("journey", parts, PAYMENTS, _JOURNEY_PAST, _Journeys)


class _Ledger:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._payers, self._payees = ledger.funded_accounts(runtime, PAYERS)

    def measure(self, seed: int) -> float:
        payments = orders.initiated(MEASURED, payers=self._payers, payees=self._payees, seed=seed)
        held = batches.apply(self._runtime, payments, batch_size=BATCH)
        posted = batches.apply(self._runtime, [ledger.approved(event) for event in payments], batch_size=BATCH)
        return sum(held) + sum(posted)


class _Transfers:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._payers, self._payees = ledger.funded_accounts(runtime, PAYERS)

    def measure(self, seed: int) -> float:
        bookings = transfers.bookings(MEASURED, payers=self._payers, payees=self._payees, seed=seed)
        return sum(batches.ask(self._runtime, [Book(bookings=(each,)) for each in bookings], batch_size=1_000))


class _Journeys:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._payers, self._payees = [ids.new() for _ in range(PAYERS)], [ids.new() for _ in range(orders.MERCHANTS)]
        batches.apply(runtime, [_opened(id_) for id_ in (*self._payers, *self._payees)], batch_size=BATCH)

    def measure(self, seed: int) -> float:
        payments = orders.initiated(MEASURED, payers=self._payers, payees=self._payees, seed=seed)
        seconds = sum(batches.ask(self._runtime, [_command(event) for event in payments], batch_size=BATCH))
        for answer in (_assessed, _screened, _held, _posted):
            seconds += sum(batches.apply(self._runtime, [answer(event) for event in payments], batch_size=BATCH))
        return seconds


class _Work(Protocol):
    def __init__(self, runtime: Runtime) -> None: ...

    def measure(self, seed: int) -> float:
        """The seconds that MEASURED payments take."""


def _growth(name: str, parts: Parts, service: Service, past: Sequence[Past], kind: type[_Work]) -> Figures:
    """The same work on two databases in turn, so that both have the machine as it is at that moment."""
    with parts.runtime(service) as small, parts.runtime(service) as large:
        _load(parts, small, past, SMALL)
        _load(parts, large, past, LARGE)
        works = kind(small), kind(large)
        # The first round finds the caches cold.
        _, *rounds = [[work.measure(seed) for work in works] for seed in range(1 + ROUNDS)]
    with_small, with_large = (median([seconds[n] for seconds in rounds]) for n in range(2))
    return {
        f"{name}_microseconds_per_payment_with_100_thousand": with_small / MEASURED * 1e6,
        f"{name}_microseconds_per_payment_with_10_million": with_large / MEASURED * 1e6,
        f"{name}_growth_ratio": median([with_large / with_small for with_small, with_large in rounds]),
    }


def _load(parts: Parts, runtime: Runtime, past: Sequence[Past], count: int) -> None:
    """Store so many payments, and leave Postgres as it is when that was long ago."""
    with psycopg.connect(runtime.settings.database_dsn, autocommit=True) as owner:
        owner.execute("SET maintenance_work_mem = '1GB'")
        tables = list(dict.fromkeys(table for table, _ in past))
        indexes = owner.execute(_INDEXES, (tables,)).fetchall()
        for table in tables:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        for drop, _ in indexes:
            owner.execute(drop.encode())
        for first in range(0, count, STEP):
            for _, statement in past:
                last = min(first + STEP, count) - 1
                owner.execute(statement.replace("{first}", str(first)).replace("{last}", str(last)).encode())
        for _, create in indexes:
            owner.execute(create.encode())
        for table in tables:
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())
        owner.execute("VACUUM ANALYZE")
    with psycopg.connect(postgres.admin_dsn(parts.settings), autocommit=True) as admin:
        admin.execute("CHECKPOINT")
    # What was written must be on the disk, or its being written there is measured as well.
    os.sync()


_INDEXES = """
SELECT CASE WHEN c.oid IS NULL THEN format('DROP INDEX %%s', i.indexrelid::regclass)
            ELSE format('ALTER TABLE %%s DROP CONSTRAINT %%I', i.indrelid::regclass, c.conname) END,
       CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
            ELSE format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', i.indrelid::regclass, c.conname,
                        pg_get_constraintdef(c.oid)) END
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
 WHERE i.indrelid = ANY(%s::regclass[])
"""
"""How to drop each index of some tables, and to build it again: building one takes a tenth of filling it."""


def _past(table: str, columns: str, values: str, salt: str = "''") -> Past:
    chosen = values.replace("{id}", _ID.format(salt=salt))
    return table, f"INSERT INTO {table} ({columns}) SELECT {chosen} FROM generate_series({{first}}, {{last}}) n"


_ACCOUNT = "md5((n % 100000)::text)::uuid"
_OTHER = "md5('other' || (n % 100000)::text)::uuid"

_LEDGER_PAST = (
    _past(
        "holds",
        "hold_id, kind, debtor_account_id, creditor_account_id, amount_minor, fee_minor, currency, status, "
        "posted_minor, posted_fee_minor, refunded_minor, transfer_id, sequence",
        f"{{id}}, 'payment', {_ACCOUNT}, {_OTHER}, 100, 0, 'EUR', 'posted', 100, 0, 0, {{id}}, 2",
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
            "account_id, number, transfer_id, amount_minor, balance_minor, effective_at, recorded_at, hash",
            f"{account}, n / 100000 + 1, {{id}}, {sign}100, 0, now(), now(), sha256(int8send(n))",
        )
        for account, sign in ((_ACCOUNT, "-"), (_OTHER, ""))
    ),
    *(_past("inbox", "consumer, event_id", "'accounts', {id}", salt) for salt in ("'held'", "'posted'")),
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
