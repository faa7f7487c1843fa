"""Failures: what may pass is waited for, what does not is named, and money is counted and ends in time."""

import asyncio

import pytest

from ai_ops.core import model_failures as failures
from ai_ops.core.budgets import day_of
from ai_ops.core.identity import run_id
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.run import StepState
from ai_ops.flow.task import TaskState
from tests.support import shop
from tests.support.workshop import mail_text

pytestmark = pytest.mark.usefixtures("remembered_suites")

GOOD = {"files": {shop.MODULE_PATH: shop.FIXED}}
NO_FIX = {"files": {shop.MODULE_PATH: shop.BROKEN + "\n# mended\n"}}


def costing(usd, entry=GOOD):
    return entry | {"usage": {"cost_usd": usd}}


def script(*fixes, reproduce_usd=0.0):
    made = shop.script(*fixes)
    made["reproduce"][0]["usage"] = {"cost_usd": reproduce_usd}
    return made


async def cost_of_run(floor, task):
    return (await floor.tools.trace.find_run(run_id(task.id, task.run_number))).usage.cost_usd


async def test_a_temporary_failure_is_waited_for_and_then_it_goes_on(workshop):
    passing = (failures.failure("model_unreachable"), TemporaryError("git_timeout", "slow", delay=7.0))
    async with workshop(failures=passing) as floor:
        task = await floor.repaired()

        assert (task.state, task.proof.verdict, task.attempts) == (TaskState.COMPLETED, "proved", 2)
        (first, backed_off), second = floor.waits
        assert (first, 0 < backed_off <= 1) == (TaskState.RETRYING, True)
        assert second == (TaskState.RETRYING, 7.0)
        assert (await floor.steps(task))["reproduce:1"].entries == 3
        assert "model_unreachable" in repr(await floor.tools.trace.events_after(run_id(task.id, 1), 0))


async def test_a_temporary_failure_that_stays_is_named_after_five_tries(workshop):
    staying = [failures.failure("model_unreachable", "refused") for _ in range(5)]
    for failure in staying:
        failure.cost_usd = 0.01
    async with workshop(failures=tuple(staying)) as floor:
        task = await floor.repaired()

        assert task.state is TaskState.FAILED
        assert task.failure["code"] == "model_unreachable"
        assert "refused" in task.failure["message"]
        assert task.failure["next_step"].startswith("Check ANTHROPIC_BASE_URL")
        assert task.outcome_reason.startswith("model_unreachable: ")
        assert len(floor.waits) == 4
        assert (await floor.steps(task))["reproduce:1"].state is StepState.FAILED
        assert task.cost_usd == pytest.approx(0.05)
        assert (floor.leftovers(), floor.branches()) == ([], [])


LIMITS = {
    "a limit that names its end": (failures.failure("model_session_limit", delay=1234.0), 1234.0),
    "a limit that names none": (failures.failure("model_session_limit"), 3600.0),
    "no credit left": (failures.failure("model_credit_exhausted"), 3600.0),
    "a rate": (failures.failure("model_rate_limited", delay=77.0), 77.0),
}


@pytest.mark.parametrize("kind", LIMITS)
async def test_a_limit_is_waited_out_however_often_it_comes(workshop, kind):
    limit, seconds = LIMITS[kind]
    async with workshop({"task": [{"answer": "At last."}]}, failures=(limit,) * 7) as floor:
        task = await floor.worked(await floor.prompted(prompt="?"))

        assert (task.state, task.attempts) == (TaskState.COMPLETED, 7)
        assert [state for state, _ in floor.waits] == [TaskState.WAITING_UNBAN] * 7
        # Until a moment that was reckoned a little before the wait began.
        assert [wait for _, wait in floor.waits] == [pytest.approx(seconds, abs=2)] * 7


async def test_a_limit_that_one_task_met_holds_for_the_whole_queue_and_ends_with_one_probe(workshop):
    answers = {"task": [{"answer": "At last."}]}
    async with workshop(answers, failures=(failures.failure("model_session_limit", delay=1234.0),)) as floor:
        tasks = [await floor.prompted(prompt="?") for _ in range(4)]
        worked = await asyncio.gather(*map(floor.worked, tasks))

        assert {task.state for task in worked} == {TaskState.COMPLETED}
        assert {state for state, _ in floor.waits} == {TaskState.WAITING_UNBAN}
        assert len(floor.fixer.requests) == 5  # one met the limit; each was answered once
        assert await floor.tools.pauses.current() is None


