"""A run that fails or is withheld tells a person: one mail, whatever dies, and a line in the log."""

import logging

import pytest

from ai_ops.core import model_failures as failures
from ai_ops.core.identity import message_id, run_id
from ai_ops.core.orchestrator.worker import Worker
from ai_ops.engine.memory import MemorySteps
from ai_ops.errors import PermanentError
from ai_ops.flow.task import TaskState
from tests.support import shop
from tests.support.workshop import SERVER_SECRET, mail_text

pytestmark = pytest.mark.usefixtures("remembered_suites")

PUSH_REFUSED = PermanentError("push_refused", "the remote refuses", next_step="Give the bot write access.")
NO_FIX = {"files": {shop.MODULE_PATH: shop.BROKEN + "\n# mended\n"}}
SWALLOWED = {"files": {shop.MODULE_PATH: shop.BROKEN.replace(
    "    return round(sum(stars) / len(stars), 1)",
    "    try:\n        return round(sum(stars) / len(stars), 1)\n    except ZeroDivisionError:\n        pass",
)}}  # fmt: skip


def refuse_to_push(floor, failure=PUSH_REFUSED):
    async def push(*_):
        raise failure

    floor.tools.git.push = push


async def delivered(floor):
    await floor.tools.mailroom.deliver_due()
    return floor.mails()


def warnings(caplog):
    ours = [record for record in caplog.records if record.name == "ai_ops.core.orchestrator.failing"]
    return [record.getMessage() for record in ours if record.levelno == logging.WARNING]


async def test_a_failed_run_is_told_by_one_mail_with_reason_next_step_evidence_cost_and_link(workshop):
    async with workshop() as floor:
        refuse_to_push(floor)
        task = await floor.repaired()
        assert task.state is TaskState.FAILED
        (mail,) = await delivered(floor)

        title = "ZeroDivisionError in average (/srv/shop/shop/ratings.py)"
        assert mail["Subject"] == f"[AI-Ops] Failed (push_refused): [shop] {title}"
        assert mail["Message-ID"] == message_id(f"failed:{task.id}:1")
        text = mail_text(mail)
        for words in (
            "The run failed.", "push_refused: the remote refuses", "Give the bot write access.",
            "reproduce: done", "push: failed, the remote refuses", "ZeroDivisionError: division by zero",
            "0.0000 USD", f"http://ai-ops.test/v1/tasks/{task.id}",
        ):  # fmt: skip
            assert words in text
        html = mail.get_body(("html",)).get_content()
        assert "Give the bot write access." in html
        assert f"http://ai-ops.test/v1/tasks/{task.id}" in html


async def test_each_failed_run_of_a_task_has_a_mail_of_its_own(workshop):
    async with workshop() as floor:
        refuse_to_push(floor)
        task = await floor.worked(await floor.done_to(await floor.repaired(), "retry"))
        assert task.state is TaskState.FAILED
        ids = {mail["Message-ID"] for mail in await delivered(floor)}
        assert ids == {message_id(f"failed:{task.id}:{number}") for number in (1, 2)}


async def test_a_failed_prompt_task_is_told_too(workshop):
    async with workshop(failures=(failures.failure("model_auth_failed"),)) as floor:
        task = await floor.worked(await floor.prompted(prompt="Look", name="Review utils"))
        assert task.state is TaskState.FAILED
        (mail,) = await delivered(floor)
        assert mail["Subject"] == "[AI-Ops] Failed (model_auth_failed): Task Review utils"
        assert "Evidence" not in mail_text(mail)
        assert task.failure["next_step"] in mail_text(mail)


async def test_a_run_that_breaks_where_nobody_foresaw_it_is_told_too(workshop):
    async with workshop() as floor:
        refuse_to_push(floor, KeyError("surprise"))
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "internal_error")
        (mail,) = await delivered(floor)
        assert "Failed (internal_error)" in mail["Subject"]


async def test_a_failure_is_one_line_of_the_log_without_secrets(workshop, caplog):
    async with workshop() as floor:
        refuse_to_push(floor, PermanentError("push_refused", f"no\n\x1b[2J{SERVER_SECRET}"))
        task = await floor.repaired()
        (told,) = warnings(caplog)
        assert told.startswith(f"task {task.id} ended as failed (push_refused): no [2J***")
        assert told.isprintable()
        assert SERVER_SECRET not in told
        assert all(SERVER_SECRET not in mail_text(mail) for mail in await delivered(floor))


