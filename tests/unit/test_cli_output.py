"""What outside text may do to a terminal: nothing."""

from __future__ import annotations

import pytest

from ai_ops.cli.output import plain


@pytest.mark.parametrize(
    "text",
    ["\x1b[2J\x1b]0;title\x07", "a\rb", "\x9b31m", "a\u202eb", "a\u200bb", "\x00"],
    ids=["escape", "return", "c1", "bidi", "zero-width", "nul"],
)
def test_a_terminal_gets_no_control_characters(text: str) -> None:
    shown = plain(text)
    assert len(shown) == len(text)
    assert shown.replace("\ufffd", "").isprintable()


def test_lines_and_tabs_stay_and_nothing_is_a_dash() -> None:
    assert plain("a\tb\nc – 漢字") == "a\tb\nc – 漢字"
    assert plain(None) == "–"
