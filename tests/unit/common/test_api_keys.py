"""API keys can be told from everything else, and nothing but their end is shown of them."""

import re

from libs.common.api_keys import PATTERN, hash_key, hint_of, is_key, new_key


def test_a_key_is_found_by_its_pattern_and_told_by_its_checksum() -> None:
    key = new_key()
    assert re.fullmatch(PATTERN, key)
    assert is_key(key)
    other = "a" if key[10] != "a" else "b"
    assert not is_key(key[:10] + other + key[11:])
    assert not is_key(key[:-1])
    assert not is_key("weir_" + "0" * 46)
    assert not is_key("ship_" + key[5:])


def test_no_two_keys_are_the_same_and_a_hint_tells_but_the_end() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == len({hash_key(key) for key in keys}) == 100
    key = keys.pop()
    assert hint_of(key) == "…" + key[-4:]
