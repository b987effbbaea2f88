"""What Java has made of a part's classes is kept once, and every later start begins with it."""

import socket
from pathlib import Path

from stack import java, kafka, registry
from stack.rehearsal import rehearse
from stack.settings import StackSettings

PORT_BASE = 31_400


def settings(tmp_path: Path) -> StackSettings:
    """Of an installation with parts in which nothing is kept."""
    made = StackSettings(folder=tmp_path / "data", cache=tmp_path / "parts", port_base=PORT_BASE)
    for home in (kafka.home(made), registry.home(made)):
        home.mkdir(parents=True)
    return made


def test_java_begins_with_what_is_kept(tmp_path: Path) -> None:
    assert java.java(tmp_path)[1:] == ()
    java.kept(tmp_path).touch()
    assert f"-XX:AOTCache={java.kept(tmp_path)}" in java.java(tmp_path)


def test_what_is_kept_is_not_rehearsed_again(tmp_path: Path) -> None:
    made, said = settings(tmp_path), list[str]()
    for home in (kafka.home(made), registry.home(made)):
        java.kept(home).touch()
    rehearse(made, said.append)
    assert said == []


def test_a_rehearsal_that_cannot_be_is_told_and_keeps_nothing(tmp_path: Path) -> None:
    made, said = settings(tmp_path), list[str]()
    with socket.create_server((made.host, made.port_base + 100 + 1)):
        rehearse(made, said.append)
    assert said[0].startswith("a rehearsal")
    assert said[1].startswith("Java starts as slowly as ever: These ports of") and "(payments)" in said[1]
    assert not java.kept(kafka.home(made)).exists() and not java.kept(registry.home(made)).exists()
