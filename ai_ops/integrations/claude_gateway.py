"""The one way from a sandboxed Claude CLI to the model: a reverse proxy of ours on a unix socket.

The sandbox has no network and no credential. Each child gets a socket of its own, so the gateway knows
whose call it is without being told. It puts the real credential on, lets nothing but model calls
through, has money set aside before each call, meters by the API's own count, and remembers why a call failed.
The credential lives in this process only: never in an argv, an environment, a file or a log.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import web

from ai_ops.core.model_failures import ApiFailure
from ai_ops.core.ports import Ledger
from ai_ops.core.pricing import PRICES, Price
from ai_ops.integrations.claude_account import GatewaySession
from ai_ops.integrations.claude_meter import Meter, read_failure

DEFAULT_BASE_URL = "https://api.anthropic.com"
_MESSAGES, _COUNT = "/v1/messages", "/v1/messages/count_tokens"
_OAUTH_BETA = "oauth-2025-04-20"
_MAX_BODY = 64 * 2**20
_MAX_ERROR = 64 * 1024
_LEAST_OUTPUT = 1024  # an answer with less room than this is not worth its prompt
_LONGEST_CLI_WAIT = 30.0  # a longer wait frees the worker's place instead
_KEPT_REQUEST_HEADERS = (
    "accept",
    "content-type",
    "user-agent",
    "anthropic-version",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "x-app",
)
# Tools that the API itself runs would reach the network around the sandbox.
_SERVER_TOOLS = ("web_search", "web_fetch", "code_execution", "mcp_toolset")


class CredentialKind(StrEnum):
    """Which of the three ways to prove who pays."""

    API_KEY = "api_key"
    AUTH_TOKEN = "auth_token"  # noqa: S105  # nosec B105 - a name, not a secret
    OAUTH_TOKEN = "oauth_token"  # noqa: S105  # nosec B105


@dataclass(frozen=True, slots=True)
class Credential:
    """The real credential of the model's API."""

    kind: CredentialKind
    secret: str = field(repr=False)

    @classmethod
    def choose(cls, *, api_key: str = "", auth_token: str = "", oauth_token: str = "") -> Credential | None:
        """Return the one that counts when several are set: auth token, API key, OAuth token."""
        given = (
            (CredentialKind.AUTH_TOKEN, auth_token),
            (CredentialKind.API_KEY, api_key),
            (CredentialKind.OAUTH_TOKEN, oauth_token),
        )
        return next((cls(kind, secret.strip()) for kind, secret in given if secret.strip()), None)

    def put_on(self, headers: dict[str, str]) -> None:
        """Add it to the headers of a request."""
        if self.kind is CredentialKind.API_KEY:
            headers["x-api-key"] = self.secret
            return
        headers["authorization"] = f"Bearer {self.secret}"
        if self.kind is CredentialKind.OAUTH_TOKEN:
            betas = [beta for beta in headers.get("anthropic-beta", "").split(",") if beta]
            headers["anthropic-beta"] = ",".join(dict.fromkeys([*betas, _OAUTH_BETA]))


