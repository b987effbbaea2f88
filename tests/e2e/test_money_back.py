"""A purchase from its order to its refunds, as a shop sees it: with a fee, in parts, withdrawn, forgotten, refused."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from chaos.installation import LOOK_SECONDS, REST_SECONDS_MAX, Installation
from demo.client import Opened, WeirClient
from demo.story import Party
from libs.common import clients, database, ids
from libs.common.api_keys import new_key
from libs.common.scopes import Scope
from tests import in_the_clear
from tests.waiting import wait_until

CURRENCY = "USD"
ANN, IDA, JOE, SHOP = PARTIES = (
    Party(number=0, name="Ann Sparsam", is_company=False, country="DE", birth_date="1980-05-17", funds_minor=100_00),
    Party(number=1, name="Ida Sparsam", is_company=False, country="DE", birth_date="1981-06-18"),
    # Nobody knows when he was born, so he may pay 2,500 a day.
    Party(number=2, name="Joe Sparsam", is_company=False, country="DE", funds_minor=5_000_00),
    Party(number=3, name="Sparsam Books", is_company=True, country="DE"),
)
JOES_DAY = ("1000.00", "1000.00", "490.00")


class Till:
    """A shop that is no staff of Weir's: it sees of its payments what any client sees."""

    def __init__(self, installation: Installation, parties: Sequence[Party] = PARTIES) -> None:
        self._installation, self._run, self._parties = installation, ids.new(), parties
        self.staff = WeirClient(installation.settings, installation.settings.secrets.get("api-key/demo"), run=self._run)
        self._http = httpx.Client(
            base_url=installation.url("payments"),
            headers=_let_in(installation, "payments"),
            timeout=30,
        )
        self._accounts_headers = _let_in(installation, "accounts")
        self.accounts: list[Opened] = []

    def open(self) -> None:
        """Open everyone's account and bring their money in; return when payments knows them."""
        self.accounts = self.staff.register(self._parties, CURRENCY, lambda _: None)
        wanted = {account.account_id for account in self.accounts}
        known = "SELECT account_id::text FROM known_accounts"
        _wait(lambda: wanted <= {id_ for (id_,) in self._installation.rows("payments", known)})
        funded = sum(party.funds_minor > 0 for party in self._parties)
        assert self.staff.fund(self._parties, self.accounts, CURRENCY) == funded

    def order(self, debtor: Party, creditor: Party, amount: str, **more: Any) -> dict[str, Any]:
        body = {
            "currency": CURRENCY,
            "amount": amount,
            "debtor": self.party(debtor),
            "creditor": self.party(creditor),
        }
        response = self.post("", body | more)
        assert response.status_code == HTTPStatus.ACCEPTED, response.text
        return dict(response.json())

    def post(self, path: str, body: Any = None) -> httpx.Response:
        headers = {"Idempotency-Key": ids.new()}
        return self._http.post(f"/v1/payments{path}", json=body, headers=headers)

    def reason(self, path: str, body: Any = None) -> tuple[int, str]:
        """Why something is refused."""
        response = self.post(path, body)
        return response.status_code, response.json()["reason"]

    def seen(self, payment: dict[str, Any]) -> dict[str, Any]:
        return dict(self._http.get(f"/v1/payments/{payment['payment_id']}").json())

    def wait_for(self, state: str, *payments: dict[str, Any]) -> None:
        _wait(lambda: all(self.seen(payment)["state"] == state for payment in payments))

    def money(self, party: Party) -> tuple[str, str, str]:
        """Posted, held and available, by accounts' word."""
        found = self.staff.get("accounts", f"/v1/accounts/{self.accounts[party.number].account_id}")
        return found["posted"], found["held"], found["available"]

    def fees(self) -> Decimal:
        """What the house has earned."""
        found = self.staff.get("accounts", "/v1/accounts", kind="fees")["accounts"]
        return sum((Decimal(account["posted"]) for account in found if account["currency"] == CURRENCY), Decimal(0))

    def transfer(self, debtor: Party, creditor: Party, amount: str) -> httpx.Response:
        """Past payments, in the ledger itself; by a client like any other, for staff's bookings have no limits."""
        body = {
            "debit_account_id": self.accounts[debtor.number].account_id,
            "credit_account_id": self.accounts[creditor.number].account_id,
            "currency": CURRENCY,
            "amount": amount,
        }
        headers = {**self._accounts_headers, "Idempotency-Key": ids.new()}
        return in_the_clear.post(
            f"{self._installation.url('accounts')}/v1/transfers", json=body, headers=headers, timeout=30
        )

    def close(self) -> None:
        self.staff.close()
        self._http.close()

    def party(self, party: Party) -> dict[str, str]:
        return {"account_id": self.accounts[party.number].account_id, "name": party.name, "country": party.country}


