"""The ``CodeHost`` port on gitlab.com and self-managed GitLab, with python-gitlab.

python-gitlab blocks, so each call runs in a thread. It never retries here: it would repeat a POST whose
answer was lost, and wait without a bound. Instead every effect looks before it creates, and looks again
after a failure.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

import gitlab
import requests
from gitlab.v4.objects import Project

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.pull_request import (
    Check,
    Checks,
    HostedComment,
    HostedPullRequest,
    NewPullRequest,
    PullRequest,
)
from ai_ops.flow.repository import Repository
from ai_ops.vcs import gitlab_checks, gitlab_merges
from ai_ops.vcs.gitlab_failures import GITLAB, VENDOR_ERRORS, named, refuse
from ai_ops.vcs.gitlab_notes import GitLabNotes
from ai_ops.vcs.hosting import Remembered

T = TypeVar("T")

DEFAULT_BASE_URL = "https://gitlab.com"
_REMEMBERED_SECONDS = 300.0  # who may write, and who we are
_DEVELOPER = 30  # the lowest role that may push


def home_of(base_url: str) -> str:
    """Return ``host[:port]`` and, where it is served below one, the path of an instance."""
    root = urlsplit(base_url or DEFAULT_BASE_URL)
    netloc = root.netloc.lower().removesuffix(":443" if root.scheme == "https" else ":80")
    return f"{netloc}{root.path.rstrip('/')}"


class GitLabHost:
    """Merge requests on GitLab.

    Args:
        base_url: root of the instance, for example ``https://gitlab.com`` or ``https://host/gitlab``.
        token: the token, or a function that returns the one to use now.
        timeout_seconds: the longest that one request may wait.
    """

    def __init__(self, base_url: str, token: Callable[[], str] | str, *, timeout_seconds: int = 10) -> None:
        self._base_url = base_url.rstrip("/") or DEFAULT_BASE_URL
        self._token = token
        self._timeout = timeout_seconds
        self._own_login: Remembered[str, str] = Remembered(_REMEMBERED_SECONDS)
        self._writers: Remembered[tuple[str, str], bool] = Remembered(_REMEMBERED_SECONDS)

    async def find_pull_request(
        self, repository: Repository, branch: str, base: str
    ) -> HostedPullRequest | None:
        """Return the newest merge request of a branch in any state; an open one first."""
        return await self._call(repository, lambda at: gitlab_merges.find(at, branch, base))

    async def open_pull_request(self, repository: Repository, wanted: NewPullRequest) -> HostedPullRequest:
        """Open a merge request, or adopt the one that the branch already has, whatever its state.

        Reviewers are a courtesy: when GitLab refuses them, that is logged and the merge request stands.
        """
        return await self._call(repository, lambda at: gitlab_merges.open_one(at, wanted))

    async def merge_pull_request(self, repository: Repository, pull_request: PullRequest) -> str:
        """Refuse: on GitLab people merge."""
        raise failed(
            "merge_on_host",
            "merge requests on GitLab are merged there",
            next_step=f"Merge it at {pull_request.url}",
        )

    async def pull_request(self, repository: Repository, number: int) -> HostedPullRequest:
        """Return a merge request as it is now."""
        return await self._call(repository, lambda at: gitlab_merges.show(at, number))

    async def update_pull_request(
        self, repository: Repository, number: int, *, body: str | None = None, draft: bool | None = None
    ) -> None:
        """Change its text, or make a draft ready and a ready one a draft; what is None stays."""
        await self._call(repository, lambda at: gitlab_merges.update(at, number, body, draft))

    async def close_pull_request(self, repository: Repository, number: int) -> None:
        """Close it unmerged; one that is closed or merged stays as it is."""
        await self._call(repository, lambda at: gitlab_merges.close(at, number))

    async def request_reviewers(
        self, repository: Repository, number: int, logins: Sequence[str]
    ) -> tuple[str, ...]:
        """Ask people for a review, and return those that GitLab accepted; groups it takes none."""
        return await self._call(repository, lambda at: gitlab_merges.ask_for_review(at, number, logins))

    async def comments(
        self, repository: Repository, number: int, since: datetime | None = None
    ) -> Sequence[HostedComment]:
        """Return what was written on a merge request at or after ``since``, oldest first, all kinds."""
        return await self._call(repository, lambda at: self._notes(at, repository, number).since(since))

    async def comment(
        self, repository: Repository, number: int, body: str, *, marker: str, reply_to: str = ""
    ) -> HostedComment:
        """Write a note once, as an answer in a discussion where ``reply_to`` names one."""
        return await self._call(
            repository, lambda at: self._notes(at, repository, number).write(body, marker, reply_to)
        )

    async def checks(self, repository: Repository, sha: str) -> Checks:
        """Return how CI stands on a commit: the jobs of its pipelines."""
        return await self._call(repository, lambda at: gitlab_checks.checks_of(at, sha))

    async def check_log(self, repository: Repository, check: Check) -> str:
        """Return the end of a job's log."""
        return await self._call(repository, lambda at: gitlab_checks.log_of(at, check))

    async def may_write(self, repository: Repository, login: str) -> bool:
        """Whether an account may push to the repository; the answer is kept for minutes."""
        return await self._call(repository, lambda at: self._may_write(at, repository.key, login))

    async def login_of(self, repository: Repository, sha: str, email: str) -> str:
        """Return the account that an address belongs to, where GitLab shows it; else empty."""
        return await self._call(repository, lambda at: _account_of(at.manager.gitlab, email))

    async def own_login(self, repository: Repository) -> str:
        """Return the account that we act as; the answer is kept for minutes."""
        return await asyncio.to_thread(self._asking, self._who)

    async def check(self) -> str:
        """Reach the host and say who we are there.

        Raises:
            PermanentError: ``host_scope_missing`` for a token without the ``api`` scope.
        """
        return await asyncio.to_thread(self._asking, self._examined)

    def _examined(self, at: gitlab.Gitlab) -> str:
        login = _login(at)
        try:
            scopes = at.personal_access_tokens.get("self").scopes
        except PermanentError:
            scopes = ["api"]  # of another kind; what it may not do is said when it is refused
        if "api" not in scopes:
            raise failed(
                "host_scope_missing",
                f"the token of {login} has the scopes {', '.join(scopes) or 'none'}",
                next_step=f"Give {GITLAB.token} another one: {GITLAB.access}",
            )
        return f"GitLab at {self._base_url} as {login}"

    def _who(self, at: gitlab.Gitlab) -> str:
        return self._own_login.get("", lambda: _login(at))

    def _notes(self, at: Project, repository: Repository, number: int) -> GitLabNotes:
        url = f"{self._base_url}/{self._path(repository)}/-/merge_requests/{number}"
        own_login = self._who(at.manager.gitlab)
        return GitLabNotes(
            at, number, url, own_login, lambda login: self._may_write(at, repository.key, login)
        )

    def _may_write(self, at: Project, key: str, login: str) -> bool:
        def ask() -> bool:
            # Inherited members too: those of the groups above.
            found = at.members_all.list(query=login, get_all=True)
            return any(
                one.username.lower() == login.lower()
                and int(one.access_level) >= _DEVELOPER
                and one.state == "active"
                for one in found
            )

        return self._writers.get((key, login.lower()), ask)

    def _path(self, repository: Repository) -> str:
        """Return the project's path; one of another host is never looked for here under its name."""
        home = home_of(self._base_url)
        if not repository.key.startswith(f"{home}/"):
            raise failed(
                "host_not_found",
                f"{repository.key} is not on {home}",
                next_step="Check GITLAB_BASE_URL, or send code_host=local for a plain git remote.",
            )
        path = repository.key.removeprefix(f"{home}/")
        if "/" not in path:
            raise failed(
                "host_not_found",
                f"{repository.key} does not name a GitLab project",
                next_step="It looks like https://gitlab.com/group/name; groups may lie in groups.",
            )
        return path

    async def _call(self, repository: Repository, work: Callable[[Project], T]) -> T:
        path = self._path(repository)
        return await asyncio.to_thread(self._asking, lambda at: work(at.projects.get(path, lazy=True)))

    def _asking(self, work: Callable[[gitlab.Gitlab], T]) -> T:
        token = self._token if isinstance(self._token, str) else self._token()
        if not token:
            raise failed("host_unauthorized", "there is no token", next_step="Set GITLAB_TOKEN.")
        with closing(_session()) as session:
            at = gitlab.Gitlab(
                self._base_url,
                private_token=token,
                timeout=self._timeout,
                per_page=100,
                retry_transient_errors=False,
                # An instance behind a proxy may name itself wrongly in its links.
                keep_base_url=True,
                session=session,
            )
            try:
                return work(at)
            except AiOpsError:
                raise
            except VENDOR_ERRORS as error:
                raise named(error) from None


def _session() -> requests.Session:
    """Return a session that refuses as ``gitlab_failures`` does, and sends no login of a ``.netrc``."""
    session = requests.Session()
    session.auth = lambda request: request
    session.hooks["response"].append(refuse)
    return session


def _login(at: gitlab.Gitlab) -> str:
    at.auth()
    if at.user is None:
        raise failed("host_bad_answer", "GitLab does not say who we are")
    return str(at.user.username)


def _account_of(at: gitlab.Gitlab, email: str) -> str:
    """Return the account of an address: a private one of GitLab names it; else it may be public."""
    private = re.fullmatch(r"\d+-([\w.-]+)@users\.noreply\.[\w.-]+", email)
    wanted = {"username": private[1]} if private else {"search": email}
    if not email:
        return ""
    found = at.users.list(get_all=True, **wanted)
    return str(found[0].username) if len(found) == 1 else ""
