"""What a batch has loaded and locked, changed by pure decisions and written back in bulk.

A decision works on a draft: if it raises, `forget` leaves no trace of it, and its neighbours in
the batch go on undisturbed; if it returns, `keep` makes its changes part of the state.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from libs.common.events import Event, Topic
from libs.common.record import Record, replace

V = TypeVar("V", bound=Record)


class Aggregates(Generic[V]):
    """Values by id: those that were loaded, and those that decisions put."""

    def __init__(self, loaded: Mapping[str, V]) -> None:
        self._loaded = loaded
        self._values = dict(loaded)
        self._kept: dict[str, V | None] = {}
        """Their keys are the ids of what decisions put, in the order of their first appearance."""
        self._draft: dict[str, V | None] = {}
        """What stood before the decision that is being made, for all that it has put."""

    def __getitem__(self, id_: str) -> V:
        """The value as it now is. Raises KeyError if it was neither loaded nor put."""
        return self._values[id_]

    def get(self, id_: str) -> V | None:
        return self._values.get(id_)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._values

    def values(self) -> list[V]:
        """All of them, as they now are."""
        return list(self._values.values())

    def put(self, id_: str, value: V) -> None:
        if id_ not in self._draft:
            self._draft[id_] = self._values.get(id_)
        self._values[id_] = value

    @property
    def inserted(self) -> list[V]:
        """What decisions added, in the order of its first appearance."""
        return [self._values[id_] for id_ in self._kept if id_ not in self._loaded]

    @property
    def updated(self) -> list[V]:
        """What was loaded and has changed since."""
        return [self._values[id_] for id_ in self._kept if id_ in self._loaded]

    @property
    def changes(self) -> Iterator[tuple[V | None, V]]:
        """What was there before, if anything, and what there is now, for all that decisions put."""
        return ((self._loaded.get(id_), self._values[id_]) for id_ in self._kept)

    def keep(self) -> None:
        if self._draft:
            self._kept.update(self._draft)
            self._draft.clear()

    def forget(self) -> None:
        for id_, before in self._draft.items():
            if before is None:
                del self._values[id_]
            else:
                self._values[id_] = before
        self._draft.clear()


class Journal(Generic[V]):
    """Rows that decisions append and nobody changes."""

    def __init__(self) -> None:
        self._kept: list[V] = []
        self._draft: list[V] = []

    def append(self, row: V) -> None:
        self._draft.append(row)

    def __iter__(self) -> Iterator[V]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self) -> None:
        if self._draft:
            self._kept += self._draft
            self._draft.clear()

    def forget(self) -> None:
        self._draft.clear()


class Numbered(Record):
    """Which aggregate's events a topic carries, and the field that counts them."""

    aggregates: Aggregates[Any]
    counter: str = "sequence"


class State:
    """The parts of one batch's state, and which of them numbers the events of which topic."""

    def __init__(
        self, *parts: Aggregates[Any] | Journal[Any], numbering: Mapping[Topic, Numbered | None] | None = None
    ) -> None:
        """`numbering` has None for a topic whose aggregates have one event each: there is nothing to count."""
        self._parts = parts
        self._numbering = {topic.name: numbered for topic, numbered in (numbering or {}).items()}

    def number(self, events: Iterable[Event]) -> list[int]:
        """The place of each event among those of its aggregate on its topic, counted from 1 without a gap."""
        return [self._next_number(event) for event in events]

    def _next_number(self, event: Event) -> int:
        numbered = self._numbering[event.contract.topic.name]
        if numbered is None:
            return 1
        id_ = event.contract.subject_of(event)
        value = numbered.aggregates[id_]
        number = int(getattr(value, numbered.counter)) + 1
        numbered.aggregates.put(id_, replace(value, **{numbered.counter: number}))
        return number

    def keep(self) -> None:
        """The decision stands."""
        for part in self._parts:
            part.keep()

    def forget(self) -> None:
        """The decision never happened."""
        for part in self._parts:
            part.forget()
