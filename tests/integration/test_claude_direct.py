"""Short questions to the model: one API call through the gateway, or the real CLI where that must be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ai_ops.core.ports import Fixer
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.fixing import FixAnswer, FixRequest, Purpose, Watch
from ai_ops.integrations.claude import ClaudeFixer
from ai_ops.integrations.claude_direct import DirectFixer
from ai_ops.integrations.claude_gateway import ClaudeGateway, Credential, CredentialKind
from ai_ops.workspace.sandbox import BubblewrapSandbox
from tests.support.claude_calls import KEY, a_ledger, fix_request
from tests.support.messages_double import MessagesDouble, conversation

MODEL = "claude-haiku-4-5"


class NotAsked:
    """A fixer that must not be needed."""

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        raise AssertionError("the CLI was asked")


def question(**changes: Any) -> FixRequest:
    prompt = "ai-ops: triage v1 run=r1 round=1 block=NONCE\nWhat is it?"
    wanted = {"purpose": Purpose.TRIAGE, "prompt": prompt, "max_turns": 1, "model": MODEL}
    return fix_request(None, **{**wanted, **changes})


class Call:
    """One question; ``double`` and ``seen`` tell afterwards what went to the API and what was watched."""

    def __init__(self, *turns: Any, kind: CredentialKind = CredentialKind.API_KEY, url: str = "") -> None:
        self.double = MessagesDouble(conversation("triage", *turns))
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self._credential = Credential(kind, KEY)
        self._url = url

    async def ask(self, request: FixRequest, cli: Fixer | None = None, **more: Any) -> FixAnswer:
        async with self.double:
            gateway = ClaudeGateway(self._url or self.double.url, self._credential, a_ledger())
            fixer = DirectFixer(gateway, cli or NotAsked(), **more)
            return await fixer.ask(request, self._watch)

    async def cli(self, request: FixRequest) -> FixAnswer:
        async with self.double:
            gateway = ClaudeGateway(self.double.url, self._credential, a_ledger())
            cli = ClaudeFixer(gateway, BubblewrapSandbox(), retries=0)
            return await DirectFixer(gateway, cli).ask(request, self._watch)

    async def _watch(self, kind: str, data: dict[str, Any]) -> None:
        self.seen.append((kind, data))


async def test_a_short_question_is_one_call_with_the_real_credential_and_nothing_else() -> None:
    call = Call({"text": "expected", "usage": {"input_tokens": 1000, "output_tokens": 100}})
    answer = await call.ask(question(prompt="ai-ops: triage v1 run=r1 round=1 block=NONCE\nWhat\0?"))
    assert (answer.text, answer.turns, answer.model) == ("expected", 1, MODEL)
    assert answer.usage.cost_usd == pytest.approx((1000 * 1 + 100 * 5) / 1e6)
    (request,) = call.double.requests
    assert request.headers["x-api-key"] == KEY
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.body.keys() == {"model", "max_tokens", "messages"}
    (message,) = request.body["messages"]
    assert message["content"].endswith("What?")
    assert call.seen == [("text", {"text": "expected"})]


@pytest.mark.parametrize(
    "changes",
    [{"tools": ("Read",)}, {"max_turns": 2}, {"model": ""}],
    ids=["tools", "turns", "no model"],
)
async def test_what_is_more_than_a_short_question_goes_to_the_cli(changes: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="the CLI was asked"):
        await Call({"text": "x"}).ask(question(**changes))


async def test_with_a_subscription_the_real_cli_asks_without_tools() -> None:
    call = Call({"text": "expected"}, kind=CredentialKind.OAUTH_TOKEN)
    answer = await call.cli(question())
    assert answer.text == "expected"
    (request,) = call.double.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["user-agent"].startswith("claude-cli/")
    assert request.body["model"] == MODEL
    assert not request.body.get("tools")
    assert "What is it?" in json.dumps(request.body["messages"])


FAILURES = {
    "401": ({"error": {"status": 401, "type": "authentication_error"}}, "model_auth_failed", False),
    "404": ({"error": {"status": 404, "type": "not_found_error"}}, "model_not_found", False),
    "429": (
        {"error": {"status": 429, "type": "rate_limit_error", "headers": {"retry-after": "7"}}},
        "model_rate_limited",
        True,
    ),
    "529": ({"error": {"status": 529, "type": "overloaded_error"}}, "model_overloaded", True),
    "cut before": ({"drop": "before"}, "model_unreachable", True),
    "cut within": ({"drop": "middle"}, "model_unreachable", True),
    "refusal": ({"text": "No.", "stop_reason": "refusal"}, "model_refused", False),
    "too long": ({"text": "No", "stop_reason": "max_tokens"}, "model_max_tokens", False),
    "nothing": ({"text": ""}, "model_empty_answer", True),
    "a tool": ({"tools": [{"name": "Bash", "input": {"command": "id"}}]}, "model_empty_answer", True),
}


@pytest.mark.parametrize(("turn", "code", "temporary"), FAILURES.values(), ids=FAILURES.keys())
async def test_each_failure_has_the_name_that_it_has_with_the_cli(
    turn: dict[str, Any], code: str, temporary: bool
) -> None:
    call = Call(turn)
    with pytest.raises(AiOpsError) as caught:
        await call.ask(question())
    assert (caught.value.code, isinstance(caught.value, TemporaryError)) == (code, temporary)
    assert call.seen == []
    if code == "model_rate_limited":
        assert isinstance(caught.value, TemporaryError)
        assert caught.value.delay == 7.0


async def test_a_model_that_hangs_ends_at_the_limit() -> None:
    with pytest.raises(TemporaryError) as caught:
        await Call({"hang": True}).ask(question(wall_seconds=0.3))
    assert caught.value.code == "model_hung"


async def test_a_model_that_is_not_allowed_is_not_asked() -> None:
    call = Call({"text": "x"})
    with pytest.raises(PermanentError) as caught:
        await call.ask(question(), allowed_models=["claude-opus-*"])
    assert (caught.value.code, call.double.requests) == ("model_not_found", [])


async def test_without_money_for_it_nothing_is_asked() -> None:
    call = Call({"text": "x"})
    with pytest.raises(PermanentError) as caught:
        await call.ask(question(budget_usd=0.0001))
    assert (caught.value.code, call.double.requests) == ("budget_spent", [])


async def test_what_a_failed_call_has_cost_is_told() -> None:
    usage = {"input_tokens": 1000, "output_tokens": 100}
    with pytest.raises(AiOpsError) as caught:
        await Call({"text": "No.", "stop_reason": "refusal", "usage": usage}).ask(question())
    assert caught.value.cost_usd == pytest.approx(0.0015)


async def test_an_api_that_is_not_there_is_named() -> None:
    with pytest.raises(TemporaryError) as caught:
        await Call({"text": "x"}, url="http://127.0.0.1:9").ask(question())
    assert caught.value.code == "model_unreachable"
