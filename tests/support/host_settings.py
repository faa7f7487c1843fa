"""The code hosts as the contract suites see them: each over a real bare repository, with people beside it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ai_ops.core.identity import pull_request_id
from ai_ops.core.ports import CodeHost
from ai_ops.flow.pull_request import CommentKind, HostedPullRequest, NewPullRequest, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.store.comments import CommentRepository
from ai_ops.store.database import open_database
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.vcs.credentials import token_credential
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.github import GitHubHost
from ai_ops.vcs.github_account import AppAccount
from ai_ops.vcs.gitlab import GitLabHost
from ai_ops.vcs.local import LocalHost
from tests.support.git_server import create_repository, git, push_files
from tests.support.github_app import APP_ID, key_pair
from tests.support.github_double import GitHubDouble
from tests.support.gitlab_double import GitLabDouble
from tests.support.store import FixedClock, migrated_url, pull_request

TOKEN = "ghp_planted0123456789planted0123456789"
GITLAB_TOKEN = "glpat-planted0123456789planted"
BRANCH = "ai-ops/fix-0123456789ab-1"
WANTED = NewPullRequest(
    BRANCH, "main", "Fix ZeroDivisionError", "The **cause**.\n", labels=("ai-ops",), reviewers=("@ada",)
)

app_keys = cache(key_pair)


@dataclass
class Setting:
    """A code host over one real bare repository; ``name`` is the repository's there."""

    host: CodeHost
    repository: Repository
    bare: Path
    git: GitClient
    name: str = "acme/shop"
    double: GitHubDouble | GitLabDouble | None = None
    records: PullRequestRepository | None = None
    comments: CommentRepository | None = None

    def fix(self, branch: str = BRANCH, line: str = "x = 2") -> str:
        """Push a branch with one commit, as the product does; return the commit."""
        git("branch", branch, "main", cwd=self.bare)
        return push_files(self.bare, {"app.py": f"{line}\n"}, branch)

    async def open(self, wanted: NewPullRequest = WANTED, **changes: Any) -> HostedPullRequest:
        """Push the branch, open its pull request, and keep our record, as the orchestrator does."""
        wanted = replace(wanted, **changes)
        if git("branch", "--list", wanted.branch, cwd=self.bare) == "":
            self.fix(wanted.branch)
        opened = await self.host.open_pull_request(self.repository, wanted)
        await self.record(opened, wanted)
        return opened

    async def record(self, hosted: HostedPullRequest, wanted: NewPullRequest = WANTED) -> None:
        """Keep our record."""
        if self.records is not None:
            key = self.repository.key
            made = pull_request(
                id=pull_request_id(key, hosted.branch),
                repo_key=key,
                number=hosted.number,
                url=hosted.url,
                branch=hosted.branch,
                base=hosted.base,
                head_sha=hosted.head_sha,
                draft=wanted.draft,
                body=wanted.body,
            )
            await self.records.record(made)

    async def close(self, number: int) -> None:
        """Close a pull request as a person would."""
        if self.double is not None:
            self.double.close(self.name, number)
        else:
            await self.records.set_state(await self._recorded(number), PullRequestState.CLOSED)

    async def merge(self, number: int) -> str:
        """Merge a pull request as a person would."""
        if self.double is not None:
            return self.double.merge(self.name, number)
        record = await self.records.find(await self._recorded(number))
        return await self.host.merge_pull_request(self.repository, record)

    async def say(self, number: int, login: str, body: str) -> None:
        """Comment as a person would."""
        if self.double is not None:
            self.double.say(self.name, number, login, body)
        else:
            await self.comments.add(await self._recorded(number), login, body, ours=False, key=body)

    async def _recorded(self, number: int) -> str:
        return (await self.records.find_by_number(self.repository.key, number)).id


def kinds(comments: Any) -> list[CommentKind]:
    """Return the kinds of comments."""
    return [comment.kind for comment in comments]


@contextlib.asynccontextmanager
async def local_host(folder: Path) -> AsyncIterator[Setting]:
    """A plain git remote and our own records."""
    bare = create_repository(folder / "remote", "acme/shop", {"app.py": "x = 1\n"})
    client = GitClient(folder / "mirrors", lambda _: None, allow_file=True)
    database = await open_database(migrated_url(folder))
    try:
        records = PullRequestRepository(database, FixedClock())
        comments = CommentRepository(database, FixedClock())
        host = LocalHost(records, comments, client)
        repository = Repository("local/acme/shop", str(bare), "local")
        yield Setting(host, repository, bare, client, records=records, comments=comments)
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def github_host(folder: Path) -> AsyncIterator[Setting]:
    """GitHub, with a token."""
    double = GitHubDouble(folder / "remote", TOKEN)
    async with double.running():
        host = GitHubHost(double.api_url, TOKEN, timeout_seconds=5)
        yield _hosted(folder, double, "github", "acme/shop", double.url, host, lambda _: TOKEN)


@contextlib.asynccontextmanager
async def github_app_host(folder: Path) -> AsyncIterator[Setting]:
    """GitHub, as an App; there is no token but those of its installations."""
    private, public = app_keys()
    double = GitHubDouble(folder / "remote", "")
    double.app_key = public
    async with double.running():
        account = AppAccount(double.api_url, APP_ID, private, timeout_seconds=5)
        host = GitHubHost(double.api_url, account, timeout_seconds=5)
        double.git.token = double.token = "no-token-but-those-of-the-app"
        yield _hosted(folder, double, "github", "acme/shop", double.url, host, account.token)


@contextlib.asynccontextmanager
async def gitlab_host(folder: Path) -> AsyncIterator[Setting]:
    """GitLab, with a project in a group."""
    async with _gitlab(folder, "", "acme/shop") as setting:
        yield setting


@contextlib.asynccontextmanager
async def gitlab_below_host(folder: Path) -> AsyncIterator[Setting]:
    """GitLab served below a path, with a project in a group of a group."""
    async with _gitlab(folder, "/forge", "acme/web.apps/shop") as setting:
        yield setting


@contextlib.asynccontextmanager
async def _gitlab(folder: Path, relative_root: str, name: str) -> AsyncIterator[Setting]:
    double = GitLabDouble(folder / "remote", GITLAB_TOKEN, relative_root)
    async with double.running():
        host = GitLabHost(double.base_url, GITLAB_TOKEN, timeout_seconds=5)
        yield _hosted(folder, double, "gitlab", name, double.base_url, host, lambda _: GITLAB_TOKEN)


def _hosted(
    folder: Path,
    double: GitHubDouble | GitLabDouble,
    kind: str,
    name: str,
    root: str,
    host: CodeHost,
    token: Callable[[str], str],
) -> Setting:
    bare = create_repository(double.root, name, {"app.py": "x = 1\n"})
    at = double.url.removeprefix("http://")
    repository = Repository(f"{root.removeprefix('http://')}/{name}", f"{root}/{name}", kind)
    client = GitClient(
        folder / "mirrors",
        lambda _: token_credential(kind, token(name)),
        http_hosts=[at],
        is_named=lambda _: True,
    )
    return Setting(host, repository, bare, client, name, double)


HOSTED = [github_host, github_app_host, gitlab_host, gitlab_below_host]
HOSTED_IDS = ["github", "github-app", "gitlab", "gitlab-below-a-path"]
