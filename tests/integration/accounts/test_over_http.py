"""Customers, accounts and money from outside, over HTTP."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

from libs.common import ids
from libs.common.database import execute
from libs.common.sweep import NoClaim
from schemas.accounts.events import DeclineReason, FundsDeclined, PostRefusal, PropertyBlocked
from schemas.compliance.events import CustomerRefused, CustomerRestricted
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.domain.customers import account_id_of
from services.accounts.requests import BATCH_BYTES_MAX, BATCH_LENGTH_MAX, BATCH_PATHS
from services.accounts.store import find_expired_holds
from services.accounts.views import (
    AccountPage,
    AccountView,
    BooksView,
    CustomerView,
    FundingBatchView,
    FundingView,
    RegisteredBatchView,
    RegisteredView,
    StatementView,
)
from tests.integration.accounts.scene import NOW, Payment, money, opened, registered, require_balanced, verified
from tests.serving import Api, counts, problem, require, rows, tell, told

STORED = ("customers", "accounts", "holds", "transfers", "entries", "outbox", "idempotency_keys")


def kinds(api: Api) -> list[str]:
    return [type(event).__name__ for event in told(api.runtime)]


def stored(api: Api) -> dict[str, int]:
    return {table: count for table, count in counts(api.runtime, *STORED).items() if count}


def status(api: Api, account_id: str) -> str:
    return str(api.get(f"/v1/accounts/{account_id}").json()["status"])


# Customers


def test_a_customer_has_its_accounts_once_compliance_has_verified_it(api: Api) -> None:
    customer_id = registered(api, "EUR", "USD", "EUR", birth_date="1980-05", country="DE")
    assert kinds(api) == ["CustomerRegistered"]
    before = api.get(f"/v1/customers/{customer_id}").json()
    assert (before["status"], before["tier"], before["accounts"]) == ("registered", 0, [])
    assert (before["name"], before["birth_date"], before["country"]) == ("Ann Miller", "1980-05", "DE")
    tell(api.runtime, verified(customer_id, tier=2))
    after = api.get(f"/v1/customers/{customer_id}").json()
    assert (after["status"], after["tier"]) == ("verified", 2)
    assert {account["currency"] for account in after["accounts"]} == {"EUR", "USD"}
    assert {account["available"] for account in after["accounts"]} == {"0.00"}
    assert kinds(api) == ["CustomerRegistered", "AccountOpened", "AccountOpened"]


def test_a_customer_that_is_refused_has_no_accounts_and_may_open_none(api: Api) -> None:
    customer_id = registered(api, "EUR")
    tell(api.runtime, CustomerRefused(customer_id=customer_id, refused_at=NOW))
    assert api.get(f"/v1/customers/{customer_id}").json()["status"] == "refused"
    response = api.post("/v1/accounts", {"customer_id": customer_id, "currency": "EUR"})
    assert problem(response) == (409, "customer_not_verified", "customer_id")
    assert kinds(api) == ["CustomerRegistered"]


def test_a_verified_customer_opens_one_account_per_currency(api: Api) -> None:
    customer_id = registered(api)
    ask = {"customer_id": customer_id, "currency": "JPY"}
    assert problem(api.post("/v1/accounts", ask)) == (409, "customer_not_verified", "customer_id")
    tell(api.runtime, verified(customer_id))
    response = api.post("/v1/accounts", ask)
    assert response.status_code == HTTPStatus.CREATED
    assert response.json() == api.get(f"/v1/accounts/{account_id_of(customer_id, 'JPY')}").json()
    assert response.json()["available"] == "0"
    assert problem(api.post("/v1/accounts", ask)) == (409, "account_exists", "currency")
    nobody = {"customer_id": ids.new(), "currency": "JPY"}
    assert problem(api.post("/v1/accounts", nobody)) == (409, "customer_unknown", "customer_id")


def test_customers_are_registered_by_the_batch(api: Api) -> None:
    body = {"customers": [{"name": f"Customer {number}", "currencies": ["EUR"]} for number in range(50)]}
    first, again = (api.post("/v1/customer-batches", body, key="k") for _ in range(2))
    assert again.content == first.content
    assert len({customer["customer_id"] for customer in first.json()["customers"]}) == 50
    assert counts(api.runtime, "customers") == {"customers": 50}


# Bad input


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/customers", {}, "name"),
        ("/v1/customers", {"name": ""}, "name"),
        ("/v1/customers", {"name": "A\x00nn"}, "name"),
        ("/v1/customers", {"name": "Ann", "kind": "dragon"}, "kind"),
        ("/v1/customers", {"name": "Ann", "kind": "unknown"}, "kind"),
        ("/v1/customers", {"name": "Ann", "country": "Germany"}, "country"),
        ("/v1/customers", {"name": "Ann", "currencies": ["ZZZ"]}, "currencies.0"),
        ("/v1/customers", {"name": "Ann", "currencies": ["EUR"] * 21}, "currencies"),
        ("/v1/customers", {"name": "Ann", "nick": "A"}, "nick"),
        ("/v1/customer-batches", {"customers": []}, "customers"),
        ("/v1/customer-batches", {"customers": [{"name": "Ann"}, {}]}, "customers.1.name"),
        ("/v1/accounts", {"customer_id": "7", "currency": "EUR"}, "customer_id"),
        ("/v1/accounts", {"customer_id": ids.new(), "currency": "eur"}, "currency"),
        ("/v1/fundings", {"account_id": ids.new(), "currency": "EUR", "amount": "0"}, "amount"),
        ("/v1/fundings", {"account_id": ids.new(), "currency": "EUR", "amount": "-1"}, "amount"),
        ("/v1/fundings", {"account_id": ids.new(), "currency": "JPY", "amount": "1.5"}, "amount"),
        ("/v1/fundings", {"account_id": ids.new(), "currency": "EUR", "amount": 1}, "amount"),
        ("/v1/fundings", {"account_id": ids.new(), "currency": "ZZZ", "amount": "1"}, "currency"),
        ("/v1/fundings", {"account_id": "7", "currency": "EUR", "amount": "1"}, "account_id"),
        ("/v1/funding-batches", {"fundings": []}, "fundings"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place_and_nothing_is_stored(
    api: Api, path: str, body: dict[str, Any], field: str
) -> None:
    assert problem(api.post(path, body)) == (422, "invalid", field)
    assert stored(api) == {}


PATHS = ("/v1/customers", "/v1/customer-batches", "/v1/accounts", "/v1/fundings", "/v1/funding-batches")
CHANGES = tuple(f"/v1/accounts/{ids.new()}/{change}" for change in ("freeze", "thaw", "close"))


def test_a_batch_may_be_as_long_as_a_batch_may_be(api: Api) -> None:
    customer = {"name": "Ann Miller", "address": "1 High Street, " + "x" * 100, "currencies": ["EUR"]}
    answer = api.post("/v1/customer-batches", {"customers": [customer] * BATCH_LENGTH_MAX})
    assert answer.is_success, answer.text
    account_id = answer.json()["customers"][0]["accounts"][0]["account_id"]
    funding = {"account_id": account_id, "currency": "EUR", "amount": "1.00", "reference": "x" * 100}
    answer = api.post("/v1/funding-batches", {"fundings": [funding] * BATCH_LENGTH_MAX})
    assert answer.is_success, answer.text
    assert len(answer.json()["fundings"]) == BATCH_LENGTH_MAX


@pytest.mark.parametrize("path", [*PATHS, *CHANGES])
def test_every_change_needs_a_key_and_the_scope(api: Api, path: str) -> None:
    assert problem(api.post(path, {}, key=None)) == (400, "idempotency_key_missing", "Idempotency-Key")
    assert problem(api.post(path, {}, by="reader"))[:2] == (403, "forbidden")
    assert problem(api.post(path, {}, by=None))[:2] == (401, "unauthenticated")
    assert stored(api) == {}


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_json_or_too_large_is_refused(api: Api, path: str) -> None:
    assert problem(api.post(path, b"{")) == (400, "malformed_json", "body")
    limit = BATCH_BYTES_MAX if path in BATCH_PATHS else api.runtime.settings.http_body_bytes_max
    too_large = b"x" * (limit + 1)
    assert problem(api.post(path, too_large)) == (413, "body_too_large", "body")
    assert stored(api) == {}


@pytest.mark.parametrize("path", CHANGES)
def test_what_does_not_exist_cant_be_changed(api: Api, path: str) -> None:
    assert problem(api.post(path)) == (404, "account_unknown", "account_id")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"/v1/customers/{ids.new()}", "customer_id"),
        (f"/v1/accounts/{ids.new()}", "account_id"),
        (f"/v1/accounts/{ids.new()}/statement", "account_id"),
    ],
)
def test_what_does_not_exist_cant_be_seen(api: Api, path: str, field: str) -> None:
    assert problem(api.get(path)) == (404, "not_found", field)
    assert problem(api.get(path, by="writer"))[:2] == (403, "forbidden")


@pytest.mark.parametrize(
    ("path", "parameters", "field"),
    [
        ("/v1/accounts", {"limit": 0}, "limit"),
        ("/v1/accounts", {"limit": 501}, "limit"),
        ("/v1/accounts", {"cursor": "7"}, "cursor"),
        ("/v1/accounts", {"costumer_id": ids.new()}, "costumer_id"),
        (f"/v1/accounts/{ids.new()}/statement", {"after": -1}, "after"),
        (f"/v1/accounts/{ids.new()}/statement", {"after": 2**63}, "after"),
        (f"/v1/accounts/{ids.new()}/statement", {"from": "2026"}, "from"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(api: Api, path: str, parameters: dict[str, Any], field: str) -> None:
    assert problem(api.get(path, **parameters)) == (422, "invalid", field)


# Money from outside


def test_money_from_outside_is_credited_once_and_owed_to_the_world_outside(api: Api) -> None:
    account_id = opened(api)
    ask = {"account_id": account_id, "currency": "EUR", "amount": "250.5", "reference": "salary"}
    first, again = (api.post("/v1/fundings", ask, key="march") for _ in range(2))
    assert first.status_code == HTTPStatus.CREATED
    assert first.content == again.content
    assert (first.json()["amount"], first.json()["status"]) == ("250.50", "posted")
    reused = api.post("/v1/fundings", {**ask, "amount": "9"}, key="march")
    assert problem(reused) == (422, "idempotency_key_reused", "Idempotency-Key")
    assert money(api, account_id) == ("250.50", "0.00", "250.50")
    assert money(api, house_account_id(AccountKind.EXTERNAL, "EUR")) == ("-250.50", "0.00", "-250.50")
    require_balanced(api.runtime)


def test_a_funding_is_refused_for_what_stands_in_its_way(api: Api) -> None:
    account_id = opened(api)
    ask = {"account_id": account_id, "currency": "EUR", "amount": "1"}
    assert problem(api.post("/v1/fundings", {**ask, "currency": "USD"})) == (409, "currency_not_held", "currency")
    assert problem(api.post("/v1/fundings", {**ask, "account_id": ids.new()})) == (409, "account_unknown", "account_id")
    ours = {**ask, "account_id": house_account_id(AccountKind.EXTERNAL, "EUR")}
    assert problem(api.post("/v1/fundings", ours)) == (409, "account_unknown", "account_id"), "the house's own"
    api.post(f"/v1/accounts/{account_id}/freeze")
    assert problem(api.post("/v1/fundings", ask)) == (409, "account_frozen", "account_id")
    assert counts(api.runtime, "transfers") == {"transfers": 0}


def test_of_a_batch_of_fundings_each_is_carried_out_or_refused_on_its_own(api: Api) -> None:
    account_id = opened(api)
    fundings = [{"account_id": account_id, "currency": currency, "amount": "1"} for currency in ("EUR", "USD", "EUR")]
    response = api.post("/v1/funding-batches", {"fundings": fundings}, key="k")
    assert [result["status"] for result in response.json()["fundings"]] == ["posted", "refused", "posted"]
    assert response.json()["fundings"][1]["reason"] == "currency_not_held"
    assert api.post("/v1/funding-batches", {"fundings": fundings}, key="k").content == response.content
    assert money(api, account_id) == ("2.00", "0.00", "2.00")
    require_balanced(api.runtime)


# A payment's money


def test_held_money_is_posted_but_not_available_and_then_moved(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    payment = Payment(ann, ben, "30")
    tell(api.runtime, payment.initiated)
    assert (money(api, ann), money(api, ben)) == (("100.00", "30.00", "70.00"), ("0.00", "0.00", "0.00"))
    tell(api.runtime, payment.approved)
    assert (money(api, ann), money(api, ben)) == (("70.00", "0.00", "70.00"), ("30.00", "0.00", "30.00"))
    assert kinds(api)[-2:] == ["FundsHeld", "FundsPosted"]
    require_balanced(api.runtime)


def test_no_account_pays_below_its_floor(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    most, more = Payment(ann, ben, "99.99"), Payment(ann, ben, "0.02")
    tell(api.runtime, most.initiated, more.initiated, Payment(ann, ben, "0.01").initiated)
    assert kinds(api)[-3:] == ["FundsHeld", "FundsDeclined", "FundsHeld"]
    assert money(api, ann) == ("100.00", "100.00", "0.00")
    api.runtime.unit.administer(
        lambda tx: tx.exec_driver_sql("UPDATE accounts SET floor_minor = -5000 WHERE account_id = %s", (ann,))
    )
    tell(api.runtime, Payment(ann, ben, "50.01").initiated, Payment(ann, ben, "50").initiated)
    assert kinds(api)[-2:] == ["FundsDeclined", "FundsHeld"], "an agreed overdraft is a floor below zero"
    assert money(api, ann) == ("100.00", "150.00", "-50.00")
    require_balanced(api.runtime)


def test_money_of_a_listed_party_ends_in_blocked_funds_whatever_the_state_of_the_accounts(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    payment = Payment(ann, ben, "30")
    tell(api.runtime, payment.initiated)
    for account_id in (ann, ben):
        api.post(f"/v1/accounts/{account_id}/freeze")
    tell(api.runtime, payment.block_requested, payment.rejected, payment.approved)
    assert money(api, ann) == ("70.00", "0.00", "70.00")
    assert money(api, house_account_id(AccountKind.BLOCKED_FUNDS, "EUR")) == ("30.00", "0.00", "30.00")
    assert money(api, ben) == ("0.00", "0.00", "0.00")
    blocked_funds = house_account_id(AccountKind.BLOCKED_FUNDS, "EUR")
    blocked = api.get(f"/v1/accounts/{blocked_funds}/statement", by="staff").json()
    assert [(entry["kind"], entry["payment_id"]) for entry in blocked["entries"]] == [("blocking", payment.payment_id)]
    require_balanced(api.runtime)


@pytest.mark.parametrize("change", ["fund", "freeze", "thaw", "close"])
def test_blocked_funds_are_nobodys_to_touch(api: Api, change: str) -> None:
    ann, ben = opened(api, "100"), opened(api)
    payment = Payment(ann, ben, "30")
    tell(api.runtime, payment.initiated, payment.block_requested)
    house = house_account_id(AccountKind.BLOCKED_FUNDS, "EUR")
    if change == "fund":
        response = api.post("/v1/fundings", {"account_id": house, "currency": "EUR", "amount": "1"})
    else:
        response = api.post(f"/v1/accounts/{house}/{change}")
    assert problem(response) == (409 if change == "fund" else 404, "account_unknown", "account_id")
    tell(api.runtime, Payment(house, ben, "1").initiated)
    (declined,) = [event for event in told(api.runtime) if isinstance(event, FundsDeclined)]
    assert declined.reason is DeclineReason.DEBTOR_ACCOUNT_UNKNOWN


def test_a_hold_that_payments_forgot_ends_by_itself(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    payment = Payment(ann, ben, "30")
    tell(api.runtime, payment.initiated)
    later = datetime.now(UTC) + timedelta(days=31)
    assert api.runtime.unit.administer(lambda tx: find_expired_holds(tx, datetime.now(UTC), 10)) == []
    (due,) = api.runtime.unit.administer(lambda tx: find_expired_holds(tx, later, 10))
    assert due.body.hold_id == payment.payment_id
    api.runtime.unit.administer(
        lambda tx: tx.exec_driver_sql("UPDATE holds SET expires_at = now() - interval '1 second'")
    )
    assert api.runtime.sweep.run_once() == 1
    assert kinds(api)[-1] == "FundsReleased"
    assert money(api, ann) == ("100.00", "0.00", "100.00")
    require_balanced(api.runtime)


def test_a_hold_does_not_run_out_while_a_message_about_its_payer_waits(api: Api) -> None:
    """It may say that the money is a listed party's."""
    ann, ben = opened(api, "100"), opened(api)
    tell(api.runtime, Payment(ann, ben, "30").initiated)
    administer = api.runtime.unit.administer
    administer(lambda tx: execute(tx, "UPDATE holds SET expires_at = now() - interval '1 second'"))
    due = administer(lambda tx: find_expired_holds(tx, datetime.now(UTC), 10))
    administer(lambda tx: execute(tx, "INSERT INTO parked_keys (key, because_of) VALUES (%s, %s)", (ann, ids.new())))
    assert api.runtime.sweep.run_once() == 0
    # The message may fail when the sweep has just found the hold.
    api.runtime.unit.run(due, NoClaim())
    assert money(api, ann) == ("100.00", "30.00", "70.00")
    administer(lambda tx: execute(tx, "DELETE FROM parked_keys"))
    assert api.runtime.sweep.run_once() == 1
    assert money(api, ann) == ("100.00", "0.00", "100.00")
    require_balanced(api.runtime)


