"""A small HTTP/1.1 client for log sources: streams without end, unix sockets, cancelled at any time.

The libraries that do this would double the agent's memory, and ``http.client`` cannot be interrupted.
One connection a request; redirects are not followed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from ai_ops import __version__
from ai_ops.core import tls
from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError

_SECONDS = 30.0
_HEAD_BYTES = 64 << 10
_CHUNK = 64 << 10
_WORDS = 300
_LONGEST_DELAY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go. ``name`` is what people see of it: never a password. ``unix``: a socket's path."""

    name: str
    host: str = "localhost"
    port: int = 80
    tls: bool = False
    unix: str = ""
    prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, url: str, headers: Mapping[str, str] | None = None) -> Endpoint:
        """Return the endpoint of an ``http``, ``https`` or ``unix`` URL; its user becomes a header.

        Raises:
            ValueError: with the reason, and without what stood in the URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("is not a URL") from None
        if parts.scheme == "unix" and parts.path:
            return cls(f"unix://{parts.path}", unix=parts.path, headers=headers or {})
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must look like https://host:port")
        given = dict(headers or {})
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            given.setdefault("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
        tls = parts.scheme == "https"
        host = parts.hostname
        number = port or (443 if tls else 80)
        shown = f"[{host}]" if ":" in host else host
        prefix = parts.path.rstrip("/")
        return cls(f"{parts.scheme}://{shown}:{number}{prefix}", host, number, tls, "", prefix, given)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer whose body is still to be read. Names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


@contextlib.asynccontextmanager
async def request(
    endpoint: Endpoint, method: str, target: str, body: Any = None, *, endless: bool = False
) -> AsyncIterator[Response]:
    """Send a request, with ``body`` as JSON, and give its answer while entered.

    An ``endless`` answer may be silent for as long as it likes.

    Raises:
        TemporaryError: ``source_unreachable``, also while the body is read.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await _connect(endpoint)
            writer.write(_request_bytes(endpoint, method, target, body))
            await writer.drain()
            status, headers = await _head(reader)
        yield Response(status, headers, _body(reader, headers, None if endless else _SECONDS))
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        # TimeoutError is an OSError; what a certificate lacks is one too.
        words = "it speaks plain http" if tls.is_plain_http(error) else _words(error)
        raise failed("source_unreachable", f"{endpoint.name}: {words}") from None
    finally:
        if writer is not None:
            writer.close()


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


async def ask(endpoint: Endpoint, method: str, target: str, body: Any = None, *, limit: int) -> Any:
    """Return the JSON that a request is answered with, of at most ``limit`` bytes.

    Raises:
        TemporaryError: ``source_unreachable``, ``source_busy``.
        PermanentError: ``source_refused``: any other status than 2xx, 429 and 5xx, or no JSON.
    """
    async with request(endpoint, method, target, body) as response:
        data = bytearray()
        async for chunk in response.body:
            data += chunk
            if len(data) > limit:
                raise failed("source_refused", f"{endpoint.name} answered more than {limit} bytes")
        if not 200 <= response.status < 300:
            raise refusal(endpoint, response, bytes(data))
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError):
        raise failed("source_refused", f"{endpoint.name} did not answer JSON") from None


def refusal(endpoint: Endpoint, response: Response, data: bytes) -> AiOpsError:
    """Return the failure that a status other than 2xx is."""
    words = "".join(c if c.isprintable() else " " for c in data[:_WORDS].decode("utf-8", "replace"))
    message = f"{endpoint.name} answered {response.status}: {words}"
    if response.status == 429 or response.status >= 500:
        return failed("source_busy", message, delay=_delay(response.headers.get("retry-after", "")))
    return failed("source_refused", message)


def _delay(said: str) -> float | None:
    return min(float(said), _LONGEST_DELAY_SECONDS) if said.isascii() and said.isdecimal() else None


async def _connect(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if endpoint.unix:
        return await asyncio.open_unix_connection(endpoint.unix, limit=_HEAD_BYTES)
    tls = ssl.create_default_context() if endpoint.tls else None
    return await asyncio.open_connection(endpoint.host, endpoint.port, ssl=tls, limit=_HEAD_BYTES)


def _request_bytes(endpoint: Endpoint, method: str, target: str, body: Any) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    shown = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    headers = {
        "Host": shown if endpoint.unix else f"{shown}:{endpoint.port}",
        "User-Agent": f"ai-ops-agent/{__version__}",
        "Accept": "*/*",
        "Connection": "close",
        **endpoint.headers,
    }
    if body is not None:
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
    lines = [f"{method} {endpoint.prefix}{target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise ValueError("the answer is not HTTP")
        if int(rest[:3]) >= 200:  # else another head follows
            pairs = (line.partition(":") for line in lines)
            return int(rest[:3]), {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _body(
    reader: asyncio.StreamReader, headers: Mapping[str, str], idle: float | None
) -> AsyncIterator[bytes]:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await _within(reader.readuntil(b"\r\n"), idle)).split(b";")[0], 16):
            while size:
                chunk = await _within(reader.read(min(size, _CHUNK)), idle)
                if not chunk:
                    raise EOFError("the answer ended early")
                size -= len(chunk)
                yield chunk
            await _within(reader.readexactly(2), idle)
        return
    left = int(headers["content-length"]) if "content-length" in headers else None
    while left is None or left > 0:
        chunk = await _within(reader.read(_CHUNK if left is None else min(left, _CHUNK)), idle)
        if not chunk:
            if left is not None:
                raise EOFError("the answer ended early")
            return
        left = None if left is None else left - len(chunk)
        yield chunk


async def _within(reading: Any, seconds: float | None) -> bytes:
    async with asyncio.timeout(seconds):
        data: bytes = await reading
        return data