async def test_a_waiting_task_says_what_for_and_until_when_and_a_restart_does_not_begin_anew(workshop):
    limit = failures.failure("model_session_limit", delay=1000.0)
    seen = []

    class Interrupted:
        """Steps whose first wait lasts until the engine is stopped, while time goes on."""

        def __init__(self, steps):
            self.run, self._steps = steps.run, steps

        async def wait(self, seconds):
            task = await floor.found(asked)
            seen.append((task.state, task.waiting_for, task.waiting_until - floor.tools.clock.now()))
            if len(seen) == 1:
                floor.tools.clock.forward(400)
                await asyncio.Event().wait()
            await self._steps.wait(seconds)

    answers = {"task": [{"answer": "At last."}]}
    async with workshop(answers, failures=(limit,), steps=Interrupted) as floor:
        asked = await floor.prompted(prompt="?")
        await floor.engine.enqueue(asked)
        while not seen:
            await asyncio.sleep(0.01)
        await floor.engine.stop()
        await floor.engine.start()
        task = await floor.worked(await floor.found(asked))

    assert (task.state, task.waiting_for, task.waiting_until) == (TaskState.COMPLETED, "", None)
    assert [(state, code) for state, code, _ in seen] == [
        (TaskState.WAITING_UNBAN, "model_session_limit")
    ] * 2
    assert [round(left.total_seconds(), -1) for _, _, left in seen] == [1000, 600]


async def test_a_permanent_failure_is_named_at_once_with_its_next_step(workshop):
    async with workshop({"reproduce": [{"failure": "model_auth_failed"}]}) as floor:
        task = await floor.repaired()

        assert (task.state, floor.waits) == (TaskState.FAILED, [])
        assert set(task.failure) == {"code", "message", "next_step"}
        assert task.failure["code"] == "model_auth_failed"
        assert "ai-ops doctor" in task.failure["next_step"]
        run = await floor.tools.trace.find_run(run_id(task.id, 1))
        assert run.outcome == "failed"


async def test_a_repository_that_is_not_there_is_named_before_money_is_spent(workshop):
    async with workshop() as floor:
        task = await floor.reported()
        floor.remote.rename(floor.remote.with_name("elsewhere.git"))
        task = await floor.worked(task)
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "git_not_found")
        assert floor.fixer.requests == []


async def test_a_push_that_is_refused_is_named_and_a_retry_goes_on(workshop):
    async with workshop() as floor:
        hook = floor.remote / "hooks" / "pre-receive"
        hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
        hook.chmod(0o755)
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "push_refused")
        assert await floor.pulls() == ()

        hook.unlink()
        task = await floor.worked(await floor.done_to(task, "retry"))
        assert (task.state, task.failure, task.run_number) == (TaskState.COMPLETED, None, 2)
        assert len(await floor.pulls()) == 1


async def test_our_own_tables_being_busy_fails_nothing(workshop, monkeypatch):
    """A failure outside of any step is the tables' own, and the engine comes again."""
    async with workshop() as floor:
        find, busy = floor.tools.issues.find, [TemporaryError("database_busy", "locked", delay=0.0)]

        async def sometimes(issue_id):
            if busy:
                raise busy.pop()
            return await find(issue_id)

        monkeypatch.setattr(floor.tools.issues, "find", sometimes)
        task = await floor.repaired()
        assert (task.state, busy) == (TaskState.COMPLETED, [])


# --- money ---


async def test_a_run_stops_before_the_call_that_it_cannot_pay_and_keeps_what_it_found(workshop):
    async with workshop(script(reproduce_usd=0.6), budget_usd_per_run=0.6) as floor:
        task = await floor.repaired()

        assert floor.fixer.purposes == ["reproduce:1"]
        assert (task.state, task.failure) == (TaskState.NEEDS_HUMAN_REVIEW, None)
        rules = [reason.rule for reason in task.proof.reasons]
        assert (task.proof.verdict, rules) == ("unproved", ["budget_spent", "reproduced"])
        assert "0.60 USD" in task.outcome_reason
        assert "BUDGET_USD_PER_RUN" in task.outcome_reason
        assert await floor.artifact(task, "reproduction-1-diff")
        (mail,) = floor.mails()
        for word in ("The list of stars is empty.", "ZeroDivisionError", "0.6000 USD", shop.TEST_PATH):
            assert word in mail_text(mail)
        assert (await floor.steps(task))["fix:1"].failure["code"] == "budget_spent"
        # There is no change, so an approval has nothing to publish.
        assert (await floor.done_to(task, "approve")).state is TaskState.COMPLETED


