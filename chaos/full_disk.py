"""A small volume of its own for Kafka's logs, which can be filled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.installation import Installation

VOLUME_MB = 1_500
BALLAST = "ballast"
_CHUNK = bytes(1 << 20)


def folder(installation: Installation) -> Path:
    """Where the broker keeps what is not its logs, and with them."""
    return installation.settings.folder / "kafka"


def mount(folder: Path) -> None:
    """Put a volume there, to be filled later. Raises PermissionError for whoever is not root."""
    if os.geteuid() != 0:
        raise PermissionError("only root can make a small volume for Kafka's logs: run as root, or name other faults")
    folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_mount():
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={VOLUME_MB}m", "weir", str(folder)], check=True)


def unmount(folder: Path) -> None:
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Nothing more can be written there while the block lasts."""
    assert folder.is_mount(), "only a volume of its own may be filled"
    ballast = folder / BALLAST
    try:
        _fill(ballast)
        yield
    finally:
        ballast.unlink(missing_ok=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for _ in range(VOLUME_MB + 1):
            try:
                file.write(_CHUNK)
            except OSError:
                return
    raise AssertionError("the volume takes more than it should")
