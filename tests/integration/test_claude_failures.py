"""Every failure of a model call that can be provoked, through the real CLI, has its name and its end."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from ai_ops.core.budgets import PlannedCall
from ai_ops.core.model_failures import CODES
from ai_ops.core.pricing import Price
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.fixing import FixAnswer, FixRequest, Watch
from ai_ops.flow.task import TaskState
from ai_ops.workspace.profile import SandboxLimits
from ai_ops.workspace.sandbox import BubblewrapSandbox
from tests.support.claude_calls import Call, a_ledger, fix_request, gone, use


def error(status: int, kind: str = "api_error", message: str = "scripted", **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"error": {"status": status, "type": kind, "message": message, "headers": named}}


def unified(**values: str) -> dict[str, str]:
    return {f"anthropic_ratelimit_unified_{name}": value for name, value in values.items()}


@dataclass(frozen=True)
class Case:
    """A way to fail, the failure's name, and the state that the task stands in then.

    A task that waits is answered at its next try: ``turn`` fails until the CLI has given up once.
    """

    turn: dict[str, Any]
    code: str
    state: TaskState
    options: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    signal: str = ""


def fails(turn: dict[str, Any], code: str, **options: Any) -> Case:
    """What needs a person: the task fails at once."""
    return Case(turn, code, TaskState.FAILED, options)


def waits(turn: dict[str, Any], code: str, state: TaskState, **options: Any) -> Case:
    return Case({"text": "At last.", **turn}, code, state, options)


def passes(turn: dict[str, Any], code: str, **options: Any) -> Case:
    """What may pass by itself: the task is retrying."""
    return waits(turn, code, TaskState.RETRYING, **options)


def limits(turn: dict[str, Any], code: str, **options: Any) -> Case:
    """What is waited out, by the whole queue."""
    return waits(turn, code, TaskState.WAITING_UNBAN, **options)


def killed(name: str) -> Case:
    """A CLI that is killed from outside while it waits for the model."""
    return Case({"hang": True, "text": "At last."}, "model_killed", TaskState.RETRYING, signal=name)


def rejected(claim: str) -> dict[str, str]:
    reset = str(int(time.time()) + 900)
    return unified(status="rejected", representative_claim=claim, reset=reset)


HUNG = {"idle_seconds": 6.0}  # a busy machine takes a while to start the CLI
ONLY_HAIKU = ("claude-haiku-*",)
READS = use("Read", file_path="/workspace/a.py")
LIMIT_TEXT = f"Claude AI usage limit reached|{int(time.time()) + 900}"
UNCOUNTED = {"input_tokens": 0, "output_tokens": 0}

CASES = {
    "401": fails(error(401, "authentication_error"), "model_auth_failed"),
    "no key": fails({"needs_key": True}, "model_auth_failed", key=""),
    "403": fails(error(403, "permission_error"), "model_auth_failed"),
    "429": limits(error(429, "rate_limit_error"), "model_rate_limited"),
    "5-hour limit": limits(error(429, "rate_limit_error", **rejected("five_hour")), "model_session_limit"),
    "weekly limit": limits(error(429, "rate_limit_error", **rejected("seven_day")), "model_weekly_limit"),
    "limit without an end": limits(
        error(429, "rate_limit_error", **unified(status="rejected")), "model_session_limit"
    ),
    "limit as the answer's text": limits(
        {"says": {"text": LIMIT_TEXT, "usage": UNCOUNTED}}, "model_session_limit"
    ),
    "credit": limits(
        error(400, "invalid_request_error", "Your credit balance is too low"), "model_credit_exhausted"
    ),
    "the account's own limit": limits(
        error(400, "invalid_request_error", "You have reached your specified API usage limits."),
        "model_quota_exhausted",
    ),
    "500": limits(error(500), "model_overloaded"),
    "529": limits(error(529, "overloaded_error"), "model_overloaded"),
    "overloaded in the stream": limits({"stream_error": "overloaded_error"}, "model_overloaded"),
    "dropped": passes({"drop": "before"}, "model_unreachable"),
    "cut": passes({"drop": "middle"}, "model_unreachable"),
    "timed out": passes({"hang": "before"}, "model_unreachable", gateway={"silence_seconds": 0.5}),
    "404": fails(error(404, "not_found_error", "model: x"), "model_not_found"),
    "not listed": fails({"text": "x"}, "model_not_found", allowed_models=ONLY_HAIKU),
    "too long": fails(
        error(400, "invalid_request_error", "prompt is too long: 250000 tokens"), "model_prompt_too_long"
    ),
    "too large": fails(error(413, "request_too_large"), "model_prompt_too_long"),
    "window exceeded": fails(
        {"text": "half", "stop_reason": "model_context_window_exceeded"}, "model_prompt_too_long"
    ),
    "refusal": fails({"text": "no", "stop_reason": "refusal"}, "model_refused"),
    "output limit": fails({"text": "half", "stop_reason": "max_tokens"}, "model_max_tokens"),
    "turns spent": fails(READS, "model_turns_spent", args="--max-turns=2"),
    "the CLI's own budget": Case(
        READS | {"usage": {"output_tokens": 900_000}},
        "budget_spent",
        TaskState.FAILED,
        {"gateway": {"prices": {"any": Price(0, 0, 0, 0, 0)}}},
    ),
    "empty": passes({"says": {"text": ""}}, "model_empty_answer"),
    "hung": Case({"hang": True, "text": "At last."}, "model_hung", TaskState.RETRYING, {}, HUNG),
    "bad flag": fails({"text": "x"}, "model_bad_flag", args="--max-turns many"),
    "killed": killed("SIGKILL"),
    "refused": Case(
        {"text": "At last."}, "model_unreachable", TaskState.RETRYING, {"url": "http://127.0.0.1:9"}
    ),
    "no such host": Case(
        {"text": "At last."}, "model_unreachable", TaskState.RETRYING, {"url": "http://api.invalid"}
    ),
    "no CLI": fails({"text": "x"}, "model_cli_missing", command="/nowhere/claude"),
}


async def failure_of(call: Call, checkout: Path | None = None, **changes: Any) -> AiOpsError:
    with pytest.raises(AiOpsError) as caught:
        await call.ask(fix_request(checkout, **changes))
    return caught.value


class Mending:
    """Claude through the real CLI, at an API that is well once the CLI has given up."""

    def __init__(self, case: Case) -> None:
        self._call = Call(case.turn, purpose="task", **case.options)
        self._signal = case.signal

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        call, double = self._call, self._call.double
        killing = asyncio.create_task(self._kill()) if self._signal and not double.well else None
        try:
            return await call.ask(request, watch)
        except TemporaryError:
            double.well = True
            call.url = ""
            raise
        finally:
            if killing is not None:
                await killing

    async def _kill(self) -> None:
        processes = await self._call.began()
        processes[-1].send_signal(signal.Signals[self._signal])  # the innermost: the CLI itself


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_a_failure_of_the_real_cli_is_named_and_its_task_stands_in_its_state(
    workshop: Any, case: Case
) -> None:
    async with workshop(fixer=Mending(case), **case.policy) as floor:
        task = await floor.worked(await floor.prompted(prompt="Why?", repository=False))
        failed = (await floor.first_failure(task))["code"]
        waited = [state for state, _ in floor.waits]
        assert await floor.tools.pauses.current() is None
    if case.state is TaskState.FAILED:
        assert (failed, task.state, task.failure["code"], waited) == (case.code, case.state, case.code, [])
        assert task.failure["next_step"]
    else:
        assert (failed, waited, task.state) == (case.code, [case.state], TaskState.COMPLETED)


def test_every_failure_that_the_design_names_is_driven_or_cannot_be() -> None:
    elsewhere = {
        "model_killed",  # below
        "model_over_limits",  # below
        "model_tool_denied",  # below
        "model_cli_outdated",
        "model_failed",
        "hourly_budget_spent",
        "daily_budget_spent",
        "model_session_lost",  # in test_claude_sessions
    }
    not_ours = {"model_schema_unmet"}  # no request of ours asks for a schema
    assert {case.code for case in CASES.values()} | elsewhere | not_ours == CODES


async def test_a_model_that_only_talks_of_a_limit_is_no_limit() -> None:
    """A log could make a model say it."""
    assert (await Call({"text": LIMIT_TEXT}).ask(fix_request(None))).text == LIMIT_TEXT


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


async def test_a_denied_write_is_named(tmp_path: Path) -> None:
    call = Call(use("Write", file_path="/etc/x", content="1"), {"text": "sorry"})
    assert (await failure_of(call, tmp_path)).code == "model_tool_denied"


@pytest.mark.parametrize(
    "limits", [{"idle_seconds": 6.0}, {"wall_seconds": 6.0}], ids=["no sign of life", "too long"]
)
async def test_a_hang_ends_at_our_limit_and_nothing_survives(limits: dict[str, float]) -> None:
    call = Call({"hang": True})
    asking = asyncio.create_task(failure_of(call, **limits))
    processes = await call.began()
    assert processes
    async with asyncio.timeout(30.0):  # not a measure: a child that is not killed outlives this
        assert (await asking).code == "model_hung"
    await gone(processes)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
async def test_a_killed_cli_is_named_and_nothing_survives(name: str) -> None:
    call = Call({"hang": True})
    asking = asyncio.create_task(failure_of(call))
    processes = await call.began()
    processes[-1].send_signal(signal.Signals[name])  # the innermost: the CLI itself
    failed = await asking
    assert isinstance(failed, TemporaryError)
    assert failed.code == "model_killed"
    await gone(processes)


def a_cli(folder: Path, does: str) -> str:
    """Return a program that has a version, and then does something else than the CLI."""
    program = folder / "claude"
    program.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo 9.0.0; exit; fi\n{does}\n')
    program.chmod(0o755)
    return str(program)


RESULT = json.dumps(
    {
        "type": "result", "subtype": "success", "is_error": False, "session_id": "s", "num_turns": 1,
        "duration_ms": 1, "duration_api_ms": 1, "total_cost_usd": 0.0, "result": "",
    }
)  # fmt: skip
STUBBORN = "trap '' TERM INT HUP; setsid sleep 1000 & (trap '' TERM; sleep 1000) &"
GREETS = (  # answers what the SDK asks first
    'read -r line; id=$(printf %s "$line" | sed \'s/.*"request_id": *"\\([^"]*\\)".*/\\1/\');'
    """ printf '{"type":"control_response","response":{"subtype":"success","request_id":"%s"}}\\n' "$id";"""
)
HANGS = {
    "says nothing and leaves children": (f"{STUBBORN} sleep 1000", "model_hung"),
    "closes its pipes and stays": (f"{STUBBORN} exec >&- 2>&-; sleep 1000", "model_hung"),
    "floods stderr": (f"{STUBBORN} while :; do echo x >&2; done", "model_hung"),
    "hangs after its result": (f"{STUBBORN} {GREETS} echo '{RESULT}'; sleep 1000", "model_empty_answer"),
    "crashes": (f"{STUBBORN} echo 'Segmentation fault' >&2; exit 1", "model_failed"),
}


@pytest.mark.parametrize(("does", "code"), HANGS.values(), ids=HANGS.keys())
async def test_a_cli_that_will_not_go_ends_at_our_limit_with_everything_it_started(
    tmp_path: Path, does: str, code: str
) -> None:
    call = Call(command=a_cli(tmp_path, does))
    asking = asyncio.create_task(failure_of(call, wall_seconds=4.0))
    seen: set[psutil.Process] = set()
    async with asyncio.timeout(4.0 + 30.0):  # not a measure: a child that is not killed outlives this
        while not asking.done():
            seen.update(call.processes())
            await asyncio.sleep(0.02)
        assert (await asking).code == code
    assert seen
    await gone(list(seen))


async def test_a_cancelled_call_leaves_nothing() -> None:
    call = Call({"hang": True})
    asking = asyncio.create_task(call.ask(fix_request(None)))
    processes = await call.began()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(30.0):
            await asyncio.shield(asking)
    await gone(processes)


async def test_a_watcher_that_fails_ends_the_call() -> None:
    call = Call({"text": "hi", **use("Read", file_path="/workspace/a")}, {"hang": True})

    async def watch(kind: str, data: dict[str, Any]) -> None:
        raise OSError("disk full")

    call._watch = watch  # type: ignore[method-assign]
    with pytest.raises(OSError, match="disk full"):
        await call.ask(fix_request(None))


EXCESSES = {
    "memory": ("python3 -c 'x = bytearray(b\"x\") * 10**9; input()'", "memory limit"),
    "processes": ("i=0; while [ $i -lt 150 ]; do sleep 60 & i=$((i+1)); done", "process limit"),
    "processor time": ("(while :; do :; done) & (while :; do :; done)", "cpu limit"),
    "disk, at home": ("head -c 30m /dev/urandom > ~/big", "disk limit"),
    "disk, in the checkout": ("head -c 30m /dev/urandom > /workspace/big", "disk limit"),
    "files": ("i=0; while [ $i -lt 700 ]; do : > /tmp/$i; i=$((i+1)); done", "file limit"),
}


@pytest.mark.parametrize(("does", "limit"), EXCESSES.values(), ids=EXCESSES.keys())
async def test_a_cli_that_uses_too_much_is_stopped_and_the_limit_is_named(
    tmp_path: Path, does: str, limit: str
) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    limits = SandboxLimits(
        memory_bytes=300 * 2**20, processes=100, cpu_seconds=1, disk_bytes=20 * 2**20, files=500
    )
    program = a_cli(tmp_path, f"{does}\nsleep 1000")
    call = Call(command=program, sandbox=BubblewrapSandbox(limits))
    asking = asyncio.create_task(failure_of(call, checkout, idle_seconds=90.0, wall_seconds=90.0))
    seen: set[psutil.Process] = set()
    while not asking.done():
        seen.update(call.processes())
        await asyncio.sleep(0.02)
    failed = await asking
    assert isinstance(failed, PermanentError)
    assert failed.code == "model_over_limits"
    assert limit in failed.message
    assert "SANDBOX_" in failed.next_step
    await gone(list(seen))