# Freeze, thaw and close


def test_what_a_listed_customer_owns_goes_to_blocked_funds_also_what_a_payment_held(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api, "1")
    owner = api.get(f"/v1/accounts/{ann}").json()["customer_id"]
    payment = Payment(ann, ben, "30")
    tell(api.runtime, payment.initiated)
    tell(api.runtime, CustomerRefused(customer_id=owner, is_listed=True, refused_at=NOW))
    assert money(api, ann) == ("30.00", "30.00", "0.00"), "what a payment holds is left to it"
    tell(api.runtime, payment.rejected, CustomerRefused(customer_id=owner, is_listed=True, refused_at=NOW))
    assert money(api, ann) == ("0.00", "0.00", "0.00")
    found = [event for event in told(api.runtime) if isinstance(event, PropertyBlocked)]
    assert [(event.account_id, event.customer_id, event.amount_minor) for event in found] == [
        (ann, owner, 7000),
        (ann, owner, 3000),
    ]
    transfer = api.get(f"/v1/transfers/{found[0].transfer_id}").json()
    assert (transfer["kind"], transfer["credit_account_id"]) == ("blocking", found[0].blocked_account_id)
    back = api.post(f"/v1/transfers/{found[0].transfer_id}/reverse", {})
    assert problem(back)[:2] == (409, "of_a_payment"), "blocked funds go nowhere"
    require_balanced(api.runtime)


