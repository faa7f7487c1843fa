"""What the gateway reads in the API's answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ai_ops.core.pricing import TokenCounts
from ai_ops.integrations.claude_meter import Meter, read_failure
from ai_ops.integrations.replay import encode_event, error_body, render_events, render_message

USAGE = {
    "input_tokens": 10,
    "output_tokens": 7,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 40,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
}
COUNTED = TokenCounts(input=10, output=7, cache_write_5m=20, cache_write_1h=10, cache_read=40)
MESSAGE = render_message({"text": "hello", "usage": USAGE}, {"model": "m"}, "", "1")
STREAM = b"".join(map(encode_event, render_events(MESSAGE)))


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_stream_is_counted_in_any_pieces(size: int) -> None:
    meter = Meter(streamed=True)
    for start in range(0, len(STREAM), size):
        meter.feed(STREAM[start : start + size])
    meter.end()
    assert (meter.tokens, meter.complete, meter.stop_reason) == (COUNTED, True, "end_turn")
    assert meter.message_id == "msg_1"


def test_a_whole_answer_is_counted() -> None:
    meter = Meter(streamed=False)
    meter.feed(json.dumps(MESSAGE).encode())
    meter.end()
    assert (meter.tokens, meter.complete, meter.stop_reason) == (COUNTED, True, "end_turn")


def test_a_cut_stream_is_counted_by_what_was_said() -> None:
    meter = Meter(streamed=True)
    said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 300}}
    meter.feed(next(map(encode_event, render_events(MESSAGE))) + encode_event(said))
    meter.end()
    assert not meter.complete
    assert (meter.tokens.prompt, meter.tokens.output) == (80, 100)


def test_an_error_inside_a_stream_is_a_failure() -> None:
    meter = Meter(streamed=True)
    meter.feed(encode_event(error_body("overloaded_error", "busy")))
    assert meter.failure is not None
    assert meter.failure.kind == "overloaded_error"


@pytest.mark.parametrize(
    "raw", [b"data: [1]\n", b"data: {\n", b"data: null\n", b"\xff\n", b'data: {"type":3}\n']
)
def test_nonsense_in_a_stream_is_passed_over(raw: bytes) -> None:
    meter = Meter(streamed=True)
    meter.feed(raw)
    assert meter.tokens == TokenCounts()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, {"retry_after": 7.0}),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, {"retry_after": None}),
        (
            {
                "anthropic-ratelimit-unified-status": "rejected",
                "anthropic-ratelimit-unified-reset": "1795634881",
                "anthropic-ratelimit-unified-representative-claim": "five_hour",
            },
            {"limit": "five_hour", "reset_at": 1795634881.0},
        ),
        ({"anthropic-ratelimit-unified-status": "rejected"}, {"limit": "unknown", "reset_at": None}),
        ({"anthropic-ratelimit-unified-status": "allowed"}, {"limit": ""}),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-25T12:00:00Z",
                "anthropic-ratelimit-tokens-remaining": "5",
                "anthropic-ratelimit-tokens-reset": "2026-11-25T13:00:00Z",
            },
            {"reset_at": 1795608000.0},
        ),
    ],
    ids=["seconds", "a date", "5-hour limit", "limit without claim", "allowed", "spent requests"],
)
def test_limit_headers_are_read(headers: dict[str, str], expected: dict[str, Any]) -> None:
    seen = read_failure(429, headers, json.dumps(error_body("rate_limit_error", "slow")).encode())
    assert (seen.status, seen.kind, seen.message) == (429, "rate_limit_error", "slow")
    assert {name: getattr(seen, name) for name in expected} == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "x"}'])
def test_an_error_body_of_any_kind_is_read(body: bytes) -> None:
    assert read_failure(502, {}, body).status == 502
