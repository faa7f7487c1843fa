"""Who touched the lines of a trace last, and what came with the release, on a repository with a past."""

import contextlib
from dataclasses import replace

import pytest

from ai_ops.core.identity import run_id
from ai_ops.errors import PermanentError
from ai_ops.flow.task import TaskState
from tests.support import shop
from tests.support.git_server import git, push_files
from tests.support.workshop import SERVER_SECRET, mail_text

pytestmark = pytest.mark.usefixtures("remembered_suites")

ROUNDED = shop.BROKEN.replace("round(sum(stars) / len(stars), 1)", "sum(stars) / len(stars)")


@contextlib.asynccontextmanager
async def with_a_past(workshop, *args, **more):
    """Open a workshop whose average got its decimal by the commit that ``shas[2]`` names."""
    async with workshop(*args, files={shop.MODULE_PATH: ROUNDED}, **more) as floor:
        floor.shas = [
            git("rev-parse", "main", cwd=floor.remote),
            push_files(floor.remote, {"README.md": "# A shop\n"}, message="Say what it is"),
            push_files(floor.remote, {shop.MODULE_PATH: shop.BROKEN}, message="One decimal @all"),
        ]
        yield floor


async def reported(floor, *releases):
    """Let other releases run first; return the task of the shop's error in the last one."""
    *earlier, release = releases
    for number, name in enumerate(earlier):
        other = replace(
            floor.event(f"2026-01-02 03:04:05,678 ERROR [shop] odd thing {number}\n"), release=name
        )
        await floor.tools.issues.ingest([(other, floor.repository)])
    event = replace(floor.event(shop.error()), release=release)
    (task,) = (await floor.tools.issues.ingest([(event, floor.repository)])).tasks
    return task


async def history_in(floor, task):
    """Return what each of the prompts, the pull request and the mail say of the history."""
    (pull,) = await floor.pulls()
    prompts = [await floor.artifact(task, f"{name}-1-prompt") for name in ("reproduce", "fix")]
    return [*prompts, pull.body, mail_text(floor.mails()[0])]


async def test_prompts_pull_request_and_mail_name_who_touched_the_lines_last(workshop):
    async with with_a_past(workshop) as floor:
        task = await floor.repaired()
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        for text in await history_in(floor, task):
            plain = text.replace("`", "").replace("&#64;&#8203;", "@")
            last = f"Ada in {floor.shas[2][:12]}, 2026-01-02: One decimal @all"
            assert f"shop/ratings.py:6: last touched by {last}" in plain
            assert f"shop/ratings.py:11: last touched by Ada in {floor.shas[0][:12]}" in plain
            assert "Seen since" not in plain


async def test_what_came_with_the_release_is_named(workshop):
    async with with_a_past(workshop) as floor:
        first, _, last = floor.shas
        task = await floor.worked(await reported(floor, first, last[:10]))
        for text in await history_in(floor, task):
            plain = text.replace("`", "").replace("&#64;&#8203;", "@")
            assert f"Seen since release {last[:12]}, 2 commits after {first[:12]}; of these:" in plain
            assert plain.count("One decimal @all") == 2
            assert "Say what it is" not in plain


async def test_lines_are_those_of_the_release_that_logged_them(workshop):
    async with with_a_past(workshop) as floor:
        moved = "# A new first line\n" * 5 + shop.BROKEN
        push_files(floor.remote, {shop.MODULE_PATH: moved}, message="A notice")
        task = await floor.worked(await reported(floor, floor.shas[2]))
        prompt = await floor.artifact(task, "reproduce-1-prompt")
        assert "shop/ratings.py:6: last touched by Ada in " + floor.shas[2][:12] in prompt
        assert "A notice" not in prompt


async def test_releases_that_are_no_commits_are_passed_over(workshop):
    async with with_a_past(workshop) as floor:
        task = await floor.worked(await reported(floor, "v1.0", "v1.1"))
        prompt = await floor.artifact(task, "reproduce-1-prompt")
        assert "shop/ratings.py:6: last touched by Ada in " + floor.shas[2][:12] in prompt
        assert "Seen since" not in prompt


async def test_a_history_that_cannot_be_searched_stops_nothing(workshop, monkeypatch):
    async with with_a_past(workshop) as floor:

        async def broken(*_):
            raise PermanentError("git_damaged", "no history")

        monkeypatch.setattr(floor.tools.history, "blame", broken)
        task = await floor.repaired()
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        for text in await history_in(floor, task):
            assert "last touched" not in text


async def test_a_change_that_is_approved_later_still_names_them(workshop):
    script = shop.script({"files": {shop.MODULE_PATH: shop.FIXED}})
    async with with_a_past(workshop, script) as floor:
        floor.gives_its_place_away()
        task = await floor.repaired()
        assert task.state is TaskState.NEEDS_HUMAN_REVIEW
        assert await floor.tools.trace.patch(run_id(task.id, 1), "candidate")
        await floor.worked(await floor.done_to(task, "approve"))
        (pull,) = await floor.pulls()
        for text in (pull.body, *map(mail_text, floor.mails())):
            assert f"in {floor.shas[2][:12]}" in text.replace("`", "")


async def test_what_is_left_alone_names_them_too(workshop):
    script = shop.script() | {"triage": [{"raw": shop.opinion("expected", "It is told to the customer.")}]}
    async with with_a_past(workshop, script, triage_model="small-model") as floor:
        await floor.repaired()
        assert f"last touched by Ada in {floor.shas[2][:12]}" in mail_text(floor.mails()[0])


async def test_a_secret_in_a_commit_is_masked_wherever_it_is_shown(workshop):
    async with with_a_past(workshop) as floor:
        last = shop.BROKEN.replace("1)", "1)  # one decimal")
        push_files(floor.remote, {shop.MODULE_PATH: last}, message=f"Log in with {SERVER_SECRET}")
        task = await floor.repaired()
        for text in await history_in(floor, task):
            assert "Log in with" in text
        assert SERVER_SECRET not in await floor.everything_kept(task)
