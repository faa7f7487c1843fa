"""What people write on a GitHub pull request: below it, as a review's word, and on lines of its diff."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from github.IssueComment import IssueComment
from github.PullRequestComment import PullRequestComment
from github.PullRequestReview import PullRequestReview
from github.Repository import Repository as GithubRepository

from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.pull_request import CommentKind, HostedComment
from ai_ops.vcs.github_conditional import Conditional
from ai_ops.vcs.github_failures import VENDOR_ERRORS, named
from ai_ops.vcs.hosting import is_ours, mark_of, marked


class GitHubComments:
    """The comments of one pull request.

    Args:
        repository: where it lives.
        number: which one it is.
        own_login: the account that we act as.
        may_write: whether an account may push there.
        answers: what need not be sent again.
    """

    def __init__(
        self,
        repository: GithubRepository,
        number: int,
        own_login: str,
        may_write: Callable[[str], bool],
        answers: Conditional,
    ) -> None:
        self._repository = repository
        self._number = number
        self._answers = answers
        self._pull = repository.get_pull(number)
        self._issue = repository.get_issue(number)
        self._own_login = own_login
        self._may_write = may_write

    def since(self, since: datetime | None) -> list[HostedComment]:
        """Return what was written at or after a moment, oldest first."""
        after = {} if since is None else {"since": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        asks = self._repository.requester
        below = self._answers.all(self._repository, f"/issues/{self._number}/comments", after)
        on_lines = self._answers.all(self._repository, f"/pulls/{self._number}/comments", after)
        found = [
            *(self._below(IssueComment(asks, {}, one, completed=True)) for one in below),
            *(self._line(PullRequestComment(asks, {}, one, completed=True)) for one in on_lines),
            *self._reviews(),
        ]
        # GitHub goes by when a comment was last edited, in whole seconds.
        found = [one for one in found if since is None or one.created_at >= since]
        return sorted(found, key=lambda one: one.created_at)

    def write(self, body: str, marker: str, reply_to: str) -> HostedComment:
        """Write a comment once: look, write, and look again when the answer was lost."""
        there = self._bearing(marker)
        if there is not None:
            return there
        try:
            return self._written(marked(body, marker), reply_to)
        except (AiOpsError, *VENDOR_ERRORS) as error:
            failure = named(error)
        if not isinstance(failure, PermanentError):
            there = self._found_after(failure, marker)
        if there is None:
            raise failure
        return there

    def _written(self, text: str, reply_to: str) -> HostedComment:
        if reply_to.isdigit():
            try:
                return self._line(self._pull.create_review_comment_reply(int(reply_to), text))
            except VENDOR_ERRORS as error:
                failure = named(error)
                if failure.code != "host_not_found":
                    raise failure from None
                # The thread was deleted: the answer goes below the pull request.
        return self._below(self._issue.create_comment(text))

    def _found_after(self, failure: AiOpsError, marker: str) -> HostedComment | None:
        try:
            return self._bearing(marker)
        except VENDOR_ERRORS:
            raise failure from None

    def _bearing(self, marker: str) -> HostedComment | None:
        mark = mark_of(marker)
        for below in self._issue.get_comments():
            if mark in below.body and is_ours(_login(below), below.body, self._own_login):
                return self._below(below)
        for line in self._pull.get_review_comments():
            if mark in line.body and is_ours(_login(line), line.body, self._own_login):
                return self._line(line)
        return None

    def _below(self, one: IssueComment) -> HostedComment:
        return self._comment(one, CommentKind.COMMENT, "issue", one.created_at)

    def _line(self, one: PullRequestComment) -> HostedComment:
        # The first of a thread has no such field; asked for it, PyGithub would make a request for each.
        root = one._rawData.get("in_reply_to_id")
        return self._comment(
            one,
            CommentKind.LINE,
            "line",
            one.created_at,
            thread=str(root or one.id),
            path=one.path or "",
            line=one.line or one.original_line or 0,
        )

    def _reviews(self) -> Iterator[HostedComment]:
        """Yield what reviews say; one that only carries comments on lines says nothing itself."""
        for found in self._answers.all(self._repository, f"/pulls/{self._number}/reviews"):
            one = PullRequestReview(self._repository.requester, {}, found)
            wants_changes = one.state == "CHANGES_REQUESTED"
            says = bool(one.body) or wants_changes or one.state == "APPROVED"
            if one.submitted_at is not None and says:
                yield self._comment(
                    one, CommentKind.REVIEW, "review", one.submitted_at, wants_changes=wants_changes
                )

    def _comment(
        self,
        one: IssueComment | PullRequestComment | PullRequestReview,
        kind: CommentKind,
        prefix: str,
        created_at: datetime,
        *,
        thread: str = "",
        path: str = "",
        line: int = 0,
        wants_changes: bool = False,
    ) -> HostedComment:
        author, body = _login(one), one.body or ""
        ours = is_ours(author, body, self._own_login)
        return HostedComment(
            id=f"{prefix}-{one.id}",
            kind=kind,
            author=author,
            body=body,
            created_at=created_at,
            url=one.html_url,
            thread=thread,
            path=path,
            line=line,
            may_write=ours or self._may_write(author),
            ours=ours,
            wants_changes=wants_changes,
        )


def _login(one: IssueComment | PullRequestComment | PullRequestReview) -> str:
    """Return the author's account; a deleted one has none."""
    return one.user.login if one.user else "ghost"
