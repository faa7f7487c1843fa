"""Tasks on a real database: one for each wish, and only along the table of transitions."""

import asyncio
from functools import partial

import pytest

from ai_ops.core.ports import NewTask, TaskFilter
from ai_ops.core.verbs import Change, decide
from ai_ops.errors import PermanentError
from ai_ops.flow.notification import Notification
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import TRANSITIONS, Proof, Reason, TaskState, Verdict
from ai_ops.store.outbox import OutboxRepository
from ai_ops.store.pull_requests import PullRequestRepository
from tests.support.store import APP, START, denial, event, fingerprint, pairs, pull_request


def wish(number: int = 1, *, make=event, **changes) -> NewTask:
    values = {"kind": "repair", "repository": APP, "priority": "high", "payload": {"fix_mode": "agentic"}}
    return NewTask(**{**values, "event": make(number), **changes})


def prompt(**changes) -> NewTask:
    values = {"kind": "prompt", "repository": None, "priority": "normal", "payload": {"prompt": "Look"}}
    return NewTask(**{**values, **changes})


async def finish(tasks, task, end=TaskState.COMPLETED):
    await tasks.move(task.id, TaskState.PROCESSING)
    return await tasks.move(task.id, end)


async def test_a_wish_makes_an_issue_and_its_repair(tasks, issues):
    created = await tasks.create(wish())
    (issue,) = (await issues.list()).items
    assert created.created
    assert created.task == await tasks.find(created.task.id)
    assert (created.task.issue_id, created.task.priority) == (issue.id, "high")
    assert created.task.payload == {"requested_by": "person", "fix_mode": "agentic"}
    assert issue.count == 1


async def test_a_wish_is_not_refused_by_triage_which_is_recorded(tasks, issues):
    assert (await tasks.create(wish(make=denial))).created
    (issue,) = (await issues.list()).items
    assert not issue.triage.repair
    assert issue.triage.reason


@pytest.mark.parametrize("state", [state for state in TaskState if not state.final])
async def test_a_second_wish_gets_the_task_that_is_not_final_and_a_reason(tasks, issues, state):
    (task,) = (await issues.ingest(pairs(event()))).tasks
    if state is not TaskState.PENDING:
        await tasks.move(task.id, TaskState.PROCESSING)
    if state not in (TaskState.PENDING, TaskState.PROCESSING):
        await tasks.move(task.id, state)
    again = await tasks.create(wish())
    assert (again.created, again.task.id) == (False, task.id)
    assert again.reason
    assert (await issues.list()).items[0].count == 2


@pytest.mark.parametrize(
    ("state", "created"),
    [
        (PullRequestState.OPEN, False),
        (PullRequestState.CLOSED, False),
        (PullRequestState.MERGED, True),
        (None, True),
    ],
)
async def test_after_the_end_the_pull_request_decides(tasks, database, clock, state, created):
    first = (await tasks.create(wish())).task
    await finish(tasks, first)
    if state:
        await PullRequestRepository(database, clock).record(
            pull_request(fingerprint=fingerprint(1), episode=1, state=state)
        )
    again = await tasks.create(wish())
    assert again.created is created
    assert (again.task.id == first.id) is not created
    assert again.task.episode == (2 if created else 1)
    assert bool(again.reason) is not created


async def test_fifty_wishes_at_once_for_one_error_make_one_task(tasks):
    answers = await asyncio.gather(*(tasks.create(wish()) for _ in range(50)))
    assert sum(answer.created for answer in answers) == 1
    assert len({answer.task.id for answer in answers}) == 1


async def test_wishes_and_events_at_once_make_one_task(tasks, issues):
    await asyncio.gather(
        *(tasks.create(wish()) for _ in range(10)), *(issues.ingest(pairs(event())) for _ in range(10))
    )
    assert len((await tasks.list(TaskFilter())).items) == 1
    assert (await issues.list()).items[0].count == 20


@pytest.mark.parametrize("new", [wish, prompt], ids=["repair", "prompt"])
async def test_an_idempotency_key_means_one_task(tasks, new):
    first = await tasks.create(new(idempotency_key="k\ud800" * 500))
    again = await tasks.create(new(idempotency_key="k\ud800" * 500))
    assert (first.created, again.created, again.task) == (True, False, first.task)
    assert again.reason
    assert (await tasks.create(prompt(idempotency_key="other"))).created


