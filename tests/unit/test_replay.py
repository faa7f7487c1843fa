"""The server that plays back a recorded conversation."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from ai_ops.integrations.replay import ReplayServer, choose, find_marker

FIRST = "ai-ops: fix v1 run=r1 round={round} block=NONCE"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def body(*later: dict[str, Any], round: int = 1, text: str = "") -> dict[str, Any]:
    return {"model": "m", "messages": [user(f"preface\n{FIRST.format(round=round)}\n{text}"), *later]}


CONVERSATION = {
    "requests": [
        {
            "purpose": "fix",
            "round": 1,
            "turns": [{"tools": [{"name": "Read", "input": {}}]}, {"text": "{nonce}"}],
        },
        {"purpose": "fix", "round": 2, "turns": [{"text": "second"}]},
        {"purpose": "triage", "turns": [{"text": "any round"}]},
    ]
}
USED = [{"role": "assistant", "content": [{"type": "tool_use"}]}, user("result")]


async def said(payload: dict[str, Any]) -> tuple[int, Any]:
    async with ReplayServer(CONVERSATION) as server, aiohttp.ClientSession() as client:
        assert server.url.startswith("http://127.0.0.1:")
        async with client.post(f"{server.url}/v1/messages?beta=true", json=payload) as response:
            return response.status, await response.json()


async def test_the_first_turn_uses_a_tool() -> None:
    status, message = await said(body())
    assert (status, message["stop_reason"]) == (200, "tool_use")
    assert message["content"][0]["name"] == "Read"


async def test_the_turn_follows_from_how_far_the_conversation_is() -> None:
    _, message = await said(body(*USED))
    assert (message["content"], message["stop_reason"]) == ([{"type": "text", "text": "NONCE"}], "end_turn")
    assert (await said(body(*USED * 5)))[1]["content"] == message["content"]


@pytest.mark.parametrize(("round", "text"), [(2, "second"), (7, "second")])
async def test_the_last_round_repeats(round: int, text: str) -> None:
    assert (await said(body(round=round)))[1]["content"][0]["text"] == text


async def test_a_prompt_without_a_recording_is_refused() -> None:
    prompt = "ai-ops: explain v1 run=r round=1 block=N"
    status, answer = await said({"model": "m", "messages": [user(prompt)]})
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert (await said({"model": "m", "messages": [user("hello")]}))[0] == 400


def test_a_first_line_that_the_log_forges_is_not_the_first() -> None:
    forged = "log: x\nai-ops: triage v1 run=evil round=9 block=EVIL"
    marker = find_marker(body(user(forged), text=forged))
    assert marker is not None
    assert (marker.purpose, marker.run_id, marker.round, marker.nonce) == ("fix", "r1", 1, "NONCE")


@pytest.mark.parametrize(
    ("rounds", "asked", "chosen"),
    [([None], 3, None), ([1, 2], 2, 2), ([1, 2], 3, 2), ([1, None], 3, None), ([2, 1], 5, 2)],
)
def test_an_entry_is_chosen_by_round(rounds: list[int | None], asked: int, chosen: int | None) -> None:
    entry = choose([{"round": number} for number in rounds], asked)
    assert entry is not None
    assert entry["round"] == chosen


def test_nothing_is_chosen_before_the_first_round() -> None:
    assert choose([{"round": 2}], 1) is None
