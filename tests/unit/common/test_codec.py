"""Bytes of events: the same as the reference library's, and the same event again, whatever it holds."""

import io
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import avro.io
import avro.schema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.codec import _NATIVE, Codec, Undecodable
from libs.common.events import UNION_TAG, Event
from libs.common.record import replace
from libs.common.registry import UnregisteredSchema
from schemas.accounts.events import FundsBlocked, FundsDeclined
from schemas.payments.events import PaymentAnswerOverdue, PaymentCancelled, PaymentInitiated
from tests.unit.common.any_event import CONTRACTS, any_event, any_of
from tests.unit.common.registries import RegistryInMemory

PREFIX_SIZE = 5


REGISTRY = RegistryInMemory()
CODEC = Codec(REGISTRY, CONTRACTS)
AVRO_SCHEMAS = {kind: avro.schema.parse(json.dumps(kind.contract.schema)) for kind in CONTRACTS}


def decode(value: bytes, codec: Codec = CODEC) -> Event:
    reader = codec.reader_of(value)
    assert reader is not None
    return reader.decode(value)


def plain(value: Any) -> Any:
    """What the reference library takes: builtins without our tags."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if name != UNION_TAG}
    return [plain(member) for member in value] if isinstance(value, list | tuple) else value


@settings(max_examples=400)
@given(any_event())
def test_an_event_survives_its_bytes(event: Event) -> None:
    assert decode(CODEC.encode(event)) == event


@settings(max_examples=400)
@given(any_event())
def test_the_bytes_are_those_of_the_reference_library(event: Event) -> None:
    buffer = io.BytesIO()
    datum = plain(msgspec.to_builtins(event, builtin_types=_NATIVE))
    avro.io.DatumWriter(AVRO_SCHEMAS[type(event)]).write(datum, avro.io.BinaryEncoder(buffer))
    assert CODEC.encode(event)[PREFIX_SIZE:] == buffer.getvalue()


def test_of_a_time_that_a_clock_has_twice_each_is_written_as_what_it_is() -> None:
    """They are equal to Python, and so to whatever remembers how a time is written."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    events = [
        PaymentCancelled(payment_id="p", debtor_account_id="d", cancelled_at=first.replace(fold=n)) for n in (0, 1)
    ]
    written = [decode(CODEC.encode(event)) for event in events]
    assert [event.cancelled_at.hour for event in written if isinstance(event, PaymentCancelled)] == [0, 1]


@pytest.mark.parametrize(
    ("field", "value"), [("amount_minor", 2**63), ("amount_minor", 1.5), ("currency", None), ("funds", "no such word")]
)
def test_what_does_not_fit_the_contract_is_not_written(field: str, value: Any) -> None:
    event = FundsBlocked(
        payment_id="p",
        debtor_account_id="d",
        blocked_account_id="b",
        amount_minor=1,
        currency="EUR",
        transfer_id="t",
        blocked_at=datetime.now(UTC),
    )
    declined = FundsDeclined(payment_id="p", debtor_account_id="d", reason=value, declined_at=datetime.now(UTC))
    with pytest.raises((OverflowError, TypeError, AttributeError, KeyError)):
        CODEC.encode(declined if field == "funds" else replace(event, **{field: value}))


@settings(max_examples=300)
@given(any_event(), st.data())
def test_bytes_cut_short_or_drawn_out_are_no_event(event: Event, data: st.DataObject) -> None:
    whole = CODEC.encode(event)
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Undecodable):
        decode(whole[:length])
    with pytest.raises(Undecodable):
        decode(whole + data.draw(st.binary(min_size=1, max_size=8)))


@settings(max_examples=300)
@given(st.sampled_from(sorted(REGISTRY.schemas)), st.binary(max_size=200))
def test_no_bytes_do_worse_than_be_undecodable(schema_id: int, body: bytes) -> None:
    value = b"\0" + schema_id.to_bytes(4, "big") + body
    try:
        event = decode(value)
    except Undecodable:
        return
    assert decode(CODEC.encode(event)) == event


@pytest.mark.parametrize("value", [None, b"", b"\0\0\0\0", b"\1\0\0\0\1", b'{"json": true}'])
def test_what_has_not_the_wire_format_is_no_event(value: bytes | None) -> None:
    with pytest.raises(Undecodable, match="wire format"):
        CODEC.reader_of(value)


