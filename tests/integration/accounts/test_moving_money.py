"""Money moved by request, over HTTP: transfers alone and linked, conversions, reversals, holds in parts, bounds."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

from libs.common import ids
from schemas.accounts.events import (
    AccountBoundsSet,
    HoldEnd,
    HoldEnded,
    HoldPlaced,
    PostedTransferKind,
    RefundPosted,
    TransfersPosted,
)
from schemas.payments.events import RefundRequested
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.requests import BATCH_BYTES_MAX
from services.accounts.views import (
    AccountView,
    BookedBatchView,
    BookedView,
    ClosedCustomerView,
    ConversionView,
    HoldBatchView,
    HoldView,
    ReversalView,
    TransferView,
)
from tests.integration.accounts.scene import NOW, Payment, money, opened, require_balanced
from tests.serving import Api, problem, require, rows, tell, told

SUSPENSE = house_account_id(AccountKind.SUSPENSE, "EUR")


def ask(debit: str, credit: str, amount: str, **fields: Any) -> dict[str, Any]:
    return {"debit_account_id": debit, "credit_account_id": credit, "currency": "EUR", "amount": amount, **fields}


def posted(api: Api) -> list[TransfersPosted]:
    return [event for event in told(api.runtime) if isinstance(event, TransfersPosted)]


# Transfers


def test_money_is_moved_once_however_often_it_is_asked_for(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    body = ask(ann, ben, "12.50", reference="rent", metadata={"flat": "3 b"}, effective_at="2026-01-31T00:00:00Z")
    answers = [api.post("/v1/transfers", body, key="rent") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [HTTPStatus.CREATED] * 2
    assert answers[0].json() == answers[1].json()
    assert (money(api, ann), money(api, ben)) == (("87.50", "0.00", "87.50"), ("12.50", "0.00", "12.50"))
    found = api.get(f"/v1/transfers/{answers[0].json()['transfer_id']}")
    require(TransferView, found)
    assert {name: found.json()[name] for name in ("kind", "amount", "reference", "metadata", "reversed_by")} == {
        "kind": "booking",
        "amount": "12.50",
        "reference": "rent",
        "metadata": {"flat": "3 b"},
        "reversed_by": None,
    }
    assert found.json()["effective_at"].startswith("2026-01-31")
    (transfer,) = posted(api)[-1].transfers
    assert (transfer.kind, transfer.amount_minor, transfer.debit_account_id) == (PostedTransferKind.BOOKING, 1250, ann)
    owners = [api.get(f"/v1/accounts/{account}").json()["customer_id"] for account in (ann, ben)]
    assert [transfer.debit_customer_id, transfer.credit_customer_id] == owners
    require_balanced(api.runtime)


def test_linked_transfers_are_made_all_or_none(api: Api) -> None:
    ann, ben, eve = opened(api, "100"), opened(api), opened(api)
    chain = [ask(ann, ben, "60"), ask(ben, eve, "50"), ask(eve, ann, "50.01")]
    refused = api.post("/v1/transfer-batches", {"is_linked": True, "transfers": chain})
    assert problem(refused) == (409, "insufficient_funds", "transfers.2.amount")
    assert [money(api, account)[0] for account in (ann, ben, eve)] == ["100.00", "0.00", "0.00"]
    made = api.post("/v1/transfer-batches", {"is_linked": True, "transfers": [*chain[:2], ask(eve, ann, "50")]})
    require(BookedBatchView, made)
    assert [money(api, account)[0] for account in (ann, ben, eve)] == ["90.00", "10.00", "0.00"]
    (_, told_together) = posted(api)
    assert [t.transfer_id for t in told_together.transfers] == [t["transfer_id"] for t in made.json()["transfers"]]
    assert rows(api.runtime, "SELECT count(*), count(DISTINCT link_id) FROM transfers WHERE link_id IS NOT NULL") == [
        (3, 1)
    ]


def test_transfers_of_a_batch_that_are_not_linked_are_made_or_refused_each_on_its_own(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    batch = [ask(ann, ben, "60"), ask(ann, ben, "60"), ask(ann, ids.new(), "1"), ask(ben, ann, "10")]
    answer = api.post("/v1/transfer-batches", {"transfers": batch})
    require(BookedBatchView, answer)
    outcomes = [(t["status"], t.get("reason"), t.get("field")) for t in answer.json()["transfers"]]
    assert outcomes == [
        ("posted", None, None),
        ("refused", "insufficient_funds", "amount"),
        ("refused", "creditor_account_unknown", "credit_account_id"),
        ("posted", None, None),
    ]
    assert (money(api, ann)[0], money(api, ben)[0]) == ("50.00", "50.00")


def test_a_thousand_transfers_fit_in_one_request(api: Api) -> None:
    ann, ben = opened(api, "1000"), opened(api)
    body = {"is_linked": True, "transfers": [ask(ann, ben, "1.00", reference="x" * 200)] * 1_000}
    assert len(str(body)) < BATCH_BYTES_MAX
    require(BookedBatchView, api.post("/v1/transfer-batches", body))
    assert money(api, ben)[0] == "1000.00"
    require_balanced(api.runtime)


def test_accounts_of_the_house_are_for_staff(api: Api) -> None:
    ann = opened(api, "100")
    assert problem(api.post("/v1/transfers", ask(ann, SUSPENSE, "1")))[1] == "creditor_account_unknown"
    require(BookedView, api.post("/v1/transfers", ask(ann, SUSPENSE, "1"), by="staff"))
    assert money(api, SUSPENSE) == ("1.00", "0.00", "1.00")
    blocked = house_account_id(AccountKind.BLOCKED_FUNDS, "EUR")
    assert problem(api.post("/v1/transfers", ask(blocked, ann, "1"), by="staff"))[1] == "debtor_account_unknown"


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"amount": "0"}, "amount", "not_positive"),
        ({"amount": "1.005"}, "amount", "too_precise"),
        ({"currency": "XYZ"}, "currency", "unknown_currency"),
        ({"debit_account_id": "7"}, "debit_account_id", "not_an_id"),
        ({"metadata": {"": "x"}}, "metadata..[key]", "too_short"),
        ({"metadata": {"k": "bell\x07"}}, "metadata.k", "control_characters"),
        ({"metadata": {str(n): "x" for n in range(21)}}, "metadata", "too_long"),
        ({"effective_at": "2026"}, "effective_at", "not_a_time"),
        ({"fee": "1"}, "fee", "unknown_field"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place(api: Api, change: dict[str, Any], field: str, reason: str) -> None:
    answer = api.post("/v1/transfers", ask(ids.new(), ids.new(), "1") | change)
    assert problem(answer)[:2] == (422, "invalid")
    assert [(fault["field"], fault["reason"]) for fault in answer.json()["errors"]] == [(field, reason)]


def test_an_account_pays_itself_nothing(api: Api) -> None:
    ann = opened(api, "100")
    for path in ("/v1/transfers", "/v1/holds"):
        assert problem(api.post(path, ask(ann, ann, "1")))[:2] == (422, "invalid")


# Conversions and reversals


def test_a_conversion_is_two_balanced_transfers_through_the_houses_liquidity(api: Api) -> None:
    ann, dollars = opened(api, "100"), opened(api, currency="USD")
    body = ask(ann, dollars, "33.33", credited_currency="USD", rate="1.08437")
    assert problem(api.post("/v1/conversions", body))[:2] == (403, "forbidden"), "rates are not for clients to say"
    converted = api.post("/v1/conversions", body, by="staff")
    require(ConversionView, converted)
    # 33.33 at 1.08437 is 36.1420521: what is beyond the cent stays with the house.
    assert (converted.json()["credited"], converted.json()["remainder_minor"]) == ("36.14", "0.20521")
    assert (money(api, ann)[0], money(api, dollars)[0]) == ("66.67", "36.14")
    liquidity = [money(api, house_account_id(AccountKind.LIQUIDITY, currency))[0] for currency in ("EUR", "USD")]
    assert liquidity == ["33.33", "-36.14"]
    require_balanced(api.runtime)


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"rate": "0"}, 422, "invalid"),
        ({"rate": "-1"}, 422, "invalid"),
        ({"rate": "1e3"}, 422, "invalid"),
        ({"credited_currency": "EUR"}, 422, "invalid"),
        ({"rate": "0.0001", "amount": "0.01"}, 409, "amount_too_small"),
        ({"credited_currency": "JPY"}, 409, "currency_not_held"),
        ({"amount": "100.01"}, 409, "insufficient_funds"),
    ],
)
def test_a_conversion_that_makes_no_sense_moves_nothing(
    api: Api, change: dict[str, Any], status: int, reason: str
) -> None:
    ann, dollars = opened(api, "100"), opened(api, currency="USD")
    body = ask(ann, dollars, "50", credited_currency="USD", rate="1.08") | change
    assert problem(api.post("/v1/conversions", body, by="staff"))[:2] == (status, reason)
    assert (money(api, ann)[0], money(api, dollars)[0]) == ("100.00", "0.00")


def test_a_transfer_is_taken_back_once_by_a_further_one_with_all_that_was_linked_to_it(api: Api) -> None:
    ann, ben, eve = opened(api, "100"), opened(api), opened(api)
    chain = {"is_linked": True, "transfers": [ask(ann, ben, "60"), ask(ben, eve, "60")]}
    first, second = (t["transfer_id"] for t in api.post("/v1/transfer-batches", chain).json()["transfers"])
    taken_back = api.post(f"/v1/transfers/{first}/reverse", {"reference": "wrong month"})
    require(ReversalView, taken_back)
    assert [money(api, account)[0] for account in (ann, ben, eve)] == ["100.00", "0.00", "0.00"]
    for transfer_id in (first, second):
        assert problem(api.post(f"/v1/transfers/{transfer_id}/reverse"))[:2] == (409, "already_reversed")
    reversal_id = api.get(f"/v1/transfers/{first}").json()["reversed_by"]
    assert reversal_id == taken_back.json()["transfer_id"]
    assert problem(api.post(f"/v1/transfers/{reversal_id}/reverse"))[:2] == (409, "is_a_reversal")
    assert problem(api.post(f"/v1/transfers/{ids.new()}/reverse"))[:2] == (404, "transfer_unknown")
    require_balanced(api.runtime)


def test_what_the_house_has_a_part_in_is_taken_back_by_staff_alone(api: Api) -> None:
    ann = opened(api, "100")
    transfer_id = api.post("/v1/transfers", ask(ann, SUSPENSE, "10"), by="staff").json()["transfer_id"]
    assert problem(api.post(f"/v1/transfers/{transfer_id}/reverse"))[:2] == (409, "of_the_house")
    assert api.post(f"/v1/transfers/{transfer_id}/reverse", by="staff").status_code == HTTPStatus.CREATED
    assert (money(api, ann)[0], money(api, SUSPENSE)[0]) == ("100.00", "0.00")


def test_what_payments_moved_is_refunded_and_not_taken_back(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    payment = Payment(ann, ben, "30")
    tell(api.runtime, payment.initiated, payment.approved)
    ((transfer_id,),) = rows(api.runtime, "SELECT transfer_id FROM transfers WHERE kind = 'payment'")
    assert problem(api.post(f"/v1/transfers/{transfer_id}/reverse"))[:2] == (409, "of_a_payment")
    refund = RefundRequested(
        refund_id=ids.new(),
        payment_id=payment.payment_id,
        debtor_account_id=ann,
        creditor_account_id=ben,
        amount_minor=10_00,
        currency="EUR",
        requested_at=NOW,
    )
    tell(api.runtime, refund)
    assert isinstance(told(api.runtime)[-1], RefundPosted)
    assert (money(api, ann)[0], money(api, ben)[0]) == ("80.00", "20.00")
    assert problem(api.get(f"/v1/holds/{payment.payment_id}"))[:2] == (404, "not_found"), "a payment's is for staff"
    hold = api.get(f"/v1/holds/{payment.payment_id}", by="staff").json()
    assert (hold["kind"], hold["status"], hold["posted"], hold["refunded"]) == ("payment", "posted", "30.00", "10.00")
    require_balanced(api.runtime)


# Holds


def test_a_hold_is_posted_in_parts_and_the_last_part_gives_back_the_rest(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    placed = api.post("/v1/holds", ask(ann, ben, "80"))
    require(HoldView, placed)
    assert (placed.status_code, money(api, ann)) == (HTTPStatus.CREATED, ("100.00", "80.00", "20.00"))
    path = f"/v1/holds/{placed.json()['hold_id']}"
    for amount, left in (("30", "50.00"), ("20.01", "29.99")):
        part = api.post(f"{path}/post", {"currency": "EUR", "amount": amount})
        require(HoldView, part)
        assert (part.json()["status"], part.json()["left"]) == ("held", left)
    assert problem(api.post(f"{path}/post", {"currency": "EUR", "amount": "30"}))[1] == "amount_exceeds_held"
    assert problem(api.post(f"{path}/post", {"currency": "USD", "amount": "1"}))[1] == "currency_not_held"
    assert problem(api.post(f"{path}/post", {"amount": "1"}))[:2] == (422, "invalid")
    last = api.post(f"{path}/post", {"currency": "EUR", "amount": "9.99", "is_final": True}).json()
    assert (last["status"], last["posted"], last["left"]) == ("posted", "60.00", "0.00")
    assert (money(api, ann), money(api, ben)[0]) == (("40.00", "0.00", "40.00"), "60.00")
    assert [problem(api.post(f"{path}/{verb}"))[1] for verb in ("post", "void")] == ["hold_ended"] * 2
    assert api.get(path).json() == last
    about = [event for event in told(api.runtime) if isinstance(event, HoldPlaced | HoldEnded)]
    assert [type(event).__name__ for event in about] == ["HoldPlaced", "HoldEnded"]
    (ended,) = about[1:]
    assert isinstance(ended, HoldEnded)
    assert (ended.reason, ended.posted_minor, ended.released_minor) == (HoldEnd.POSTED, 60_00, 20_00)
    require_balanced(api.runtime)


def test_holds_are_posted_together_all_or_none_or_each_on_its_own(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    first, second = (api.post("/v1/holds", ask(ann, ben, amount)).json()["hold_id"] for amount in ("30", "40"))
    part = {"hold_id": second, "currency": "EUR", "amount": "40.01"}
    refused = api.post("/v1/hold-posting-batches", {"is_linked": True, "postings": [{"hold_id": first}, part]})
    assert problem(refused) == (409, "amount_exceeds_held", "postings.1.amount")
    assert money(api, ann) == ("100.00", "70.00", "30.00")
    unlinked = api.post("/v1/hold-posting-batches", {"postings": [part, {**part, "amount": "10"}]})
    require(HoldBatchView, unlinked)
    assert [hold["status"] for hold in unlinked.json()["holds"]] == ["refused", "held"]
    together = {"is_linked": True, "postings": [{"hold_id": first}, {"hold_id": second}]}
    posted_both = api.post("/v1/hold-posting-batches", together)
    require(HoldBatchView, posted_both)
    assert [(h["status"], h["posted"]) for h in posted_both.json()["holds"]] == [
        ("posted", "30.00"),
        ("posted", "40.00"),
    ]
    assert (money(api, ann), money(api, ben)[0]) == (("30.00", "0.00", "30.00"), "70.00")
    require_balanced(api.runtime)


def test_a_hold_is_voided_once(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    hold_id = api.post("/v1/holds", ask(ann, ben, "100")).json()["hold_id"]
    assert problem(api.post("/v1/holds", ask(ann, ben, "0.01")))[1] == "insufficient_funds"
    assert api.post(f"/v1/holds/{hold_id}/void").json()["status"] == "released"
    assert problem(api.post(f"/v1/holds/{hold_id}/void"))[1] == "hold_ended"
    assert money(api, ann) == ("100.00", "0.00", "100.00")


def test_a_hold_of_a_payment_is_payments_to_end(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    payment = Payment(ann, ben, "30")
    tell(api.runtime, payment.initiated)
    for verb in ("post", "void"):
        assert problem(api.post(f"/v1/holds/{payment.payment_id}/{verb}"))[:2] == (409, "of_a_payment")
    assert problem(api.post(f"/v1/holds/{ids.new()}/void"))[:2] == (404, "hold_unknown")


def test_a_hold_must_end_after_it_begins(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert problem(api.post("/v1/holds", ask(ann, ben, "1", expires_at=past))) == (
        409,
        "expiry_not_ahead",
        "expires_at",
    )


# Accounts and customers


def test_an_account_goes_as_far_below_zero_and_above_as_it_may(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    bounds = {"currency": "EUR", "overdraft": "50", "ceiling": "100"}
    assert problem(api.post(f"/v1/accounts/{ann}/bounds", bounds))[:2] == (403, "forbidden")
    changed = api.post(f"/v1/accounts/{ann}/bounds", bounds, by="staff")
    (told_of,) = [event for event in told(api.runtime) if isinstance(event, AccountBoundsSet)]
    assert (told_of.floor_minor, told_of.ceiling_minor) == (-50_00, 100_00)
    require(AccountView, changed)
    assert (changed.json()["floor"], changed.json()["ceiling"]) == ("-50.00", "100.00")
    assert problem(api.post("/v1/transfers", ask(ann, ben, "150.01")))[1] == "insufficient_funds"
    assert api.post("/v1/transfers", ask(ann, ben, "150")).status_code == HTTPStatus.CREATED
    none = api.post(f"/v1/accounts/{ann}/bounds", {"currency": "EUR"}, by="staff")
    assert problem(none) == (409, "bound_is_passed", "overdraft")
    assert api.post("/v1/transfers", ask(ben, ann, "150")).status_code == HTTPStatus.CREATED
    over = {"account_id": ann, "currency": "EUR", "amount": "0.01"}
    assert problem(api.post("/v1/fundings", over)) == (409, "ceiling_exceeded", "amount")
    dollars = api.post(f"/v1/accounts/{ann}/bounds", {"currency": "USD"}, by="staff")
    assert problem(dollars)[1] == "currency_not_held"
    require_balanced(api.runtime)


def test_an_account_frozen_for_debits_may_still_receive(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api, "100")
    assert api.post(f"/v1/accounts/{ann}/freeze", {"may_receive": True}).json()["status"] == "debits_frozen"
    assert problem(api.post("/v1/transfers", ask(ann, ben, "1")))[1] == "debtor_account_frozen"
    assert api.post("/v1/transfers", ask(ben, ann, "1")).status_code == HTTPStatus.CREATED
    assert api.post(f"/v1/accounts/{ann}/freeze").json()["status"] == "frozen"
    assert problem(api.post("/v1/transfers", ask(ben, ann, "1")))[1] == "creditor_account_frozen"
    assert problem(api.post(f"/v1/accounts/{ann}/freeze", {"may_receive": True}))[1] == "account_frozen"
    assert api.post(f"/v1/accounts/{ann}/thaw").json()["status"] == "open"


def test_a_customer_is_closed_when_every_account_is(api: Api) -> None:
    ann = opened(api)
    customer_id = api.get(f"/v1/accounts/{ann}").json()["customer_id"]
    path = f"/v1/customers/{customer_id}/close"
    assert problem(api.post(path))[:2] == (409, "customer_has_accounts")
    api.post(f"/v1/accounts/{ann}/close")
    require(ClosedCustomerView, api.post(path))
    assert problem(api.post(path))[:2] == (409, "customer_closed")
    assert problem(api.post(f"/v1/customers/{ids.new()}/close"))[:2] == (404, "customer_unknown")
    assert problem(api.post("/v1/accounts", {"customer_id": customer_id, "currency": "USD"}))[1] == (
        "customer_not_verified"
    )


def test_an_account_keeps_what_its_owner_notes_about_it(api: Api) -> None:
    customer_id = api.get(f"/v1/accounts/{opened(api)}").json()["customer_id"]
    made = api.post("/v1/accounts", {"customer_id": customer_id, "currency": "USD", "metadata": {"purpose": "travel"}})
    require(AccountView, made)
    assert api.get(f"/v1/accounts/{made.json()['account_id']}").json()["metadata"] == {"purpose": "travel"}
