"""Two clients of one house: to each, what the other has ordered does not exist, whichever way it asks."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.common import ids
from schemas.accounts.events import AccountOpened
from services.payments.scopes import SCOPES
from tests.integration.payments.scene import ANNS, order, stored
from tests.serving import Api, problem, tell

PATH = "/v1/payments"
BODIES = {"party-data": {"debtor": {"birth_place": "Ghent"}}}


def paths_with_ids() -> Iterator[tuple[str, str]]:
    for route in SCOPES:
        method, _, path = route.partition(" ")
        if "{" in path:
            yield method, path


@pytest.mark.parametrize(("method", "path"), list(paths_with_ids()))
def test_by_its_id_what_is_anothers_is_not_there(api: Api, method: str, path: str) -> None:
    payment_id = api.post(PATH, order()).json()["payment_id"]
    file = json.dumps(order()).encode()
    told = api.post("/v1/payment-batches", file, headers={"Content-Type": "application/x-ndjson"})
    names = {"payment_id": payment_id, "batch_id": told.json()["batch_id"]}

    def ask(names: dict[str, str], by: str) -> tuple[int, dict[str, Any]]:
        place = path.format(**names)
        body = BODIES.get(place.rpartition("/")[2])
        response = api.get(place, by=by) if method == "GET" else api.post(place, body, by=by)
        return response.status_code, response.json()

    theirs = ask(names, "rival")
    assert theirs == ask(dict.fromkeys(names, ids.new()), "rival"), "the same answer as about what does not exist"
    assert theirs[0] == 404
    assert ask(names, "shop")[0] != 404
    assert ask(names, "staff")[0] != 404


def test_lists_filters_and_cursors_show_ones_own(api: Api) -> None:
    headers = {"Content-Type": "application/x-ndjson"}
    batch_id = api.post("/v1/payment-batches", json.dumps(order()).encode(), headers=headers).json()["batch_id"]
    shops = [api.post(PATH, order()).json()["payment_id"] for _ in range(2)]
    mine = [api.post(PATH, order(), by="rival").json()["payment_id"] for _ in range(2)]
    for filters in ({}, {"debtor_account_id": ANNS}, {"state": "processing"}, {"cursor": ids.new()}):
        listed = api.get(PATH, by="rival", **filters).json()["payments"]
        assert [payment["payment_id"] for payment in listed] == mine[::-1], filters
    assert api.get(PATH, by="rival", batch_id=batch_id).json()["payments"] == []
    assert api.get(PATH, by="rival", cursor=shops[0]).json()["payments"] == []
    page = api.get(PATH, by="rival", limit=1).json()
    rest = api.get(PATH, by="rival", limit=1, cursor=page["next_cursor"]).json()
    assert (rest["payments"][0]["payment_id"], rest["next_cursor"]) == (mine[0], None)


def test_nobody_pays_from_another_clients_account(api: Api) -> None:
    account_id = ids.new()
    opened = AccountOpened(
        account_id=account_id, customer_id=ids.new(), client_id="shop", currency="EUR", opened_at=datetime.now(UTC)
    )
    tell(api.runtime, opened)
    body = order("debtor.account_id", account_id)
    before = stored(api.runtime)
    refused = api.post(PATH, body, by="rival")
    unknown = api.post(PATH, order("debtor.account_id", ids.new()), by="rival")
    assert problem(refused) == (422, "debtor_account_unknown", "debtor.account_id")
    assert refused.content == unknown.content
    assert stored(api.runtime).get("payments") == before.get("payments")
    lines = b"\n".join([json.dumps(body).encode(), json.dumps(order()).encode()])
    told = api.post("/v1/payment-batches", lines, by="rival", headers={"Content-Type": "application/x-ndjson"}).json()
    assert [line["reason"] for line in told["refusals"]] == ["debtor_account_unknown"]
    assert api.post(PATH, body, by="shop").status_code == 202
    assert api.post(PATH, body, by="staff").status_code == 202
    assert api.post(PATH, order("creditor.account_id", account_id), by="rival").status_code == 202, "to pay is no harm"
