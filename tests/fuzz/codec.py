"""Hostile bytes for whoever reads topics: atheris mutates real records, guided by the code that it reaches.

`python -m tests.fuzz.codec -seed=7 -runs=20000`; the options are libFuzzer's. Whatever is in a record, a
receiver answers with a message, with one that is unreadable, or with nothing, and what it could read
survives being written again. Anything else ends the process with the bytes that did it.
"""

import struct
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["libs.common"]):
    from libs.common import envelope
    from libs.common.batch import Handlers, Unreadable
    from libs.common.codec import MAGIC, Codec
    from libs.common.events import Event
    from libs.common.message import Message, Source
    from libs.common.receiver import Receiver
    from tests.unit.common.any_event import CONTRACTS, any_of
    from tests.unit.common.registries import RegistryInMemory

from hypothesis import given, settings

EXAMPLES_OF_EACH = 4
LENGTH_MAX = 4096
_PREFIX = struct.Struct(">bI")
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_KEY = b"4f1f7d0a-4bb1-4d52-8f3f-0c7f3f0f2a10"


_READS_EVERYTHING = Handlers(
    service="fuzz",
    load=lambda tx, messages: None,
    save=lambda writes, state: None,
    decisions={kind: lambda state, event, now: () for kind in CONTRACTS},
    writes=tuple(CONTRACTS),
)


class Target:
    """A receiver that reads every event there is."""

    def __init__(self) -> None:
        self._codec = Codec(RegistryInMemory(), CONTRACTS)
        self._receiver = Receiver(_READS_EVERYTHING, self._codec)

    def __call__(self, value: bytes) -> None:
        """Read bytes as they are, and as a record of some event. Raises AssertionError if a promise broke."""
        self._read("weir.elsewhere.v1", value, ((envelope.ID, value[:64]),))
        number = (int.from_bytes(value[1:5], "big") - 1) % len(CONTRACTS)
        self._read(CONTRACTS[number].contract.topic.name, _PREFIX.pack(MAGIC, number + 1) + value[5:], _HEADERS)

    def _read(self, topic: str, value: bytes, headers: tuple[tuple[str, bytes | None], ...]) -> None:
        message = self._receiver.message(_source(topic, value, headers), _NOW)
        if message is not None and not isinstance(message.body, Unreadable):
            self._reads_again(topic, message)

    def _reads_again(self, topic: str, message: Message) -> None:
        written = self._codec.encode(message.body)
        again = self._receiver.message(_source(topic, written, _HEADERS), _NOW)
        # By their bytes, since nothing is equal to a float that is no number.
        assert again is not None and not isinstance(again.body, Unreadable), message.body
        assert self._codec.encode(again.body) == written, message.body


_HEADERS: tuple[tuple[str, bytes | None], ...] = ((envelope.ID, _KEY),)


def _source(topic: str, value: bytes, headers: tuple[tuple[str, bytes | None], ...]) -> Source:
    return Source(topic=topic, partition=0, offset=0, key=_KEY, value=value, headers=headers)


def write_corpus(folder: Path) -> None:
    """A few real records of every event, for the fuzzer to begin with."""
    codec = Codec(RegistryInMemory(), CONTRACTS)
    for kind in CONTRACTS:
        for number, event in enumerate(_examples(kind)):
            (folder / f"{kind.__name__}-{number}").write_bytes(codec.encode(event))


def _examples(kind: type[Event]) -> list[Event]:
    examples: list[Event] = []
    collect = given(any_of(kind))(lambda event: examples.append(event))
    settings(max_examples=EXAMPLES_OF_EACH, database=None, derandomize=True)(collect)()
    return examples


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    with tempfile.TemporaryDirectory() as corpus:
        write_corpus(Path(corpus))
        atheris.Setup([*sys.argv, f"-max_len={LENGTH_MAX}", corpus], Target())
        atheris.Fuzz()


if __name__ == "__main__":
    main()
