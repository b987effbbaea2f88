"""Many threads at one account at once: no cent is held twice, lost or made, and every look at the books adds up."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from random import Random
from typing import Any

import pytest

from libs.common import ids
from libs.common.database import transaction
from libs.common.money import format_amount
from libs.common.record import Record
from libs.common.vault import Vault
from schemas.accounts.events import FundsDeclined, FundsHeld, FundsPosted, FundsPostRefused, FundsReleased
from services.accounts import store
from services.accounts.domain.limits import STANDARD_LIMITS
from services.accounts.domain.transfers import Fund
from services.accounts.queries import statements
from services.accounts.queries.statements import Period
from tests.integration.accounts.scene import Payment, money, opened, require_balanced
from tests.serving import Api, message_of, rows, tell, told

THREADS = 8


def at_once(*works: Callable[[], None]) -> None:
    """Do things at the same time, each on a thread of its own. Raises what any of them raises."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        try:
            barrier.wait(20)
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a deadlock"
    if failures:
        raise failures[0]


def teller(api: Api, batches: Sequence[Sequence[Record]]) -> Callable[[], None]:
    """Tells accounts of some things, a batch at a time."""

    def work() -> None:
        for batch in batches:
            tell(api.runtime, *batch)

    return work


@contextmanager
def looking_on(look: Callable[[], None]) -> Iterator[None]:
    """Look again and again for as long as the block lasts. Raises what a look raises."""
    done = threading.Event()
    failures: list[BaseException] = []

    def watch() -> None:
        try:
            while not done.is_set():
                look()
        except BaseException as error:
            failures.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join(20)
    if failures:
        raise failures[0]


def of(api: Api, kind: type[Any]) -> list[Any]:
    return [event for event in told(api.runtime) if isinstance(event, kind)]


def require_whole_history(api: Api, account_id: str) -> None:
    """Every entry numbered without a gap, each balance the one before and its amount."""
    found = rows(
        api.runtime,
        "SELECT number, amount_minor, balance_minor FROM entries WHERE account_id = %s ORDER BY number",
        (account_id,),
    )
    balance_minor = 0
    for place, (number, amount_minor, stood_minor) in enumerate(found, 1):
        balance_minor += amount_minor
        assert (number, stood_minor) == (place, balance_minor)


def test_hundreds_of_holds_at_once_hold_what_is_there_and_not_a_cent_more(api: Api) -> None:
    payer, payee = opened(api, "100"), opened(api)
    payments = [Payment(payer, payee, "1") for _ in range(400)]
    works = [
        teller(api, [[payment.initiated for payment in payments[start : start + 10]] for start in range(n, 400, 80)])
        for n in range(0, 80, 10)
    ]
    at_once(*works)
    assert (len(of(api, FundsHeld)), len(of(api, FundsDeclined))) == (100, 300)
    assert money(api, payer) == ("100.00", "100.00", "0.00")
    require_balanced(api.runtime)


def test_holds_postings_and_releases_at_once_move_every_cent_once(api: Api) -> None:
    payer, payee = opened(api, "1000"), opened(api)
    payments = [Payment(payer, payee, "1") for _ in range(400)]

    def life(payment: Payment, number: int) -> list[Record]:
        return [payment.initiated, payment.approved if number % 4 else payment.rejected]

    lives = [life(payment, number) for number, payment in enumerate(payments)]
    with looking_on(lambda: require_balanced(api.runtime)):
        at_once(*(teller(api, lives[start::THREADS]) for start in range(THREADS)))
    assert (len(of(api, FundsPosted)), len(of(api, FundsReleased))) == (300, 100)
    assert money(api, payer) == ("700.00", "0.00", "700.00")
    assert money(api, payee) == ("300.00", "0.00", "300.00")
    require_whole_history(api, payer)
    require_whole_history(api, payee)


def test_the_same_word_told_by_several_at_once_is_carried_out_once(api: Api) -> None:
    payer, payee = opened(api, "1000"), opened(api)
    payments = [Payment(payer, payee, "1") for _ in range(50)]
    tell(api.runtime, *(payment.initiated for payment in payments))
    approvals = [[payment.approved] for payment in payments]
    at_once(*(teller(api, approvals) for _ in range(4)), *(teller(api, approvals[::-1]) for _ in range(4)))
    assert money(api, payer) == ("950.00", "0.00", "950.00")
    assert rows(api.runtime, "SELECT count(*) FROM transfers WHERE kind = 'payment'") == [(50,)]
    require_balanced(api.runtime)


