"""Maven, as a fetcher of published jars."""

import shutil
import subprocess
from pathlib import Path

from stack.part import StackError

_MAVEN = ("mvn", "-B", "-q", "-ntp")


def copy_dependencies(pom: Path, *, into: Path) -> None:
    """Copy what `pom` names, and what that needs, into a folder; whole or not at all."""
    draft = into.with_name(into.name + ".draft")
    _run("-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={draft}")
    draft.replace(into)


def copy_artifact(coordinates: str, *, into: Path) -> Path:
    """Copy one published file (group:artifact:version:type:classifier) and return its path."""
    _run("dependency:copy", f"-Dartifact={coordinates}", f"-DoutputDirectory={into}")
    (path,) = into.iterdir()
    return path


def _run(*arguments: str) -> None:
    if shutil.which("mvn") is None:
        raise StackError(
            "Neither a Docker engine answers nor is Maven installed, and one of them has to bring Kafka and the\n"
            "schema registry. Install Maven (Debian, Ubuntu: apt-get install maven), or start Docker."
        )
    result = subprocess.run([*_MAVEN, *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        raise StackError(f"Maven could not fetch a part:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
