"""Whether this machine has room for everything, said before anything is started rather than by what breaks."""

import shutil
from pathlib import Path

from stack.part import StackError
from stack.settings import StackSettings

MEMINFO = Path("/proc/meminfo")


def require_room(settings: StackSettings, *, meminfo: Path = MEMINFO) -> None:
    """Raise StackError when there is clearly too little memory or disk."""
    free = _memory_mb(meminfo)
    if free is not None and free < settings.memory_mb_min:
        raise StackError(
            f"Only {free} MB of memory are free, and Kafka, Postgres, the registry and the services want "
            f"{settings.memory_mb_min}.\nEnd something else, or try with WEIR_MEMORY_MB_MIN=0."
        )
    for folder in {settings.folder, settings.cache, settings.postgres_folder}:
        free = shutil.disk_usage(_existing(folder)).free // 2**20
        if free < settings.disk_mb_min:
            raise StackError(
                f"Only {free} MB are free on the disk of {folder}, and {settings.disk_mb_min} are wanted.\n"
                "Make room, set WEIR_FOLDER and WEIR_CACHE to another disk, or try with WEIR_DISK_MB_MIN=0."
            )


def _memory_mb(meminfo: Path) -> int | None:
    """What new processes can have, swap included; None where the system doesn't say."""
    if not meminfo.exists():
        return None
    lines = (line.split() for line in meminfo.read_text().splitlines())
    kilobytes = {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1}
    return (kilobytes.get("MemAvailable", 0) + kilobytes.get("SwapFree", 0)) // 1024


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
