"""The doubles are as the hosts describe themselves, and come back as they were when they are killed."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import pytest

from ai_ops.errors import AiOpsError
from ai_ops.flow.repository import Repository
from ai_ops.vcs.github import GitHubHost
from ai_ops.vcs.gitlab import GitLabHost
from tests.support import openapi
from tests.support.api_double import Exchange
from tests.support.git_server import create_repository, git, push_files
from tests.support.host_settings import BRANCH, HOSTED, HOSTED_IDS, TOKEN, WANTED

# GraphQL, the storage that job logs lie in, and two paths that the cut description leaves out.
_OUTSIDE = ("/api/graphql", "/storage/", "/logs", "/annotations")


@pytest.fixture(params=HOSTED, ids=HOSTED_IDS)
async def at(request, tmp_path):
    async with request.param(tmp_path) as setting:
        yield setting


async def test_every_exchange_is_as_the_host_describes_it(at):
    await use_everything(at)
    description = openapi.gitlab() if at.repository.code_host == "gitlab" else openapi.github()
    root = getattr(at.double, "relative_root", "")
    seen = set()
    for exchange in at.double.exchanges:
        if any(part in exchange.path for part in _OUTSIDE):
            continue
        path = exchange.path.removeprefix(root)
        seen.add((exchange.method, path))
        shown = Exchange(**{**vars(exchange), "path": path})
        assert description.problems(shown) == [], f"{exchange.method} {path} {exchange.body}"
    assert len(seen) >= 15


async def use_everything(at):
    """Call every method of the port, with and without success."""
    host, repository, double = at.host, at.repository, at.double
    await host.check()
    opened = await at.open(draft=True)
    number, sha = opened.number, opened.head_sha
    double.say(at.name, number, "ada", "Please.")
    double.on_line(at.name, number, "ada", "app.py", 1, "Why?")
    double.review(at.name, number, "grace", "Not so.")
    double.ci(at.name, sha, "tests", "failed")
    double.ci(at.name, sha, "lint", "passed", status=True)
    listed = await host.comments(repository, number)
    thread = next(comment.thread for comment in listed if comment.path)
    await host.comments(repository, number, listed[-1].created_at)
    await host.comment(repository, number, "Below.", marker="a")
    await host.comment(repository, number, "There.", marker="b", reply_to=thread)
    for check in (await host.checks(repository, sha)).runs:
        await host.check_log(repository, check)
    await host.request_reviewers(repository, number, ["grace", "@acme/platform", "stranger"])
    await host.update_pull_request(repository, number, body="Another.", draft=False)
    await host.login_of(repository, sha, "ada@example.test")
    await host.may_write(repository, "ada")
    await host.pull_request(repository, number)
    await host.close_pull_request(repository, number)
    await host.find_pull_request(repository, BRANCH, "main")
    for refused in (
        host.pull_request(repository, 999),
        host.open_pull_request(repository, WANTED.__class__("none", "main", "T", "B")),
    ):
        with contextlib.suppress(AiOpsError):
            await refused
    if at.repository.code_host == "github" and double.token == TOKEN:
        await asyncio.to_thread(ask_for_the_rest, double)


def ask_for_the_rest(double):
    """Ask what the host does not ask but other tests may."""
    import github

    with contextlib.closing(
        github.Github(auth=github.Auth.Token(TOKEN), base_url=double.api_url, retry=None)
    ) as api:
        repository = api.get_repo("acme/shop")
        assert repository.default_branch == "main"
        assert repository.get_git_ref(f"heads/{BRANCH}").object.sha
        pull = repository.get_pull(1)
        pull.edit(title="Another title", state="open")
        assert pull.title == "Another title"
        assert [found.number for found in api.search_issues('"Another"')] == [1]
        assert pull.merge().merged


DOUBLES = [
    pytest.param("github_double", GitHubHost, "/api/v3", "github", id="github"),
    pytest.param("gitlab_double", GitLabHost, "", "gitlab", id="gitlab"),
]


@pytest.mark.parametrize(("module", "build", "api", "kind"), DOUBLES)
async def test_a_double_that_was_killed_comes_back_with_its_pull_requests(tmp_path, module, build, api, kind):
    root = tmp_path / "remote"
    bare = create_repository(root, "acme/shop", {"app.py": "x = 1\n"})
    git("branch", BRANCH, "main", cwd=bare)
    push_files(bare, {"app.py": "x = 2\n"}, BRANCH)

    async def with_double(work):
        argv = [sys.executable, "-m", f"tests.support.{module}", "--root", str(root), "--token", TOKEN]
        child = await asyncio.create_subprocess_exec(
            *argv, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        try:
            url = (await child.stdout.readline()).decode().split()[-1]
            repository = Repository(f"{url.removeprefix('http://')}/acme/shop", "", kind)
            return await work(build(f"{url}{api}", TOKEN), repository)
        finally:
            child.send_signal(signal.SIGKILL)
            await child.wait()

    opened = await with_double(lambda host, repository: host.open_pull_request(repository, WANTED))
    found = await with_double(lambda host, repository: host.find_pull_request(repository, BRANCH, "main"))
    assert (found.number, found.head_sha) == (opened.number, opened.head_sha)