class Gone(BaseException):
    """The process is gone, as far as the code can tell."""


@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
async def test_a_crash_at_the_end_of_a_failed_run_neither_loses_nor_doubles_the_mail(workshop, committed):
    async with workshop() as floor:
        refuse_to_push(floor)
        task, move = await floor.reported(), floor.tools.tasks.move

        async def dying(task_id, to, **changes):
            if to is not TaskState.FAILED:
                return await move(task_id, to, **changes)
            if committed:
                await move(task_id, to, **changes)
            raise Gone

        floor.tools.tasks.move = dying
        with pytest.raises(Gone):
            await Worker(floor.tools)(task.id, 1, MemorySteps(floor.tools.trace, run_id(task.id, 1)))
        assert len(await delivered(floor)) == int(committed)

        floor.tools.tasks.move = move
        task = await floor.worked(await floor.found(task)) if not committed else await floor.found(task)
        assert task.state is TaskState.FAILED
        (mail,) = await delivered(floor)
        assert mail["Message-ID"] == message_id(f"failed:{task.id}:1")


async def test_a_run_that_failed_once_and_ends_well_after_a_crash_sends_no_mail_of_failure(workshop):
    async with workshop() as floor:
        task, move, push = await floor.reported(), floor.tools.tasks.move, floor.tools.git.push
        refuse_to_push(floor)

        async def dying(task_id, to, **changes):
            if to is TaskState.FAILED:
                raise Gone
            return await move(task_id, to, **changes)

        floor.tools.tasks.move = dying
        with pytest.raises(Gone):
            await Worker(floor.tools)(task.id, 1, MemorySteps(floor.tools.trace, run_id(task.id, 1)))
        floor.tools.tasks.move, floor.tools.git.push = move, push
        task = await floor.worked(await floor.found(task))
        assert task.state is TaskState.COMPLETED
        assert ["Failed" in mail["Subject"] for mail in await delivered(floor)] == [False]


async def test_a_task_that_was_cancelled_meanwhile_is_not_told_as_failed(workshop, caplog):
    async with workshop() as floor:
        task = await floor.reported()

        async def cancelled_and_refused(*_):
            await floor.tools.tasks.move(task.id, TaskState.CANCELLED)
            raise PUSH_REFUSED

        floor.tools.git.push = cancelled_and_refused
        task = await floor.worked(task)
        assert task.state is TaskState.CANCELLED
        assert await delivered(floor) == []
        assert warnings(caplog) == []


async def test_a_broken_mail_does_not_keep_a_task_from_failing(workshop):
    async with workshop() as floor:
        refuse_to_push(floor)

        def broken(*_):
            raise KeyError("template")

        floor.tools.mailroom.render = broken
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "push_refused")


@pytest.mark.parametrize(
    ("fix", "code", "next_step"),
    [
        ({"files": {shop.MODULE_PATH: shop.FIXED}}, "reproduced", "ai-ops task approve"),
        (NO_FIX, "still_failing", "Nothing of it can be published"),
        (SWALLOWED, "swallowed_exception", "Nothing of it can be published"),
    ],
    ids=["too many are open", "refuted", "blocked"],
)
async def test_a_withheld_run_says_what_a_person_can_do(workshop, caplog, fix, code, next_step):
    async with workshop(shop.script(fix), max_rounds=1) as floor:
        floor.gives_its_place_away()
        task = await floor.repaired()
        assert task.state is TaskState.NEEDS_HUMAN_REVIEW
        (mail,) = await delivered(floor)
        assert mail["Subject"].startswith("[AI-Ops] Needs review: [shop] ")
        assert next_step in mail_text(mail)
        assert task.id in mail_text(mail)
        (told,) = warnings(caplog)
        assert told.startswith(f"task {task.id} ended as needs_human_review ({code}): ")


async def test_a_run_that_goes_well_is_told_by_its_beginning_and_its_end(workshop, caplog):
    caplog.set_level(logging.INFO, "ai_ops.core.orchestrator")
    async with workshop() as floor:
        task = await floor.repaired()
        assert task.state is TaskState.COMPLETED
        pull = await floor.tools.pull_requests.find(task.pull_request_id)
        assert [record.getMessage() for record in caplog.records if task.id in record.getMessage()] == [
            f"task {task.id}: run 1 begins; its trace is {run_id(task.id, 1)}",
            f"task {task.id} ended as completed: a pull request was opened; pull request {pull.id} "
            f"on branch {pull.branch}",
        ]