async def test_a_budget_that_ends_between_two_fixes_keeps_the_first(workshop):
    async with workshop(script(costing(0.5, NO_FIX), reproduce_usd=0.1), budget_usd_per_run=0.6) as floor:
        task = await floor.repaired()

        assert floor.fixer.purposes == ["reproduce:1", "fix:1"]
        rules = [reason.rule for reason in task.proof.reasons]
        assert (task.proof.verdict, rules[:2]) == ("refuted", ["budget_spent", "still_failing"])
        assert "mended" in await floor.artifact(task, "diff")


async def test_a_budget_that_ends_between_two_reproductions_keeps_the_first(workshop):
    made = script(reproduce_usd=0.7)
    made["reproduce"][0]["files"] = {shop.TEST_PATH: "def test_it():\n    pass\n"}
    async with workshop(made, budget_usd_per_run=0.6) as floor:
        task = await floor.repaired()

        assert floor.fixer.purposes == ["reproduce:1"]
        rules = [reason.rule for reason in task.proof.reasons]
        assert (task.state, rules) == (TaskState.NEEDS_HUMAN_REVIEW, ["budget_spent", "passes_on_base"])


async def test_a_day_whose_money_is_spent_starts_no_call(workshop):
    async with workshop(budget_usd_per_day=0.0) as floor:
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "daily_budget_spent")
        assert floor.fixer.requests == []
        names = [a.name for a in await floor.tools.trace.artifacts(run_id(task.id, 1))]
        assert names == [], "a prompt that nobody was asked"


async def test_each_request_may_spend_what_is_left_of_its_run(workshop):
    async with workshop(script(reproduce_usd=0.4), budget_usd_per_run=1.0) as floor:
        await floor.repaired(budget_usd=5.0)
        budgets = [request.budget_usd for request in floor.fixer.requests]
        assert budgets == pytest.approx([1.0, 0.6])


async def test_a_call_whose_end_a_kill_hid_narrows_what_is_left_of_its_run(workshop):
    async with workshop(budget_usd_per_run=1.0) as floor:
        task = await floor.reported()
        await floor.paid(0.7, run=run_id(task.id, 1), settled=False)
        await floor.worked(task)
        budgets = [request.budget_usd for request in floor.fixer.requests]
        assert budgets == pytest.approx([0.3, 0.3])
        assert await cost_of_run(floor, task) == 0.0  # the trace has the API's own count


WINDOWS = {
    "hour": ({"budget_usd_per_hour": 1.0}, "hourly_budget_spent", 3600),
    "day": ({"budget_usd_per_day": 1.0}, "daily_budget_spent", 24 * 3600),
}


@pytest.mark.parametrize("window", WINDOWS)
async def test_a_task_waits_until_there_is_money_again_and_then_it_goes_on(workshop, window):
    policy, code, longest = WINDOWS[window]
    async with workshop(**policy) as floor:
        await floor.paid(1.0)
        task = await floor.repaired()

        assert (task.state, task.proof.verdict, task.attempts) == (TaskState.COMPLETED, "proved", 1)
        ((state, seconds),) = floor.waits
        assert (state, 0 < seconds <= longest) == (TaskState.WAITING_UNBAN, True)
        history = repr(await floor.tools.trace.events_after(run_id(task.id, 1), 0))
        assert code in history
        assert "USD are spent" in history


async def test_money_that_ends_in_the_middle_of_a_run_loses_nothing_that_was_found(workshop):
    async with workshop(budget_usd_per_hour=1.0) as floor:
        ask = floor.fixer.ask

        async def asked(request, watch):
            answer = await ask(request, watch)
            if request.purpose == "reproduce":  # another run spends the hour meanwhile
                await floor.paid(1.0)
            return answer

        floor.fixer.ask = asked
        task = await floor.repaired()
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        assert floor.fixer.purposes == ["reproduce:1", "fix:1"]
        assert [state for state, _ in floor.waits] == [TaskState.WAITING_UNBAN]


@pytest.mark.parametrize("window", WINDOWS)
async def test_a_task_that_waits_for_money_mails_what_it_has_found_once(workshop, window):
    policy, code, _ = WINDOWS[window]
    async with workshop(script(NO_FIX, GOOD), **policy) as floor:
        ask, clock = floor.fixer.ask, floor.tools.clock
        clock.forward(
            24 * 3600 - (clock.now() - day_of(clock.now())).total_seconds()
        )  # midnight: a long wait

        async def asked(request, watch):
            answer = await ask(request, watch)
            if request.purpose == "reproduce" or request.round == 1:
                await floor.paid(1.0)
            return answer

        floor.fixer.ask = asked
        task = await floor.repaired()
        assert (task.proof.verdict, len(floor.waits)) == ("proved", 2)
        waiting, opened = sorted(floor.mails(), key=lambda mail: "Waits" not in mail["Subject"])
        assert waiting["Subject"].startswith(f"[AI-Ops] Waits ({code}): ")
        for words in ("goes on by itself", "The list of stars is empty.", shop.TEST_PATH, "USD are spent"):
            assert words in mail_text(waiting)
        assert "Pull request" in opened["Subject"]


