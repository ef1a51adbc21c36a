"""A TCP proxy between a driver and ClickHouse that can lose an answer after success, or cut a request in two."""

import asyncio
import ssl
import threading
from typing import Self

CHUNK = 1 << 16


class Proxy:
    """Passes bytes on, until it is told to harm the next connection that carries certain words."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.dropped: list[bytes] = []
        """First bytes of each answer that was lost."""
        self.cut = 0
        self._host, self._port, self._tls = host, port, tls
        self._drop: bytes | None = None
        self._cut: bytes | None = None
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        serve = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self._server = asyncio.run_coroutine_threadsafe(serve, self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def armed(self) -> bool:
        return self._drop is not None or self._cut is not None

    def drop_answer_to(self, words: bytes) -> None:
        """Let the next request that holds these words through, and lose its answer."""
        self._drop = words

    def cut_request_of(self, words: bytes) -> None:
        """Break the next connection whose request holds these words, before the last of it has gone through."""
        self._cut = words

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        doomed = asyncio.Event()
        await asyncio.gather(self._forward(reader, back, doomed), self._return(there, writer, doomed))

    async def _forward(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, doomed: asyncio.Event) -> None:
        """Client to server."""
        while data := await _read(reader):
            text = data.replace(b"%20", b" ").replace(b"+", b" ").replace(b"`", b"").replace(b"%60", b"")
            if self._cut and self._cut in text:
                self._cut, self.cut = None, self.cut + 1
                back.write(data[:-1])
                break
            if self._drop and self._drop in text:
                self._drop = None
                doomed.set()
            back.write(data)
        back.close()

    async def _return(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event) -> None:
        """Server to client."""
        while data := await _read(there):
            if doomed.is_set():
                self.dropped.append(data[:12])
                break
            writer.write(data)
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(CHUNK)
    except OSError:
        return b""
