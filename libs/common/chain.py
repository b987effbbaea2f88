"""A chain of hashes, which shows when something was changed later. Pure.

The hash of each entry covers that of the entry before it: who changes, adds, removes or reorders anything must write
every later hash anew, and the newest of them is kept apart.
"""

import hashlib
from typing import Any

import msgspec

NO_HASH = b""
"""What stands before the first entry."""

_pack = msgspec.msgpack.Encoder(order="deterministic").encode


def link(hash_before: bytes, values: tuple[Any, ...]) -> bytes:
    """The hash of an entry with these values that follows the one with that hash: SHA-256."""
    return hashlib.sha256(hash_before + _pack(values)).digest()
