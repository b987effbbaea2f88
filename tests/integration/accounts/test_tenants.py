"""Two clients of one house: to each, what is the other's does not exist, whichever way it asks."""

from collections.abc import Iterator
from typing import Any

import pytest

from libs.common import ids
from services.accounts.scopes import SCOPES
from tests.integration.accounts.scene import opened, registered, verified
from tests.serving import Api, counts, tell

STORED = ("customers", "accounts", "transfers", "holds", "outbox")


class Belongings:
    """What a client has at accounts: a customer, two funded accounts, a transfer, and a hold."""

    def __init__(self, api: Api) -> None:
        self.account_id, self.other_account_id = opened(api, "100.00"), opened(api)
        self.customer_id = registered(api, "EUR")
        tell(api.runtime, verified(self.customer_id))
        between = {"debit_account_id": self.account_id, "credit_account_id": self.other_account_id}
        money = {"currency": "EUR", "amount": "1.00"}
        self.transfer_id = api.post("/v1/transfers", {**between, **money}).json()["transfer_id"]
        self.hold_id = api.post("/v1/holds", {**between, **money}).json()["hold_id"]

    @property
    def ids(self) -> dict[str, str]:
        return {
            "account_id": self.account_id,
            "customer_id": self.customer_id,
            "transfer_id": self.transfer_id,
            "hold_id": self.hold_id,
        }


@pytest.fixture
def shops(api: Api) -> Belongings:
    return Belongings(api)


def paths_with_ids() -> Iterator[tuple[str, str]]:
    """Every route that names something by its id and isn't for staff alone."""
    for route, needed in SCOPES.items():
        method, _, path = route.partition(" ")
        if "{" in path and "staff" not in needed:
            yield method, path


@pytest.mark.parametrize(("method", "path"), list(paths_with_ids()))
def test_by_its_id_what_is_anothers_is_not_there(api: Api, shops: Belongings, method: str, path: str) -> None:
    def ask(names: dict[str, str], by: str) -> tuple[int, dict[str, Any]]:
        place = path.format(**names)
        response = api.get(place, by=by) if method == "GET" else api.post(place, by=by)
        body = response.json() if response.headers["content-type"].endswith("json") else {}
        return response.status_code, body

    before = counts(api.runtime, *STORED)
    theirs = ask(shops.ids, "rival")
    nothing = ask(dict.fromkeys(shops.ids, ids.new()), "rival")
    assert theirs == nothing, "the same answer, to the word, as about what does not exist"
    assert theirs[0] == 404
    assert counts(api.runtime, *STORED) == before
    assert ask(shops.ids, "shop")[0] != 404
    assert ask(shops.ids, "staff")[0] != 404


def bodies(names: dict[str, str], mine: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every request that names something in its body, about what `names` says, and an account of one's own."""
    account_id, hold_id = names["account_id"], names["hold_id"]
    money = {"currency": "EUR", "amount": "1.00"}
    funding = {"account_id": account_id, **money}
    out = {"debit_account_id": account_id, "credit_account_id": mine, **money}
    into = {"debit_account_id": mine, "credit_account_id": account_id, **money}
    yield "/v1/accounts", {"customer_id": names["customer_id"], "currency": "USD"}
    yield "/v1/fundings", funding
    yield "/v1/funding-batches", {"fundings": [funding]}
    for transfer in (out, into):
        yield "/v1/transfers", transfer
        yield "/v1/holds", transfer
        for is_linked in (False, True):
            yield "/v1/transfer-batches", {"is_linked": is_linked, "transfers": [transfer]}
    for is_linked in (False, True):
        yield "/v1/hold-posting-batches", {"is_linked": is_linked, "postings": [{"hold_id": hold_id}]}


def test_in_a_body_what_is_anothers_is_not_there(api: Api, shops: Belongings) -> None:
    rivals = registered(api, "EUR", name="Ben Baker")
    tell(api.runtime, verified(rivals))
    mine = opened(api, "5.00", by="rival")
    before = counts(api.runtime, *STORED)
    nothing = dict.fromkeys(shops.ids, ids.new())
    asked = set()
    for (path, theirs), (_, unknown) in zip(bodies(shops.ids, mine), bodies(nothing, mine), strict=True):
        asked.add(path)
        answers = [api.post(path, body, by="rival") for body in (theirs, unknown)]
        assert answers[0].content == answers[1].content, path
        assert answers[0].status_code == answers[1].status_code, path
        assert answers[0].status_code == 409 or '"status":"refused"' in answers[0].text, path
    assert counts(api.runtime, *STORED) == before
    # Whoever adds a route that names something in its body has to add it here as well.
    for_clients = (route for route, needed in SCOPES.items() if "staff" not in needed)
    in_bodies = {route for route in for_clients if route.startswith("POST") and "{" not in route}
    begins = {"POST /v1/customers", "POST /v1/customer-batches"}
    assert {f"POST {path}" for path in asked} == in_bodies - begins


def test_lists_show_ones_own_and_the_houses(api: Api, shops: Belongings) -> None:
    mine, houses = opened(api, "5.00", by="rival"), opened(api, "5.00", by="staff")
    listed = api.get("/v1/accounts", by="rival").json()["accounts"]
    assert {account["account_id"] for account in listed} == {mine, houses}
    assert api.get("/v1/accounts", by="rival", customer_id=shops.customer_id).json()["accounts"] == []
    pages, cursor = [], None
    while True:
        page = api.get("/v1/accounts", by="rival", limit=1, **({"cursor": cursor} if cursor else {})).json()
        pages += [account["account_id"] for account in page["accounts"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert sorted(pages) == sorted({mine, houses})
    # A cursor is but a place: another's leads to nothing of theirs.
    after = api.get("/v1/accounts", by="rival", cursor=shops.account_id).json()["accounts"]
    assert {account["account_id"] for account in after} <= {mine, houses}


def test_the_same_key_of_two_clients_is_two_keys(api: Api) -> None:
    body = {"name": "Ann Miller", "currencies": ["EUR"]}
    mine, theirs = (api.post("/v1/customers", body, by=by, key="one").json() for by in ("shop", "rival"))
    assert mine["customer_id"] != theirs["customer_id"]
