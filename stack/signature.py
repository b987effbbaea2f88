"""Signatures of backups: what an installation has written is known again, and that nobody has changed it since.

Beside a file lies its signature, an HMAC under a key of the installation (`secrets.json`) that is in no backup. So
whoever can write where backups lie can damage them, but can't have another file taken for one.
"""

import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from stack.part import StackError
from stack.settings import StackSettings

SUFFIX = ".signature"
_KEY = "backup-key"


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is, and proof of it."""

    holds: str
    """Whose data: a database's name, or `all`."""
    signed_at: datetime
    hmac: str


def place_of(path: Path) -> Path:
    """Where the signature of a backup lies."""
    return path.with_name(path.name + SUFFIX)


def sign(settings: StackSettings, file: Path, *, holds: str, backup: Path) -> None:
    """Sign a file of ours, which is the backup, or tells all that is in it. Raises OSError."""
    at = datetime.now(UTC)
    signature = Signature(holds=holds, signed_at=at, hmac=_hmac(settings, file, holds, at))
    place = place_of(backup)
    place.unlink(missing_ok=True)
    place.touch(mode=0o600)
    place.write_bytes(msgspec.json.encode(signature))


def require(settings: StackSettings, file: Path, *, holds: str, backup: Path) -> None:
    """Raise StackError unless a file is what this installation has signed as a backup of that, to the last byte."""
    place = place_of(backup)
    if not file.exists():
        raise StackError(f"There is no {file}.")
    if not place.exists():
        raise StackError(
            f"There is no {place}, by which {backup} would be known to be ours: bring it as well.\n"
            "--unsigned restores it all the same; it may hold whatever somebody has put in it."
        )
    try:
        signature = msgspec.json.decode(place.read_bytes(), type=Signature)
        proof = _hmac(settings, file, signature.holds, signature.signed_at)
    except (OSError, msgspec.DecodeError) as error:
        raise StackError(f"{place} can't be read as a signature: {error}") from error
    if not hmac.compare_digest(proof, signature.hmac):
        raise StackError(f"{backup} is not what this installation has signed: it is another's, or was changed since.")
    if signature.holds != holds:
        raise StackError(f"{backup} holds {signature.holds}, not {holds}.")


def _hmac(settings: StackSettings, file: Path, holds: str, at: datetime) -> str:
    key = settings.secrets.get(_KEY).encode()
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return hmac.new(key, f"{holds}\n{at.isoformat()}\n{digest}".encode(), "sha256").hexdigest()
