"""Starting on ports that something else has, or had a moment ago."""

import socket
import threading
from pathlib import Path

import pytest

from stack.native import Native
from stack.part import StackError
from stack.settings import StackSettings
from stack.supervision import Supervisor

PORT_BASE = 31_700


@pytest.fixture
def native(tmp_path: Path) -> Native:
    settings = StackSettings(folder=tmp_path, port_base=PORT_BASE)
    return Native(settings, Supervisor(settings), {})


@pytest.fixture
def squatter() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", PORT_BASE + 1))
    listener.listen()
    return listener


def test_a_port_that_something_else_has_is_named_with_its_use(native: Native, squatter: socket.socket) -> None:
    with squatter, pytest.raises(StackError, match=rf"in use by something else: {PORT_BASE + 1} \(.*payments"):
        native._require_free_ports(seconds=0)


def test_what_an_ended_process_still_has_open_is_waited_for(native: Native, squatter: socket.socket) -> None:
    closing = threading.Timer(0.3, squatter.close)
    closing.start()
    native._require_free_ports(seconds=10)
    assert squatter.fileno() == -1
    closing.join()
