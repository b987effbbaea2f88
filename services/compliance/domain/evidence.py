"""Files that people add to a case: what may be one, and how it is kept. Pure.

A file is told by its first bytes, not by what it says of itself, and must be what its name ends in. Nothing in it is
ever run or shown by the desk: it is handed out to be saved, with the hash of what was added.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from libs.common.batch import Refusal
from libs.common.events import Event
from libs.common.record import replace
from services.compliance.domain.acts import CaseCommand, RefusalReason, act, open_case, refused
from services.compliance.domain.case import ActKind, CaseFile
from services.compliance.domain.work import FileContent, Work

FILE_BYTES_MAX = 5 * 1024 * 1024
FILES_MAX = 50
NAME_LENGTH_MAX = 120

_TYPES = {
    ".pdf": ("application/pdf", b"%PDF-"),
    ".png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    ".jpg": ("image/jpeg", b"\xff\xd8\xff"),
    ".jpeg": ("image/jpeg", b"\xff\xd8\xff"),
}
_TEXTS = {".txt": "text/plain", ".csv": "text/csv"}


class AddFile(CaseCommand):
    """Keep a file with a case."""

    name: str
    content: bytes
    note: str


def media_type_of(name: str, content: bytes) -> str | None:
    """What a file is, if it is one of those that are kept, and its name says so too."""
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    if ending in _TYPES:
        media_type, beginning = _TYPES[ending]
        return media_type if content.startswith(beginning) else None
    return _TEXTS.get(ending) if _is_text(content) else None


def add_file(work: Work, command: AddFile, at: datetime) -> Sequence[Event] | Refusal:
    """Anybody who works on cases adds a file to one. It is never changed, and never taken away."""
    case = open_case(work, command)
    if isinstance(case, Refusal):
        return case
    media_type = media_type_of(command.name, command.content)
    is_named = 0 < len(command.name) <= NAME_LENGTH_MAX and command.name.isprintable() and "/" not in command.name
    if media_type is None or not is_named or len(command.content) > FILE_BYTES_MAX or len(case.files) >= FILES_MAX:
        return refused(RefusalReason.FILE_UNFIT)
    found = CaseFile(
        number=len(case.files) + 1,
        name=command.name,
        media_type=media_type,
        size_bytes=len(command.content),
        sha256=hashlib.sha256(command.content).hexdigest(),
        added_by=command.actor,
        added_at=at,
    )
    note = f"{found.name} ({found.size_bytes} bytes, SHA-256 {found.sha256})\n{command.note.strip()}".strip()
    act(work, replace(case, files=(*case.files, found)), ActKind.FILE_ADDED, command, at, note=note)
    work.files.append(FileContent(case_id=case.case_id, number=found.number, content=command.content))
    return []


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return all(character in "\n\r\t" or character.isprintable() for character in text.removeprefix("\ufeff"))
