"""What a comment asks for."""

import pytest

from ai_ops.core.comment_commands import Command, Verb, parse

CASES = {
    "a command": ("/ai-ops explain", Command(Verb.EXPLAIN)),
    "a command of two words": ("/ai-ops  Take over.", Command(Verb.TAKE_OVER)),
    "words after a command's line": ("/ai-ops stop\nthanks", Command(Verb.STOP)),
    "capitals and a colon": (" /AI-OPS: retry", Command(Verb.RETRY)),
    "ignore": ("/ai-ops ignore this error!", Command(Verb.IGNORE)),
    "a branch": (
        "/ai-ops open for another branch release/1.2",
        Command(Verb.PORT, branch="release/1.2"),
    ),
    "a branch in backticks": ("/ai-ops open for `v1`", Command(Verb.PORT, branch="v1")),
    "no branch": ("/ai-ops open for another branch", Command(Verb.HELP)),
    "nothing": ("/ai-ops", Command(Verb.HELP)),
    "a mistyped command": ("/ai-ops explian", Command(Verb.HELP)),
    "a wish": ("/ai-ops use Decimal here", Command(Verb.REVISE, "use Decimal here")),
    "a wish that begins like a command": (
        "/ai-ops stop using floats",
        Command(Verb.REVISE, "stop using floats"),
    ),
    "a wish that begins like a branch": (
        "/ai-ops open for all of them a case",
        Command(Verb.REVISE, "open for all of them a case"),
    ),
    "a wish on further lines": ("/ai-ops\n\nPlease:\nno floats", Command(Verb.REVISE, "Please:\nno floats")),
    "another word": ("/ai-opsx stop", None),
    "a quotation": ("> /ai-ops stop", None),
    "later in the text": ("please\n/ai-ops stop", None),
    "hidden characters before it": ("\u200b/ai-ops stop", Command(Verb.STOP)),
    "hidden characters in it": ("/ai-ops st\u200bop", Command(Verb.STOP)),
}


@pytest.mark.parametrize(("body", "wanted"), CASES.values(), ids=CASES)
def test_a_comment_is_read(body, wanted):
    assert parse(body, "/ai-ops") == wanted


def test_an_empty_prefix_makes_nothing_a_command():
    assert parse("stop", "") is None
