"""The words of a person's wish for a revision, put together from where they wrote them. They are data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from ai_ops.core.wording import one_line, shortened
from ai_ops.flow.pull_request import CommentKind, HostedComment

_MOST = 12_000
_MOST_LINES = 50
_AT_ONCE = timedelta(minutes=10)
"""A review without words of its own has them in comments that were written with it."""


def is_bot(author: str) -> bool:
    """Whether an account's name is one that hosts give to programs: two of them would talk for ever."""
    name = author.casefold()
    project_token = name.startswith(("project_", "group_")) and "_bot" in name
    return name.endswith("[bot]") or project_token


def request_of(comment: HostedComment, words: str, among: Sequence[HostedComment]) -> str:
    """Return what a comment asks for; a review's word comes with what its author wrote on lines.

    Args:
        comment: the comment.
        words: its words without our prefix.
        among: the comments of the pull request.
    """
    parts = [_placed(comment, words)]
    if comment.kind is CommentKind.REVIEW:
        parts += [_placed(each, each.body) for each in _belonging(comment, among)]
    return shortened("\n\n".join(part for part in parts if part.strip()), _MOST, line_limit=2000)


def _belonging(review: HostedComment, among: Iterable[HostedComment]) -> Iterator[HostedComment]:
    """Yield what the author wrote up to a review's word, since the one before it: on lines, and with it."""
    own = [each for each in among if each.author == review.author and each.id != review.id]
    before = max(
        (each.created_at for each in own if each.wants_changes and each.created_at < review.created_at),
        default=None,
    )
    until = [each for each in own if each.created_at <= review.created_at and not each.wants_changes]
    found = [
        each for each in until if (before is None or each.created_at > before) and _of_review(each, review)
    ]
    yield from found[-_MOST_LINES:]


def _of_review(comment: HostedComment, review: HostedComment) -> bool:
    if comment.kind is CommentKind.LINE:
        return True
    return not review.body.strip() and review.created_at - comment.created_at <= _AT_ONCE


def _placed(comment: HostedComment, words: str) -> str:
    if not comment.path:
        return words
    place = one_line(comment.path, 300) + (f":{comment.line}" if comment.line else "")
    return f"On {place}:\n{words}"