async def test_a_key_that_was_answered_with_an_existing_task_keeps_that_answer(tasks):
    first = await tasks.create(wish())
    assert (await tasks.create(wish(idempotency_key="k"))).task.id == first.task.id
    await finish(tasks, first.task)
    assert (await tasks.create(wish(idempotency_key="k"))).task.id == first.task.id


async def test_prompts_are_never_joined(tasks):
    assert (await tasks.create(prompt())).task.id != (await tasks.create(prompt())).task.id


async def test_a_repair_without_an_error_is_refused(tasks):
    with pytest.raises(PermanentError, match="invalid_task"):
        await tasks.create(wish(event=None))


async def test_a_follow_up_takes_over_what_its_pull_request_is_about(tasks, database, clock):
    await PullRequestRepository(database, clock).record(pull_request())
    new = prompt(kind="follow_up", repository=APP, payload={"pull_request_id": "pr-1"})
    task = (await tasks.create(new)).task
    assert (task.kind, task.pull_request_id, task.fingerprint, task.episode) == (
        "follow_up", "pr-1", fingerprint(1), 1,
    )  # fmt: skip
    with pytest.raises(PermanentError, match="pull_request_not_found"):
        await tasks.create(prompt(kind="follow_up", payload={"pull_request_id": "none"}))


PATHS = {
    TaskState.PENDING: [],
    TaskState.PROCESSING: [TaskState.PROCESSING],
    TaskState.PAUSED: [TaskState.PAUSED],
    TaskState.CANCELLED: [TaskState.CANCELLED],
    **{
        state: [TaskState.PROCESSING, state]
        for state in (
            TaskState.WAITING_UNBAN,
            TaskState.RETRYING,
            TaskState.NEEDS_HUMAN_REVIEW,
            TaskState.COMPLETED,
            TaskState.FAILED,
        )
    },
}


@pytest.mark.parametrize("start", list(TaskState))
async def test_every_transition_of_the_table_and_no_other_is_made(tasks, start):
    for to in TaskState:
        task = (await tasks.create(prompt())).task
        for state in PATHS[start]:
            await tasks.move(task.id, state)
        if to in TRANSITIONS[start]:
            assert (await tasks.move(task.id, to)).state is to
            assert (await tasks.find(task.id)).state is to
        else:
            with pytest.raises(PermanentError) as refused:
                await tasks.move(task.id, to, outcome_reason="changed")
            assert refused.value.code == "illegal_transition"
            found = await tasks.find(task.id)
            assert (found.state, found.outcome_reason) == (start, "")


async def test_of_two_movers_one_wins(tasks):
    task = (await tasks.create(prompt())).task
    answers = await asyncio.gather(
        *(tasks.move(task.id, TaskState.PROCESSING) for _ in range(10)), return_exceptions=True
    )
    assert sum(not isinstance(answer, PermanentError) for answer in answers) == 1


async def test_a_move_changes_other_fields_in_the_same_commit(tasks, clock):
    task = (await tasks.create(prompt())).task
    clock.forward(5)
    proof = Proof(Verdict.UNPROVED, (Reason("no_red", "", "it never failed"),))
    failure = {"code": "x", "message": "y\x00" * 9000, "next_step": ""}
    moved = await tasks.move(
        task.id, TaskState.FAILED, proof=proof, failure=failure, cost_usd=0.5, trace_id="r"
    )
    found = await tasks.find(task.id)
    assert (found.proof, found.cost_usd, found.trace_id, found.updated_at) == (proof, 0.5, "r", clock.now())
    assert moved.updated_at == clock.now()
    assert len(found.failure["message"]) <= 8192


async def test_an_update_leaves_the_state_and_the_names_alone(tasks):
    task = (await tasks.create(prompt())).task
    assert (await tasks.update(task.id, cancel_requested=True)).cancel_requested
    assert (await tasks.find(task.id)).cancel_requested
    for name in ("state", "id", "kind", "nonsense"):
        with pytest.raises(TypeError):
            await tasks.update(task.id, **{name: "x"})
    for call in (tasks.update("none"), tasks.move("none", TaskState.PAUSED)):
        with pytest.raises(PermanentError, match="task_not_found"):
            await call


