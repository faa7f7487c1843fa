"""Pull requests at GitHub: found, opened once, changed, closed, and shown to people. All of it blocks."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from github.PullRequest import PullRequest as GithubPullRequest
from github.Repository import Repository as GithubRepository

from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.pull_request import HostedPullRequest, NewPullRequest, PullRequestState
from ai_ops.vcs.github_conditional import Conditional
from ai_ops.vcs.github_failures import VENDOR_ERRORS, named

# Looking again after these is of no use: nothing was made, or looking is refused too.
_REFUSED_FOR_GOOD = (
    "host_unauthorized",
    "host_forbidden",
    "host_scope_missing",
    "host_archived",
    "host_not_found",
    "host_rate_limited",
)
_log = logging.getLogger(__name__)


def find(repository: GithubRepository, name: str, branch: str, base: str) -> HostedPullRequest | None:
    """List by ``owner:branch``; without the owner GitHub ignores the filter and lists everything."""
    head = f"{name.split('/')[0]}:{branch}"
    listed = repository.get_pulls(state="all", head=head, base=base, sort="created", direction="desc")
    found = [p for p in listed if p.head.ref == branch and p.base.ref == base]
    found.sort(key=lambda p: (p.state == "open", p.number), reverse=True)
    return hosted(found[0], adopted=True) if found else None


def open_one(repository: GithubRepository, name: str, wanted: NewPullRequest) -> HostedPullRequest:
    """Open a pull request, or adopt the one that is there."""
    found = find(repository, name, wanted.branch, wanted.base)
    if found is not None:
        return found
    try:
        made = _created(repository, name, wanted)
        opened = hosted(made)
    except VENDOR_ERRORS as error:
        opened = _look_again(repository, name, wanted, named(error))
        made = repository.get_pull(opened.number)
    if opened.state is PullRequestState.OPEN:
        _introduce(made, opened, wanted)
    return opened


def show(repository: GithubRepository, number: int, answers: Conditional) -> HostedPullRequest:
    """Return a pull request as it is now. ``mergeable`` is null until GitHub has tried the merge."""
    found = answers.get(repository, f"/pulls/{number}")
    pull = GithubPullRequest(repository.requester, {}, found, completed=True)
    return hosted(pull, adopted=True, conflicts=pull.mergeable is False)


def update(repository: GithubRepository, number: int, body: str | None, draft: bool | None) -> None:
    """Change the text; drafts are made ready, and ready ones drafts, by GraphQL alone."""
    pull = repository.get_pull(number)
    if body is not None:
        pull.edit(body=body)
    if draft is None or pull.draft is draft:
        return
    if draft:
        pull.convert_to_draft()
    else:
        pull.mark_ready_for_review()


def close(repository: GithubRepository, number: int) -> None:
    """Close a pull request unmerged."""
    pull = repository.get_pull(number)
    if pull.state == "open":
        pull.edit(state="closed")


def ask_for_review(pull: GithubPullRequest, logins: Sequence[str], *, fresh: bool = False) -> tuple[str, ...]:
    """Ask people (``login``) and teams (``@org/team``), and return those that GitHub accepted.

    One bad name fails a whole list, so each is asked singly. Who has been asked, or has reviewed
    already, would be told again: they count as accepted without a request. Of a ``fresh`` one nobody has.

    Raises:
        TemporaryError: when GitHub cannot be asked now.
    """
    if not logins:
        return ()
    author, asked = pull.user.login.lower(), set() if fresh else _asked_already(pull)
    accepted = []
    for login in dict.fromkeys(logins):
        name = login.removeprefix("@")
        if name.lower() == author:
            continue
        if _key(name) in asked or _ask(pull, name):
            accepted.append(login)
    return tuple(accepted)


def author_of(repository: GithubRepository, sha: str) -> str:
    """Return the account of a commit's author; empty where GitHub knows none, or not the commit."""
    try:
        author = repository.get_commit(sha).author
        return author.login if author else ""
    except VENDOR_ERRORS as error:
        failure = named(error)
        if failure.code not in ("host_not_found", "host_rejected"):
            raise failure from None
        return ""


def hosted(pull: GithubPullRequest, *, adopted: bool = False, conflicts: bool = False) -> HostedPullRequest:
    """Return what GitHub said of a pull request. Only fields that lists have too are read."""
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
        # Of an open one it is the commit of a merge that GitHub only tries.
        merge_sha=(pull.merge_commit_sha or "") if state is PullRequestState.MERGED else "",
        author=pull.user.login if pull.user else "",
        draft=bool(pull.draft),
        conflicts=conflicts and state is PullRequestState.OPEN,
        merged_at=pull.merged_at,
        closed_at=pull.closed_at,
        body=pull.body or "",
    )


def _created(repository: GithubRepository, name: str, wanted: NewPullRequest) -> GithubPullRequest:
    """Create it; a repository whose plan has no drafts gets an ordinary one."""

    def create(draft: bool) -> GithubPullRequest:
        return repository.create_pull(
            base=wanted.base,
            head=wanted.branch,
            title=wanted.title,
            body=wanted.body,
            draft=draft,
            maintainer_can_modify=True,
        )

    try:
        return create(wanted.draft)
    except VENDOR_ERRORS as error:
        failure = named(error)
        if not (wanted.draft and "draft pull requests are not supported" in failure.message.lower()):
            raise
        _log.warning("%s has no drafts; the pull request is an ordinary one", name)
        return create(False)


def _look_again(
    repository: GithubRepository, name: str, wanted: NewPullRequest, failure: AiOpsError
) -> HostedPullRequest:
    """Adopt what is there after a failed creation: its answer was lost, or someone was faster."""
    if failure.code in _REFUSED_FOR_GOOD:
        raise failure
    try:
        found = find(repository, name, wanted.branch, wanted.base)
    except VENDOR_ERRORS:
        raise failure from None
    if found is None:
        raise failure
    return found


def _introduce(made: GithubPullRequest, opened: HostedPullRequest, wanted: NewPullRequest) -> None:
    """Label it and ask people: a courtesy, which may fail."""
    try:
        if wanted.labels:
            made.add_to_labels(*wanted.labels)
    except VENDOR_ERRORS as error:
        _log.warning("labels not set on pull request %d: %s", opened.number, named(error))
    try:
        ask_for_review(made, wanted.reviewers, fresh=not opened.adopted)
    except (AiOpsError, *VENDOR_ERRORS) as error:
        _log.warning("no review asked on pull request %d: %s", opened.number, named(error))


def _key(name: str) -> str:
    """Return what tells accounts and teams apart; of a team GitHub gives the last part of its name."""
    person, _, team = name.lower().rpartition("/")
    return f"/{team}" if person else team


def _asked_already(pull: GithubPullRequest) -> set[str]:
    people = {one.login.lower() for one in pull.requested_reviewers}
    teams = {f"/{one.slug.lower()}" for one in pull.requested_teams}
    reviewed = {one.user.login.lower() for one in pull.get_reviews() if one.user}
    return people | teams | reviewed


def _ask(pull: GithubPullRequest, name: str) -> bool:
    try:
        if "/" in name:
            pull.create_review_request(team_reviewers=[name.split("/")[-1]])
        else:
            pull.create_review_request(reviewers=[name])
    except VENDOR_ERRORS as error:
        failure = named(error)
        if not isinstance(failure, PermanentError):
            raise failure from None
        _log.warning("no review asked of %s on pull request %d: %s", name, pull.number, failure)
        return False
    return True
