"""Small rules of English."""

import pytest

from ai_ops.core.wording import counted, one_line, sentences, time_left


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 events wait"), (1, "1 event waits"), (2, "2 events wait")], ids=str
)
def test_one_is_singular_and_all_else_is_plural(number, words):
    assert counted(number, "event waits", "events wait") == words


def test_most_nouns_need_no_plural_of_their_own():
    assert [counted(number, "event") for number in (0, 1, 2_000)] == ["0 events", "1 event", "2,000 events"]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (("it fails", "Mend it"), "it fails. Mend it."),
        (("it fails.", "Mend it."), "it fails. Mend it."),
        (("is it there?", ""), "is it there?"),
        (("", " "), ""),
    ],
    ids=["ends are added", "and not twice", "a question ends too", "nothing stays nothing"],
)
def test_what_is_said_becomes_sentences(parts, words):
    assert sentences(*parts) == words


def test_a_line_holds_nothing_that_a_terminal_obeys():
    assert one_line("a\nb\x1b[31m\u202ec\ud800" + "x" * 50, 12) == "a b [31m c x"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "now"),
        (0.4, "now"),
        (40, "in 40 s"),
        (59.6, "in 1 min"),
        (3599, "in 59 min"),
        (3600, "in 1 h 0 min"),
        (18_120, "in 5 h 2 min"),
        (7 * 86_400 - 1, "in 6 d 23 h"),
    ],
)
def test_a_span_is_said_as_people_say_it(seconds: float, words: str) -> None:
    assert time_left(seconds) == words
