"""Many processes that move money on the same accounts at once: nothing is lost, made, captured or taken back twice."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from http import HTTPStatus
from itertools import cycle, pairwise
from random import Random
from typing import Any

import httpx
import pytest

from libs.common import ids
from libs.common.money import format_amount, parse_amount
from libs.common.record import Record, replace
from libs.common.service import Runtime
from schemas.accounts.events import FundsPosted, RefundPosted, RefundRefusal, RefundRefused, TransfersPosted
from schemas.payments.events import RefundRequested
from services.accounts.__main__ import SERVICE
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.transfers import conversion
from services.accounts.queries import verification
from services.accounts.store import LANES
from tests.integration.accounts.scene import NOW, Payment, money, opened, require_balanced
from tests.integration.accounts.test_hot_account import at_once, looking_on, of, require_whole_history
from tests.serving import Api, listening, rows, tell

PROCESSES = 3
WRITERS = 8
RATE, RATE_BACK = "1.08437", "0.92219"


class Desks:
    """Accounts' API as several processes serve it, which know nothing of each other. Asked in turn."""

    def __init__(self, api: Api, addresses: Sequence[str]) -> None:
        self._api = api
        self._turns = cycle(addresses)

    def post(self, path: str, body: Any = None, *, by: str = "staff") -> httpx.Response:
        """An answer: done, or refused for a reason. Whatever else there may be is a fault."""
        headers = self._api.headers(by=by, key=ids.new())
        response = self._api.request("POST", f"{next(self._turns)}{path}", json=body, headers=headers)
        assert response.status_code in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.CONFLICT), response.text
        assert "retry-after" not in response.headers, response.text
        return response

    def refusal(self, path: str, body: Any = None, *, by: str = "staff") -> str | None:
        """Why a request is refused, if it is."""
        response = self.post(path, body, by=by)
        return str(response.json()["reason"]) if response.status_code == HTTPStatus.CONFLICT else None


@pytest.fixture(scope="module")
def addresses(served: Api) -> Iterator[list[str]]:
    with ExitStack() as stack:
        runtimes = [Runtime(SERVICE, served.runtime.settings) for _ in range(PROCESSES)]
        for runtime in runtimes:
            stack.callback(runtime.engine.dispose)
        yield [stack.enter_context(listening(runtime)) for runtime in runtimes]


@pytest.fixture
def desks(api: Api, addresses: list[str]) -> Desks:
    return Desks(api, addresses)


@pytest.fixture(autouse=True)
def _without_an_outage(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A deadlock would end as one: carried out the next time round, and told of in the log."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call")] == []


def ask(debit: str, credit: str, amount: str, currency: str = "EUR", **fields: Any) -> dict[str, Any]:
    return {"debit_account_id": debit, "credit_account_id": credit, "currency": currency, "amount": amount, **fields}


def euros(minor: int) -> str:
    return format_amount(minor, "EUR")


def cents(amount: str) -> int:
    minor = parse_amount(amount, "EUR")
    assert isinstance(minor, int)
    return minor


def require_intact(api: Api) -> None:
    """Books and hashes, and every customer's account without a gap."""
    require_balanced(api.runtime)
    assert not [fault for found in verification.verify_journal(api.runtime.engine) for fault in found.faults]
    for (account_id,) in rows(api.runtime, "SELECT account_id FROM accounts WHERE kind = 'customer'"):
        require_whole_history(api, account_id)


def looking(api: Api) -> Any:
    return looking_on(lambda: require_balanced(api.runtime))


def test_linked_transfers_in_opposite_directions_are_made_whole_or_not_at_all(api: Api, desks: Desks) -> None:
    ring = [opened(api, "100") for _ in range(4)]
    made: list[tuple[str, int]] = []

    def writer(number: int) -> Callable[[], None]:
        chance, way = Random(number), ring if number % 2 else ring[::-1]

        def work() -> None:
            for start in (chance.randrange(4) for _ in range(25)):
                chain = [(pair, chance.randint(1, 60_00)) for pair in pairwise(way[start:] + way[:start])]
                legs = [ask(*pair, euros(minor)) for pair, minor in chain]
                refusal = desks.refusal("/v1/transfer-batches", {"is_linked": True, "transfers": legs})
                assert refusal in (None, "insufficient_funds")
                if refusal is None:
                    made.extend(leg for (one, other), minor in chain for leg in ((one, -minor), (other, minor)))

        return work

    with looking(api):
        at_once(*map(writer, range(WRITERS)))
    assert made
    for account in ring:
        moved = sum(minor for account_id, minor in made if account_id == account)
        assert money(api, account) == (euros(100_00 + moved), "0.00", euros(100_00 + moved))
    assert rows(api.runtime, "SELECT count(*) * 2 FROM transfers WHERE kind = 'booking'") == [(len(made),)]
    assert set(rows(api.runtime, "SELECT count(*) FROM transfers WHERE kind = 'booking' GROUP BY link_id")) == {(3,)}
    require_intact(api)


