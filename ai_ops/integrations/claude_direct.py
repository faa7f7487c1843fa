"""Short questions to Claude without its CLI: one call of the Messages API, through the gateway as any other.

A question of one turn needs no tools, no sandbox and no child, and the CLI's start alone takes longer than
its answer. It passes the same gateway: its credential, its list of models, its budget, its meter.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from ai_ops.core.model_failures import CliEnd, CliFacts, classify
from ai_ops.core.ports import Fixer
from ai_ops.flow.fixing import FixAnswer, FixRequest, Watch
from ai_ops.integrations.claude_account import GatewaySession
from ai_ops.integrations.claude_gateway import ClaudeGateway
from ai_ops.integrations.private_folder import private_folder

_URL = "http://model.invalid/v1/messages"  # every byte goes to the gateway's socket instead
_HEADERS = {"anthropic-version": "2023-06-01"}
_MOST_TOKENS = 1024
_WATCHED_CHARS = 4000


class DirectFixer:
    """Answers questions of one turn without tools by one API call, and hands everything else on.

    Args:
        gateway: the way to the model.
        cli: who answers the rest, and everything where the credential is for the CLI alone.
        allowed_models: globs of model ids, empty for all (``CLAUDE_ALLOWED_MODELS``).
    """

    def __init__(self, gateway: ClaudeGateway, cli: Fixer, *, allowed_models: Sequence[str] = ()) -> None:
        self._gateway = gateway
        self._cli = cli
        self._allowed_models = tuple(allowed_models)

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        """Ask once and return the whole answer.

        Raises:
            TemporaryError, PermanentError: one of ``MODEL_CODES``; ``cost_usd`` says what was spent.
        """
        short = request.max_turns == 1 and not request.tools and request.checkout is None
        if not short or not request.model or self._gateway.for_the_cli_alone:
            return await self._cli.ask(request, watch)
        started = time.monotonic()
        async with (
            private_folder() as folder,
            self._gateway.open(
                folder / "s", request.run_id, request.budget_usd, self._allowed_models
            ) as session,
            _client(folder / "s") as client,
        ):
            facts = await _call(client, request, session)
        error = classify(facts, datetime.now(UTC))
        if error is not None:
            error.cost_usd = session.usage.cost_usd
            raise error
        await watch("text", {"text": facts.text[:_WATCHED_CHARS]})
        seconds = time.monotonic() - started
        return FixAnswer(facts.text, session.usage, turns=1, duration_seconds=seconds, model=request.model)


def _client(socket: Path) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=None)  # the request has its own
    return aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket)), timeout=timeout)


async def _call(client: aiohttp.ClientSession, request: FixRequest, session: GatewaySession) -> CliFacts:
    """Make the call and return what was seen of it, in the terms of the CLI's ends."""
    messages = [{"role": "user", "content": request.prompt.replace("\0", "")}]
    body = {"model": request.model, "max_tokens": _MOST_TOKENS, "messages": messages}
    status, raw, end = None, b"", CliEnd.EXITED
    try:
        async with (
            asyncio.timeout(request.wall_seconds),
            client.post(_URL, json=body, headers=_HEADERS) as response,
        ):
            raw = await response.read()
            status = response.status
    except TimeoutError:
        end = CliEnd.WALL_TIMEOUT
    except aiohttp.ClientError:
        pass  # the gateway cut its answer where the API did, and remembers why
    message = _parse(raw)
    return CliFacts(
        end=end,
        return_code=0 if status is not None else 1,
        has_result=status is not None,
        is_error=status != 200 or session.last_failure is not None,
        api_error_status=status,
        stop_reason=str(message.get("stop_reason") or ""),
        text=_text(message),
        output_tokens=session.usage.output_tokens,
        api_failure=session.last_failure,
        refused=session.refused,
    )


def _parse(raw: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(message: Mapping[str, Any]) -> str:
    """Return the text of an answer; whatever else a model sends is not asked for."""
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    texts = (each for each in blocks if isinstance(each, dict) and each.get("type") == "text")
    return "\n".join(str(text.get("text", "")) for text in texts)
