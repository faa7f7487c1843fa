"""What outside text may do to a terminal: nothing."""

from __future__ import annotations

import pytest

from ai_ops.cli.output import plain, reasons


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


def test_a_reason_without_a_place_has_no_gap(capsys: pytest.CaptureFixture[str]) -> None:
    told = [{"rule": "suite_clean", "place": "", "text": "fine"}, {"rule": "x", "place": "a.py", "text": "y"}]
    reasons({"reasons": told})
    assert capsys.readouterr().out == "  - suite_clean: fine\n  - x a.py: y\n"
