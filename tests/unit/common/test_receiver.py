"""How the receiver tells an operator what a record was written with, whichever release wrote it."""

import struct
from copy import deepcopy
from typing import Any

from libs.common.batch import Handlers
from libs.common.codec import MAGIC, Codec
from libs.common.message import Source
from libs.common.receiver import Receiver
from tests.tally.events import CounterIncremented, CounterReported
from tests.unit.common.registries import RegistryInMemory

OURS, NEWER, OLDER, ANOTHERS, UNKNOWN = 1, 2, 3, 4, 5


def receiver() -> Receiver:
    registry = RegistryInMemory([CounterIncremented])
    newer: dict[str, Any] = deepcopy(registry.schemas[OURS])
    newer["fields"].append({"name": "note", "doc": "Why.", "type": ["null", "string"], "default": None})
    older: dict[str, Any] = deepcopy(registry.schemas[OURS])
    older["fields"] = [field for field in older["fields"] if field["name"] != "by"]
    registry.schemas |= {NEWER: newer, OLDER: older, ANOTHERS: CounterReported.contract.schema}
    handlers = Handlers(
        service="tally",
        load=lambda tx, messages: None,
        save=lambda writes, state: None,
        decisions={CounterIncremented: lambda state, event, now: ()},
        writes=(),
    )
    return Receiver(handlers, Codec(registry, [CounterIncremented]))


def told(schema_id: int) -> list[str]:
    value = struct.pack(">bI", MAGIC, schema_id)
    topic = CounterIncremented.contract.topic.name
    return receiver().differences(Source(topic=topic, partition=0, offset=0, key=b"a", value=value, headers=()))


def test_what_was_written_as_it_is_read_does_not_differ() -> None:
    assert told(OURS) == []


def test_what_a_newer_release_wrote_has_more() -> None:
    assert told(NEWER) == ["/note: added as written; not read"]


def test_what_an_older_release_wrote_lacks_something() -> None:
    assert told(OLDER) == ["/by: lacking as written; read as nothing"]


def test_what_cannot_be_compared_is_said() -> None:
    assert told(ANOTHERS) == ["weir.tally.CounterReported is not read here"]
    assert told(UNKNOWN) == ["the registry knows no schema of the id that it names"]
