"""A pull request's text after a revision: people's words, and a verdict that is the newest."""

import pytest

from ai_ops.core.pr_text import MOST, folded, settled, unfolded

OLD, NEW, WARNED = "**Proved: so.**", "**Not proved: so.**", "> **It edits CI.**"
BEFORE, NOW = f"{OLD}\n\nCause", f"{NEW}\n\n{WARNED}\n\nCause"
HEAD = (NEW, WARNED)


@pytest.mark.parametrize(
    ("merged", "text"),
    [
        (f"Note\n{NOW}", f"Note\n{NOW}"),
        (f"Note\n\n{OLD}\n\nCause", f"{NEW}\n\n{WARNED}\n\nNote\n\n\nCause"),
        (f"{OLD} Is it?\n\nCause", f"{NEW}\n\n{WARNED}\n\n{OLD} Is it?\n\nCause"),
        (f"{NEW}\n\nNote", f"{WARNED}\n\n{NEW}\n\nNote"),
        ("", f"{NEW}\n\n{WARNED}"),
    ],
    ids=["all there", "a note beside it", "changed", "a warning left out", "nothing"],
)
def test_a_verdict_that_a_merge_left_out_comes_first_and_the_old_one_goes(merged, text):
    assert settled(merged, merged, BEFORE, NOW, HEAD) == text


def test_what_people_took_out_of_a_head_that_is_the_same_stays_out():
    assert settled("Cause", "Cause", BEFORE, BEFORE, (OLD,)) == "Cause"


def test_a_verdict_that_is_quoted_from_a_log_is_not_taken_for_ours():
    log = f"```\n{NEW}\n```"
    merged = f"Note\n{OLD}\n{log}"
    for before in (f"{OLD}\n{log}", OLD):
        assert settled(merged, merged, before, f"{NEW}\n{log}", (NEW,)) == f"{NEW}\n\nNote\n{log}"


def test_where_there_is_no_room_for_what_is_new_the_words_of_people_stay_below_its_verdict():
    shown = f"{OLD}\r\n\r\n" + "x" * (MOST - 100)
    told = settled(f"{NOW}{shown}" + "y" * 100, shown, BEFORE, NOW, HEAD)
    assert told == f"{NEW}\n\n{WARNED}\n\n" + "x" * (MOST - 100)
    full = "x" * MOST
    assert settled(full + "y", full, BEFORE, NOW, HEAD) == full


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\n```\nb\n\nc\n```\nd", 3),
        ("````py\n```\nb\n```\n````  \nd", 2),
        ("```\nb\n``\n ```x\n`````\nd", 2),
        ("a\n```\nb\nc", 4),
        ("", 1),
    ],
    ids=["a block", "a block in a block", "no ends", "one without an end", "nothing"],
)
def test_a_fenced_block_is_one_line_to_a_merge_and_comes_back_as_it_was(text, lines):
    assert folded(text).count("\n") + 1 == lines
    assert unfolded(folded(text)) == text
    assert unfolded(folded(text.replace("\n", "\r\n"))) == text
    assert unfolded(folded("a\x1eb")) == "ab"
