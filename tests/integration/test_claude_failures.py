"""Every failure of a model call that can be provoked, through the real CLI, has its name and its end."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ai_ops.core.budgets import PlannedCall
from ai_ops.errors import AiOpsError, TemporaryError
from tests.support.claude_calls import Call, a_ledger, fix_request, gone, use


def error(status: int, kind: str = "api_error", message: str = "scripted", **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"error": {"status": status, "type": kind, "message": message, "headers": named}}


def unified(**values: str) -> dict[str, str]:
    return {f"anthropic_ratelimit_unified_{name}": value for name, value in values.items()}


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "401": (error(401, "authentication_error"), "model_auth_failed"),
    "403": (error(403, "permission_error"), "model_auth_failed"),
    "429": (error(429, "rate_limit_error"), "model_rate_limited"),
    "limit": (error(429, "rate_limit_error", **unified(status="rejected")), "model_session_limit"),
    "credit": (
        error(400, "invalid_request_error", "Your credit balance is too low"),
        "model_credit_exhausted",
    ),
    "500": (error(500), "model_overloaded"),
    "529": (error(529, "overloaded_error"), "model_overloaded"),
    "404": (error(404, "not_found_error", "model: x"), "model_not_found"),
    "too long": (
        error(400, "invalid_request_error", "prompt is too long: 250000 tokens"),
        "model_prompt_too_long",
    ),
    "dropped": ({"drop": "before"}, "model_unreachable"),
    "cut": ({"drop": "middle"}, "model_unreachable"),
    "refusal": ({"text": "no", "stop_reason": "refusal"}, "model_refused"),
    "output limit": ({"text": "half", "stop_reason": "max_tokens"}, "model_max_tokens"),
    "empty": ({"text": ""}, "model_empty_answer"),
}


async def failure_of(call: Call, checkout: Path | None = None, **changes: Any) -> AiOpsError:
    with pytest.raises(AiOpsError) as caught:
        await call.ask(fix_request(checkout, **changes))
    return caught.value


@pytest.mark.parametrize(("turn", "code"), CASES.values(), ids=CASES.keys())
async def test_a_failing_api_is_named(turn: dict[str, Any], code: str) -> None:
    assert (await failure_of(Call(turn))).code == code


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://api.invalid"], ids=["refused", "no such host"])
async def test_an_unreachable_api_is_named(url: str) -> None:
    assert (await failure_of(Call(url=url))).code == "model_unreachable"


async def test_the_wait_is_the_one_that_the_api_states() -> None:
    failed = await failure_of(Call(error(429, "rate_limit_error", retry_after="77")))
    assert isinstance(failed, TemporaryError)
    assert (failed.code, failed.delay) == ("model_rate_limited", 77.0)


async def test_a_session_limit_waits_for_its_reset() -> None:
    reset = unified(status="rejected", reset=str(int(time.time()) + 900), representative_claim="five_hour")
    call = Call(error(429, "rate_limit_error", **reset), retries=5)
    failed = await failure_of(call)
    assert isinstance(failed, TemporaryError)
    assert failed.delay is not None
    assert 800 < failed.delay <= 900
    assert len(call.double.requests) == 1


async def test_spent_turns_are_named_and_paid_for(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    call = Call(*[use("Read", file_path="/workspace/a.py")] * 4)
    failed = await failure_of(call, tmp_path, max_turns=2)
    assert failed.code == "model_turns_spent"
    assert failed.cost_usd > 0


async def test_a_spent_budget_stops_before_the_call(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    counted = {"usage": {"input_tokens": 20_000}}
    call = Call(*[{**use("Read", file_path="/workspace/a.py"), **counted}] * 9, retries=5)
    failed = await failure_of(call, tmp_path, budget_usd=0.2)
    assert failed.code == "budget_spent"
    assert 0.1 < failed.cost_usd <= 0.2
    assert len(call.double.requests) == 2


@pytest.mark.parametrize("budget", ["hour", "day"])
async def test_an_hour_or_a_day_whose_money_is_spent_says_when_it_goes_on(budget: str) -> None:
    ledger = a_ledger(**{f"{budget}_usd": 1.0})
    await ledger.reserve(PlannedCall("another", 9.0, "m", 1.0, 1.0))
    call = Call({"text": "x"}, ledger=ledger, retries=5)
    failed = await failure_of(call)
    assert isinstance(failed, TemporaryError)
    assert (failed.code, call.double.requests) == (
        {"hour": "hourly", "day": "daily"}[budget] + "_budget_spent",
        [],
    )
    assert 0 < (failed.delay or 0) <= 24 * 3600


async def test_a_model_that_is_not_listed_is_named() -> None:
    call = Call({"text": "x"}, allowed_models=("claude-haiku-*",))
    assert (await failure_of(call)).code == "model_not_found"
    assert call.double.requests == []


async def test_a_denied_write_is_named(tmp_path: Path) -> None:
    call = Call(use("Write", file_path="/etc/x", content="1"), {"text": "sorry"})
    assert (await failure_of(call, tmp_path)).code == "model_tool_denied"


async def test_a_flag_that_the_cli_does_not_take_is_named() -> None:
    assert (await failure_of(Call(args="--max-turns many"))).code == "model_bad_flag"


async def test_a_missing_cli_is_named() -> None:
    assert (await failure_of(Call(command="/nowhere/claude"))).code == "model_cli_missing"


@pytest.mark.parametrize(
    "limits", [{"idle_seconds": 1.0}, {"wall_seconds": 1.5}], ids=["no sign of life", "too long"]
)
async def test_a_hang_ends_at_our_limit_and_nothing_survives(limits: dict[str, float]) -> None:
    call = Call({"hang": True})
    asking = asyncio.create_task(failure_of(call, **limits))
    processes = await call.began()
    assert processes
    async with asyncio.timeout(6.0):  # not a measure: a child that is not killed outlives this
        assert (await asking).code == "model_hung"
    await gone(processes)


async def test_a_killed_cli_is_named_and_nothing_survives() -> None:
    call = Call({"hang": True})
    asking = asyncio.create_task(failure_of(call))
    processes = await call.began()
    processes[-1].send_signal(signal.SIGKILL)  # the innermost: the CLI itself
    assert (await asking).code == "model_killed"
    await gone(processes)


async def test_a_cancelled_call_leaves_nothing() -> None:
    call = Call({"hang": True})
    asking = asyncio.create_task(call.ask(fix_request(None)))
    processes = await call.began()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(6.0):
            await asyncio.shield(asking)
    await gone(processes)


async def test_a_watcher_that_fails_ends_the_call() -> None:
    call = Call({"text": "hi", **use("Read", file_path="/workspace/a")}, {"hang": True})

    async def watch(kind: str, data: dict[str, Any]) -> None:
        raise OSError("disk full")

    call._watch = watch  # type: ignore[method-assign]
    with pytest.raises(OSError, match="disk full"):
        await call.ask(fix_request(None))
