import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_ops.core import markdown


def shown(source):
    """Return what a reader sees of a paragraph: entities are their characters."""
    return html.unescape(source).replace("\u200b", "")


@pytest.mark.parametrize(
    "hostile",
    [
        "@everyone please", "mail me@example.org", "Fixes #1", "closes GH-12", "resolves acme/shop#3",
        "![beacon](https://evil.example/x.png)", "[click](javascript:alert)", "<img src=x onerror=y>",
        "<!-- hidden -->", "https://evil.example/?q=1", "www.evil.example", "/merge", "/approve now",
        "- [ ] task", "# heading", "> quote", "`code`", "~~gone~~", "a | b", "&lt;script&gt;",
        "!12 $3 ~bug %4 ^a", "**bold** _em_", "\\@user", "--- ", "=== x", "1 &amp; 2",
    ],
)  # fmt: skip
def test_text_shows_what_was_said_and_does_nothing(hostile):
    source = markdown.text(hostile)
    assert shown(source) == " ".join(hostile.split())
    assert not set(source.replace("&#", "")) & set("<>@[]()`*_~|!$^%\\")
    assert not re.match(r"[-=+/#>]", source)
    rendered = html.unescape(source)  # what hosts look through for references after rendering
    assert not re.search(r"[@#!$~%^][\w\"]|GH-\d|https?://|\bwww\.\w", rendered)


def test_text_is_one_line_without_hidden_characters():
    source = markdown.text("a\n\n/merge\r\n\u202ebidi\u200bzero\U000e0041tag\x1b[31m\u2028line")
    assert shown(source) == "a /merge bidizerotag[31m line"
    assert "\n" not in source


def test_text_is_cut_at_its_limit():
    assert markdown.text("word " * 1000, 20) == "word word word word  …"


@given(st.text())
def test_no_text_keeps_markup(untrusted):
    source = markdown.text(untrusted)
    assert not set(source) & set("<>@[]`*_\n")


@pytest.mark.parametrize("hostile", ["`", "``", "a ` b", "`` ` ``", "@user", "<b>", "#1", "a`" * 40])
def test_code_is_a_span_that_its_text_cannot_close(hostile):
    source = markdown.code(hostile)
    ticks = re.match("`+", source)[0]
    inner = source[len(ticks) : -len(ticks)]
    assert source.endswith(ticks)
    assert all(len(run) < len(ticks) for run in re.findall("`+", inner))
    assert inner.replace(markdown.GAP, "").strip() == hostile.strip()
    assert not inner.startswith("`") and not inner.endswith("`")


def test_no_code_is_nothing():
    assert markdown.code(" \n\u200b ") == ""


@given(st.text())
def test_no_text_closes_its_block(untrusted):
    lines = markdown.block(untrusted).split("\n")
    fence = lines[0]
    assert lines[-1] == fence and len(fence) >= 3
    assert not any(line.lstrip(" ").startswith(fence) for line in lines[1:-1])


def test_a_block_shows_its_text_as_it_is_but_for_what_hides():
    source = markdown.block("a\n```\n@user <b>\x1b[0m\u202e\n", "python")
    assert source == f"````python\na\n```\n@{markdown.GAP}user <b>[0m\n````"
    assert markdown.block("x" * 10, limit=4) == "```\nxxxx\n… (cut)\n```"
