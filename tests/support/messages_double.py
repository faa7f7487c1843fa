"""A Messages API that misbehaves on demand, so that the real CLI meets every failure on loopback.

It is the product's ``ReplayServer`` plus failures. Beside a replay's keys a turn may hold
``error`` {"status", "type", "message", "headers"}, ``hang`` true (after the headers) or ``"before"`` (them),
``drop`` ``"before"`` or ``"middle"``, ``stream_error`` a type, ``says`` another turn, which is said instead;
with ``times`` n only the first n calls of the turn fail, and none once the double is ``well``. ``needs_key``
refuses calls without one.
``pings`` n streams n pings, 0.2 s apart, before the answer's end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ai_ops.integrations.replay import (
    ReplayServer,
    Turn,
    encode_event,
    error_body,
    render_events,
    render_message,
)


@dataclass(frozen=True, slots=True)
class Recorded:
    headers: dict[str, str]
    query: str
    body: dict[str, Any]


def conversation(purpose: str, *turns: Turn) -> dict[str, Any]:
    return {"requests": [{"purpose": purpose, "turns": list(turns)}]}


class MessagesDouble(ReplayServer):
    """Records every request it answers in ``requests``."""

    def __init__(self, conversation: Mapping[str, Any]) -> None:
        super().__init__(conversation)
        self.requests: list[Recorded] = []
        self.well = False
        self._failed: Counter[int] = Counter()

    async def answer(self, request: web.Request, body: Mapping[str, Any], turn: Turn) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Recorded(headers, request.query_string, dict(body)))
        if not self.well and self._failed[id(turn)] < turn.get("times", 1_000_000):
            self._failed[id(turn)] += 1
            if failing := await self._fail(request, body, turn):
                return failing
        return await super().answer(request, body, turn)

    async def _fail(
        self, request: web.Request, body: Mapping[str, Any], turn: Turn
    ) -> web.StreamResponse | None:
        if turn.get("needs_key") and "x-api-key" not in request.headers:
            return web.json_response(error_body("authentication_error", "x-api-key is required"), status=401)
        if says := turn.get("says"):
            return await super().answer(request, body, says)
        if turn.get("hang") == "before":
            await asyncio.Event().wait()
        if error := turn.get("error"):
            payload = error_body(error.get("type", "api_error"), error.get("message", "scripted"))
            return web.json_response(payload, status=error["status"], headers=error.get("headers"))
        if pings := turn.get("pings"):
            return await self._linger(request, body, turn, pings)
        if turn.get("drop") == "before":
            request.transport.abort()
            return web.Response()
        if (kind := turn.get("stream_error")) and not body.get("stream"):  # the CLI asks again like this
            return web.json_response(error_body(kind, "scripted"), status=529)
        if turn.get("hang") or turn.get("drop") or turn.get("stream_error"):
            return await self._break_off(request, body, turn)
        return None

    async def _break_off(
        self, request: web.Request, body: Mapping[str, Any], turn: Turn
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        message = render_message({"text": "half an answer", **turn}, body, "", f"broken{len(self.requests)}")
        for event in list(render_events(message))[: 4 if turn.get("drop") else 3]:
            await response.write(encode_event(event))
        if turn.get("hang"):
            await asyncio.Event().wait()
        if kind := turn.get("stream_error"):
            await response.write(encode_event(error_body(kind, "scripted")))
            return response
        request.transport.abort()
        return response

    async def _linger(
        self, request: web.Request, body: Mapping[str, Any], turn: Turn, pings: int
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        first, *rest = render_events(render_message(turn, body, "", "slow"))
        for event in (first, *({"type": "ping"} for _ in range(pings))):
            await response.write(encode_event(event))
            await asyncio.sleep(0.2)
        for event in rest:
            await response.write(encode_event(event))
        return response
