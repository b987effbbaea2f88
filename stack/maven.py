"""Maven, as a fetcher of published jars."""

import shutil
import subprocess
from pathlib import Path

from stack.part import StackError

_MAVEN = ("mvn", "-B", "-q", "-ntp")


def copy_dependencies(pom: Path, *, into: Path) -> None:
    """Copy what `pom` names, and what that needs, into a folder."""
    _run("-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={into}")


def copy_artifact(coordinates: str, *, into: Path) -> Path:
    """Copy one published file (group:artifact:version:type:classifier) into an empty folder and return its path."""
    _run("dependency:copy", f"-Dartifact={coordinates}", f"-DoutputDirectory={into}")
    (path,) = into.iterdir()
    return path


def _run(*arguments: str) -> None:
    if shutil.which("mvn") is None:
        raise StackError(
            "No Docker engine with Compose answers, and Maven is not installed. One of them has to bring Kafka and\n"
            "the schema registry. Install Maven (Debian, Ubuntu: apt-get install maven), or start Docker."
        )
    result = subprocess.run([*_MAVEN, *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        raise StackError(f"Maven could not fetch a part:\n{(result.stdout + result.stderr).strip()[-2000:]}")