async def test_a_task_that_waits_for_money_and_has_found_nothing_sends_no_mail(workshop):
    async with workshop(budget_usd_per_day=1.0) as floor:
        await floor.paid(1.0)
        await floor.repaired()
        (mail,) = floor.mails()
        assert "Pull request" in mail["Subject"]


async def test_the_mail_of_a_failure_tells_what_was_found_before(workshop):
    made = script()
    made["fix"] = [{"failure": "model_refused"}]
    async with workshop(made) as floor:
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "model_refused")
        await floor.tools.mailroom.deliver_due()
        (mail,) = floor.mails()
        for words in ("The list of stars is empty.", shop.TEST_PATH):
            assert words in mail_text(mail)


async def test_the_task_own_budget_narrows_the_servers(workshop):
    async with workshop(script(reproduce_usd=0.1)) as floor:
        await floor.repaired(budget_usd=0.3)
        budgets = [request.budget_usd for request in floor.fixer.requests]
        assert budgets == pytest.approx([0.3, 0.2])


async def test_answers_that_go_back_are_paid_from_the_same_budget(workshop):
    made = shop.script() | {"reproduce": [{"raw": "nothing", "usage": {"cost_usd": 0.4}}]}
    async with workshop(made, budget_usd_per_run=1.0, max_rounds=1) as floor:
        task = await floor.repaired()
        budgets = [request.budget_usd for request in floor.fixer.requests]
        assert budgets == pytest.approx([1.0, 0.6, 0.2])
        assert task.cost_usd == pytest.approx(1.2)


async def test_money_of_calls_that_failed_is_counted_and_narrows_what_is_left(workshop):
    failed = failures.failure("model_unreachable")
    failed.cost_usd = 0.3
    async with workshop(script(reproduce_usd=0.2), failures=(failed,), budget_usd_per_run=1.0) as floor:
        task = await floor.repaired()
        budgets = [request.budget_usd for request in floor.fixer.requests]
        assert budgets == pytest.approx([1.0, 0.7, 0.5])
        assert task.cost_usd == pytest.approx(0.5)
        assert await cost_of_run(floor, task) == pytest.approx(0.5)


async def test_money_is_counted_when_what_comes_after_the_answer_fails(workshop):
    """The answer is paid for, whatever its test run ends in."""
    needs = {"shop/ratings.py": "import stars_not_there\n" + shop.BROKEN}
    async with workshop(script(reproduce_usd=0.25), files=needs) as floor:
        task = await floor.repaired()
        assert task.failure["code"] == "setup_required"
        assert task.cost_usd == 0.25


async def test_a_task_costs_what_all_its_runs_did(workshop):
    made = script(reproduce_usd=0.25)
    made["fix"] = [{"failure": "model_refused"}]
    async with workshop(made) as floor:
        task = await floor.repaired()
        assert (task.state, task.cost_usd) == (TaskState.FAILED, 0.25)
        task = await floor.worked(await floor.done_to(task, "retry"))
        assert (task.run_number, task.cost_usd) == (2, 0.5)


async def test_an_unforeseen_error_is_named_and_what_was_spent_is_kept(workshop, monkeypatch):
    async with workshop(script(reproduce_usd=0.25)) as floor:

        async def broken(*_):
            raise ZeroDivisionError("a bug of ours")

        monkeypatch.setattr(floor.tools.git, "commit", broken)
        task = await floor.repaired()
        assert (task.state, task.failure["code"], task.cost_usd) == (TaskState.FAILED, "internal_error", 0.25)
        assert floor.leftovers() == []


@pytest.mark.parametrize("error", [PermanentError, TemporaryError])
async def test_a_failure_holds_no_secret(workshop, error):
    secret = "ghp_" + "Abc123" * 6
    failure = error("model_failed", f"it said {secret}")
    async with workshop(failures=(failure,) * 5) as floor:
        task = await floor.repaired()
        assert task.state is TaskState.FAILED
        assert secret not in await floor.everything_kept(task)
