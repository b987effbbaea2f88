"""Bytes that a fuzzer makes of real records, for the receiver that every consumer and replay reads through."""

import subprocess
import sys
from pathlib import Path

import pytest

from libs.common.codec import Codec
from libs.common.events import Event
from tests.unit.common.any_event import CONTRACTS

RUNS = 20_000


def test_no_record_breaks_the_receiver_and_what_is_read_is_written_alike(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.codec", "-seed=1", f"-runs={RUNS}", f"-artifact_prefix={tmp_path}/"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert f"Done {RUNS} runs" in run.stderr


def test_the_fuzzer_notices_an_event_that_is_not_written_as_it_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fuzz.codec import Target, write_corpus

    write_corpus(tmp_path)
    values = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    target = Target()
    for value in values:
        target(value)
    honest = Codec.encode

    def talkative(self: Codec, event: Event) -> bytes:
        return honest(self, event) + b"!"

    monkeypatch.setattr(Codec, "encode", talkative)
    with pytest.raises(AssertionError):
        target(values[0])
    assert len(values) >= len(CONTRACTS)
