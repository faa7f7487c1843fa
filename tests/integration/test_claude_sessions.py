"""Going on with a session through the real CLI: what is kept, what is sent again, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ai_ops.core.ports import Sandbox
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.fixing import FixAnswer, Session
from ai_ops.workspace.sandbox import BubblewrapSandbox, OffSandbox
from tests.support.claude_calls import FIRST_LINE, Call, fix_request, use

ANOTHER_ID = "11111111-1111-4111-8111-111111111111"
SECOND = FIRST_LINE.replace("round=1", "round=2")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n")
    return folder


async def first_round(checkout: Path, sandbox: Sandbox | None = None) -> FixAnswer:
    call = Call(
        {"text": "I look.", **use("Read", file_path="a.py")},
        use("Edit", file_path="a.py", old_string="x = 1", new_string="x = 2"),
        {"text": "The first answer."},
        sandbox=sandbox,
    )
    answer = await call.ask(fix_request(checkout, keep_session=True))
    (checkout / "a.py").write_text("x = 1\n")
    return answer


def said(call: Call) -> list[dict[str, Any]]:
    """Return the conversation that the API was sent first."""
    return [each for each in call.double.requests[0].body["messages"] if each["role"] != "system"]


@pytest.mark.parametrize("sandbox", [BubblewrapSandbox(), OffSandbox()], ids=["bwrap", "off"])
async def test_a_session_goes_on_in_another_home_with_all_that_was_said(
    checkout: Path, sandbox: Sandbox
) -> None:
    first = await first_round(checkout, sandbox)
    assert first.session is not None
    assert first.session.id == first.session_id

    call = Call(
        use("Edit", file_path="a.py", old_string="x = 1", new_string="x = 3"),
        {"text": "The second answer."},
        sandbox=sandbox,
    )
    prompt = f"{SECOND}\nOnce more, please."
    request = fix_request(checkout, prompt=prompt, round=2, session=first.session, keep_session=True)
    second = await call.ask(request)

    conversation = json.dumps(said(call))
    for words in ("Mend it, please.", "I look.", "x = 2", "The first answer.", "Once more, please."):
        assert words in conversation
    assert (checkout / "a.py").read_text() == "x = 3\n"
    assert second.text == "The second answer."
    assert second.session is not None
    assert second.session.id == first.session_id
    assert b"The second answer." in second.session.record
    tools = {tool["name"] for tool in call.double.requests[0].body["tools"]}
    assert tools <= {"Read", "Edit", "Write", "Glob", "Grep", "DeferredToolPlaceholder"}


async def test_a_session_is_kept_only_if_that_is_asked_for(checkout: Path) -> None:
    assert (await Call({"text": "done"}).ask(fix_request(checkout))).session is None


@pytest.mark.parametrize(
    "record", [b"", b"\x00\xff" * 1000, b'{"type":"user"}\n'], ids=["empty", "bytes", "json"]
)
async def test_a_session_that_the_cli_does_not_take_up_is_named_before_money_is_spent(
    checkout: Path, record: bytes
) -> None:
    call = Call({"text": "done"})
    with pytest.raises(PermanentError) as caught:
        await call.ask(fix_request(checkout, session=Session(ANOTHER_ID, record), idle_seconds=20.0))
    assert (caught.value.code, caught.value.cost_usd, call.double.requests) == ("model_session_lost", 0.0, [])


async def test_a_session_that_the_api_does_not_take_is_named(checkout: Path) -> None:
    words = "messages.3: unexpected role"
    first = await first_round(checkout)
    refusing = {"error": {"status": 400, "type": "invalid_request_error", "message": words}}
    with pytest.raises(PermanentError) as caught:
        await Call(refusing).ask(fix_request(checkout, session=first.session))
    assert caught.value.code == "model_session_lost"
    assert words in caught.value.message


async def test_a_call_that_a_limit_cut_off_leaves_a_session_that_can_be_gone_on_with(checkout: Path) -> None:
    limited = {"error": {"status": 429, "type": "rate_limit_error", "message": "slow down"}}
    call = Call({"text": "I look.", **use("Read", file_path="a.py")}, limited)
    with pytest.raises(TemporaryError) as caught:
        await call.ask(fix_request(checkout, keep_session=True))
    session = caught.value.session
    assert isinstance(session, Session)

    again = Call({"text": "Done."})
    request = fix_request(checkout, prompt=f"{SECOND}\nGo on.", round=2, session=session)
    assert (await again.ask(request)).text == "Done."
    conversation = json.dumps(said(again))
    for words in ("Mend it, please.", "I look.", "Go on."):
        assert words in conversation


async def test_a_call_whose_turns_are_used_up_pauses_where_that_is_wanted(checkout: Path) -> None:
    turns = [{"text": "I look.", **use("Read", file_path="a.py")}, {"text": "done"}]
    answer = await Call(*turns).ask(fix_request(checkout, keep_session=True, pauses=True, max_turns=1))
    assert answer.unfinished
    assert answer.session is not None
    with pytest.raises(PermanentError) as caught:
        await Call(*turns).ask(fix_request(checkout, keep_session=True, max_turns=1))
    assert caught.value.code == "model_turns_spent"
