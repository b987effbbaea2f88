"""Fields of requests: what gets in means one thing, and what must not get in is named."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from libs.common import ids
from libs.common.fields import Body, Country, Currency, Id, Instant, MoneyBody, PartialDate, reason_of, text
from libs.common.money import AMOUNT_MINOR_MAX

ID = ids.named("someone")


class Everything(Body):
    id: Id | None = None
    currency: Currency | None = None
    country: Country | None = None
    born: PartialDate | None = None
    name: Annotated[str, text(10)] | None = None
    at: Instant | None = None
    purpose: Annotated[str, text(4, pattern="^[A-Z]{4}$")] | None = None


def fault(model: type[BaseModel], **fields: Any) -> tuple[str, str]:
    """Where and why a body is refused."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate(fields)
    (error,) = refused.value.errors()
    return ".".join(map(str, error["loc"])), error["type"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ID),
        ("currency", "EUR"),
        ("country", "MT"),
        ("born", "1970"),
        ("born", "1970-01"),
        ("born", "1970-01-31"),
        ("name", "Ann"),
        ("name", "Łukasz 王"),
        ("name", "x" * 10),
        ("name", "田中\N{IDEOGRAPHIC SPACE}太郎"),
        ("name", "علی\N{ZERO WIDTH NON-JOINER}رضا"),
    ],
)
def test_what_is_right_gets_in_as_it_is(field: str, value: str) -> None:
    assert getattr(Everything.model_validate({field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", ID.upper(), "not_an_id"),
        ("id", "7", "not_an_id"),
        ("id", 7, "string_type"),
        ("country", "ZZ", "not_a_country"),
        ("country", "XK", "not_a_country"),
        ("country", "AN", "not_a_country"),
        ("currency", "eur", "unknown_currency"),
        ("currency", "ZZZ", "unknown_currency"),
        ("country", "mt", "string_pattern_mismatch"),
        ("country", "MLT", "string_pattern_mismatch"),
        ("born", "70-1-1", "string_pattern_mismatch"),
        ("born", "1970-01-31T00:00", "string_pattern_mismatch"),
        ("name", "", "string_too_short"),
        ("name", "   ", "string_too_short"),
        ("name", "x" * 11, "string_too_long"),
        ("name", "Ann\x00", "control_characters"),
        ("name", "A\nnn", "control_characters"),
        ("name", "A\x1bnn", "control_characters"),
        ("name", "A\N{RIGHT-TO-LEFT OVERRIDE}nn", "control_characters"),
        ("name", "A\N{LINE SEPARATOR}nn", "control_characters"),
        ("name", 7, "string_type"),
        ("name", ["Ann"], "string_type"),
        ("purpose", "salary", "string_too_long"),
        ("purpose", "sala", "string_pattern_mismatch"),
        ("at", "2026-01-05T09:00:00", "timezone_aware"),
        ("at", "0001-01-01T00:00:00+14:00", "out_of_reach"),
        ("at", "9999-12-31T23:59:59-14:00", "out_of_reach"),
        ("at", "1899-12-31T23:59:59Z", "out_of_reach"),
        ("at", "soon", "not_a_time"),
        ("at", "2026", "not_a_time"),
        ("at", "-1767603600", "not_a_time"),
        ("at", 1767603600, "not_a_time"),
        ("at", "2026-01-05", "timezone_aware"),
        ("nmae", "Ann", "extra_forbidden"),
    ],
)
def test_what_is_wrong_is_refused_by_name(field: str, value: Any, reason: str) -> None:
    assert fault(Everything, **{field: value}) == (field, reason)


def test_space_around_a_text_is_not_part_of_it() -> None:
    assert Everything(name="  Ann ").name == "Ann"


def test_a_time_is_the_same_moment_whatever_its_offset() -> None:
    body = Everything.model_validate({"at": "2026-01-05T10:00:00+01:00"})
    assert body.at == datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("currency", "amount", "field", "reason"),
    [
        ("ZZZ", "12.34", "currency", "unknown_currency"),
        ("ZZZ", "nonsense", "currency", "unknown_currency"),
        ("EUR", "nonsense", "amount", "not_a_decimal"),
        ("EUR", "12.345", "amount", "too_precise"),
        ("JPY", "12.5", "amount", "too_precise"),
        ("EUR", "0", "amount", "not_positive"),
        ("EUR", "-1", "amount", "not_positive"),
        ("EUR", "10000000000000.01", "amount", "too_large"),
        ("EUR", "9" * 41, "amount", "string_too_long"),
        ("EUR", 12.34, "amount", "string_type"),
        ("EUR", 12, "amount", "string_type"),
        ("EUR", True, "amount", "string_type"),
        ("EUR", None, "amount", "string_type"),
    ],
)
def test_money_is_refused_by_the_field_that_is_to_blame(currency: str, amount: Any, field: str, reason: str) -> None:
    assert fault(MoneyBody, currency=currency, amount=amount) == (field, reason)


def test_money_is_read_in_minor_units() -> None:
    assert MoneyBody(currency="EUR", amount=" 12.34 ").amount_minor == 1234
    assert MoneyBody(currency="JPY", amount="12").amount_minor == 12
    assert MoneyBody(currency="JPY", amount=str(AMOUNT_MINOR_MAX)).amount_minor == AMOUNT_MINOR_MAX


def test_too_precise_says_how_precise_it_may_be() -> None:
    with pytest.raises(ValidationError, match="must not have more than 2 decimals"):
        MoneyBody(currency="EUR", amount="1.234")


@pytest.mark.parametrize(
    ("faulty", "reason"),
    [
        ({}, "missing"),
        ({"size": "small", "more": 1}, "unknown_field"),
        ({"size": "huge"}, "not_in_list"),
        ({"size": "small", "note": 7}, "wrong_type"),
        ({"size": "small", "note": "x" * 9}, "too_long"),
        ({"size": "small", "count": 0}, "too_small"),
        ({"size": "small", "count": 2.5}, "wrong_value"),
        ({"size": "small", "id": "7"}, "not_an_id"),
    ],
)
def test_reasons_are_ours_whatever_finds_the_fault(faulty: dict[str, Any], reason: str) -> None:
    class Order(Body):
        size: Literal["small", "large"]
        note: Annotated[str, Field(max_length=8)] = ""
        count: Annotated[int, Field(ge=1)] = 1
        id: Id | None = None

    with pytest.raises(ValidationError) as caught:
        Order.model_validate(faulty)
    assert [reason_of(fault["type"]) for fault in caught.value.errors()] == [reason]
