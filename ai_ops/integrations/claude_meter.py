"""Reads what the Messages API says about a call: tokens, end and failure, streamed or whole.

Nothing is sent or kept here; the gateway feeds it the bytes that pass through.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ai_ops.core.model_failures import ApiFailure
from ai_ops.core.pricing import TokenCounts

_CHARS_PER_TOKEN = 3
_COUNTED_DELTAS = ("text", "thinking", "partial_json")


class Meter:
    """Follows one answer of the API; ``complete`` once the API said that it is whole."""

    def __init__(self, *, streamed: bool) -> None:
        self.failure: ApiFailure | None = None
        self.complete = False
        self.message_id = ""
        self.stop_reason = ""
        self._streamed = streamed
        self._usage: dict[str, Any] = {}
        self._said = 0  # characters of output, for an answer that is cut before it is counted
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._rest += chunk
        if not self._streamed or b"\n" not in chunk:
            return
        *lines, last = bytes(self._rest).split(b"\n")
        self._rest = bytearray(last)
        for line in lines:
            if line.startswith(b"data:"):
                self._event(_parse(line[5:]))

    def end(self) -> None:
        """Take note that the body ended by itself."""
        if not self._streamed:
            message = _parse(bytes(self._rest))
            self.complete = message.get("type") == "message"
            self._open(message)

    @property
    def tokens(self) -> TokenCounts:
        """Return the tokens so far; the output of an unfinished answer is estimated from its length."""
        used = self._usage
        written = _number(used.get("cache_creation_input_tokens"))
        detail = used.get("cache_creation")
        hour = _number(detail.get("ephemeral_1h_input_tokens")) if isinstance(detail, dict) else 0
        output = _number(used.get("output_tokens"))
        if not self.complete:
            output = max(output, self._said // _CHARS_PER_TOKEN)
        return TokenCounts(
            input=_number(used.get("input_tokens")),
            output=output,
            cache_write_5m=max(0, written - hour),
            cache_write_1h=min(hour, written),
            cache_read=_number(used.get("cache_read_input_tokens")),
        )

    def _event(self, event: Mapping[str, Any]) -> None:
        kind = event.get("type")
        if kind == "message_start":
            self._open(event.get("message"))
        elif kind == "message_delta":
            self._stop(event.get("delta"))
            self._count(event.get("usage"))
        elif kind == "content_block_delta" and isinstance(delta := event.get("delta"), dict):
            self._said += sum(len(str(delta.get(name, ""))) for name in _COUNTED_DELTAS)
        elif kind == "message_stop":
            self.complete = True
        elif kind == "error":
            self.failure = read_failure(200, {}, event)

    def _open(self, message: Any) -> None:
        if isinstance(message, dict):
            self.message_id = str(message.get("id", ""))
            self._stop(message)
            self._count(message.get("usage"))

    def _stop(self, said: Any) -> None:
        if isinstance(said, dict) and said.get("stop_reason"):
            self.stop_reason = str(said["stop_reason"])

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._usage.update({name: value for name, value in usage.items() if value is not None})


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def read_failure(status: int, headers: Mapping[str, str], body: Mapping[str, Any] | bytes) -> ApiFailure:
    """Return what an error answer says; ``headers`` has lower-case names."""
    parsed = _parse(body) if isinstance(body, bytes) else body
    error = parsed.get("error")
    error = error if isinstance(error, dict) else {}
    rejected = headers.get("anthropic-ratelimit-unified-status") == "rejected"
    claim = headers.get("anthropic-ratelimit-unified-representative-claim", "")
    return ApiFailure(
        status=status,
        kind=str(error.get("type", "")),
        message=str(error.get("message", ""))[:500],
        retry_after=_seconds(headers.get("retry-after")),
        reset_at=_reset_at(headers),
        limit=(claim or "unknown") if rejected else "",
    )


def _reset_at(headers: Mapping[str, str]) -> float | None:
    """Return the epoch at which the limit that was hit ends."""
    unified = _seconds(headers.get("anthropic-ratelimit-unified-reset"))
    if unified is not None:
        return unified
    spent = [
        headers.get(f"anthropic-ratelimit-{name}-reset")
        for name in ("requests", "tokens", "input-tokens", "output-tokens")
        if headers.get(f"anthropic-ratelimit-{name}-remaining") == "0"
    ]
    return max((at for at in map(_moment, spent) if at is not None), default=None)


def _seconds(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < 1e11 else None


def _moment(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except ValueError:
        return None
