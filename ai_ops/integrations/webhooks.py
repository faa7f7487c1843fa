"""Notifications to programs: signed HTTP requests, after the conventions of Standard Webhooks.

An address may have been chosen by somebody who likes to reach what only this machine can. So its name is
looked up once, no address of it may be private unless the operator says so, the request goes to what was
found, and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from ai_ops.core.failures import failed
from ai_ops.core.failures.way import part_of_the_way
from ai_ops.core.notices import SCHEMA_VERSION
from ai_ops.core.ports import Clock
from ai_ops.core.repository_url import private_host
from ai_ops.core.untrusted import clean
from ai_ops.errors import AiOpsError
from ai_ops.flow.notification import Notification
from ai_ops.integrations.receivers import receiver_unknown

_TIMEOUT = aiohttp.ClientTimeout(total=15)
_MOST_SAID = 500
_LONGEST_WAIT_SECONDS = 24 * 3600.0
_PORTS = {"http": 80, "https": 443}

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and a port to its IP addresses; raises OSError when there are none."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a webhook goes, what it is signed with, and whether it may be in a private network."""

    url: str
    secret: bytes = field(repr=False)
    private: bool = False


def key_of(secret: str) -> bytes:
    """Return the key of a secret: what follows ``whsec_`` in base64, or else its characters.

    Raises:
        ValueError: it is not base64, with words for the operator.
    """
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ValueError("begins with whsec_, and what follows is not base64") from None


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


def body_of(notification: Notification) -> bytes:
    """Return what is sent: the same bytes at each try."""
    wire = {
        "type": notification.kind,
        "version": SCHEMA_VERSION,
        "id": notification.id,
        "timestamp": notification.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": notification.data,
    }
    return json.dumps(wire, ensure_ascii=False, separators=(",", ":")).encode()


async def look_up(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, as this machine sees it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(place[4][0]).partition("%")[0] for place in found))


_GONE = "webhook_gone"


class WebhookNotifier:
    """Sends each notification to its endpoint.

    One that answers 410 is not asked again until a restart, or until a person lets a message go out again
    that had ended so.
    """

    def __init__(self, endpoints: Mapping[str, Endpoint], clock: Clock, look_up: LookUp = look_up) -> None:
        self._endpoints = endpoints
        self._clock = clock
        self._look_up = look_up
        self._gone: set[str] = set()

    async def deliver(self, notification: Notification) -> str:
        """Send, and say to which host."""
        name = notification.recipient.partition(":")[2]
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            raise receiver_unknown(notification.recipient)
        if notification.last_error.startswith(_GONE):  # a person wants it asked again
            self._gone.discard(name)
        if name in self._gone:
            raise _gone(name)
        host = urlsplit(endpoint.url).hostname or ""
        addresses = await self._addresses(name, endpoint)
        body, at = body_of(notification), int(self._clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "AI-Ops",
            "webhook-id": notification.id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(endpoint.secret, notification.id, at, body),
        }
        connector = aiohttp.TCPConnector(resolver=_Found(addresses), force_close=True)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT, trust_env=False) as session,
                session.post(endpoint.url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                said = (await answer.content.read(_MOST_SAID)).decode("utf-8", "replace")
                if failure := self._failure(name, answer, said):
                    raise failure
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = str(error) or type(error).__name__
            code = part_of_the_way(error, "webhook_unavailable")
            raise failed(code, f"the webhook {name} does not take it: {why}") from error
        return f"taken by {host}"

    async def _addresses(self, name: str, endpoint: Endpoint) -> Sequence[str]:
        parts = urlsplit(endpoint.url)
        host = parts.hostname or ""
        try:
            found = await self._look_up(host, parts.port or _PORTS[parts.scheme])
        except OSError as error:
            raise failed("dns_failed", f"the name {host} of the webhook {name} has no address") from error
        if not endpoint.private and (not found or any(private_host(address) for address in found)):
            raise failed(
                "webhook_private",
                f"the webhook {name} leads into a private network",
                next_step="If it is meant to, set private = true in its [[webhook]] table.",
            )
        return found

    def _failure(self, name: str, answer: aiohttp.ClientResponse, said: str) -> AiOpsError | None:
        status = answer.status
        if 200 <= status < 300:
            return None
        if status == 410:
            self._gone.add(name)
            return _gone(name)
        if 300 <= status < 400:
            return failed(
                "webhook_refused",
                f"the webhook {name} answered {status}; redirects are not followed",
                next_step="Set the url of its [[webhook]] table to where it leads.",
            )
        words = " ".join(clean(said).text.split())
        delay = _retry_after(answer.headers.get("Retry-After", ""), self._clock.now())
        return _unavailable(name, f"it answered {status}" + (f": {words}" if words else ""), delay)


class _Found(AbstractResolver):
    """Answers with what was found and looked at, whatever the name would lead to by now."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _retry_after(value: str, now: datetime) -> float | None:
    """Return the seconds that an answer asks to wait, at most a day; None when it does not say."""
    if value.isascii() and value.isdigit() and len(value) < 10:
        return min(float(value), _LONGEST_WAIT_SECONDS)
    try:
        at = parsedate_to_datetime(value)
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), _LONGEST_WAIT_SECONDS)


def _gone(name: str) -> AiOpsError:
    return failed(_GONE, f"the webhook {name} answered 410: it wants nothing any more")


def _unavailable(name: str, why: str, delay: float | None = None) -> AiOpsError:
    return failed(
        "webhook_unavailable",
        f"the webhook {name} does not take it: {why}",
        delay=delay,
    )