def _alone(api: Api, desks: Desks) -> list[str]:
    return [desks.post("/v1/transfers", ask(opened(api, "100"), opened(api), "60")).json()["transfer_id"]]


def _of_the_house(api: Api, desks: Desks) -> list[str]:
    suspense, losses = (house_account_id(kind, "EUR") for kind in (AccountKind.SUSPENSE, AccountKind.LOSSES))
    return [desks.post("/v1/transfers", ask(suspense, losses, "60")).json()["transfer_id"]]


def _linked(api: Api, desks: Desks) -> list[str]:
    ann, ben, eve = opened(api, "100"), opened(api), opened(api)
    legs = [ask(ann, ben, "60"), ask(ben, eve, "50"), ask(eve, ann, "40")]
    answer = desks.post("/v1/transfer-batches", {"is_linked": True, "transfers": legs})
    return [transfer["transfer_id"] for transfer in answer.json()["transfers"]]


def _conversion(api: Api, desks: Desks) -> list[str]:
    dollars = opened(api, currency="USD")
    body = ask(opened(api, "100"), dollars, "60", credited_currency="USD", rate=RATE)
    transfer_id = desks.post("/v1/conversions", body).json()["transfer_id"]
    return [id_ for (id_,) in rows(api.runtime, "SELECT transfer_id FROM transfers WHERE link_id = %s", (transfer_id,))]


@pytest.mark.parametrize("make", [_alone, _of_the_house, _linked, _conversion])
def test_what_several_take_back_at_once_is_taken_back_once(
    api: Api, desks: Desks, make: Callable[[Api, Desks], list[str]]
) -> None:
    for _ in range(5):
        before = rows(api.runtime, "SELECT account_id, sum(posted_minor) FROM accounts GROUP BY 1 HAVING count(*) = 1")
        made = make(api, desks)
        outcomes: list[str | None] = []
        turns = cycle(made)

        def take_back(turns: Iterator[str] = turns, outcomes: list[str | None] = outcomes) -> None:
            outcomes.append(desks.refusal(f"/v1/transfers/{next(turns)}/reverse"))

        at_once(*[take_back] * WRITERS)
        assert Counter(outcomes) == {None: 1, "already_reversed": WRITERS - 1}
        found = "SELECT count(*) FROM transfers WHERE reversed_transfer_id = ANY(%s::uuid[])"
        assert rows(api.runtime, found, (made,)) == [(len(made),)]
        after = dict(rows(api.runtime, "SELECT account_id, posted_minor FROM accounts WHERE lane = 0"))
        assert all(after[account_id] == posted for account_id, posted in before)
    require_intact(api)


def test_a_hold_that_several_capture_in_parts_at_once_gives_what_is_held_and_not_a_cent_more(
    api: Api, desks: Desks
) -> None:
    payer, payee = opened(api, "300"), opened(api)
    paths = [f"/v1/holds/{desks.post('/v1/holds', ask(payer, payee, '100')).json()['hold_id']}" for _ in range(3)]
    outcomes: dict[str, list[str | None]] = {path: [] for path in paths}

    def capture() -> None:
        for _ in range(3):
            for path in paths:
                outcomes[path].append(desks.refusal(f"{path}/post", {"currency": "EUR", "amount": "7"}))

    with looking(api):
        at_once(*[capture] * WRITERS)
    for path in paths:
        assert Counter(outcomes[path]) == {None: 14, "amount_exceeds_held": 3 * WRITERS - 14}
        assert (api.get(path).json()["posted"], api.get(path).json()["left"]) == ("98.00", "2.00")
    assert money(api, payer) == ("6.00", "6.00", "0.00")
    # Who voids it and who takes the rest: one of them is too late.
    last = [f"{path}/{verb}" for path in paths for verb in ("post", "void") * 2]
    ends: list[str | None] = []
    at_once(*(lambda path=path: ends.append(desks.refusal(path)) for path in last))
    assert Counter(ends) == {None: len(paths), "hold_ended": len(last) - len(paths)}
    posted = sum(cents(api.get(path).json()["posted"]) for path in paths)
    assert money(api, payer) == (euros(300_00 - posted), "0.00", euros(300_00 - posted))
    assert money(api, payee)[0] == euros(posted)
    require_intact(api)


