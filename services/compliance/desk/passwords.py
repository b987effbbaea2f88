"""Passwords of people: argon2id, as RFC 9106 advises where memory is scarce (64 MiB, three passes)."""

import secrets
import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LENGTH_MIN = 8
LENGTH_MAX = 200
"""Nobody types more, and hashing costs by the byte."""
HASHED_AT_ONCE_MAX = 2
"""Each takes 64 MiB and a core: those who sign in wait for each other rather than the service for them."""

_hasher = PasswordHasher()
_room = threading.BoundedSemaphore(HASHED_AT_ONCE_MAX)


@cache
def _nobodys_hash() -> str:
    # Not when this is loaded, for a process that lets nobody in would wait for it too.
    return _hasher.hash("the password of nobody")


def make_up() -> str:
    """A password that nobody guesses, to be told once."""
    return secrets.token_urlsafe(12)


def hash_password(password: str) -> str:
    """What is stored of a password."""
    return _hasher.hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether this is the password. For a user there is none of, it takes as long to say no."""
    if len(password) > LENGTH_MAX:
        return False
    with _room:
        # Asked for whoever it is: else the first whom nobody knows would be told so by the clock.
        nobodys_hash = _nobodys_hash()
        try:
            return _hasher.verify(password_hash or nobodys_hash, password) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False
