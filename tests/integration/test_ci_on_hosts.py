"""CI and people's commits on GitHub and GitLab: the watchers over their real clients and real git."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from ai_ops.core.orchestrator.ci import CiWatch
from ai_ops.core.orchestrator.holding import BRANCH_TAKEN, Holding
from ai_ops.core.orchestrator.watching import Watching
from ai_ops.flow.ci import CiVerdict
from tests.support.ci_host import Queue, open_branch
from tests.support.git_server import push_files
from tests.support.host_settings import BRANCH, WANTED, github_host, gitlab_host


@pytest.fixture(params=[github_host, gitlab_host], ids=["github", "gitlab"])
async def at(request, tmp_path):
    async with request.param(tmp_path / "host") as setting:
        yield setting


class Watched:
    """An open draft of ours on a host, and the round that looks at it."""

    def __init__(self, at, opened, tools):
        self.at, self.opened, self.tools = at, opened, tools
        self.head, self.repository = opened.head_sha, at.repository

    def ci(self, state, sha=""):
        self.at.double.ci(self.at.name, sha or self.head, "test", state)

    async def round(self):
        watchers = (Holding(self.tools), CiWatch(self.tools, Queue()))
        watching = Watching(self.tools.pull_requests, self.tools.hosts, watchers)
        await watching.round()
        assert watching.looks == {(self.repository.code_host, "done"): 1}
        return await self.tools.pull_requests.find("pr-1")

    async def hosted(self):
        return await self.at.host.pull_request(self.repository, self.opened.number)

    async def said(self):
        comments = await self.at.host.comments(self.repository, self.opened.number)
        return [each.body for each in comments if each.ours]


@asynccontextmanager
async def watched(at, folder):
    at.fix()
    opened = await at.host.open_pull_request(at.repository, replace(WANTED, draft=True, reviewers=()))
    base = (await at.git.refresh(at.repository)).sha
    async with open_branch(
        folder / "records",
        repo_key=at.repository.key,
        repo_url=at.repository.url,
        code_host=at.repository.code_host,
        number=opened.number,
        branch=BRANCH,
        base_sha=base,
        head_sha=opened.head_sha,
        draft=True,
        ready_when_green=True,
    ) as one:
        hosts = {at.repository.code_host: at.host}
        one_tools = replace(one.tools, hosts=hosts, git=at.git, history=at.git)
        yield Watched(at, opened, one_tools), base


async def test_a_draft_is_made_ready_on_the_host_once_its_checks_pass(at, tmp_path):
    async with watched(at, tmp_path) as (pull, _):
        pull.ci("pending")
        assert (await pull.round()).ci.verdict is CiVerdict.WAITING
        assert (await pull.hosted()).draft
        pull.ci("passed")
        now = await pull.round()
        assert (now.ci.verdict, now.draft, now.held) == (CiVerdict.GREEN, False, "")
        assert not (await pull.hosted()).draft


async def test_a_failure_of_the_base_is_said_on_the_host_once(at, tmp_path):
    async with watched(at, tmp_path) as (pull, base):
        pull.ci("failed")
        pull.ci("failed", base)
        for _ in range(2):
            assert (await pull.round()).ci.verdict is CiVerdict.THEIRS
        (words,) = await pull.said()
        assert f"so it does on the base, at {base[:12]}" in words


async def test_a_persons_commit_on_the_branch_is_noticed_on_the_host(at, tmp_path):
    async with watched(at, tmp_path) as (pull, _):
        pull.ci("passed")
        push_files(at.bare, {"mine.txt": "hello\n"}, BRANCH)
        for _ in range(2):
            assert (await pull.round()).held.startswith(f"{BRANCH_TAKEN}it holds 1 commit that is not ours")
        assert (await pull.hosted()).draft
        assert len(await pull.said()) == 1
