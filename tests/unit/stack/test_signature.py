"""Backups are signed: what was forged, altered, swapped or is another installation's is not restored."""

from pathlib import Path

import pytest

from stack import backups, signature
from stack.part import StackError
from stack.settings import StackSettings


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    return StackSettings(folder=tmp_path / "ours")


@pytest.fixture
def file(settings: StackSettings, tmp_path: Path) -> Path:
    """A backup of payments."""
    path = tmp_path / "payments.dump"
    path.write_bytes(b"all that payments knows")
    signature.sign(settings, path, holds="payments", backup=path)
    return path


def refused(settings: StackSettings, file: Path, service: str = "payments") -> str:
    with pytest.raises(StackError) as error:
        backups.require_signed(settings, service, file)
    return str(error.value)


def test_what_we_have_written_is_known_again_and_its_signature_is_nobody_elses_to_read(
    settings: StackSettings, file: Path
) -> None:
    backups.require_signed(settings, "payments", file)
    assert signature.place_of(file).stat().st_mode & 0o777 == 0o600


def test_a_single_byte_more_or_another_is_noticed(settings: StackSettings, file: Path) -> None:
    for content in (b"all that payments knows.", b"All that payments knows", b""):
        file.write_bytes(content)
        assert "is not what this installation has signed" in refused(settings, file)


def test_a_backup_of_another_service_is_none_of_this_one(settings: StackSettings, file: Path) -> None:
    assert "holds payments, not accounts" in refused(settings, file, "accounts")


@pytest.mark.parametrize("member", ["holds", "signed_at", "hmac"])
def test_a_signature_that_was_written_over_is_none(settings: StackSettings, file: Path, member: str) -> None:
    place = signature.place_of(file)
    other = {"holds": b"accounts", "signed_at": b"2026-11-22T18:05:00Z", "hmac": b"0" * 64}[member]
    parts = place.read_bytes().split(b'"')
    parts[parts.index(member.encode()) + 2] = other
    place.write_bytes(b'"'.join(parts))
    assert "is not what this installation has signed" in refused(settings, file, "accounts")


def test_without_a_signature_it_is_said_what_is_missing_and_how_to_go_on(settings: StackSettings, file: Path) -> None:
    signature.place_of(file).unlink()
    said = refused(settings, file)
    assert "payments.dump.signature" in said and "--unsigned" in said
    signature.place_of(file).write_text("nothing of the kind")
    assert "can't be read as a signature" in refused(settings, file)
    file.unlink()
    assert refused(settings, file) == f"There is no {file}."


def test_what_another_installation_has_signed_is_not_ours(file: Path, tmp_path: Path) -> None:
    assert "it is another's" in refused(StackSettings(folder=tmp_path / "theirs"), file)


def test_the_key_is_kept_with_the_installation_and_is_in_no_backup(settings: StackSettings, file: Path) -> None:
    kept = settings.folder / "secrets.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    key = settings.secrets.get("backup-key")
    assert key in kept.read_text()
    assert key.encode() not in file.read_bytes() + signature.place_of(file).read_bytes()