def test_a_frozen_account_neither_pays_nor_receives_until_it_is_thawed(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api, "1")
    payment = Payment(ann, ben, "30")
    tell(api.runtime, payment.initiated)
    frozen = api.post(f"/v1/accounts/{ann}/freeze", key="k")
    assert (frozen.status_code, frozen.json()["status"]) == (HTTPStatus.OK, "frozen")
    assert api.post(f"/v1/accounts/{ann}/freeze", key="k").content == frozen.content
    assert api.post(f"/v1/accounts/{ann}/freeze").status_code == HTTPStatus.OK, "freezing twice is freezing once"
    tell(api.runtime, payment.approved, Payment(ann, ben, "1").initiated, Payment(ben, ann, "1").initiated)
    assert kinds(api)[-4:] == ["AccountFrozen", "FundsPostRefused", "FundsDeclined", "FundsDeclined"]
    assert money(api, ann) == ("100.00", "30.00", "70.00"), "what was held stays held"
    assert api.post(f"/v1/accounts/{ann}/thaw").json()["status"] == "open"
    assert problem(api.post(f"/v1/accounts/{ann}/thaw")) == (409, "account_not_frozen", "account_id")
    tell(api.runtime, payment.approved)
    assert money(api, ben) == ("31.00", "0.00", "31.00")
    require_balanced(api.runtime)


