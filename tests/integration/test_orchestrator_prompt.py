"""A prompt task: read-only tools, and the answer as an artifact."""

import pytest

from ai_ops.flow.task import TaskState
from tests.support.workshop import SERVER_SECRET

ANSWER = {"task": [{"answer": "A shop, with ratings.", "summary": "read", "usage": {"cost_usd": 0.1}}]}


async def test_a_prompt_about_a_repository_is_answered_from_a_checkout_it_cannot_write(workshop):
    async with workshop(ANSWER) as floor:
        seen = {}
        ask = floor.fixer.ask

        async def looking(request, watch):
            seen["files"] = sorted(path.name for path in request.checkout.iterdir())
            return await ask(request, watch)

        floor.fixer.ask = looking
        task = await floor.prompted(prompt="What is this?", name="Look", description="A short look around.")
        task = await floor.worked(task)

        assert (task.state, task.cost_usd) == (TaskState.COMPLETED, 0.1)
        assert (await floor.artifact(task, "answer")).startswith("A shop, with ratings.")
        (request,) = floor.fixer.requests
        assert (request.tools, request.writes) == (("Read", "Glob", "Grep"), False)
        assert "shop" in seen["files"]
        first, *_ = request.prompt.splitlines()
        assert first.startswith(f"ai-ops: task v1 run={task.trace_id} round=1 block=")
        for word in ("What is this?", "# Look", "A short look around."):
            assert word in request.prompt
        assert list(await floor.steps(task)) == ["prepare:1", "work:1", "deliver:1"]
        assert floor.leftovers() == []


async def test_a_prompt_without_a_repository_sees_an_empty_folder(workshop):
    async with workshop(ANSWER) as floor:
        task = await floor.worked(await floor.prompted(repository=False, prompt="Say something."))
        assert task.state is TaskState.COMPLETED
        assert (await floor.steps(task))["prepare:1"].output["base"] is None


@pytest.mark.parametrize(
    ("allowed", "given"),
    [(None, ("Read", "Glob", "Grep")), (["Read", "Bash", "Write"], ("Read",)), ([], ())],
    ids=["all by default", "never more than reading", "none"],
)
async def test_the_tools_of_a_prompt_are_narrowed_and_never_widened(workshop, allowed, given):
    async with workshop(ANSWER) as floor:
        await floor.worked(await floor.prompted(prompt="?", allowed_tools=allowed))
        assert floor.fixer.requests[0].tools == given


async def test_a_prompt_may_take_its_own_time_and_money(workshop):
    async with workshop(ANSWER) as floor:
        await floor.worked(await floor.prompted(prompt="?", budget_usd=0.5, timeout_seconds=9))
        (request,) = floor.fixer.requests
        assert (request.budget_usd, request.wall_seconds) == (0.5, 9.0)


async def test_an_empty_answer_is_asked_for_again_and_then_named_and_paid_for(workshop):
    empty = {"task": [{"raw": " \n", "usage": {"cost_usd": 0.1}}]}
    async with workshop(empty) as floor:
        task = await floor.worked(await floor.prompted(prompt="?"))
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "model_empty_answer")
        budgets = [request.budget_usd for request in floor.fixer.requests]
        assert budgets == pytest.approx([2.0, 1.9, 1.8, 1.7, 1.6])
        assert task.cost_usd == pytest.approx(0.5)


async def test_a_prompt_whose_money_is_spent_starts_no_call(workshop):
    async with workshop(ANSWER, budget_usd_per_day=0.0) as floor:
        task = await floor.worked(await floor.prompted(prompt="?"))
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "daily_budget_spent")
        assert floor.fixer.requests == []


async def test_an_answer_is_kept_without_secrets(workshop):
    async with workshop({"task": [{"answer": f"It is {SERVER_SECRET}."}]}) as floor:
        task = await floor.worked(await floor.prompted(prompt="?"))
        assert task.state is TaskState.COMPLETED
        assert SERVER_SECRET not in await floor.everything_kept(task)