async def test_unfinished_are_those_a_worker_has_or_should_have(tasks):
    for state, path in PATHS.items():
        task = (await tasks.create(prompt(payload={"at": state}))).task
        for step in path:
            await tasks.move(task.id, step)
    assert {task.state for task in await tasks.unfinished()} == {
        "pending", "processing", "retrying", "waiting_unban",
    }  # fmt: skip


async def test_lists_are_narrowed_and_paged(tasks, issues):
    repair = (await tasks.create(wish())).task
    for _ in range(5):
        await tasks.create(prompt())
    first = await tasks.list(TaskFilter(kinds=("prompt",)), limit=3)
    rest = await tasks.list(TaskFilter(kinds=("prompt",)), limit=3, cursor=first.next_cursor)
    assert len({task.id for task in (*first.items, *rest.items)}) == 5
    assert rest.next_cursor is None
    await tasks.move(repair.id, TaskState.PAUSED)
    for wanted in (
        TaskFilter(states=("paused", "failed")),
        TaskFilter(priorities=("high",)),
        TaskFilter(issue_id=repair.issue_id),
    ):
        assert [task.id for task in (await tasks.list(wanted)).items] == [repair.id]


def a_mail(key: str = "failed:1") -> Notification:
    return Notification(
        key, f"<{key}@x>", ("on-call@example.com",), "It failed", "text", "<p>html</p>", START
    )


async def test_a_mail_enters_the_outbox_with_the_move_and_only_with_it(database, tasks):
    outbox = OutboxRepository(database)
    task = (await tasks.create(prompt())).task
    with pytest.raises(PermanentError):
        await tasks.move(task.id, TaskState.COMPLETED, mail=a_mail())
    assert (await outbox.list()).items == ()
    await tasks.move(task.id, TaskState.FAILED, mail=a_mail())
    assert [mail.key for mail in (await outbox.list()).items] == ["failed:1"]


async def test_a_mail_that_is_kept_already_is_not_kept_twice(database, tasks):
    outbox = OutboxRepository(database)
    await outbox.put(a_mail())
    task = (await tasks.create(prompt())).task
    await tasks.move(task.id, TaskState.FAILED, mail=a_mail())
    assert len((await outbox.list()).items) == 1
    assert (await tasks.find(task.id)).state is TaskState.FAILED


async def test_tasks_are_counted_by_state(tasks):
    made = [(await tasks.create(prompt())).task for _ in range(3)]
    assert await tasks.counts() == {TaskState.PENDING: 3}
    await tasks.move(made[0].id, TaskState.PROCESSING)
    assert await tasks.counts() == {TaskState.PENDING: 2, TaskState.PROCESSING: 1}


async def test_a_verb_is_decided_on_what_the_task_is_by_then_and_many_at_once_are_one(tasks):
    task = (await tasks.create(prompt())).task
    await tasks.move(task.id, TaskState.FAILED)
    done = await asyncio.gather(*(tasks.act(task.id, partial(decide, "retry")) for _ in range(8)))
    assert [change.to for _, change in done].count(TaskState.PENDING) == 1
    assert (await tasks.find(task.id)).run_number == 2


async def test_what_a_rule_refuses_changes_nothing(tasks):
    task = (await tasks.create(prompt())).task
    for rule in (partial(decide, "approve"), lambda _: Change(TaskState.COMPLETED)):
        with pytest.raises(PermanentError) as refused:
            await tasks.act(task.id, rule)
        assert refused.value.code == "illegal_transition"
    assert await tasks.find(task.id) == task


@pytest.mark.parametrize("end", [TaskState.COMPLETED, TaskState.FAILED, TaskState.RETRYING])
async def test_a_run_that_a_later_one_follows_has_no_say_over_the_task(tasks, end):
    task = (await tasks.create(prompt())).task
    await tasks.move(task.id, TaskState.CANCELLED)
    await tasks.act(task.id, partial(decide, "retry"))
    await tasks.move(task.id, TaskState.PROCESSING, only_run=2)
    with pytest.raises(PermanentError, match="illegal_transition: Run 1 has no say"):
        await tasks.move(task.id, end, only_run=1)
    assert (await tasks.find(task.id)).state is TaskState.PROCESSING
