"""Too little memory or disk is said before anything is started."""

from pathlib import Path

import pytest

from stack import machine
from stack.part import StackError
from stack.settings import StackSettings


def test_too_little_memory_is_named_with_what_is_wanted_and_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"(?s)Only 1500 MB of memory .* 2000\..*WEIR_MEMORY_MB_MIN=0"):
        machine.require_room(settings(tmp_path), meminfo=meminfo(tmp_path, available_mb=1_000, swap_mb=500))


def test_swap_counts_as_memory(tmp_path: Path) -> None:
    machine.require_room(settings(tmp_path), meminfo=meminfo(tmp_path, available_mb=1_500, swap_mb=500))


def test_a_machine_that_does_not_say_how_much_memory_it_has_is_let_pass(tmp_path: Path) -> None:
    machine.require_room(settings(tmp_path), meminfo=tmp_path / "none")


def test_too_little_disk_is_named_with_the_folder(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"(?s)MB are free on the disk of .*WEIR_DISK_MB_MIN=0"):
        machine.require_room(settings(tmp_path, disk_mb_min=2**40), meminfo=tmp_path / "none")


def settings(folder: Path, *, disk_mb_min: int = 0) -> StackSettings:
    return StackSettings(folder=folder / "data", cache=folder / "parts", memory_mb_min=2_000, disk_mb_min=disk_mb_min)


def meminfo(folder: Path, *, available_mb: int, swap_mb: int) -> Path:
    path = folder / "meminfo"
    path.write_text(f"MemAvailable: {available_mb * 1024} kB\nSwapFree: {swap_mb * 1024} kB\nHugePages_Total: 0\n")
    return path
