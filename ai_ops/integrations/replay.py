"""A small Messages API server that plays back a recorded conversation.

It lets the whole product run through the real Claude CLI where no credential is: ``ai-ops demo`` and the
tests. It answers by the first line of our prompts and by how far the conversation has come, and keeps no
state, so a repeated request gets the same answer. It is not a model and not a mock of one: a prompt
without a recording is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

_FIRST_LINE = re.compile(
    r"^ai-ops: (?P<purpose>\w+) v(?P<version>\S+) run=(?P<run>\S+) round=(?P<round>\d+) block=(?P<nonce>\S+)",
    re.MULTILINE,
)
_CHARS_PER_TOKEN = 4
_MAX_BODY = 64 * 2**20

Turn = Mapping[str, Any]
"""One answer of the model: ``{"text"?, "tools"?: [{"name", "input"}], "stop_reason"?, "usage"?}``."""


@dataclass(frozen=True, slots=True)
class Marker:
    """The first line of one of our prompts, and the index of the message that held it."""

    purpose: str
    run_id: str
    round: int
    nonce: str
    message_index: int


def find_marker(body: Mapping[str, Any]) -> Marker | None:
    """Return the first line of our newest prompt in a Messages request.

    A session that is gone on with holds the prompts before it too; the newest is the last text that begins
    with a first line. Where none does, the first one anywhere counts: text below it may quote another.
    """
    texts = [
        (index, text)
        for index, message in enumerate(body.get("messages", ()))
        if message.get("role") == "user"
        for text in _texts(message.get("content"))
    ]
    beginning = [(index, found) for index, text in texts if (found := _FIRST_LINE.match(text))]
    anywhere = ((index, found) for index, text in texts if (found := _FIRST_LINE.search(text)))
    index, found = beginning[-1] if beginning else next(anywhere, (0, None))
    if found is None:
        return None
    return Marker(found["purpose"], found["run"], int(found["round"]), found["nonce"], index)


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or () if part.get("type") == "text"]


def choose(entries: Sequence[Mapping[str, Any]], round: int) -> Mapping[str, Any] | None:
    """Return the entry of a round: the one that names it, else one that names none, else the nearest before.

    Rounds after the last entry repeat the last entry.
    """
    for entry in entries:
        if entry.get("round") == round:
            return entry
    unnumbered = [entry for entry in entries if entry.get("round") is None]
    if unnumbered:
        return unnumbered[-1]
    earlier = [entry for entry in entries if entry["round"] < round]
    return max(earlier, key=lambda entry: int(entry["round"]), default=None)


def _blocks(turn: Turn, nonce: str, message_id: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if "text" in turn:
        blocks.append({"type": "text", "text": str(turn["text"]).replace("{nonce}", nonce)})
    for number, tool in enumerate(turn.get("tools", ())):
        block_id = f"toolu_{message_id}_{number}"
        blocks.append({"type": "tool_use", "id": block_id, "name": tool["name"], "input": tool["input"]})
    return blocks


def render_message(turn: Turn, body: Mapping[str, Any], nonce: str, message_id: str) -> dict[str, Any]:
    """Return a turn as the API's answer to ``body``, without streaming."""
    blocks = _blocks(turn, nonce, message_id)
    usage = {
        "input_tokens": len(json.dumps(body)) // _CHARS_PER_TOKEN,
        "output_tokens": 1 + len(json.dumps(blocks)) // _CHARS_PER_TOKEN,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        **turn.get("usage", {}),
    }
    return {
        "id": f"msg_{message_id}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", ""),
        "content": blocks,
        "stop_reason": turn.get("stop_reason") or ("tool_use" if turn.get("tools") else "end_turn"),
        "stop_sequence": None,
        "usage": usage,
    }


def render_events(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a whole message as the events of a stream."""
    usage = message["usage"]
    opening = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": opening}
    start: dict[str, Any]
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            start, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def encode_event(event: Mapping[str, Any]) -> bytes:
    """Return one server-sent event."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def error_body(kind: str, message: str) -> dict[str, Any]:
    """Return an error in the API's shape."""
    return {"type": "error", "error": {"type": kind, "message": message}}


class ReplayServer:
    """Serves a recorded conversation on loopback while it is entered; ``url`` is its base address.

    Args:
        conversation: ``{"requests": [{"purpose", "round"?, "turns": [Turn, …]}, …]}``. ``{nonce}`` in a
            text becomes the prompt's ``block=`` value. The answer to the n-th call of a request is its
            n-th turn; rounds after the last entry repeat it.
    """

    def __init__(self, conversation: Mapping[str, Any]) -> None:
        self._requests: Sequence[Mapping[str, Any]] = conversation["requests"]
        self._runner: web.AppRunner | None = None
        self._served = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/messages/count_tokens", self._count_tokens)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def answer(self, request: web.Request, body: Mapping[str, Any], turn: Turn) -> web.StreamResponse:
        """Send one turn, streamed when the request asks for it."""
        marker = find_marker(body)
        self._served += 1
        message = render_message(turn, body, marker.nonce if marker else "", f"replay{self._served:06d}")
        if not body.get("stream"):
            return web.json_response(message)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in render_events(message):
            await response.write(encode_event(event))
        await response.write_eof()
        return response

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        turn = self._turn(body)
        if turn is None:
            return web.json_response(
                error_body("invalid_request_error", "nothing is recorded for this prompt"), status=400
            )
        return await self.answer(request, body, turn)

    async def _count_tokens(self, request: web.Request) -> web.Response:
        return web.json_response({"input_tokens": len(await request.read()) // _CHARS_PER_TOKEN})

    def _turn(self, body: Mapping[str, Any]) -> Turn | None:
        marker = find_marker(body)
        if marker is None:
            return None
        entry = choose([r for r in self._requests if r["purpose"] == marker.purpose], marker.round)
        if entry is None:
            return None
        later = body["messages"][marker.message_index + 1 :]
        done = sum(message.get("role") == "assistant" for message in later)
        turns: Sequence[Turn] = entry["turns"]
        return turns[min(done, len(turns) - 1)] if turns else None
