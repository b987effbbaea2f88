"""Any value of any event type: what property tests feed to codecs."""

import importlib
import inspect
import typing
from datetime import UTC, datetime
from enum import StrEnum
from types import UnionType
from typing import Any

import msgspec
from hypothesis import strategies as st

from libs.common.events import Event
from libs.common.record import Record

_MODULES = [
    importlib.import_module(f"schemas.{service}.events") for service in ("payments", "fraud", "compliance", "accounts")
]

CONTRACTS: list[type[Event]] = [
    member
    for module in _MODULES
    for member in vars(module).values()
    if inspect.isclass(member) and issubclass(member, Event) and member is not Event
]
"""Every event type that a service publishes."""

_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    # Surrogates are no characters, so no valid text holds them.
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    bytes: st.binary(max_size=12),
    datetime: st.datetimes(datetime(1900, 1, 1), datetime(2999, 12, 31), timezones=st.just(UTC)),
    type(None): st.none(),
}


def any_event() -> st.SearchStrategy[Event]:
    """An event of any type."""
    return st.sampled_from(CONTRACTS).flatmap(lambda kind: typing.cast(st.SearchStrategy[Event], any_of(kind)))


def any_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that contracts use."""
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    if isinstance(annotation, UnionType) or typing.get_origin(annotation) is typing.Union:
        return st.one_of([any_of(branch) for branch in typing.get_args(annotation)])
    if typing.get_origin(annotation) is tuple:
        return st.lists(any_of(typing.get_args(annotation)[0]), max_size=3).map(tuple)
    if typing.get_origin(annotation) is dict:
        return st.dictionaries(_SIMPLE[str], any_of(typing.get_args(annotation)[1]), max_size=3)
    if issubclass(annotation, StrEnum):
        return st.sampled_from(list(annotation))
    assert issubclass(annotation, Record), annotation
    return st.builds(annotation, **{field.name: any_of(field.type) for field in msgspec.structs.fields(annotation)})
