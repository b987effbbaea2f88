"""A wire between two processes that can be cut, can fall silent, and can be slow."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from types import TracebackType
from typing import Any

CHUNK_BYTES = 16 * 1024
SLOW_SECONDS = 0.15
"""What a slow wire adds to everything that passes, in each direction."""
ANSWER_SECONDS_MAX = 10


class Wire(StrEnum):
    """How a network is."""

    WELL = "well"
    CUT = "cut"
    """Connections are reset, and new ones refused: a process at the other end has gone."""
    SILENT = "silent"
    """Connections stay, and nothing arrives: a cable has been pulled."""
    SLOW = "slow"


class Proxy:
    """Listens at one port, and hands on to another, as its wire lets it. To be used as a context."""

    def __init__(self, host: str, port: int, *, to_port: int) -> None:
        self._host, self.port, self._to_port = host, port, to_port
        self._wire = Wire.WELL
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._passable = asyncio.Event()
        self.carried_bytes = 0
        """What has arrived so far, in both directions."""

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._do(self._change(Wire.WELL))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._do(self._change(Wire.CUT))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextmanager
    def being(self, wire: Wire) -> Iterator[None]:
        """The wire is like this while the block lasts."""
        self._do(self._change(wire))
        try:
            yield
        finally:
            self._do(self._change(Wire.WELL))

    def _do(self, change: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(change, self._loop).result(ANSWER_SECONDS_MAX)

    async def _change(self, wire: Wire) -> None:
        self._wire = wire
        if wire is Wire.SILENT:
            self._passable.clear()
        else:
            self._passable.set()
        if wire is Wire.CUT:
            await self._hang_up()
        elif self._server is None:
            self._server = await asyncio.start_server(self._connect, self._host, self.port)

    async def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._pass_on(reader, writer)
        except (OSError, asyncio.CancelledError):
            # Either end has gone, or the wire was cut: whoever is left is to notice as it would in earnest.
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._to_port)
        ways = [
            asyncio.ensure_future(self._carry(reader, far_writer)),
            asyncio.ensure_future(self._carry(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            with suppress(OSError):
                await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if self._wire is Wire.SLOW:
                await asyncio.sleep(SLOW_SECONDS)
            await self._passable.wait()
            writer.write(data)
            await writer.drain()
            self.carried_bytes += len(data)
