"""The one way from a sandboxed task to the web: a forward proxy of ours on a unix socket.

The sandbox has no network. Each child gets a socket of its own; behind it a name is looked up once, judged,
and the connection made to that very address, so that no second answer of a name server can lead elsewhere.
``CONNECT`` makes a tunnel; a plain request is sent on once, for the host that was judged and no other.
What is refused is told, to the child in words and to whoever opened the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ai_ops.core.egress import EgressRules, Refusal, split_place

log = logging.getLogger(__name__)

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and a port to its IP addresses; raises OSError when there are none."""
OnRefusal = Callable[[Refusal], Awaitable[None]]

_MOST_HEAD = 64 * 1024
_MOST_AT_ONCE = 64
_HEAD_SECONDS = 30.0
_CONNECT_SECONDS = 30.0
_IDLE_SECONDS = 300.0
_CHUNK = 65536
_SHOWN = 200
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # some take a lone CR for the end of a line
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "proxy-connection",
        "proxy-authorization",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "host",
    }
)


class _RefusedError(Exception):
    """A request that is not sent on. ``refusal`` when it is the rules' doing and not clumsiness."""

    def __init__(self, status: str, words: str, refusal: Refusal | None = None) -> None:
        super().__init__(words)
        self.status, self.words, self.refusal = status, words, refusal


@dataclass(frozen=True, slots=True)
class _Head:
    """The head of a request: its method, target, and headers as they stand."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]


class EgressProxy:
    """Opens sockets on which a child can reach what the rules let through and nothing else.

    Args:
        rules: what may be reached.
        look_up: from a host and a port to addresses.
    """

    def __init__(self, rules: EgressRules, look_up: LookUp) -> None:
        self._rules = rules
        self._look_up = look_up

    @contextlib.asynccontextmanager
    async def open(self, socket_path: Path, on_refusal: OnRefusal) -> AsyncIterator[None]:
        """Serve on a socket; connections that are open at the end are cut."""
        serving: set[asyncio.Task[None]] = set()

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(serving) >= _MOST_AT_ONCE:
                writer.transport.abort()
                return
            task = asyncio.create_task(self._serve(reader, writer, on_refusal))
            serving.add(task)
            task.add_done_callback(serving.discard)

        server = await asyncio.start_unix_server(accepted, str(socket_path), limit=_MOST_HEAD)
        socket_path.chmod(0o600)  # noqa: ASYNC240
        try:
            yield
        finally:
            server.close()
            for task in list(serving):
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)
            socket_path.unlink(missing_ok=True)  # noqa: ASYNC240

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, on_refusal: OnRefusal
    ) -> None:
        try:
            await self._answer(reader, writer)
        except _RefusedError as refused:
            if refused.refusal is not None:
                await on_refusal(refused.refusal)
            with contextlib.suppress(OSError):
                await _say(writer, refused)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            log.debug("egress: a connection broke off: %s", type(error).__name__)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = _parse(await reader.readuntil(b"\r\n\r\n"))
        if head.method == "CONNECT":
            host, port = _place(head.target, 443)
            upstream = await self._connect(host, port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _tunnel((reader, writer), upstream)
            return
        host, port, onward, length = _onward(head)
        upstream = await self._connect(host, port)
        upstream[1].write(onward)
        await _exchange((reader, writer), upstream, length)

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the address that a name has now, if that may be reached."""
        shown = "".join(c if c.isprintable() else "?" for c in host[:_SHOWN])
        _forbid(shown, port, self._rules.refuses(host, port))
        try:
            addresses = await self._look_up(host.strip("[]"), port)
        except OSError:
            addresses = ()
        _forbid(shown, port, self._rules.refuses_addresses(host, addresses))
        for address in addresses:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await asyncio.open_connection(address, port, limit=_CHUNK)
        raise _RefusedError("502 Bad Gateway", f"{shown}:{port} does not answer")


def _forbid(host: str, port: int, reason: str) -> None:
    if reason:
        refusal = Refusal(host, port, reason)
        raise _RefusedError("403 Forbidden", refusal.words, refusal)


