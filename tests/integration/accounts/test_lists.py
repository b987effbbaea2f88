"""Lists over HTTP: each whole, once and in one order, whatever the pages; and nothing in them that is another's."""

from collections.abc import Iterator
from typing import Any

import pytest

from libs.common import ids
from services.accounts.domain.chart import AccountKind, house_account_id
from services.accounts.queries import lists
from services.accounts.store import LANES
from services.accounts.views import HoldPage, TransferPage
from tests.integration.accounts.scene import Payment, opened
from tests.serving import Api, problem, require, tell

LIMITS = (1, 2, 3, 500)


def pages(api: Api, path: str, *, by: str = "shop", **filters: Any) -> Iterator[dict[str, Any]]:
    """All pages of a list, each after the cursor of the one before."""
    cursor: dict[str, str] = {}
    for _ in range(100):
        answer = api.get(path, by=by, **filters, **cursor)
        assert answer.status_code == 200, answer.text
        yield answer.json()
        if answer.json()["next_cursor"] is None:
            return
        cursor = {"cursor": answer.json()["next_cursor"]}
    raise AssertionError("the list has no end")


def holds(api: Api, account_id: str, *, by: str = "shop", **filters: Any) -> list[str]:
    """The ids of an account's holds, page by page."""
    found = [page["holds"] for page in pages(api, "/v1/holds", by=by, account_id=account_id, **filters)]
    return [hold["hold_id"] for page in found for hold in page]


def transfers(api: Api, *, by: str = "shop", **filters: Any) -> list[str]:
    """The ids of transfers, page by page."""
    found = [page["transfers"] for page in pages(api, "/v1/transfers", by=by, **filters)]
    return [transfer["transfer_id"] for page in found for transfer in page]


def between(debtor: str, creditor: str, amount: str = "1.00", **more: Any) -> dict[str, Any]:
    return {"debit_account_id": debtor, "credit_account_id": creditor, "currency": "EUR", "amount": amount, **more}


def held(api: Api, debtor: str, creditor: str, *, by: str = "shop") -> str:
    answer = api.post("/v1/holds", between(debtor, creditor), by=by)
    assert answer.is_success, answer.text
    return str(answer.json()["hold_id"])


def booked(api: Api, debtor: str, creditor: str, *, by: str = "shop", **more: Any) -> str:
    answer = api.post("/v1/transfers", between(debtor, creditor, **more), by=by)
    assert answer.is_success, answer.text
    return str(answer.json()["transfer_id"])


# Holds


def test_holds_of_an_account_are_listed_whole_whatever_the_pages(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api, "100")
    anns = [held(api, ann, ben) for _ in range(6)]
    bens = held(api, ben, ann)
    assert api.post(f"/v1/holds/{anns[1]}/post").json()["status"] == "posted"
    assert api.post(f"/v1/holds/{anns[4]}/void").json()["status"] == "released"
    for limit in LIMITS:
        assert holds(api, ann, limit=limit) == anns, "in the order of their ids, which is that of time"
        assert holds(api, ann, limit=limit, status="held") == [anns[0], anns[2], anns[3], anns[5]]
        assert holds(api, ann, limit=limit, status="posted") == [anns[1]]
        assert holds(api, ann, limit=limit, status="released") == [anns[4]]
        assert holds(api, ben, limit=limit) == [bens]
    page = api.get("/v1/holds", account_id=ann, limit=2)
    require(HoldPage, page)
    assert page.json()["holds"][1] == api.get(f"/v1/holds/{anns[1]}").json()