def test_payments_to_and_fro_never_wait_for_each_other_for_ever(api: Api) -> None:
    accounts = [opened(api, "1000") for _ in range(4)]
    works = []
    for thread in range(THREADS):
        order = accounts if thread % 2 else accounts[::-1]
        batches: list[list[Record]] = []
        for _ in range(12):
            there = [Payment(one, other, "1") for one, other in zip(order, order[1:] + order[:1], strict=True)]
            batches += [[payment.initiated for payment in there], [payment.approved for payment in there]]
        works.append(teller(api, batches))
    at_once(*works)
    assert [money(api, account)[1] for account in accounts] == ["0.00"] * 4
    assert sum(Decimal(money(api, account)[0]) for account in accounts) == 4000
    require_balanced(api.runtime)


def test_fundings_over_http_at_once_are_all_credited(api: Api) -> None:
    account = opened(api)
    ask = {"account_id": account, "currency": "EUR", "amount": "0.01"}

    def fund() -> None:
        for _ in range(25):
            assert api.post("/v1/fundings", ask).status_code == HTTPStatus.CREATED

    at_once(*[fund] * THREADS)
    assert money(api, account) == ("2.00", "0.00", "2.00")
    require_whole_history(api, account)
    require_balanced(api.runtime)


def test_a_statement_read_while_money_moves_fits_its_balance(api: Api) -> None:
    payer, payee = opened(api, "1000"), opened(api)
    payments = [Payment(payer, payee, "1") for _ in range(60)]

    def read() -> None:
        found = statements.whole_statement(api.runtime.engine, payer, Period())
        assert found is not None
        assert found.account["posted"] == format_amount(found.lines[-1].balance_minor, "EUR")

    with looking_on(read):
        at_once(
            *(teller(api, [[p.initiated, p.approved] for p in payments[start::THREADS]]) for start in range(THREADS))
        )


def test_batches_that_need_several_accounts_of_the_house_never_wait_for_each_other_for_ever(api: Api) -> None:
    currencies = ("EUR", "USD", "GBP", "CHF")

    def locker(number: int) -> Callable[[], None]:
        chance = Random(number)

        def work() -> None:
            for _ in range(200):
                wanted = chance.sample(currencies, 3)
                batch = [message_of(funding(ids.new(), currency)) for currency in wanted]
                with transaction(api.runtime.engine) as tx:
                    found = store.load_ledger(
                        tx, batch, hold_lifetime=timedelta(days=1), limits=STANDARD_LIMITS, vault=Vault(None)
                    )
                    assert {account.currency for account in found.accounts.values()} == set(wanted)
                    # The first of them opens the accounts for all.
                    tx.commit()

        return work

    at_once(*map(locker, range(THREADS)))
    assert rows(api.runtime, "SELECT count(*) FROM accounts") == [(len(currencies) * store.LANES,)]


def funding(account_id: str, currency: str) -> Fund:
    return Fund(transfer_id=ids.new(), account_id=account_id, amount_minor=1, currency=currency)


@pytest.mark.parametrize("change", ["freeze", "close"])
@pytest.mark.parametrize("whose", ["payer", "payee"])
def test_whatever_happens_to_an_account_while_it_pays_no_money_is_lost(api: Api, change: str, whose: str) -> None:
    """A posting is carried out before the account is shut, or refused after it, and then its money stays held."""
    payer, payee = opened(api, "100"), opened(api)
    payments = [Payment(payer, payee, "1") for _ in range(60)]
    tell(api.runtime, *(payment.initiated for payment in payments))
    shut = payer if whose == "payer" else payee
    statuses: list[int] = []

    def change_it() -> None:
        statuses.append(api.post(f"/v1/accounts/{shut}/{change}").status_code)

    halves = [teller(api, [[payment.approved] for payment in payments[start::4]]) for start in range(4)]
    at_once(*halves, change_it)
    posted, refused = len(of(api, FundsPosted)), len(of(api, FundsPostRefused))
    assert posted + refused == 60
    assert money(api, payer) == (f"{100 - posted}.00", f"{refused}.00", f"{100 - posted - refused}.00")
    assert money(api, payee)[0] == f"{posted}.00"
    if change == "close":
        # Only an account that holds nothing is closed: the payee's before its first posting, the payer's not at all.
        is_closed = api.get(f"/v1/accounts/{shut}").json()["status"] == "closed"
        assert statuses == [HTTPStatus.OK if is_closed else HTTPStatus.CONFLICT]
        assert not is_closed or money(api, shut) == ("0.00", "0.00", "0.00")
    else:
        assert statuses == [HTTPStatus.OK]
    require_balanced(api.runtime)
