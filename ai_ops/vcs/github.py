"""The ``CodeHost`` port on GitHub and GitHub Enterprise, with PyGithub.

PyGithub blocks, so each call runs in a thread. Its retries are off: it would repeat a POST whose
answer was lost. Instead every effect looks before it creates, and looks again after a failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

import github
from github.Repository import Repository as GithubRepository

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.flow.pull_request import (
    Check,
    Checks,
    HostedComment,
    HostedPullRequest,
    NewPullRequest,
    PullRequest,
)
from ai_ops.flow.repository import Repository
from ai_ops.vcs import github_checks, github_pulls
from ai_ops.vcs.github_account import DEFAULT_BASE_URL, GitHubAccount, TokenAccount, api
from ai_ops.vcs.github_comments import GitHubComments
from ai_ops.vcs.github_conditional import Conditional
from ai_ops.vcs.github_failures import VENDOR_ERRORS, named
from ai_ops.vcs.hosting import Remembered

T = TypeVar("T")

_REMEMBERED_SECONDS = 300.0  # who may write, and who we are
_MAY_WRITE = ("write", "admin")  # GitHub gives "maintain" as write and "triage" as read


def home_of(base_url: str) -> str:
    """Return the ``host[:port]`` of the repositories that an API root serves."""
    root = urlsplit(base_url or DEFAULT_BASE_URL)
    host = root.netloc.lower()
    if host == "api.github.com" or host.endswith(".ghe.com"):
        host = host.removeprefix("api.")
    return host.removesuffix(":443" if root.scheme == "https" else ":80")


class GitHubHost:
    """Pull requests on GitHub.

    Args:
        base_url: API root; for GitHub Enterprise ``https://host/api/v3``.
        account: who we are: an ``AppAccount``, or a token, or a function that returns the one to use now.
        timeout_seconds: the longest that one request may wait.
    """

    def __init__(
        self, base_url: str, account: GitHubAccount | Callable[[], str] | str, *, timeout_seconds: int = 10
    ) -> None:
        self._base_url = base_url.rstrip("/") or DEFAULT_BASE_URL
        self._timeout = timeout_seconds
        if isinstance(account, str) or callable(account):
            account = TokenAccount(self._base_url, account, timeout_seconds)
        self._account: GitHubAccount = account
        self._answers = Conditional()
        self._own_login: Remembered[str, str] = Remembered(_REMEMBERED_SECONDS)
        self._writers: Remembered[tuple[str, str], bool] = Remembered(_REMEMBERED_SECONDS)

    async def find_pull_request(
        self, repository: Repository, branch: str, base: str
    ) -> HostedPullRequest | None:
        """Return the newest pull request of a head branch in any state; an open one first."""
        name = self._full_name(repository)
        return await self._call(name, lambda at: github_pulls.find(at, name, branch, base))

    async def open_pull_request(self, repository: Repository, wanted: NewPullRequest) -> HostedPullRequest:
        """Open a pull request, or adopt the one that the branch already has, whatever its state.

        Labels and reviewers are a courtesy: when GitHub refuses them, that is logged and the pull
        request stands.
        """
        name = self._full_name(repository)
        return await self._call(name, lambda at: github_pulls.open_one(at, name, wanted))

    async def merge_pull_request(self, repository: Repository, pull_request: PullRequest) -> str:
        """Refuse: on GitHub people merge."""
        raise failed(
            "merge_on_host",
            "pull requests on GitHub are merged there",
            next_step=f"Merge it at {pull_request.url}",
        )

    async def pull_request(self, repository: Repository, number: int) -> HostedPullRequest:
        """Return a pull request as it is now."""
        name = self._full_name(repository)
        return await self._call(name, lambda at: github_pulls.show(at, number, self._answers))

    async def update_pull_request(
        self, repository: Repository, number: int, *, body: str | None = None, draft: bool | None = None
    ) -> None:
        """Change its text, or make a draft ready and a ready one a draft; what is None stays."""
        name = self._full_name(repository)
        await self._call(name, lambda at: github_pulls.update(at, number, body, draft))

    async def close_pull_request(self, repository: Repository, number: int) -> None:
        """Close it unmerged; one that is closed or merged stays as it is."""
        name = self._full_name(repository)
        await self._call(name, lambda at: github_pulls.close(at, number))

    async def request_reviewers(
        self, repository: Repository, number: int, logins: Sequence[str]
    ) -> tuple[str, ...]:
        """Ask people (``@org/team``: a team) for a review, and return those that GitHub accepted."""
        name = self._full_name(repository)
        return await self._call(name, lambda at: github_pulls.ask_for_review(at.get_pull(number), logins))

    async def comments(
        self, repository: Repository, number: int, since: datetime | None = None
    ) -> Sequence[HostedComment]:
        """Return what was written on a pull request at or after ``since``, oldest first, all kinds."""
        name = self._full_name(repository)
        return await self._call(name, lambda at: self._comments(at, name, number).since(since))

    async def comment(
        self, repository: Repository, number: int, body: str, *, marker: str, reply_to: str = ""
    ) -> HostedComment:
        """Write a comment once, as an answer in a thread where ``reply_to`` names one."""
        name = self._full_name(repository)
        return await self._call(
            name, lambda at: self._comments(at, name, number).write(body, marker, reply_to)
        )

    async def checks(self, repository: Repository, sha: str) -> Checks:
        """Return how CI stands on a commit: commit statuses and check runs."""
        return await self._call(self._full_name(repository), lambda at: github_checks.checks_of(at, sha))

    async def check_log(self, repository: Repository, check: Check) -> str:
        """Return the end of a check's log, or what the check itself shows."""
        name = self._full_name(repository)
        return await self._call(name, lambda at: github_checks.log_of(at, check, self._timeout))

    async def may_write(self, repository: Repository, login: str) -> bool:
        """Whether an account may push to the repository; the answer is kept for minutes."""
        name = self._full_name(repository)
        return await self._call(name, lambda at: self._may_write(at, name, login))

    async def login_of(self, repository: Repository, sha: str, email: str) -> str:
        """Return the account of a commit's author; empty where GitHub knows none."""
        return await self._call(self._full_name(repository), lambda at: github_pulls.author_of(at, sha))

    async def own_login(self, repository: Repository) -> str:
        """Return the account that we act as; the answer is kept for minutes."""
        return await asyncio.to_thread(self._who)

    async def check(self) -> str:
        """Reach the host and say who we are there.

        Raises:
            PermanentError: ``host_scope_missing`` for a classic token that may not write.
        """
        who = await asyncio.to_thread(self._account.check)
        return f"GitHub at {self._base_url} as {who}"

    def _full_name(self, repository: Repository) -> str:
        """Return ``owner/name``; a repository of another host is never looked for here under its name."""
        host, *name = repository.key.split("/")
        if host != home_of(self._base_url):
            raise failed(
                "host_not_found",
                f"{repository.key} is not on {home_of(self._base_url)}",
                next_step="Check GITHUB_BASE_URL, or send code_host=local for a plain git remote.",
            )
        if len(name) != 2:
            raise failed(
                "host_not_found",
                f"{repository.key} does not name a GitHub repository",
                next_step="It looks like https://github.com/owner/name.",
            )
        return "/".join(name)

    def _who(self) -> str:
        return self._own_login.get("", self._account.login)

    def _comments(self, at: GithubRepository, name: str, number: int) -> GitHubComments:
        return GitHubComments(at, number, self._who(), partial(self._may_write, at, name), self._answers)

    def _may_write(self, at: GithubRepository, name: str, login: str) -> bool:
        def ask() -> bool:
            try:
                return at.get_collaborator_permission(login) in _MAY_WRITE
            except VENDOR_ERRORS as error:
                failure = named(error)
                if failure.code != "host_not_found":
                    raise failure from None
                return False  # no such account, or an App's

        return self._writers.get((name, login.lower()), ask)

    async def _call(self, name: str, work: Callable[[GithubRepository], T]) -> T:
        return await asyncio.to_thread(self._blocking, name, work)

    def _blocking(self, name: str, work: Callable[[GithubRepository], T]) -> T:
        auth = github.Auth.Token(self._account.token(name))
        with closing(api(self._base_url, auth, self._timeout)) as asked:
            try:
                return work(asked.get_repo(name))
            except AiOpsError:
                raise
            except VENDOR_ERRORS as error:
                raise named(error) from None
