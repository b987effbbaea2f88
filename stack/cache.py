"""What is fetched once and kept: a folder is there whole or not at all, and one process at a time fills it."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def fetch_once(folder: Path, bring: Callable[[Path], None]) -> None:
    """Have `bring` fill a folder, unless it is there. What a broken attempt has left is thrown away first."""
    if folder.exists():
        return
    with locked(folder.with_name(folder.name + ".lock")):
        if folder.exists():
            return
        draft = folder.with_name(folder.name + ".draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        bring(draft)
        draft.replace(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes out for as long as the block lasts; a crash lets them in again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
