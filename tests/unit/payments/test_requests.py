"""What a client sends to order a payment: what gets in, and what is refused, by its place."""

from typing import Any

import pytest
from pydantic import ValidationError

from libs.common.clients import Client
from schemas.payments.events import Channel
from services.payments.domain.payment import Capture
from services.payments.requests import NewPayment
from tests.unit.payments.story import CREDITOR, DEBTOR, PAYMENT

ORDER: dict[str, Any] = {
    "currency": "EUR",
    "amount": "12.34",
    "debtor": {"account_id": DEBTOR, "name": "Ann"},
    "creditor": {"account_id": CREDITOR, "name": "Ben"},
}


def changed(place: str, value: Any) -> dict[str, Any]:
    """The order with another value at a place such as `debtor.name`; `...` leaves it out."""
    order = {**ORDER, "debtor": {**ORDER["debtor"]}, "creditor": {**ORDER["creditor"]}}
    *parents, last = place.split(".")
    holder = order[parents[0]] if parents else order
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return order


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("currency", ..., "missing"),
        ("currency", "ZZZ", "unknown_currency"),
        ("amount", ..., "missing"),
        ("amount", "0", "not_positive"),
        ("amount", "-1", "not_positive"),
        ("amount", "12.345", "too_precise"),
        ("amount", "1e3", "not_a_decimal"),
        ("amount", "99999999999999.00", "too_large"),
        ("amount", 12.34, "string_type"),
        ("debtor", ..., "missing"),
        ("debtor", "Ann", "model_type"),
        ("debtor.account_id", "7", "not_an_id"),
        ("debtor.name", ..., "missing"),
        ("debtor.name", "", "string_too_short"),
        ("debtor.name", "A\x00nn", "control_characters"),
        ("debtor.name", "x" * 201, "string_too_long"),
        ("debtor.country", "Malta", "string_pattern_mismatch"),
        ("debtor.country", "ZZ", "not_a_country"),
        ("debtor.birth_date", "yesterday", "string_pattern_mismatch"),
        ("debtor.birth_date", "1980-02-31", "not_a_date"),
        ("debtor.birth_date", "1980-13", "not_a_date"),
        ("debtor.institution_lei", "5493001KJTIIGC8Y1R13", "not_a_lei"),
        ("debtor.address", "x" * 501, "string_too_long"),
        ("debtor.iban", "MT84", "extra_forbidden"),
        ("creditor.account_id", CREDITOR.upper(), "not_an_id"),
        ("creditor.name", "B\nen", "control_characters"),
        ("channel", "pigeon", "enum"),
        ("channel", "unknown", "unknown_channel"),
        ("is_cash", "perhaps", "bool_parsing"),
        ("device_id", "x" * 201, "string_too_long"),
        ("ip_country", "mt", "string_pattern_mismatch"),
        ("purpose", "sala", "string_pattern_mismatch"),
        ("purpose", "SALARY", "string_too_long"),
        ("reference", "x" * 141, "string_too_long"),
        ("reference", "a\x1b[2J", "control_characters"),
        ("instructed_at", "2026-01-05T09:00:00", "timezone_aware"),
        ("instructed_at", "0001-01-01T00:00:00+14:00", "out_of_reach"),
        ("capture", "later", "enum"),
        ("amuont", "12.34", "extra_forbidden"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(place: str, value: Any, reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        NewPayment.model_validate(changed(place, value))
    (error,) = refused.value.errors()
    assert (".".join(map(str, error["loc"])), error["type"]) == (place, reason)


def test_a_request_becomes_a_command_with_all_it_says() -> None:
    body = NewPayment.model_validate(
        {
            **ORDER,
            "channel": "mobile",
            "is_cash": True,
            "device_id": "d1",
            "ip_country": "MT",
            "purpose": "SALA",
            "reference": "March",
            "instructed_at": "2026-01-05T10:00:00+01:00",
            "capture": "manual",
        }
    )
    command = body.command(PAYMENT, Client(client_id="shop", scopes=frozenset()))
    assert (command.payment_id, command.client_id, command.batch_id, command.line_number) == (
        PAYMENT,
        "shop",
        None,
        None,
    )
    assert (command.debtor_account_id, command.creditor_account_id) == (DEBTOR, CREDITOR)
    assert (command.amount_minor, command.currency, command.channel) == (1234, "EUR", Channel.MOBILE)
    assert (command.is_cash, command.device_id, command.ip_country, command.purpose) == (True, "d1", "MT", "SALA")
    assert (command.personal.debtor.name, command.personal.reference) == ("Ann", "March")
    assert (command.instructed_at, command.capture) == (body.instructed_at, Capture.MANUAL)
