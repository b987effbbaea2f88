"""A wire between two processes: well, cut, silent, slow."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from chaos.proxy import SLOW_SECONDS, Proxy, Wire
from tests.waiting import wait_until


class Echo:
    """Answers each connection with what it sent."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    @staticmethod
    def _answer(connection: socket.socket) -> None:
        with closing(connection):
            while data := connection.recv(1024):
                connection.sendall(data)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", _free_port(), to_port=echo.port) as proxy:
        yield proxy


def test_a_wire_passes_what_it_is_given(proxy: Proxy) -> None:
    with _connected(proxy) as connection:
        assert _ask(connection, b"a" * 500) == b"a" * 500
        wait_until(lambda: proxy.carried_bytes == 1_000)


def test_a_cut_wire_resets_what_was_open_and_refuses_what_is_new(proxy: Proxy) -> None:
    with _connected(proxy) as connection:
        assert _ask(connection, b"before") == b"before"
        with proxy.being(Wire.CUT):
            assert _is_gone(connection)
            with pytest.raises(ConnectionRefusedError):
                _connected(proxy)
    with _connected(proxy) as connection:
        assert _ask(connection, b"after") == b"after"


def test_a_silent_wire_keeps_what_it_was_given_until_it_speaks_again(proxy: Proxy) -> None:
    with _connected(proxy) as connection:
        with proxy.being(Wire.SILENT):
            carried = proxy.carried_bytes
            connection.settimeout(0.2)
            connection.sendall(b"late")
            with pytest.raises(TimeoutError):
                connection.recv(10)
            assert proxy.carried_bytes == carried
        connection.settimeout(5)
        assert connection.recv(10) == b"late"


def test_a_slow_wire_delivers_all_of_it_later(proxy: Proxy) -> None:
    with _connected(proxy) as connection, proxy.being(Wire.SLOW):
        connection.settimeout(SLOW_SECONDS)
        connection.sendall(b"slow")
        with pytest.raises(TimeoutError):
            connection.recv(10)
        connection.settimeout(5)
        assert connection.recv(10) == b"slow"


def _connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def _ask(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    answer = b""
    while len(answer) < len(data):
        answer += connection.recv(1024)
    return answer


def _is_gone(connection: socket.socket) -> bool:
    try:
        return connection.recv(10) == b""
    except ConnectionResetError:
        return True


def _free_port() -> int:
    for _ in range(20):
        port = random.randrange(20_000, 32_000)
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