def _parse(raw: bytes) -> _Head:
    """Read a head. What two readers could understand in two ways is refused."""
    lines = raw.decode("latin-1").split("\r\n")[:-2]
    words = lines[0].split(" ")
    headers = [line.partition(":") for line in lines[1:]]
    clean = all(name and colon and name.strip() == name for name, colon, _ in headers)
    clean = clean and not _CONTROL.search("".join(lines))
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not clean:
        raise _RefusedError("400 Bad Request", "this is not a request of HTTP/1.1")
    return _Head(words[0], words[1], tuple((name, value.strip()) for name, _, value in headers))


def _place(text: str, usual: int) -> tuple[str, int]:
    try:
        return split_place(text, usual)
    except ValueError as error:
        raise _RefusedError("400 Bad Request", f"the place {error}") from None


def _onward(head: _Head) -> tuple[str, int, bytes, int]:
    """Return host and port, the head as the host gets it, and how long the body is."""
    parts = urlsplit(head.target)
    if parts.scheme != "http" or not parts.netloc or "@" in parts.netloc:
        raise _RefusedError("400 Bad Request", "only http:// addresses and CONNECT are taken")
    lengths = {value for name, value in head.headers if name.lower() == "content-length"}
    encoded = any(name.lower() == "transfer-encoding" for name, _ in head.headers)
    if encoded or len(lengths) > 1:
        raise _RefusedError("411 Length Required", "a body needs one Content-Length here")
    length = lengths.pop() if lengths else "0"
    if not (length.isascii() and length.isdigit()):
        raise _RefusedError("400 Bad Request", "Content-Length is not a number")
    host, port = _place(parts.netloc, 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept = [f"{name}: {value}" for name, value in head.headers if name.lower() not in _HOP_BY_HOP]
    lines = [f"{head.method} {path} HTTP/1.1", f"Host: {parts.netloc}", *kept, "Connection: close", "", ""]
    return host, port, "\r\n".join(lines).encode("latin-1"), int(length)


_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Silence:
    """Since when nothing was carried, either way: a long answer is no silence of who waits for it."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._since = self._clock()

    async def next(self, reader: asyncio.StreamReader, most: int) -> bytes:
        """Return what comes next, empty at the end; ``TimeoutError`` when all was silent for too long."""
        while True:
            try:
                async with asyncio.timeout_at(self._since + _IDLE_SECONDS):
                    chunk = await reader.read(most)
            except TimeoutError:
                if self._clock() - self._since >= _IDLE_SECONDS:
                    raise
                continue
            self._since = self._clock()
            return chunk


async def _tunnel(child: _Ends, upstream: _Ends) -> None:
    """Carry bytes both ways until both are silent or one breaks."""
    silence = _Silence()
    try:
        async with asyncio.TaskGroup() as ways:
            ways.create_task(_carry(child[0], upstream[1], silence))
            ways.create_task(_carry(upstream[0], child[1], silence))
    except* (OSError, TimeoutError):
        pass
    finally:
        upstream[1].close()


async def _exchange(child: _Ends, upstream: _Ends, length: int) -> None:
    """Send the body, exactly, and bring the answer back. Nothing after the body goes to the host."""
    try:
        await _carry(child[0], upstream[1], _Silence(), length)
        await _carry(upstream[0], child[1], _Silence())
    finally:
        upstream[1].close()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, silence: _Silence, most: int | None = None
) -> None:
    """Carry bytes one way: ``most`` of them, or up to the end, which is passed on."""
    left = most
    while left is None or left > 0:
        chunk = await silence.next(reader, _CHUNK if left is None else min(_CHUNK, left))
        if not chunk:
            break
        left = None if left is None else left - len(chunk)
        writer.write(chunk)
        await writer.drain()
    if most is None and writer.can_write_eof():
        writer.write_eof()


async def _say(writer: asyncio.StreamWriter, refused: _RefusedError) -> None:
    body = f"AI-Ops: {refused.words}\n".encode()
    head = f"HTTP/1.1 {refused.status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    await writer.drain()
