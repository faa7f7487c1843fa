"""Finds who should look at a change, and asks them. A courtesy: what cannot be found out stops nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ai_ops.core import addresses, codeowners, diff, reviewers
from ai_ops.core.codeowners import CodeOwners
from ai_ops.core.orchestrator.reporting import Findings
from ai_ops.core.orchestrator.scene import Job
from ai_ops.core.ports import CodeHost, Outcome
from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import PullRequest, Reviewer
from ai_ops.flow.repository import Base
from ai_ops.flow.suspects import SuspectCommit

log = logging.getLogger(__name__)
T = TypeVar("T")

_MOST_FILES = 10  # whose last committers are looked up


@dataclass(frozen=True, slots=True)
class Search:
    """Where reviewers are looked for: the change, its base, and the repository's files there."""

    job: Job
    base: Base
    files: Sequence[str]
    findings: Findings
    named: tuple[str, ...]

    @property
    def host(self) -> CodeHost:
        """The code host."""
        return self.job.tools.host_of(self.job.repository)

    @property
    def changed(self) -> tuple[str, ...]:
        """The changed files, but for the new test."""
        paths = tuple(file.path for file in diff.parse(self.findings.patch))
        return tuple(path for path in paths if path not in self.findings.reproduction) or paths


async def find_reviewers(search: Search) -> tuple[Reviewer, ...]:
    """Return at most three people: owners, who wrote the crashing line, whom the repository names, the last.

    Addresses are kept only where the rules of mail allow them.
    """
    policy = search.job.tools.policy
    own = await _courtesy(search.host.own_login(search.job.repository), "")
    never = (own, policy.commits.author_email)
    # Blame is looked at in any case: it adds reasons, and the accounts and addresses of owners.
    people = [*await _owners(search), *await _blamed(search), *await _named(search)]
    found = reviewers.chosen(people, never)
    if len(found) < reviewers.MOST:
        found = reviewers.chosen((*found, *reviewers.others(await _last(search), found)), never)
    return found


async def ask(job: Job, pull_request_id: str) -> Outcome:
    """Ask the host for the reviews that were not asked for yet, and record whom it took."""
    records = job.tools.pull_requests
    kept = await records.find(pull_request_id)
    wanted = [each.login for each in kept.reviewers if each.login and not each.asked] if kept else []
    if kept is None or not wanted:
        return {"asked": [], "refused": [], "words": "nobody to ask on the host"}
    host = job.tools.host_of(job.repository)
    nobody: tuple[str, ...] = ()
    taken = await _courtesy(host.request_reviewers(job.repository, kept.number, wanted), nobody)
    names = {login.lower().lstrip("@") for login in taken}
    asked = [login for login in wanted if login.lower().lstrip("@") in names]
    refused = [login for login in wanted if login not in asked]
    await _record(job, kept, asked)
    said = [
        f"asked {', '.join(asked)}" if asked else "",
        f"the host refused {', '.join(refused)}" if refused else "",
    ]
    return {"asked": asked, "refused": refused, "words": "; ".join(filter(None, said))}


async def _record(job: Job, kept: PullRequest, asked: Sequence[str]) -> None:
    changed = tuple(replace(each, asked=each.asked or each.login in asked) for each in kept.reviewers)
    if changed != kept.reviewers:
        await job.tools.pull_requests.update(kept.id, reviewers=changed)


async def _owners(search: Search) -> tuple[Reviewer, ...]:
    place = codeowners.place_of(search.files, search.job.repository.code_host)
    if place is None:
        return ()
    path, dialect = place
    data = await _courtesy(search.job.tools.git.read_file(search.job.repository, search.base.sha, path), None)

    def read() -> tuple[Reviewer, ...]:
        owners = codeowners.parse(data, dialect) if data else CodeOwners()
        return reviewers.by_ownership(search.changed, owners)

    return tuple(_mailed(search, each) for each in await asyncio.to_thread(read))


async def _blamed(search: Search) -> tuple[Reviewer, ...]:
    commits = search.findings.suspects.commits
    return tuple([await _author(search, commit, reason) for commit, reason in reviewers.by_line(commits)])


async def _named(search: Search) -> tuple[Reviewer, ...]:
    return tuple(_mailed(search, each) for each in reviewers.by_word(search.named))


async def _last(search: Search) -> tuple[Reviewer, ...]:
    found: list[Reviewer] = []
    none: Sequence[SuspectCommit] = ()
    history, repository = search.job.tools.history, search.job.repository
    for path in search.changed[:_MOST_FILES]:
        commits = await _courtesy(history.recent(repository, search.base.sha, 1, (path,)), none)
        found += [await _author(search, commit, reviewers.by_change(path, commit)) for commit in commits]
    return tuple(found)


async def _author(search: Search, commit: SuspectCommit, reason: str) -> Reviewer:
    """Return a commit's author. Git lets anybody claim an address: it stays if it is an insider's."""
    tools, repository, host = search.job.tools, search.job.repository, search.host
    email = await _courtesy(tools.history.email_of(repository, commit.sha), "")
    login = await _courtesy(host.login_of(repository, commit.sha, email), "") if email else ""
    writes = bool(login) and await _courtesy(host.may_write(repository, login), False)
    person = reviewers.author_of(commit, reason, login=login, email=email)
    return _mailed(search, person, insider=writes)


def _mailed(search: Search, reviewer: Reviewer, *, insider: bool = True) -> Reviewer:
    """Return a reviewer with an address only where mail may go there."""
    policy = search.job.tools.policy
    allowed = policy.mail_domains or tuple(map(addresses.domain, policy.recipients))
    may = addresses.within(reviewer.email, allowed) or (insider and not policy.mail_domains)
    return reviewer if policy.mail_reviewers and may else replace(reviewer, email="")


async def _courtesy(asked: Awaitable[T], otherwise: T) -> T:
    """Return an answer, or something else where it is refused for good; what may pass is waited for."""
    try:
        return await asked
    except PermanentError as failure:
        log.info("reviewers: %s", failure)
        return otherwise
