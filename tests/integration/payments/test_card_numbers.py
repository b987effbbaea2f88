"""A card number in an order gets into no table, so onto no topic, and into no log, however it is sent."""

import json
import re
from typing import Any

import pytest

from libs.common import logs
from libs.common.database import fetch, transaction
from libs.common.service import Runtime
from tests.integration.payments.scene import order
from tests.serving import Api, problem

PATH, FILES = "/v1/payments", "/v1/payment-batches"
CARD = "4111111111111111"
WRITTEN = (CARD, "4111 1111 1111 1111", "4111-1111-1111-1111")
CSV = "debtor_account_id,debtor_name,creditor_account_id,creditor_name,currency,amount,reference"


def everything_stored(runtime: Runtime) -> str:
    """All that is in the database, what is bytes as the text it may be: what goes to topics is in the outbox."""
    with transaction(runtime.engine) as tx:
        tables = fetch(tx, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [str(row) for (table,) in tables for (row,) in fetch(tx, f'SELECT t::text FROM "{table}" AS t')]
    return "\n".join(re.sub(r"\\x([0-9a-f]+)", lambda found: _text_of(found[1]), row) for row in rows)


def _text_of(hexadecimal: str) -> str:
    return bytes.fromhex(hexadecimal[: len(hexadecimal) // 2 * 2]).decode("latin-1")


def require_no_card(api: Api, logged: str) -> None:
    for place, text in (("database", everything_stored(api.runtime)), ("logs", logged)):
        assert CARD not in re.sub(r"[ -]", "", text), place


def csv(body: dict[str, Any], reference: str) -> bytes:
    debtor, creditor = body["debtor"], body["creditor"]
    cells = (debtor["account_id"], debtor["name"], creditor["account_id"], creditor["name"], "EUR", "1.00", reference)
    return f"{CSV}\n{','.join(cells)}\n".encode()


@pytest.mark.parametrize("card", WRITTEN)
def test_a_card_number_is_kept_nowhere(
    api: Api, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], card: str
) -> None:
    caplog.set_level("DEBUG")
    for name in logs.QUIET:
        # As a service sets them; and among them are the loggers of the client that this test itself is.
        caplog.set_level("WARNING", logger=name)
    kept = api.post(PATH, order(reference="a reference that is kept"))
    assert "a reference that is kept" in everything_stored(api.runtime), "what is searched is where it would be"
    refused = api.post(PATH, order(reference=f"paid by {card}"))
    assert problem(refused) == (422, "invalid", "reference")
    assert refused.json()["errors"][0]["reason"] == "card_number"
    assert card not in refused.text
    assert problem(api.post(PATH, order("debtor.name", card))) == (422, "invalid", "debtor.name")
    assert card not in api.post(PATH, order(card, "as a field")).text
    assert problem(api.post(PATH, order(), key=f"key {card}")) == (400, "card_number", "Idempotency-Key")
    told = api.post(f"{PATH}/{kept.json()['payment_id']}/party-data", {"debtor": {"account_number": card}})
    assert problem(told) == (422, "invalid", "debtor.account_number")
    assert api.get(f"{PATH}/{card}").status_code == 422
    for media_type, content in (
        ("text/csv", csv(order(), card)),
        ("application/x-ndjson", json.dumps(order(reference=card)).encode()),
    ):
        answer = api.post(FILES, content, headers={"Content-Type": media_type})
        (line,) = answer.json()["refusals"]
        assert (line["reason"], line["field"]) == ("card_number", "reference")
        assert card not in answer.text
    odd = api.post(FILES, json.dumps(order(card, "odd")).encode(), headers={"Content-Type": "application/x-ndjson"})
    assert odd.json()["refusals"][0]["reason"] == "unknown_field"
    output = capfd.readouterr()
    require_no_card(api, caplog.text + output.out + output.err)
