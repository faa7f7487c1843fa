"""The words of a wish, from where they were written; and whom we do not answer."""

from datetime import UTC, datetime, timedelta

import pytest

from ai_ops.core.orchestrator.conversation import since
from ai_ops.core.ports import SeenComment
from ai_ops.core.requests import is_bot, request_of
from ai_ops.flow.pull_request import CommentKind, HostedComment

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def written(number, minutes, kind=CommentKind.LINE, author="ann", **more):
    at = NOW + timedelta(minutes=minutes)
    return HostedComment(str(number), kind, author, f"words {number}", at, **more)


def test_a_review_comes_with_its_lines_since_the_last_review():
    comments = [
        written(1, 1, path="a.py", line=3),
        written(2, 2, CommentKind.REVIEW, wants_changes=True),
        written(3, 3, path="b.py", line=4),
        written(4, 3, path="c.py", author="bob"),
        written(5, 4, CommentKind.REVIEW, wants_changes=True),
        written(6, 5, path="d.py", line=1),
    ]
    assert request_of(comments[4], "all in all", comments) == "all in all\n\nOn b.py:4:\nwords 3"


def test_a_review_without_words_has_those_that_were_written_with_it():
    comments = [
        written(1, 1, CommentKind.COMMENT),
        written(2, 19, CommentKind.COMMENT),
        written(3, 19, CommentKind.COMMENT, author="bob"),
        written(4, 20, path="a.py", line=1),
        HostedComment("5", CommentKind.REVIEW, "ann", "", NOW + timedelta(minutes=20), wants_changes=True),
    ]
    assert request_of(comments[4], "", comments) == "words 2\n\nOn a.py:1:\nwords 4"


def test_a_comment_on_a_line_says_where():
    comment = written(1, 1, path="a\n.py", line=3)
    assert request_of(comment, "why?", [comment]) == "On a .py:3:\nwhy?"


def test_a_very_long_wish_is_shortened():
    comment = written(1, 1, CommentKind.COMMENT)
    assert len(request_of(comment, "word " * 50_000, [comment])) < 14_000


@pytest.mark.parametrize(
    ("author", "bot"),
    [("dependabot[bot]", True), ("project_7_bot_ab12", True), ("group_1_bot", True), ("robot", False)],
)
def test_bots_are_known_by_their_names(author, bot):
    assert is_bot(author) is bot


def test_comments_are_asked_for_from_before_the_newest_and_before_what_waits():
    day = timedelta(days=1)
    seen = {"1": SeenComment(NOW - 30 * day, True), "2": SeenComment(NOW, True)}
    assert since({}) is None
    assert since(seen) == NOW - 7 * day
    assert since(seen | {"3": SeenComment(NOW - 20 * day, False)}) == NOW - 27 * day
