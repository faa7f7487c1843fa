"""The local host says of an open pull request what its remote says: the head, and whether it conflicts."""

import pytest

from ai_ops.flow.pull_request import PullRequestState
from tests.support.ci_host import BRANCH, FILES, open_branch
from tests.support.git_server import git


async def asked(one):
    return await one.host.pull_request(one.repository, 1)


async def test_the_head_is_what_the_branch_holds_whoever_pushed_it(tmp_path):
    async with open_branch(tmp_path) as one:
        assert (await asked(one)).head_sha == one.head
        theirs = one.pushed({"mine.txt": "hello\n"}, BRANCH)
        assert (await asked(one)).head_sha == theirs
        git("update-ref", "-d", f"refs/heads/{BRANCH}", cwd=one.remote)
        assert (await asked(one)).head_sha == ""


@pytest.mark.parametrize(
    ("files", "conflicts"),
    [
        pytest.param({"notes.txt": "two\n"}, False, id="another file"),
        pytest.param({"cart.py": FILES["cart.py"].replace("sum", "fsum")}, True, id="the same line"),
        pytest.param({"cart.py": None}, True, id="the file is gone"),
    ],
)
async def test_it_conflicts_where_git_cannot_bring_branch_and_base_together(tmp_path, files, conflicts):
    async with open_branch(tmp_path) as one:
        assert not (await asked(one)).conflicts
        one.pushed(files)
        assert (await asked(one)).conflicts is conflicts


async def test_of_one_that_is_over_the_record_alone_is_asked(tmp_path):
    async with open_branch(tmp_path) as one:
        await one.tools.pull_requests.set_state("pr-1", PullRequestState.CLOSED)
        git("update-ref", "-d", f"refs/heads/{BRANCH}", cwd=one.remote)
        hosted = await asked(one)
        assert (hosted.state, hosted.head_sha) == (PullRequestState.CLOSED, one.head)