def with_fee(payment: Payment, fee_minor: int) -> list[Record]:
    order = replace(payment.initiated.order, fee_minor=fee_minor)
    return [replace(payment.initiated, order=order), replace(payment.approved, fee_minor=fee_minor)]


def refund_of(payment: Payment, amount_minor: int) -> RefundRequested:
    return RefundRequested(
        refund_id=ids.new(),
        payment_id=payment.payment_id,
        debtor_account_id=payment.debtor,
        creditor_account_id=payment.creditor,
        amount_minor=amount_minor,
        currency=payment.currency,
        requested_at=NOW,
    )


def test_a_payment_that_several_refund_at_once_is_given_back_once_and_its_fee_never(api: Api) -> None:
    payer, payee = opened(api, "303"), opened(api, "1000")
    payments = [Payment(payer, payee, "100") for _ in range(3)]
    for payment in payments:
        tell(api.runtime, *with_fee(payment, 1_00))

    def refund() -> None:
        for _ in range(3):
            tell(api.runtime, *(refund_of(payment, 7_00) for payment in payments))

    with looking(api):
        at_once(*[refund] * WRITERS)
    given = Counter(event.payment_id for event in of(api, RefundPosted))
    assert given == dict.fromkeys((payment.payment_id for payment in payments), 14)
    assert {event.reason for event in of(api, RefundRefused)} == {RefundRefusal.AMOUNT_EXCEEDS_POSTED}
    assert len(of(api, RefundRefused)) == 3 * 3 * WRITERS - 3 * 14
    assert (money(api, payer)[0], money(api, payee)[0]) == ("294.00", "1006.00")
    assert money(api, house_account_id(AccountKind.FEES, "EUR"))[0] == "3.00"
    require_intact(api)


@pytest.mark.parametrize("currency", ["CHF", "JPY", "KWD"])
def test_accounts_of_the_house_that_all_need_first_are_opened_once(api: Api, desks: Desks, currency: str) -> None:
    euro_accounts = [opened(api, "10") for _ in range(WRITERS)]
    accounts = [opened(api, currency=currency) for _ in range(WRITERS)]

    def writer(euro_account: str, account: str) -> Callable[[], None]:
        funding = {"account_id": account, "currency": currency, "amount": "3"}
        exchange = ask(euro_account, account, "5", credited_currency=currency, rate="2")

        def work() -> None:
            assert desks.refusal("/v1/conversions", exchange) is None
            assert desks.refusal("/v1/fundings", funding) is None

        return work

    at_once(*map(writer, euro_accounts, accounts))
    assert {Decimal(money(api, account)[0]) for account in accounts} == {13}
    for kind, posted in ((AccountKind.EXTERNAL, -3 * WRITERS), (AccountKind.LIQUIDITY, -10 * WRITERS)):
        found = api.get(f"/v1/accounts/{house_account_id(kind, currency)}", by="staff").json()
        assert (found["lanes"], Decimal(found["posted"])) == (LANES, Decimal(posted))
    require_intact(api)


