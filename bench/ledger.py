"""The ledger: transfers a second, each an event in the inbox, two entries, two balances, and an event of its own."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from zlib import crc32

from bench import batches, orders
from bench.figures import Figures
from libs.common import ids
from libs.common.service import Runtime
from libs.common.settings import Settings
from schemas.accounts.events import CustomerKind, CustomerPersonalData
from schemas.compliance.events import CustomerVerified
from schemas.payments.events import PaymentApproved, PaymentInitiated
from services.accounts.__main__ import SERVICE
from services.accounts.domain.customers import RegisterCustomer, account_id_of
from services.accounts.domain.transfers import Fund
from tests.parts import Parts

ACCOUNTS = 1_000
TRANSFERS = 20_000
BATCH = 1_000
WORKERS = 2
WAIT_SECONDS = 120


def throughput(parts: Parts) -> Figures:
    """Post 20,000 held payments of 1,000 payers to 100 payees, 1,000 at a time."""
    with parts.runtime(SERVICE) as runtime:
        payments = _held(runtime)
        seconds = batches.apply(runtime, [approved(event) for event in payments], batch_size=BATCH)
    return {"postings_per_second": TRANSFERS / sum(seconds)}


def throughput_of_two(parts: Parts) -> Figures:
    """The same by two processes at once, each with half of the payers, as each worker has half of the partitions."""
    with parts.runtime(SERVICE) as runtime:
        events = [approved(event) for event in _held(runtime)]
        # What they begin with is theirs: connections are no one's to share.
        runtime.engine.dispose()
        halves = [[event for event in events if _half_of(event) == half] for half in range(WORKERS)]
        seconds = _together([partial(_post, runtime.settings, half) for half in halves])
    return {"postings_per_second_by_two_workers": TRANSFERS / seconds}


def hot_account(parts: Parts) -> Figures:
    """The same with one single payer, as payroll and funding are."""
    with parts.runtime(SERVICE) as runtime:
        payments = _held(runtime, payers=1)
        seconds = batches.apply(runtime, [approved(event) for event in payments], batch_size=BATCH)
    return {"postings_per_second_of_one_payer": TRANSFERS / sum(seconds)}


def funded_accounts(runtime: Runtime, payers: int) -> tuple[list[str], list[str]]:
    """Open accounts: of payers, who get more than any benchmark spends, and of 100 payees."""
    accounts = open_accounts(runtime, payers + orders.MERCHANTS)
    rich = accounts[:payers]
    funds = [
        Fund(transfer_id=ids.new(), account_id=id_, currency="EUR", amount_minor=TRANSFERS * 10_000) for id_ in rich
    ]
    batches.ask(runtime, funds, batch_size=BATCH)
    return rich, accounts[payers:]


def _half_of(event: PaymentApproved) -> int:
    return crc32(event.debtor_account_id.encode()) % WORKERS


def _post(settings: Settings, events: Sequence[PaymentApproved], together: Barrier) -> None:
    runtime = Runtime(SERVICE, settings)
    runtime.codec.prepare(runtime.handlers.writes)
    with runtime.engine.connect():
        together.wait()
    batches.apply(runtime, events, batch_size=BATCH)
    together.wait()


def _together(parts: Sequence[Callable[[Barrier], None]]) -> float:
    """Run each in a process of its own; the seconds from when all are ready until all are done."""
    processes = get_context("fork")
    together = processes.Barrier(len(parts) + 1)
    running = [processes.Process(target=part, args=(together,)) for part in parts]
    for process in running:
        process.start()
    try:
        together.wait(WAIT_SECONDS)
        began = time.perf_counter()
        together.wait(WAIT_SECONDS)
        return time.perf_counter() - began
    finally:
        for process in running:
            process.join(WAIT_SECONDS)
            assert process.exitcode == 0, process.exitcode


def _held(runtime: Runtime, *, payers: int = ACCOUNTS) -> list[PaymentInitiated]:
    rich, payees = funded_accounts(runtime, payers)
    payments = orders.initiated(TRANSFERS, payers=rich, payees=payees, seed=1)
    batches.apply(runtime, payments, batch_size=BATCH)
    return payments


def open_accounts(runtime: Runtime, count: int) -> list[str]:
    """Open accounts of customers who may pay any amount, and return their ids."""
    customer_ids = [ids.new() for _ in range(count)]
    commands = [
        RegisterCustomer(
            customer_id=id_,
            kind=CustomerKind.PERSON,
            personal=CustomerPersonalData(name=f"Customer {n}"),
            currencies=("EUR",),
        )
        for n, id_ in enumerate(customer_ids)
    ]
    batches.ask(runtime, commands, batch_size=BATCH)
    verified = [CustomerVerified(customer_id=id_, tier=3, verified_at=orders.START) for id_ in customer_ids]
    batches.apply(runtime, verified, batch_size=BATCH)
    return [account_id_of(id_, "EUR") for id_ in customer_ids]


def approved(event: PaymentInitiated) -> PaymentApproved:
    """Payments' word that the money of a payment may move."""
    order = event.order
    return PaymentApproved(
        payment_id=event.payment_id,
        debtor_account_id=order.debtor_account_id,
        creditor_account_id=order.creditor_account_id,
        amount_minor=order.amount_minor,
        currency=order.currency,
        approved_at=event.initiated_at,
    )
