"""No text of the hostile list acts in Markdown, and each can still be read: rendered as a code host would."""

import re

import pytest

from ai_ops.core import markdown
from tests.support.hostile_texts import HOSTILE_TEXTS, named
from tests.support.markdown_reader import Page

EACH = pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=map(named, HOSTILE_TEXTS))


def readable(text):
    """Return what is to be seen of a text: its visible words."""
    return " ".join(markdown.visible(text).split())


def test_the_list_is_long_enough():
    assert len(set(HOSTILE_TEXTS)) >= 100


@pytest.mark.parametrize(
    "source",
    ["@ada", "# x\n\n/merge", "Closes #1", "![x](https://e.x/y.png)", "[x](y)", "<b>x</b>", "ABC-1", ":tada:",
     "```\n/merge\n```", "```\nCloses #1\n```", "[TOC]", "www.x.y", "```\n[skip ci]\n```"],
)  # fmt: skip
def test_the_reader_sees_what_acts(source):
    assert Page(source).active()


@EACH
def test_as_prose_it_is_shown_and_does_nothing(text):
    for frame in ("{}", "Said: {}", "- {}", "> **{}**", "a\n\n{}\n\nb"):
        page = Page(frame.replace("{}", markdown.text(text, 10_000)))
        assert page.active() == []
        assert readable(text) in page.text


@EACH
def test_as_code_it_is_shown_and_does_nothing(text):
    page = Page(f"- Place: {markdown.code(text, 10_000)}")
    assert page.active() == []
    assert readable(text) in page.text


@EACH
def test_as_a_block_it_is_shown_as_it_is_and_does_nothing(text):
    source = markdown.block(text, limit=10_000)
    page = Page(f"before\n\n{source}\n\nafter")
    assert page.active() == []
    assert (page.tags, page.text[:6], page.text[-5:]) == ({"p", "pre", "code"}, "before", "after")
    shown = source.replace("\u200b", "").split("\n", 1)[1].rpartition("\n")[0]
    assert shown.rstrip("\n") == markdown.visible(text).rstrip("\n")


@EACH
def test_all_of_them_in_one_block_stay_in_it(text):
    page = Page(markdown.block("\n".join((*HOSTILE_TEXTS, text)), limit=100_000))
    assert (page.active(), page.tags) == ([], {"pre", "code"})


@pytest.mark.parametrize(
    "text",
    [
        "UTF-8 and SHA-256",
        "at 10:30:05",
        "foo(bar)[0] = {'a': 1}",
        "/usr/lib/python3.11/json.py",
        "a_b*c",
        "50% of 3",
    ],
)
def test_what_is_ordinary_stays_whole_in_a_block(text):
    assert "\u200b" not in markdown.block(text)


@pytest.mark.parametrize("sign", ["*", "`", "[", "<", "@a ", "/x\n", "Fixes ", ":a", "A-", "#", "bors"])
def test_it_takes_linear_time(sign):
    """Any of these made a pattern with two loops go on for ever."""
    assert len(markdown.text(sign * 20_000, 10**6)) >= 20_000
    assert re.search(".", markdown.block(sign * 20_000, limit=10**6))
