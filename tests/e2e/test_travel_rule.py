"""What the law asks for, through all services: data of a payment to another bank, and documents of customers."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from chaos.installation import LOOK_SECONDS, REST_SECONDS_MAX, Installation
from demo.story import Party
from tests.e2e.test_money_back import CURRENCY, Till
from tests.waiting import wait_until

EVA, NOSTRO = PARTIES = (
    Party(number=0, name="Eva Sparsam", is_company=False, country="DE", birth_date="1980-05-17", funds_minor=9_000_00),
    Party(number=1, name="Autre Banque", is_company=True, country="CH"),
)


@pytest.fixture(scope="module")
def till(installation: Installation) -> Iterator[Till]:
    till = Till(installation, PARTIES)
    till.open()
    yield till
    till.close()


def abroad(till: Till, amount: str) -> dict[str, Any]:
    """A payment to somebody at another bank, by way of its account here."""
    bank = {"name": "Ben Baker", "institution": "Autre Banque", "institution_country": "CH"}
    body = {
        "currency": CURRENCY,
        "amount": amount,
        "debtor": till.party(EVA),
        "creditor": {**till.party(NOSTRO), **bank},
    }
    response = till.post("", body)
    assert response.status_code == HTTPStatus.ACCEPTED, response.text
    return dict(response.json())


def test_a_payment_to_another_bank_waits_for_data_and_settles_when_they_are_told(till: Till) -> None:
    payment = abroad(till, "4000.00")
    wait_until(lambda: till.seen(payment)["missing"], seconds_max=REST_SECONDS_MAX, every_seconds=LOOK_SECONDS)
    seen = till.seen(payment)
    assert seen["state"] == "processing"
    assert {"debtor.address", "creditor.account_number"} <= set(seen["missing"])
    told = {
        "debtor": {"address": "1 Mill Race", "birth_date": "1980-05-17", "birth_place": "Ghent"},
        "creditor": {"kind": "person", "account_number": "CH9300762011623852957"},
    }
    answer = till.post(f"/{payment['payment_id']}/party-data", told)
    assert (answer.status_code, answer.json()["missing"]) == (HTTPStatus.ACCEPTED, [])
    till.wait_for("settled", payment)


def test_one_that_is_withdrawn_while_it_waits_gives_the_money_back(till: Till) -> None:
    payment = abroad(till, "2000.00")
    wait_until(lambda: till.seen(payment)["missing"], seconds_max=REST_SECONDS_MAX, every_seconds=LOOK_SECONDS)
    assert till.post(f"/{payment['payment_id']}/cancel").status_code == HTTPStatus.ACCEPTED
    till.wait_for("cancelled", payment)
    assert till.seen(payment)["missing"] == []


def test_a_customer_with_a_document_is_served_further(installation: Installation, till: Till) -> None:
    customer_id = till.accounts[EVA.number].customer_id
    document = {"kind": "passport", "number": "P1234567", "country": "DE", "name": EVA.name}

    def tier() -> int:
        return int(till.staff.get("accounts", f"/v1/customers/{customer_id}")["tier"])

    assert tier() == 2
    till.staff.post("compliance", f"/v1/customers/{customer_id}/documents", "passport", document)
    wait_until(lambda: tier() == 3, seconds_max=REST_SECONDS_MAX, every_seconds=LOOK_SECONDS)
