"""apt, as a fetcher of Debian packages: one is unpacked into a folder, and nothing is installed."""

import os
import shutil
import subprocess
from pathlib import Path

from stack.part import StackError

TOOLS = ("apt-get", "dpkg")
FETCH_SECONDS_MAX = 180


def is_here() -> bool:
    """Whether this machine has what it takes."""
    return all(shutil.which(tool) for tool in TOOLS)


def unpack(package: str, *, into: Path) -> None:
    """Fetch the newest version of a package and unpack it. Raises StackError."""
    if not is_here():
        raise StackError("it is taken from Debian's packages, and there is no apt here")
    try:
        _download(package, into=into)
    except StackError:
        # On a fresh machine apt knows no packages yet. Lists of our own need no root and change nothing for others.
        lists = into / "apt"
        _apt(into, "update", *_own_lists(lists))
        _download(package, *_own_lists(lists), into=into)
        shutil.rmtree(lists)
    for archive in into.glob("*.deb"):
        _run(into, "dpkg", "-x", str(archive), str(into))
        archive.unlink()


def _download(package: str, *options: str, into: Path) -> None:
    _apt(into, "download", package, *options)
    # apt reports success where all it has found are packages of the same name without a file.
    if not list(into.glob("*.deb")):
        raise StackError(f"apt knows no package {package}")


def _own_lists(folder: Path) -> tuple[str, ...]:
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return (f"-oDir::State::Lists={folder / 'lists'}", f"-oDir::Cache={folder / 'cache'}")


def _apt(directory: Path, *arguments: str) -> None:
    # As root, apt would fetch as a user of its own, who can't write here.
    sandbox = ("-oAPT::Sandbox::User=root",) if os.geteuid() == 0 else ()
    _run(directory, "apt-get", "-qq", *sandbox, *arguments)


def _run(directory: Path, *command: str) -> None:
    try:
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=FETCH_SECONDS_MAX)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"{command[0]}: {error}") from error
    if result.returncode != 0:
        raise StackError(f"{command[0]}: {(result.stderr or result.stdout).strip()[-1000:]}")
