"""Where the agent's events go: to a server over HTTP, or straight into a store in the same process."""

from __future__ import annotations

import http.client
import json
import ssl
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from ai_ops import __version__
from ai_ops.core import tls
from ai_ops.core.failures import failed
from ai_ops.core.wording import one_line
from ai_ops.errors import AiOpsError

_TIMEOUT_SECONDS = 30.0
_ANSWER_BYTES = 4 << 20
_LONGEST_WAIT_SECONDS = 3600.0
_WORDS = 300
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What became of a batch, after it is durable there. ``rejected``: index in the batch and reason."""

    accepted: int
    duplicates: int = 0
    rejected: tuple[tuple[int, str], ...] = ()


class Delivery(Protocol):
    """Takes batches of events as they are on the wire. Called from one thread, not the main one."""

    def deliver(self, batch: Sequence[bytes]) -> Acknowledgement:
        """Deliver at most 500 events, each the JSON of one, and return only when they are durable.

        Raises:
            TemporaryError: none was taken for certain; deliver them again, after ``delay`` if it is set.
            PermanentError: ``batch_too_large`` or ``batch_refused``: smaller batches may pass.
        """
        ...


class HttpDelivery:
    """``POST /v1/events`` of a server, over one kept connection.

    Args:
        server_url: its root.
        api_key: sent as ``X-API-Key`` when there is one.
    """

    def __init__(self, server_url: str, api_key: str = "") -> None:
        parts = urlsplit(server_url)
        self._url = server_url
        self._host = parts.hostname or ""
        self._port = parts.port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._path = f"{parts.path.rstrip('/')}/v1/events"
        self._headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "Accept": "application/json",
            "User-Agent": f"ai-ops-agent/{__version__}",
        }
        if api_key:
            self._headers["X-API-Key"] = api_key
        self._connection: http.client.HTTPConnection | None = None

    def deliver(self, batch: Sequence[bytes]) -> Acknowledgement:
        """Send a batch; see ``Delivery``."""
        status, headers, answer = self._post(_packed(batch))
        if status == 200:
            return _acknowledgement(answer)
        raise _failure(self._url, status, headers, answer)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        fresh = self._connection is None
        try:
            return self._ask(body)
        except (http.client.RemoteDisconnected, ConnectionError) as error:
            self.close()
            if fresh:
                raise self._unreachable(error) from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._unreachable(error) from None
        try:  # the kept connection had been closed meanwhile; event ids make a repeat harmless
            return self._ask(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._unreachable(error) from None

    def _ask(self, body: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        if self._connection is None:
            self._connection = (
                http.client.HTTPSConnection(
                    self._host, self._port, timeout=_TIMEOUT_SECONDS, context=self._tls
                )
                if self._tls
                else http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_SECONDS)
            )
        self._connection.request("POST", self._path, body=body, headers=self._headers)
        response = self._connection.getresponse()
        answer = response.read(_ANSWER_BYTES)
        if response.read(1) or response.will_close:
            self.close()
        return response.status, response.headers, answer

    def _unreachable(self, error: Exception) -> AiOpsError:
        if tls.is_plain_http(error):
            return failed(
                "server_unreachable",
                f"the server at {self._url} speaks plain http",
                next_step=f"Set AGENT_SERVER_URL to {tls.plain(self._url)}, or put TLS before the server.",
            )
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return failed("server_unreachable", f"{self._url} does not answer: {reason}")


def _packed(batch: Sequence[bytes]) -> bytes:
    """Return the body, gzipped piece by piece, so that it is never there whole."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    parts = [packer.compress(b'{"events":[')]
    for number, event in enumerate(batch):
        parts += (packer.compress(b"," if number else b""), packer.compress(event))
    return b"".join((*parts, packer.compress(b"]}"), packer.flush()))


def _acknowledgement(answer: bytes) -> Acknowledgement:
    try:
        value = json.loads(answer)
        rejected = tuple((int(item["index"]), _reason(item.get("reason"))) for item in value["rejected"])
        return Acknowledgement(int(value["accepted"]), int(value["duplicates"]), rejected)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise failed("server_unexpected", "the server answered 200 without saying what it took") from None


def _reason(said: Any) -> str:
    return one_line(said, _WORDS) if isinstance(said, str) and said.strip() else "no reason was given"


_CODES = {401: "server_unauthorized", 403: "server_forbidden", 429: "server_busy"}


def _failure(url: str, status: int, headers: http.client.HTTPMessage, answer: bytes) -> AiOpsError:
    """Turn an answer into one of our failures. Only an AI-Ops server's own 400 or 422 is about the events."""
    detail = _detail(headers, answer)
    message = f"{url} answered {status}{': ' + detail if detail else ''}"
    if status == 413:
        return failed("batch_too_large", message)
    if status in (400, 422) and headers.get_content_type() == "application/problem+json":
        return failed("batch_refused", message)
    moved = None
    if 300 <= status < 400:  # followed, a POST would lose its body, or its key to somebody else
        place = one_line(headers.get("Location", ""), _WORDS)
        moved = f"Set AGENT_SERVER_URL to where the server itself is{f', perhaps {place}' if place else ''}."
    code = _CODES.get(status) or ("server_failing" if status >= 500 else "server_unexpected")
    return failed(code, message, next_step=moved, delay=_retry_after(headers))


def _detail(headers: http.client.HTTPMessage, answer: bytes) -> str:
    if not headers.get_content_type().endswith("json"):
        return ""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return ""
    detail = value.get("detail") if isinstance(value, dict) else None
    return one_line(detail, _WORDS) if isinstance(detail, str) else ""


def _retry_after(headers: http.client.HTTPMessage) -> float | None:
    """Return ``Retry-After`` in seconds, whether it is a number or a date."""
    said = headers.get("Retry-After")
    if not said:
        return None
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(0.0, seconds), _LONGEST_WAIT_SECONDS) if seconds == seconds else None