def test_what_payments_hold_only_staff_sees_as_long_as_it_is_held(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    mine, payment, settled = held(api, ann, ben), Payment(ann, ben, "1"), Payment(ann, ben, "1")
    tell(api.runtime, payment.initiated, settled.initiated, settled.approved)
    for filters in ({}, {"status": "held"}):
        assert holds(api, ann, **filters) == [mine]
    assert holds(api, ann, by="staff", status="held") == sorted([mine, payment.payment_id])
    assert holds(api, ann, by="staff") == [mine]


def test_a_page_that_has_looked_at_enough_goes_on_with_the_next(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "LOOKED_AT_MAX", 2)
    ann, ben = opened(api, "100"), opened(api)
    made = [held(api, ann, ben) for _ in range(7)]
    for hold_id in made[:5]:
        api.post(f"/v1/holds/{hold_id}/void")
    # What is held has an index of its own; what has ended is looked for among all.
    assert [len(page["holds"]) for page in pages(api, "/v1/holds", account_id=ann, status="posted")] == [0, 0, 0, 0]
    api.post(f"/v1/holds/{made[6]}/post")
    for limit in LIMITS:
        assert holds(api, ann, limit=limit, status="posted") == [made[6]]
        assert holds(api, ann, limit=limit, status="released") == made[:5]
        assert holds(api, ann, limit=limit) == made


def test_accounts_are_listed_by_id_however_many_of_others_are_between(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {opened(api, "1") for _ in range(3)}
    house = house_account_id(AccountKind.EXTERNAL, "EUR")
    everything = [
        account["account_id"] for page in pages(api, "/v1/accounts", by="staff") for account in page["accounts"]
    ]
    assert everything == sorted(everything) and {*ours, house} <= set(everything)
    for most in (2, lists.LOOKED_AT_MAX):
        monkeypatch.setattr(lists, "LOOKED_AT_MAX", most)
        for limit in LIMITS:
            found = [page["accounts"] for page in pages(api, "/v1/accounts", limit=limit)]
            listed = [account["account_id"] for page in found for account in page]
            assert listed == [account_id for account_id in everything if account_id in set(listed)]
            assert ours <= set(listed) and house not in listed
        assert {account["kind"] for page in found for account in page} == {"customer"}


# Transfers


def test_transfers_of_an_account_are_listed_whole_in_the_order_of_its_books(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    made = [booked(api, ann, ben) for _ in range(3)]
    payment = Payment(ann, ben, "5")
    tell(api.runtime, payment.initiated, payment.approved)
    back = api.post(f"/v1/transfers/{made[0]}/reverse").json()["transfer_id"]
    entered = [entry["transfer_id"] for entry in api.get(f"/v1/accounts/{ann}/statement").json()["entries"]]
    assert len(entered) == 6
    for limit in LIMITS:
        assert transfers(api, account_id=ann, limit=limit) == entered
        assert transfers(api, account_id=ben, limit=limit) == entered[1:]
    page = api.get("/v1/transfers", account_id=ann)
    require(TransferPage, page)
    found = {transfer["transfer_id"]: transfer for transfer in page.json()["transfers"]}
    assert found[made[0]]["reversed_by"] == back
    assert found[made[0]] == api.get(f"/v1/transfers/{made[0]}").json()


def test_transfers_of_an_account_of_the_house_are_staffs_to_list_whatever_their_lanes(api: Api) -> None:
    ann = opened(api)
    fees = house_account_id(AccountKind.FEES, "EUR")
    made = [booked(api, fees, ann, by="staff") for _ in range(2 * LANES)]
    for limit in LIMITS:
        assert sorted(transfers(api, by="staff", account_id=fees, limit=limit)) == sorted(made)
    assert transfers(api, account_id=fees) == []


def test_transfers_are_found_by_their_reference_and_their_link(api: Api) -> None:
    ann, ben, eve = opened(api, "100"), opened(api, "100"), opened(api)
    legs = [between(ann, ben, reference="rent"), between(ben, eve, reference="rent"), between(ann, eve)]
    linked = api.post("/v1/transfer-batches", {"is_linked": True, "transfers": legs}).json()["transfers"]
    one, two, three = [transfer["transfer_id"] for transfer in linked]
    four = booked(api, ben, ann, reference="rent", metadata={"flat": "4"})
    booked(api, ben, ann, reference="rent of May")
    link_id = api.get(f"/v1/transfers/{one}").json()["link_id"]
    for limit in LIMITS:
        assert transfers(api, by="staff", reference="rent", limit=limit) == [*sorted([one, two]), four]
        assert transfers(api, reference="rent", account_id=ann, limit=limit) == [one, four]
        assert transfers(api, link_id=link_id, limit=limit) == [one, two, three]
        assert transfers(api, link_id=link_id, reference="rent", account_id=eve, limit=limit) == [two]
    assert transfers(api, by="staff", reference="ren") == transfers(api, link_id=four) == []
    alone = api.get("/v1/transfers", reference="rent")
    assert problem(alone) == (422, "missing", "account_id"), "what others call theirs must not be seen by its places"
    (page,) = pages(api, "/v1/transfers", link_id=link_id)
    assert [transfer["link_number"] for transfer in page["transfers"]] == [0, 1, 2]


def test_a_reference_that_many_transfers_have_is_looked_for_among_the_accounts_own(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "LOOKED_AT_MAX", 2)
    ann, ben, eve = opened(api, "100"), opened(api, "100"), opened(api)
    for _ in range(5):
        booked(api, ann, ben, reference="salary")
    gifts = [booked(api, ann, eve) for _ in range(2)]
    last = booked(api, ann, eve, reference="salary")
    for limit in LIMITS:
        assert transfers(api, reference="salary", account_id=eve, limit=limit) == [last]
        assert len(transfers(api, reference="salary", account_id=ann, limit=limit)) == 6
        assert len(transfers(api, by="staff", reference="salary", limit=limit)) == 6
    first = next(pages(api, "/v1/transfers", reference="salary", account_id=eve))
    assert first == {"transfers": [], "next_cursor": gifts[1]}


# What is another's, and what makes no sense


def test_nothing_of_anothers_is_in_a_list(api: Api) -> None:
    ann, ben = opened(api, "100"), opened(api)
    held(api, ann, ben)
    legs = [between(ann, ben, reference="rent")] * 2
    linked = api.post("/v1/transfer-batches", {"is_linked": True, "transfers": legs}).json()["transfers"]
    link_id = api.get(f"/v1/transfers/{linked[0]['transfer_id']}").json()["link_id"]
    nobody = api.get("/v1/holds", by="rival", account_id=ids.new())
    assert api.get("/v1/holds", by="rival", account_id=ann).content == nobody.content
    nothing = api.get("/v1/transfers", by="rival", account_id=ids.new())
    for filters in ({"account_id": ann}, {"account_id": ann, "reference": "rent"}, {"link_id": link_id}):
        assert api.get("/v1/transfers", by="rival", **filters).content == nothing.content, filters
        assert len(api.get("/v1/transfers", by="shop", **filters).json()["transfers"]) >= 2
        assert len(api.get("/v1/transfers", by="staff", **filters).json()["transfers"]) >= 2
    cursor = {"cursor": linked[0]["transfer_id"]}
    assert api.get("/v1/transfers", by="rival", account_id=ann, **cursor).content == nothing.content


def test_a_reference_that_two_clients_use_shows_each_its_own(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, ben = opened(api, "100"), opened(api)
    theirs = booked(api, ann, ben, reference="rent")
    eve, finn = opened(api, "5", by="rival"), opened(api, by="rival")
    mine = booked(api, eve, finn, by="rival", reference="rent")
    for most in (1, 10_000):
        monkeypatch.setattr(lists, "LOOKED_AT_MAX", most)
        for limit in LIMITS:
            assert transfers(api, by="rival", reference="rent", account_id=eve, limit=limit) == [mine]
            assert transfers(api, by="shop", reference="rent", account_id=ann, limit=limit) == [theirs]
            assert transfers(api, by="staff", reference="rent", limit=limit) == [theirs, mine]


@pytest.mark.parametrize(
    ("path", "parameters", "field"),
    [
        ("/v1/holds", {}, "account_id"),
        ("/v1/holds", {"account_id": "7"}, "account_id"),
        ("/v1/holds", {"account_id": ids.new(), "status": "gone"}, "status"),
        ("/v1/holds", {"account_id": ids.new(), "cursor": "7"}, "cursor"),
        ("/v1/holds", {"account_id": ids.new(), "limit": 501}, "limit"),
        ("/v1/holds", {"account_id": ids.new(), "state": "held"}, "state"),
        ("/v1/transfers", {}, "account_id"),
        ("/v1/transfers", {"limit": 0, "account_id": ids.new()}, "limit"),
        ("/v1/transfers", {"account_id": "7"}, "account_id"),
        ("/v1/transfers", {"link_id": "7"}, "link_id"),
        ("/v1/transfers", {"reference": ""}, "reference"),
        ("/v1/transfers", {"reference": "a\x00b"}, "reference"),
        ("/v1/transfers", {"reference": "x" * 201}, "reference"),
        ("/v1/transfers", {"reference": "rent", "cursor": "7"}, "cursor"),
        ("/v1/transfers", {"referense": "rent"}, "referense"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(api: Api, path: str, parameters: dict[str, Any], field: str) -> None:
    answer = api.get(path, **parameters)
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid")
    assert field in [error["field"] for error in answer.json().get("errors", [answer.json()])]


def test_a_cursor_of_another_list_is_refused(api: Api) -> None:
    ann, ben, eve = opened(api, "100"), opened(api, "100"), opened(api, "1")
    elsewhere = booked(api, ann, ben)
    for another in ({"account_id": eve}, {"account_id": eve, "reference": "rent"}, {"link_id": elsewhere}):
        answer = api.get("/v1/transfers", **another, cursor=elsewhere)
        assert problem(answer) == (422, "not_a_cursor", "cursor")


def test_lists_need_the_scope(api: Api) -> None:
    for path in ("/v1/holds", "/v1/transfers"):
        assert problem(api.get(path, by="writer", account_id=ids.new()))[:2] == (403, "forbidden")
        assert problem(api.get(path, by=None, account_id=ids.new()))[:2] == (401, "unauthenticated")
