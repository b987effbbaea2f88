"""Immutable values: what events, commands, answers and domain objects are made of."""

from typing import Any, dataclass_transform

import msgspec


class _RecordMeta(msgspec.StructMeta):
    """Makes every record frozen and keyword-only without its saying so."""

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        return super().__new__(cls, *arguments, **{"frozen": True, "kw_only": True, "gc": False, **options})


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, metaclass=_RecordMeta):
    """A frozen, keyword-only value. Built six times faster than a frozen dataclass, and replaced thirty times.

    The garbage collector doesn't look at records: a frozen one leads back to itself only through something changeable
    that it holds, and one that holds such a thing says `gc=True`.
    """


replace = msgspec.structs.replace
"""The same value with some fields changed. Raises TypeError for a field it doesn't have."""