def test_an_account_of_a_restricted_customer_is_thawed_only_when_compliance_has_verified_it_again(api: Api) -> None:
    account_id = opened(api, "100")
    customer_id = api.get(f"/v1/accounts/{account_id}").json()["customer_id"]
    tell(api.runtime, CustomerRestricted(customer_id=customer_id, restricted_at=NOW))
    assert status(api, account_id) == "frozen"
    assert problem(api.post(f"/v1/accounts/{account_id}/thaw")) == (409, "customer_not_verified", "account_id")
    tell(api.runtime, verified(customer_id))
    assert api.post(f"/v1/accounts/{account_id}/thaw").json()["status"] == "open"


def test_an_account_is_closed_only_when_it_holds_nothing(api: Api) -> None:
    ann, ben = opened(api, "30"), opened(api)
    assert problem(api.post(f"/v1/accounts/{ann}/close")) == (409, "account_not_empty", "account_id")
    payment, other = Payment(ann, ben, "30"), Payment(ben, ann, "1")
    tell(api.runtime, payment.initiated, payment.approved)
    assert api.post(f"/v1/accounts/{ann}/close").json()["status"] == "closed"
    for change in ("close", "freeze"):
        assert problem(api.post(f"/v1/accounts/{ann}/{change}")) == (409, "account_closed", "account_id")
    assert problem(api.post(f"/v1/accounts/{ann}/thaw")) == (409, "account_not_frozen", "account_id")
    ask = {"account_id": ann, "currency": "EUR", "amount": "1"}
    assert problem(api.post("/v1/fundings", ask)) == (409, "account_closed", "account_id")
    tell(api.runtime, other.initiated)
    declined = told(api.runtime)[-1]
    assert isinstance(declined, FundsDeclined)
    assert declined.reason is DeclineReason.CREDITOR_ACCOUNT_CLOSED


