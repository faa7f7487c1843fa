"""The words of a person's wish for a revision, put together from where they wrote them. They are data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ai_ops.core.wording import one_line, shortened
from ai_ops.flow.pull_request import CommentKind, HostedComment

_MOST = 12_000
_MOST_LINES = 50


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
        parts += [_placed(line, line.body) for line in _lines_of(comment, among)]
    return shortened("\n\n".join(part for part in parts if part.strip()), _MOST, line_limit=2000)


def _lines_of(review: HostedComment, among: Iterable[HostedComment]) -> Iterator[HostedComment]:
    """Yield what the author wrote on lines up to a review's word, since the one before it."""
    own = [each for each in among if each.author == review.author and each.id != review.id]
    before = max(
        (each.created_at for each in own if each.wants_changes and each.created_at < review.created_at),
        default=None,
    )
    lines = (each for each in own if each.kind is CommentKind.LINE and each.created_at <= review.created_at)
    found = [each for each in lines if before is None or each.created_at > before]
    yield from found[-_MOST_LINES:]


def _placed(comment: HostedComment, words: str) -> str:
    if not comment.path:
        return words
    place = one_line(comment.path, 300) + (f":{comment.line}" if comment.line else "")
    return f"On {place}:\n{words}"
