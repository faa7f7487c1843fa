"""A merged fix that did not hold is not made again, and the fixer is told of it."""

import pytest

from tests.support import shop
from tests.support.git_server import push_files
from tests.support.workshop import mail_text

pytestmark = pytest.mark.usefixtures("remembered_suites")

FAILED = "## What did not mend it"


async def merged(floor):
    """Let the shop's error be repaired, merge that, and take it back by hand; return its pull request."""
    await floor.repaired()
    (pull,) = await floor.pulls()
    await floor.tools.hosts["local"].merge_pull_request(floor.repository, pull)
    push_files(floor.remote, {shop.MODULE_PATH: shop.BROKEN, shop.TEST_PATH: None}, message="Revert")
    return pull


def asked(floor, purpose="fix"):
    return [request.prompt for request in floor.fixer.requests if request.purpose == purpose]


async def test_the_change_that_did_not_mend_an_error_is_refused_the_next_time(workshop):
    async with workshop() as floor:
        pull = await merged(floor)
        (before,) = asked(floor)
        task = await floor.worked(await floor.came_back())
        assert (task.episode, task.state) == (2, "needs_human_review")
        assert [reason.rule for reason in task.proof.reasons] == ["same_fix_again"]
        assert "merged in episode 1" in task.outcome_reason
        assert [each.id for each in await floor.pulls()] == [pull.id]
        after = asked(floor)[1:]
        assert FAILED not in before and len(after) == 2  # it was told, and asked once more
        assert all(FAILED in prompt and "if not stars:" in prompt for prompt in after)
        assert "same_fix_again" in after[1]
        assert any("same_fix_again" in mail_text(mail) for mail in floor.mails())


async def test_another_change_is_taken_although_one_has_failed(workshop):
    script = shop.script({"files": {shop.MODULE_PATH: shop.FIXED}})
    async with workshop(script) as floor:
        await merged(floor)
        floor.fixer.answers_with(shop.script({"files": {shop.MODULE_PATH: shop.FIXED_OTHERWISE}}))
        task = await floor.worked(await floor.came_back())
        assert (task.episode, task.proof.verdict, task.outcome_reason) == (
            2,
            "proved",
            "a pull request was opened",
        )
