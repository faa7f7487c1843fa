"""The ``CodeHost`` port on GitHub and GitHub Enterprise, with PyGithub.

PyGithub blocks, so each call runs in a thread. Its retries are off: it would repeat a POST whose
answer was lost. Instead every effect looks before it creates, and looks again after a failure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TypeVar
from urllib.parse import urlsplit

import github
from github.PullRequest import PullRequest as GithubPullRequest
from github.Repository import Repository as GithubRepository

from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.pull_request import HostedPullRequest, NewPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.vcs.github_failures import VENDOR_ERRORS, named

T = TypeVar("T")

DEFAULT_BASE_URL = "https://api.github.com"

_REFUSED_FOR_GOOD = ("host_unauthorized", "host_forbidden", "host_not_found", "host_rate_limited")
_log = logging.getLogger(__name__)


def home_of(base_url: str) -> str:
    """Return the ``host[:port]`` of the repositories that an API root serves."""
    root = urlsplit(base_url or DEFAULT_BASE_URL)
    host = root.netloc.lower()
    return "github.com" if host == "api.github.com" else host.removesuffix(":443")


class GitHubHost:
    """Pull requests on GitHub.

    Args:
        base_url: API root; for GitHub Enterprise ``https://host/api/v3``.
        token: the token, or a function that returns the one to use now.
        timeout_seconds: the longest that one request may wait.
    """

    def __init__(self, base_url: str, token: Callable[[], str] | str, *, timeout_seconds: int = 10) -> None:
        self._base_url = base_url.rstrip("/") or DEFAULT_BASE_URL
        self._token = token
        self._timeout = timeout_seconds

    async def find_pull_request(
        self, repository: Repository, branch: str, base: str
    ) -> HostedPullRequest | None:
        """Return the newest pull request of a head branch in any state; an open one first."""
        name = self._full_name(repository)
        return await self._call(lambda api: _find(api.get_repo(name), name, branch, base))

    async def open_pull_request(self, repository: Repository, wanted: NewPullRequest) -> HostedPullRequest:
        """Open a pull request, or adopt the one that the branch already has, whatever its state.

        Labels and reviewers are a courtesy: when GitHub refuses them, that is logged and the pull
        request stands.
        """
        name = self._full_name(repository)
        return await self._call(lambda api: _open(api.get_repo(name), name, wanted))

    async def merge_pull_request(self, repository: Repository, pull_request: PullRequest) -> str:
        """Refuse: on GitHub people merge."""
        raise PermanentError(
            "merge_on_host",
            "pull requests on GitHub are merged there",
            next_step=f"Merge it at {pull_request.url}",
        )

    async def check(self) -> str:
        """Reach the host and say who we are there."""
        who = await self._call(_login)
        return f"GitHub at {self._base_url} as {who}"

    def _full_name(self, repository: Repository) -> str:
        """Return ``owner/name``; a repository of another host is never looked for here under its name."""
        host, *name = repository.key.split("/")
        if host != home_of(self._base_url):
            raise PermanentError(
                "host_not_found",
                f"{repository.key} is not on {home_of(self._base_url)}",
                next_step="Check GITHUB_BASE_URL, or send code_host=local for a plain git remote.",
            )
        if len(name) != 2:
            raise PermanentError(
                "host_not_found",
                f"{repository.key} does not name a GitHub repository",
                next_step="It looks like https://github.com/owner/name.",
            )
        return "/".join(name)

    async def _call(self, work: Callable[[github.Github], T]) -> T:
        return await asyncio.to_thread(self._blocking, work)

    def _blocking(self, work: Callable[[github.Github], T]) -> T:
        token = self._token if isinstance(self._token, str) else self._token()
        if not token:
            raise PermanentError("host_unauthorized", "there is no token", next_step="Set GITHUB_TOKEN.")
        api = github.Github(
            auth=github.Auth.Token(token),
            base_url=self._base_url,
            timeout=self._timeout,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        )
        with closing(api):
            try:
                return work(api)
            except VENDOR_ERRORS as error:
                raise named(error) from None


def _login(api: github.Github) -> str:
    try:
        return api.get_user().login
    except github.GithubException as error:
        if error.status == 403 and "integration" in str(error.data).lower():
            return "an App"  # the token of an App's installation has no user
        raise


def _find(repository: GithubRepository, name: str, branch: str, base: str) -> HostedPullRequest | None:
    """List by ``owner:branch``; without the owner GitHub ignores the filter and lists everything."""
    head = f"{name.split('/')[0]}:{branch}"
    listed = repository.get_pulls(state="all", head=head, base=base, sort="created", direction="desc")
    found = [p for p in listed if p.head.ref == branch and p.base.ref == base]
    found.sort(key=lambda p: (p.state == "open", p.number), reverse=True)
    return _hosted(found[0], adopted=True) if found else None


def _open(repository: GithubRepository, name: str, wanted: NewPullRequest) -> HostedPullRequest:
    found = _find(repository, name, wanted.branch, wanted.base)
    if found is not None:
        return found
    try:
        made = repository.create_pull(
            base=wanted.base,
            head=wanted.branch,
            title=wanted.title,
            body=wanted.body,
            draft=wanted.draft,
            maintainer_can_modify=True,
        )
        hosted = _hosted(made)
    except VENDOR_ERRORS as error:
        return _look_again(repository, name, wanted, named(error))
    _label(made, wanted.labels)
    _ask_for_review(made, wanted.reviewers)
    return hosted


def _look_again(
    repository: GithubRepository, name: str, wanted: NewPullRequest, failure: AiOpsError
) -> HostedPullRequest:
    """Adopt what is there after a failed creation: its answer was lost, or someone was faster."""
    if failure.code in _REFUSED_FOR_GOOD:
        raise failure
    try:
        found = _find(repository, name, wanted.branch, wanted.base)
    except VENDOR_ERRORS:
        raise failure from None
    if found is None:
        raise failure
    return found


def _label(made: GithubPullRequest, labels: Sequence[str]) -> None:
    if not labels:
        return
    try:
        made.add_to_labels(*labels)
    except VENDOR_ERRORS as error:
        _log.warning("labels not set on pull request %d: %s", made.number, named(error))


def _ask_for_review(made: GithubPullRequest, reviewers: Sequence[str]) -> None:
    """Ask people (``login``) and teams (``org/team``). One bad name fails a whole list: ask singly."""
    for name in (reviewer.removeprefix("@") for reviewer in reviewers):
        try:
            if "/" in name:
                made.create_review_request(team_reviewers=[name.split("/")[-1]])
            else:
                made.create_review_request(reviewers=[name])
        except VENDOR_ERRORS as error:
            _log.warning("no review asked of %s on pull request %d: %s", name, made.number, named(error))


def _hosted(pull: GithubPullRequest, *, adopted: bool = False) -> HostedPullRequest:
    state = PullRequestState.OPEN if pull.state == "open" else PullRequestState.CLOSED
    if pull.merged_at is not None:
        state = PullRequestState.MERGED
    return HostedPullRequest(
        number=pull.number,
        url=pull.html_url,
        state=state,
        branch=pull.head.ref,
        base=pull.base.ref,
        head_sha=pull.head.sha,
        adopted=adopted,
    )
