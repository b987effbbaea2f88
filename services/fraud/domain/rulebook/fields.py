"""What rules may ask of a payment: a catalogue of fields, given by whoever computes their values. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from libs.common.record import Record


class Kind(StrEnum):
    """What the values of a field, or of an expression, are."""

    NUMBER = "number"
    """An int or a float."""
    FLAG = "flag"
    """A bool."""
    TEXT = "text"
    """Any str."""
    SYMBOL = "symbol"
    """A str out of a closed list, which rules write without quotes."""
    LISTS = "lists"
    """A frozenset of the names of the lists that someone or something is on."""


class Field(Record):
    """One thing that is known of a payment when it is judged."""

    name: str
    """What rules call it. For lists: the entity and `_lists`, as in `device_lists`, asked as `device on blocked`."""
    kind: Kind
    meaning: str
    can_be_missing: bool = False
    """Whether its value may be None."""
    symbols: tuple[str, ...] = ()
    """For symbols, every word there is. For lists, every list there is; none given: any name may be asked for."""


Catalogue = Mapping[str, Field]
"""Fields by their names, in the order in which they are documented."""

LISTS_SUFFIX = "_lists"
