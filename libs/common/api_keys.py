"""API keys: long, random, and made to be recognised. Pure but for their randomness.

    weir_ + 40 letters and digits by chance (238 bits) + 6 that check them

Whoever scans code and logs for secrets finds one by `weir_[0-9A-Za-z]{46}`, and its checksum tells a key from what only
looks like one. There is nothing to guess, so a plain SHA-256 is kept of it (passwords, which people choose, are hashed
with argon2 elsewhere).
"""

import hashlib
import secrets
import string
from zlib import crc32

PREFIX = "weir_"
PATTERN = r"weir_[0-9A-Za-z]{46}"
_ALPHABET = string.digits + string.ascii_letters
_RANDOM_LENGTH, _CHECK_LENGTH, _HINT_LENGTH = 40, 6, 4


def new_key() -> str:
    """An API key: shown once, to whoever asked for it."""
    chance = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return f"{PREFIX}{chance}{_check(chance)}"


def is_key(text: str) -> bool:
    """Whether a text is a key that `new_key` may have made: what a secret scanner asks."""
    chance, check = text[len(PREFIX) : -_CHECK_LENGTH], text[-_CHECK_LENGTH:]
    return text.startswith(PREFIX) and len(chance) == _RANDOM_LENGTH and check == _check(chance)


def hash_key(key: str) -> bytes:
    """All that is kept of a key."""
    return hashlib.sha256(key.encode()).digest()


def hint_of(key: str) -> str:
    """So much of a key that its owner knows it again in a list: its end, which tells nothing of the rest."""
    return f"…{key[-_HINT_LENGTH:]}"


def _check(chance: str) -> str:
    number, digits = crc32(chance.encode()), ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