def test_a_payment_whose_payee_was_closed_meanwhile_is_refused_and_the_money_stays_held(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    payment = Payment(ann, ben, "30")
    tell(api.runtime, payment.initiated)
    assert api.post(f"/v1/accounts/{ben}/close").json()["status"] == "closed"
    tell(api.runtime, payment.approved)
    refused: Any = told(api.runtime)[-1]
    assert refused.reason is PostRefusal.CREDITOR_ACCOUNT_CLOSED
    assert money(api, ann) == ("100.00", "30.00", "70.00")
    tell(api.runtime, payment.rejected)
    assert money(api, ann) == ("100.00", "0.00", "100.00")


# Statements and lists


def test_a_statement_shows_every_entry_once_in_order_with_the_balance_after_it(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    payments = [Payment(ann, ben, str(number)) for number in range(1, 8)]
    for payment in payments:
        tell(api.runtime, payment.initiated, payment.approved)
    entries: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = api.get(f"/v1/accounts/{ann}/statement", after=after, limit=3).json()
        entries += page["entries"]
        after = page["next_after"]
        assert len(page["entries"]) <= 3
    assert [entry["number"] for entry in entries] == list(range(1, 9))
    assert [entry["amount"] for entry in entries] == ["100.00", *(f"-{number}.00" for number in range(1, 8))]
    balances = [100, 99, 97, 94, 90, 85, 79, 72]
    assert [entry["balance"] for entry in entries] == [f"{balance}.00" for balance in balances]
    assert [entry["payment_id"] for entry in entries[1:]] == [payment.payment_id for payment in payments]
    assert {entry["kind"] for entry in entries} == {"funding", "payment"}
    assert page["posted"] == "72.00"


def test_accounts_are_listed_whole_whatever_the_pages(api: Api) -> None:
    mine = sorted(opened(api) for _ in range(5))
    for limit in (1, 2, 5, 500):
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = api.get("/v1/accounts", limit=limit, **cursor).json()
            found += [account["account_id"] for account in page["accounts"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert found == mine
    owner = api.get(f"/v1/accounts/{mine[0]}").json()["customer_id"]
    assert [a["account_id"] for a in api.get("/v1/accounts", customer_id=owner).json()["accounts"]] == [mine[0]]


def test_answers_look_as_documented(api: Api) -> None:
    customer = api.post("/v1/customers", {"name": "Ann", "currencies": ["EUR", "USD"]})
    require(RegisteredView, customer)
    require(RegisteredBatchView, api.post("/v1/customer-batches", {"customers": [{"name": "Ben"}]}))
    customer_id = customer.json()["customer_id"]
    tell(api.runtime, verified(customer_id))
    require(AccountView, api.post("/v1/accounts", {"customer_id": customer_id, "currency": "JPY"}))
    account_id = account_id_of(customer_id, "EUR")
    ask = {"account_id": account_id, "currency": "EUR", "amount": "1"}
    require(FundingView, api.post("/v1/fundings", ask))
    require(FundingBatchView, api.post("/v1/funding-batches", {"fundings": [ask, {**ask, "currency": "CHF"}]}))
    require(CustomerView, api.get(f"/v1/customers/{customer_id}"))
    require(AccountPage, api.get("/v1/accounts"))
    require(AccountView, api.get(f"/v1/accounts/{account_id}"))
    require(StatementView, api.get(f"/v1/accounts/{account_id}/statement"))
    require(BooksView, api.get("/v1/books", by="staff"))
    for change in ("freeze", "thaw"):
        require(AccountView, api.post(f"/v1/accounts/{account_id}/{change}"))


def test_only_staff_sees_the_books(api: Api) -> None:
    assert problem(api.get("/v1/books"))[:2] == (403, "forbidden")
    ann, ben = opened(api, "100"), opened(api, currency="USD")
    tell(api.runtime, Payment(ann, opened(api), "1").initiated, Payment(ben, ann, "1").initiated)
    books = api.get("/v1/books", by="staff").json()
    assert books["is_balanced"]
    assert (books["entries_by_currency"], books["open_holds"]) == ({"EUR": 2}, 1)
    assert rows(api.runtime, "SELECT count(*) FROM holds WHERE status = 'declined'") == [(1,)]
