"""PullRequest: a GitHub pull request, a GitLab merge request, or a local review."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ai_ops.flow.ci import CiStatus
from ai_ops.flow.task import Proof


class PullRequestState(StrEnum):
    """As the host sees it; ``closed`` means closed without a merge: a person said no."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class NewPullRequest:
    """What is asked of a code host. ``body`` is Markdown made safe by ``core.report``."""

    branch: str
    base: str
    title: str
    body: str
    draft: bool = False
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostedPullRequest:
    """What a code host answered. ``adopted`` when it was already there.

    ``merge_sha`` is the commit on the base branch that holds the change; empty until it is merged.
    ``author`` is an account of the host. ``conflicts`` is only said where the host is sure. ``body`` is its
    text as it stands there: people edit it.
    """

    number: int
    url: str
    state: PullRequestState
    branch: str
    base: str
    head_sha: str = ""
    adopted: bool = False
    merge_sha: str = ""
    author: str = ""
    draft: bool = False
    conflicts: bool = False
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A person who is asked to look at a pull request, and why it is them.

    ``login`` is an account of the host (a team as ``@org/team``), ``email`` where mail reaches them;
    each may be empty where it is not known. ``name`` is the one in git. ``asked`` says whether the host
    took them as a reviewer.
    """

    reason: str
    login: str = ""
    email: str = ""
    name: str = ""
    asked: bool = False


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Our record of it. Unique by (repo_key, branch).

    ``cause`` and ``summary`` are what its fixer said of them, masked. ``revision`` counts the changes of its
    branch; 1 is the first. ``held`` says why we leave it alone from now on: a person has taken it over.
    ``merge_sha`` is the commit of the base branch that holds the change. ``ready_when_green``: it is a draft
    of ours that we make ready, once, when CI passes. ``reproduction`` are the paths of the tests that came
    with it. ``expired_at``: we close it, because nobody looked at it.
    """

    id: str
    repo_key: str
    repo_url: str
    code_host: str
    number: int
    url: str
    state: PullRequestState
    branch: str
    base: str
    base_sha: str
    head_sha: str
    title: str
    body: str
    diff: str
    task_id: str
    run_id: str
    issue_id: str | None
    fingerprint: str
    episode: int
    created_at: datetime
    updated_at: datetime
    draft: bool = False
    proof: Proof = field(default_factory=Proof)
    cause: str = ""
    summary: str = ""
    reviewers: tuple[Reviewer, ...] = ()
    revision: int = 1
    held: str = ""
    merge_sha: str = ""
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    ready_when_green: bool = False
    ci: CiStatus = field(default_factory=CiStatus)
    reproduction: tuple[str, ...] = ()
    expired_at: datetime | None = None


class CommentKind(StrEnum):
    """Where people wrote: below the pull request, as the word of a review, or on a line of the diff."""

    COMMENT = "comment"
    REVIEW = "review"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class HostedComment:
    """What somebody wrote on a pull request. ``body`` is text from outside.

    ``id`` is unique on its pull request and stable. ``thread`` is what ``reply_to`` of the port takes.
    ``path`` and ``line`` (0: none) are those of a comment on the diff. ``may_write`` says whether the
    author may push to the repository; ``ours`` whether we wrote it. ``wants_changes`` is a review's word.
    """

    id: str
    kind: CommentKind
    author: str
    body: str
    created_at: datetime
    url: str = ""
    thread: str = ""
    path: str = ""
    line: int = 0
    may_write: bool = False
    ours: bool = False
    wants_changes: bool = False


class CheckState(StrEnum):
    """How CI stands; ``none`` when there is no CI. What was skipped, or is neutral, has passed."""

    NONE = "none"
    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One check run, commit status or pipeline job. ``id`` is what ``check_log`` of the port takes.

    One that is not ``required`` may fail, as far as the host says so.
    """

    id: str
    name: str
    state: CheckState
    url: str = ""
    summary: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Checks:
    """What CI says of one commit: all that must pass, together and one by one."""

    state: CheckState
    runs: tuple[Check, ...] = ()