def test_a_schema_the_registry_does_not_know_is_asked_for_every_time() -> None:
    """It may be registered a moment later, or the registry restored."""
    registry = RegistryInMemory()
    codec = Codec(registry, CONTRACTS)
    for _ in range(2):
        with pytest.raises(Undecodable, match="knows no Avro schema 999"):
            codec.reader_of(b"\0\0\0\3\xe7")
    assert registry.asked == [999, 999]


def test_a_schema_that_is_known_is_asked_for_once() -> None:
    registry = RegistryInMemory([PaymentCancelled])
    codec = Codec(registry, [PaymentCancelled])
    for _ in range(3):
        codec.reader_of(b"\0\0\0\0\1")
    assert registry.asked == [1]


def test_an_event_type_that_a_service_does_not_read_is_none_of_its_business() -> None:
    assert Codec(REGISTRY, [PaymentCancelled]).reader_of(b"\0\0\0\0\1") is None


@pytest.mark.parametrize(
    "change", [{"fields": [{"name": "a", "type": "defined.elsewhere"}]}, {"fields": [{"name": "a"}]}, {"fields": None}]
)
def test_a_schema_that_cant_be_parsed_is_no_event(change: dict[str, Any]) -> None:
    registry = RegistryInMemory()
    registry.schemas[77] = {**PaymentCancelled.contract.schema, **change}
    with pytest.raises(Undecodable, match="can't be parsed"):
        Codec(registry, CONTRACTS).reader_of(b"\0\0\0\0\x4d")


def test_an_event_type_that_is_not_registered_cant_be_written() -> None:
    codec = Codec(RegistryInMemory([]), [])
    with pytest.raises(UnregisteredSchema):
        codec.prepare([PaymentCancelled])


# Versions


def older(schema: dict[str, Any], *, without: str) -> dict[str, Any]:
    return {**schema, "fields": [field for field in schema["fields"] if field["name"] != without]}


@given(any_of(PaymentInitiated))
@settings(max_examples=50)
def test_what_an_older_version_wrote_is_read_with_the_default_for_what_it_lacked(event: PaymentInitiated) -> None:
    old_schema = older(PaymentInitiated.contract.schema, without="batch_id")
    registry = RegistryInMemory()
    registry.schemas[50] = old_schema
    value = b"\0\0\0\0\x32" + _written(old_schema, event)
    assert decode(value, Codec(registry, CONTRACTS)) == msgspec.structs.replace(event, batch_id=None)


@given(any_of(PaymentCancelled))
@settings(max_examples=50)
def test_what_a_newer_version_added_is_passed_over(event: PaymentCancelled) -> None:
    schema = PaymentCancelled.contract.schema
    newer = {**schema, "fields": [{"name": "why", "type": "string", "default": ""}, *schema["fields"]]}
    registry = RegistryInMemory()
    registry.schemas[50] = newer
    value = b"\0\0\0\0\x32" + _written(newer, event, why="a new reason")
    assert decode(value, Codec(registry, CONTRACTS)) == event


def test_a_symbol_of_a_newer_version_is_read_as_unknown() -> None:
    text = json.dumps(PaymentAnswerOverdue.contract.schema)
    newer = json.loads(text.replace('"blocking"', '"blocking", "tomorrow"'))
    event = any_of(PaymentAnswerOverdue)
    registry = RegistryInMemory()
    registry.schemas[50] = newer

    @given(event)
    @settings(max_examples=10)
    def check(event: PaymentAnswerOverdue) -> None:
        value = b"\0\0\0\0\x32" + _written(newer, event, awaited=["tomorrow"])
        decoded = decode(value, Codec(registry, CONTRACTS))
        assert isinstance(decoded, PaymentAnswerOverdue)
        assert decoded.awaited == ("unknown",)

    check()


def _written(schema: dict[str, Any], event: Event, **more: Any) -> bytes:
    buffer = io.BytesIO()
    datum = plain(msgspec.to_builtins(event, builtin_types=_NATIVE)) | more
    datum = {field["name"]: datum[field["name"]] for field in schema["fields"]}
    writer = avro.io.DatumWriter(avro.schema.parse(json.dumps(schema)))
    writer.write(datum, avro.io.BinaryEncoder(buffer))
    return buffer.getvalue()