class _Refusal(Exception):
    """A call that is not passed on, answered as the API would."""

    def __init__(self, status: int, kind: str, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.again = status, kind, message, again

    def response(self) -> web.Response:
        body = {"type": "error", "error": {"type": self.kind, "message": self.message}}
        headers = {} if self.again else {"x-should-retry": "false"}
        return web.json_response(body, status=self.status, headers=headers)


class ClaudeGateway:
    """Opens sockets on which a child can reach the model and nothing else.

    Args:
        base_url: the address of the Messages API (``ANTHROPIC_BASE_URL``); empty is Anthropic's own.
        credential: the real credential; None sends calls without one, as a local double wants it.
        ledger: where each call is set aside before it is made.
        prices: dollars per million tokens by model id; the default is the list price.
        silence_seconds: how long the API may say nothing before a call counts as cut.
    """

    def __init__(
        self,
        base_url: str,
        credential: Credential | None,
        ledger: Ledger,
        *,
        prices: Mapping[str, Price] = PRICES,
        silence_seconds: float = 300.0,
    ) -> None:
        self._base_url = (base_url or DEFAULT_BASE_URL).rstrip("/")
        self._credential = credential
        self._ledger = ledger
        self._prices = prices
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=15.0, sock_read=silence_seconds)

    @property
    def for_the_cli_alone(self) -> bool:
        """Whether the credential is a subscription's, which is given out for the CLI's own calls."""
        return self._credential is not None and self._credential.kind is CredentialKind.OAUTH_TOKEN

    @contextlib.asynccontextmanager
    async def open(
        self, socket_path: Path, run_id: str, budget_usd: float, allowed_models: Sequence[str] = ()
    ) -> AsyncIterator[GatewaySession]:
        """Serve one child on ``socket_path`` while entered.

        Args:
            socket_path: a new unix socket, at most 100 bytes long, in a folder that only we can enter.
            run_id: the run that the child works for.
            budget_usd: what its calls may cost, beyond what the run has spent already.
            allowed_models: globs of model ids; empty allows all.

        Raises:
            TemporaryError: ``storage_unavailable``.
        """
        run_usd = (await self._ledger.spent(run_id)).run + budget_usd
        session = GatewaySession(self._ledger, run_id, run_usd, allowed_models, self._prices)
        async with aiohttp.ClientSession(
            timeout=self._timeout, proxy=_proxy_for(self._base_url), cookie_jar=aiohttp.DummyCookieJar()
        ) as client:
            calls = _Calls(client, self._base_url, self._credential, session)
            app = web.Application(client_max_size=_MAX_BODY)
            app.router.add_route("*", "/{path:.*}", calls.handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
            await runner.setup()
            try:
                await web.UnixSite(runner, str(socket_path)).start()
                socket_path.chmod(0o600)  # noqa: ASYNC240
                yield session
            finally:
                await runner.cleanup()
                socket_path.unlink(missing_ok=True)  # noqa: ASYNC240
                await asyncio.shield(session.settled())


class _Calls:
    """Handles the calls of one child."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        base_url: str,
        credential: Credential | None,
        session: GatewaySession,
    ) -> None:
        self._client = client
        self._base_url = base_url
        self._credential = credential
        self._session = session

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass one call on, or refuse it."""
        try:
            if request.method != "POST" or request.path not in (_MESSAGES, _COUNT):
                raise _Refusal(403, "permission_error", "only model calls pass this gateway")
            raw = await request.read()
            body = _read_body(raw)
            model = self._checked_model(body)
            if request.path == _COUNT:
                return await self._forward(request, raw, Meter(streamed=False))
            return await self._metered(request, raw, body, model)
        except _Refusal as refusal:
            return refusal.response()

    def _checked_model(self, body: Mapping[str, Any]) -> str:
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise _Refusal(400, "invalid_request_error", "model: a name is required")
        if not self._session.allows(model):
            message = f"model {model} is not in CLAUDE_ALLOWED_MODELS"
            self._session.last_failure = ApiFailure(404, "model_not_allowed", message)
            raise _Refusal(404, "not_found_error", message)
        tools = body.get("tools") or ()
        kinds = [str(tool.get("type", "")) for tool in tools if isinstance(tool, dict)]
        if body.get("mcp_servers") or any(kind.startswith(_SERVER_TOOLS) for kind in kinds):
            raise _Refusal(403, "permission_error", "tools that the API runs are not allowed here")
        if _names_url(body):
            raise _Refusal(403, "permission_error", "content that the API would fetch is not allowed here")
        return model

    async def _metered(
        self, request: web.Request, raw: bytes, body: dict[str, Any], model: str
    ) -> web.StreamResponse:
        max_tokens = body.get("max_tokens")
        if not isinstance(max_tokens, int) or max_tokens < 1:
            raise _Refusal(400, "invalid_request_error", "max_tokens: a positive number is required")
        reservation = await self._session.reserve(model, len(raw), max_tokens, _least_output(body))
        if reservation is None:
            raise _Refusal(400, "invalid_request_error", f"AI-Ops: {self._session.refused}")
        sent = raw
        if reservation.max_tokens < max_tokens:
            sent = json.dumps({**body, "max_tokens": reservation.max_tokens}).encode()
        meter = Meter(streamed=bool(body.get("stream")))
        try:
            response = await self._forward(request, sent, meter)
        finally:
            self._session.settle(model, len(raw), reservation, meter.tokens)
        return response

    async def _forward(self, request: web.Request, raw: bytes, meter: Meter) -> web.StreamResponse:
        """Send the call and its answer through; a failure of the API is remembered on the way."""
        query = {"beta": request.query["beta"]} if "beta" in request.query else {}
        try:
            async with self._client.post(
                self._base_url + request.path,
                params=query,
                data=raw,
                headers=self._headers(request),
                allow_redirects=False,
            ) as upstream:
                self._session.last_activity = time.monotonic()
                if upstream.status != 200:
                    return await self._failed(upstream)
                return await self._stream(request, upstream, meter)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            kind = "timeout" if isinstance(error, TimeoutError) else "connection"
            self._session.last_failure = ApiFailure(None, kind, type(error).__name__)
            message = "the model's API cannot be reached"
            raise _Refusal(502, "api_error", message, again=True) from error

    def _headers(self, request: web.Request) -> dict[str, str]:
        headers = {
            name.lower(): value
            for name, value in request.headers.items()
            if name.lower() in _KEPT_REQUEST_HEADERS or name.lower().startswith("x-stainless-")
        }
        headers["accept-encoding"] = "identity"  # the meter reads what passes
        if self._credential is not None:
            self._credential.put_on(headers)
        return headers

    async def _failed(self, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        body = await upstream.content.read(_MAX_ERROR)
        headers = {name.lower(): value for name, value in upstream.headers.items()}
        seen = read_failure(upstream.status, headers, body)
        self._session.last_failure = seen
        kept = {
            name: value
            for name, value in headers.items()
            if name in ("content-type", "request-id", "retry-after", "x-should-retry")
            or name.startswith("anthropic-ratelimit-")
        }
        if seen.limit or (seen.retry_after or 0) > _LONGEST_CLI_WAIT:
            kept["x-should-retry"] = "false"
        return web.Response(status=upstream.status, body=body, headers=kept)

    async def _stream(
        self, request: web.Request, upstream: aiohttp.ClientResponse, meter: Meter
    ) -> web.StreamResponse:
        kept = ("content-type", "request-id")
        headers = {n.lower(): v for n, v in upstream.headers.items() if n.lower() in kept}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            async for chunk in upstream.content.iter_any():
                self._session.last_activity = time.monotonic()
                meter.feed(chunk)
                if not await _passed_on(response, chunk):
                    return response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The answer has begun, so the only honest word left is to cut it here too.
            self._session.last_failure = ApiFailure(None, "connection", type(error).__name__)
            if request.transport is not None:
                request.transport.abort()
            return response
        meter.end()
        if request.path == _MESSAGES:
            self._session.note(meter)
        return response


async def _passed_on(response: web.StreamResponse, chunk: bytes) -> bool:
    """Whether the child took the bytes; when it is gone, that is no failure of the API."""
    try:
        await response.write(chunk)
    except (aiohttp.ClientError, OSError):
        return False
    return True


def _read_body(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _Refusal(400, "invalid_request_error", "the body is not JSON") from error
    if not isinstance(body, dict):
        raise _Refusal(400, "invalid_request_error", "the body is not an object")
    return body


def _names_url(body: Mapping[str, Any]) -> bool:
    """Whether a content block has the API fetch an address: a way out, and with a query one for secrets."""
    left: list[Any] = [body.get("system"), body.get("messages")]
    while left:
        item = left.pop()
        if isinstance(item, list):
            left += item
        elif isinstance(item, dict):
            source = item.get("source")
            if isinstance(source, dict) and source.get("type") == "url":
                return True
            left.append(item.get("content"))
            left.append(source)
    return False


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address.

    aiohttp's own way would also read ``.netrc`` and put that on in the place of our credential.
    """
    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)


def _least_output(body: Mapping[str, Any]) -> int:
    """Return the output tokens below which a call makes no sense: an answer beyond the thinking."""
    thinking = body.get("thinking")
    planned = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    return _LEAST_OUTPUT + (planned if isinstance(planned, int) else 0)
