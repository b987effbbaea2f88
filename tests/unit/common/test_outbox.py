"""The outbox's pure parts: which shard, how large; and text that any column takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common import ids
from libs.common.idempotency import hash_body
from libs.common.outbox import RECORD_BYTES_MAX, OutboxRow, ValueTooLarge, require_size, shard_of
from libs.common.text import printable


def test_a_key_waits_in_the_same_shard_for_ever() -> None:
    """Pinned: with another assignment, rows that wait already would be overtaken."""
    assert [shard_of(key, 4) for key in ("a", "b", "c", "an account")] == [3, 1, 3, 2]


def test_shards_share_the_work() -> None:
    counts = [0] * 4
    for n in range(4_000):
        counts[shard_of(ids.named(str(n)), 4)] += 1
    assert min(counts) > 800


@pytest.mark.parametrize(("size", "fits"), [(0, True), (RECORD_BYTES_MAX - 4, True), (RECORD_BYTES_MAX - 3, False)])
def test_what_kafka_would_refuse_is_refused_first(size: int, fits: bool) -> None:
    row = OutboxRow(topic="t", key="k", value=b"x" * size, headers={})
    if fits:
        require_size(row)
    else:
        with pytest.raises(ValueTooLarge):
            require_size(row)


def test_key_and_headers_count_too() -> None:
    for row in (
        OutboxRow(topic="t", key="k" * RECORD_BYTES_MAX, value=None, headers={}),
        OutboxRow(topic="t", key="k", value=None, headers={"ce_correlationid": "\N{BULLET}" * (RECORD_BYTES_MAX // 3)}),
    ):
        with pytest.raises(ValueTooLarge):
            require_size(row)


def test_a_tombstone_has_no_size() -> None:
    require_size(OutboxRow(topic="t", key="k", value=None, headers={}))


@given(st.text(st.characters()))
def test_printable_text_can_be_stored_and_sent(text: str) -> None:
    shown = printable(text)
    assert "\x00" not in shown
    assert len(shown.encode()) >= len(text)
    assert printable(shown) == shown


def test_printable_leaves_good_text_alone() -> None:
    assert printable("Łukasz 王 🙂\n") == "Łukasz 王 🙂\n"
    assert printable("a\x00b\ud800c") == "a\N{SYMBOL FOR NULL}b?c"


@given(st.binary(), st.binary())
def test_bodies_have_the_same_hash_exactly_if_they_are_the_same(one: bytes, other: bytes) -> None:
    assert (hash_body(one) == hash_body(other)) is (one == other)
    assert len(hash_body(one)) == 32