class Mixed:
    """Customers' euros and dollars, all that can be asked of them at once, and what is known to have been moved."""

    def __init__(self, api: Api, desks: Desks) -> None:
        self._api, self._desks = api, desks
        self.euros = [opened(api, "500") for _ in range(3)]
        self.dollars = [opened(api, "500", currency="USD") for _ in range(2)]
        self.moved: list[tuple[str, int]] = [(account_id, 500_00) for account_id in (*self.euros, *self.dollars)]
        self._made: list[tuple[str, list[tuple[str, int]]]] = []

    def writer(self, number: int) -> Callable[[], None]:
        chance = Random(number)
        things = [self._transfer, self._chain, self._exchange, self._fund, self._take_back, self._capture]

        def work() -> None:
            for _ in range(24):
                chance.choice(things)(chance)

        return work

    def payer(self, number: int) -> Callable[[], None]:
        chance = Random(number)

        def work() -> None:
            for _ in range(20):
                one, other = chance.sample(self.euros, 2)
                payment = Payment(one, other, str(chance.randint(1, 90)))
                tell(self._api.runtime, *with_fee(payment, 50))
                tell(self._api.runtime, *(refund_of(payment, payment.amount_minor // 2 + 1) for _ in range(2)))

        return work

    def _transfer(self, chance: Random) -> None:
        one, other = chance.sample(self.euros, 2)
        minor = chance.randint(1, 90_00)
        self._ask("/v1/transfers", ask(one, other, euros(minor)), [(one, -minor), (other, minor)])

    def _chain(self, chance: Random) -> None:
        way = chance.sample(self.euros, 3)
        chain = [(pair, chance.randint(1, 90_00)) for pair in pairwise(way)]
        body = {"is_linked": True, "transfers": [ask(*pair, euros(minor)) for pair, minor in chain]}
        legs = [leg for (one, other), minor in chain for leg in ((one, -minor), (other, minor))]
        self._ask("/v1/transfer-batches", body, legs)

    def _exchange(self, chance: Random) -> None:
        there = (chance.choice(self.euros), "EUR"), (chance.choice(self.dollars), "USD"), RATE
        back = there[1], there[0], RATE_BACK
        (one, currency), (other, credited_currency), rate = chance.choice([there, back])
        minor = chance.randint(10, 90_00)
        credited_minor = conversion(minor, currency, credited_currency, Decimal(rate)).credited_minor
        body = ask(one, other, euros(minor), currency, credited_currency=credited_currency, rate=rate)
        self._ask("/v1/conversions", body, [(one, -minor), (other, credited_minor)])

    def _fund(self, chance: Random) -> None:
        account_id, currency = chance.choice([(self.euros[0], "EUR"), (self.dollars[0], "USD")])
        body = {"account_id": account_id, "currency": currency, "amount": "1"}
        self._ask("/v1/fundings", body, [(account_id, 1_00)])

    def _take_back(self, chance: Random) -> None:
        if not self._made:
            return
        # One of the newest: others want it too.
        transfer_id, legs = chance.choice(self._made[-4:])
        refusal = self._desks.refusal(f"/v1/transfers/{transfer_id}/reverse")
        assert refusal in (None, "already_reversed", "insufficient_funds")
        if refusal is None:
            self.moved.extend((account_id, -minor) for account_id, minor in legs)

    def _capture(self, chance: Random) -> None:
        one, other = chance.sample(self.euros, 2)
        placed = self._desks.post("/v1/holds", ask(one, other, "30")).json()
        if "hold_id" not in placed:
            assert placed["reason"] == "insufficient_funds"
            return
        path = f"/v1/holds/{placed['hold_id']}"
        for _ in range(2):
            assert self._desks.refusal(f"{path}/post", {"currency": "EUR", "amount": "11"}) is None
        assert self._desks.refusal(f"{path}/void") is None
        self.moved += [(one, -22_00), (other, 22_00)]

    def _ask(self, path: str, body: Any, legs: list[tuple[str, int]]) -> None:
        answer = self._desks.post(path, body)
        if answer.status_code == HTTPStatus.CONFLICT:
            assert answer.json()["reason"] == "insufficient_funds"
            return
        (made, *_) = answer.json().get("transfers", [answer.json()])
        self.moved += legs
        self._made.append((made["transfer_id"], legs))


def test_everything_at_once_moves_what_was_answered_and_nothing_else(api: Api, desks: Desks) -> None:
    mixed = Mixed(api, desks)
    with looking(api):
        at_once(*map(mixed.writer, range(WRITERS)), *map(mixed.payer, range(3)))
    for event in of(api, FundsPosted):
        mixed.moved.append((event.debtor_account_id, -event.amount_minor - event.fee_minor))
        mixed.moved.append((event.creditor_account_id, event.amount_minor))
    for event in of(api, RefundPosted):
        mixed.moved += [
            (event.debtor_account_id, event.amount_minor),
            (event.creditor_account_id, -event.amount_minor),
        ]
    for account_id in (*mixed.euros, *mixed.dollars):
        posted = euros(sum(minor for moved_id, minor in mixed.moved if moved_id == account_id))
        assert money(api, account_id) == (posted, "0.00", posted)
    told_of = [transfer.transfer_id for event in of(api, TransfersPosted) for transfer in event.transfers]
    made = "SELECT transfer_id FROM transfers WHERE payment_id IS NULL"
    assert sorted(told_of) == sorted(id_ for (id_,) in rows(api.runtime, made))
    assert {kind for (kind,) in rows(api.runtime, "SELECT DISTINCT kind FROM transfers")} == {
        "booking", "capture", "conversion", "fee", "funding", "payment", "refund", "reversal"
    }  # fmt: skip
    require_intact(api)