@pytest.fixture(scope="module")
def till(installation: Installation) -> Iterator[Till]:
    till = Till(installation)
    till.open()
    yield till
    till.close()


def test_money_is_held_captured_in_part_given_back_in_parts_withdrawn_and_let_go(
    installation: Installation, till: Till
) -> None:
    fees_before = till.fees()
    bought, withdrawn, forgotten = payments = [
        till.order(ANN, SHOP, amount, capture="manual") for amount in ("20.00", "10.00", "30.00")
    ]
    assert [payment["fee"] for payment in payments] == ["0.40", "0.25", "0.55"]
    till.wait_for("authorised", *payments)
    assert till.money(ANN) == ("100.00", "61.20", "38.80")

    captured = till.post(f"/{bought['payment_id']}/capture", {"amount": "12.34"}).json()
    assert (captured["captured_amount"], captured["captured_fee"]) == ("12.34", "0.29")
    assert till.post(f"/{withdrawn['payment_id']}/cancel").status_code == HTTPStatus.ACCEPTED
    till.wait_for("settled", bought)
    till.wait_for("cancelled", withdrawn)
    _wait(lambda: till.money(ANN) == ("87.37", "30.55", "56.82"))
    assert till.money(SHOP)[0] == "12.34"
    assert till.reason(f"/{withdrawn['payment_id']}/capture") == (409, "payment_ended")

    refunds = f"/{bought['payment_id']}/refunds"
    assert till.post(refunds, {"amount": "2.34"}).status_code == HTTPStatus.ACCEPTED
    assert till.reason(refunds, {"amount": "10.01"}) == (422, "amount_too_large")
    assert till.post(refunds).status_code == HTTPStatus.ACCEPTED
    assert till.reason(refunds) == (409, "payment_refunded")
    _wait(lambda: [refund["state"] for refund in till.seen(bought)["refunds"]] == ["settled"] * 2)
    till.wait_for("cancelled", forgotten)
    _wait(lambda: till.money(ANN) == ("99.71", "0.00", "99.71"))
    assert till.money(SHOP) == ("0.00", "0.00", "0.00")
    assert till.fees() - fees_before == Decimal("0.29")

    _require_timelines(till.seen(bought), till.seen(withdrawn), till.seen(forgotten))
    installation.require_sound_ledger()


def test_a_customer_that_is_known_by_name_alone_pays_no_more_than_a_days_limit(till: Till) -> None:
    for amount in JOES_DAY:
        assert till.transfer(JOE, IDA, amount).status_code == HTTPStatus.CREATED
    refused = till.transfer(JOE, IDA, "10.01")
    assert (refused.status_code, refused.json()["reason"]) == (409, "daily_limit_exceeded")
    # It is the fee that is too much.
    order = till.order(JOE, SHOP, "9.90")
    assert order["fee"] == "0.25"
    till.wait_for("rejected", order)
    payment = till.seen(order)
    assert payment["reason"] == "limit_exceeded"
    assert not [step for step in payment["timeline"] if "daily" in str(step)]
    assert till.money(JOE) == ("2510.00", "0.00", "2510.00")


def _require_timelines(bought: dict[str, Any], withdrawn: dict[str, Any], forgotten: dict[str, Any]) -> None:
    order, refunds = _steps(bought)[:5], _steps(bought)[5:]
    assert order == [
        ("initiated", "fee 0.40"),
        ("funds held", None),
        ("authorised", None),
        ("captured", "12.34, fee 0.29"),
        ("settled", None),
    ]
    # The first may be settled before the second is requested, or not.
    assert sorted(refunds) == sorted(
        (f"refund {what}", amount) for what in ("requested", "settled") for amount in ("2.34", "10.00")
    )
    assert [refund["amount"] for refund in bought["refunds"]] == ["2.34", "10.00"]
    assert [what for what, _ in _steps(withdrawn)][3:] == ["cancel requested", "cancelled", "funds released"]
    assert [what for what, _ in _steps(forgotten)][3:] == ["not captured in time", "cancelled", "funds released"]
    assert forgotten["reason"] is None and forgotten["captured_amount"] is None


def _steps(payment: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(step["what"], step["detail"]) for step in payment["timeline"]]


def _let_in(installation: Installation, service: str) -> dict[str, str]:
    """What a client of a service says in each request, one that is no staff."""
    key, engine = new_key(), database.create(installation.settings.database_url(service))
    with database.transaction(engine) as tx:
        # A key of each till's own: they share a client.
        assert clients.register(tx, "till", key, [Scope.READ, Scope.WRITE], name=ids.new())
        tx.commit()
    engine.dispose()
    return {"Authorization": f"Bearer {key}"}


def _wait(condition: Callable[[], bool]) -> None:
    wait_until(condition, seconds_max=REST_SECONDS_MAX, every_seconds=LOOK_SECONDS)
