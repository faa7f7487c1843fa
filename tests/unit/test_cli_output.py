"""What outside text may do to a terminal: nothing."""

from __future__ import annotations

import pytest

from ai_ops.cli.output import plain, reasons, watched
from ai_ops.cli.pr import print_comments
from ai_ops.core import markdown, replies


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


def comment(number: int, body: str, thread: int, *, ours: bool = False) -> dict[str, object]:
    return {
        "comment_id": f"c{number}", "thread": f"c{thread}", "body": body, "ours": ours, "path": None,
        "line": None, "author": "ai-ops" if ours else "ann", "created_at": f"2026-01-01T12:00:0{number}Z",
    }  # fmt: skip


def test_an_answer_stands_below_what_it_answers(capsys: pytest.CaptureFixture[str]) -> None:
    print_comments([comment(1, "one", 1), comment(2, "two", 2), comment(3, "to one", 1, ours=True)])
    said = [line for line in capsys.readouterr().out.splitlines() if line and not line.endswith(":")]
    assert said == ["one", "to one", "two"]


def test_what_we_wrote_is_shown_without_its_escapes_and_what_others_wrote_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours = f"{replies.commands('/ai-ops')}\n{markdown.text('len(stars) @ann')}{markdown.text(chr(60) + '!')}"
    print_comments([comment(1, ours, 1, ours=True), comment(2, "&#40; &#27;[2J", 2)])
    shown = capsys.readouterr().out
    assert "- `/ai-ops explain`: " in shown
    assert "len(stars) @ann<!" in shown
    assert "&#40; &#27;[2J" in shown
    assert "\ufffd" not in shown


def test_what_we_wrote_still_moves_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_comments([comment(1, "&#27;[2J &#x202e;", 1, ours=True)])
    assert not {"\x1b", "\u202e"} & set(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("state", "until", "lines"),
    [
        pytest.param(
            "waiting_for_deploy", "2026-01-02T12:00:00Z", ["from then on silence counts"], id="waits"
        ),
        pytest.param("quiet", "2026-01-02T12:00:00Z", ["resolved then"], id="quiet"),
        pytest.param("recurred", None, [], id="over"),
    ],
)
def test_a_fix_watch_says_what_its_time_means(
    capsys: pytest.CaptureFixture[str], state: str, until: str | None, lines: list[str]
) -> None:
    watch = {"state": state, "since": "2026-01-01T12:00:00Z", "until": until, "reason": "x", "revert_url": ""}
    watched([watch | {"old_build_events": 1}])
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(f"fix watch:       {state.replace('_', ' ')} since 2026-01-01 12:00:00 UTC: x")
    told = [line for line in shown if line.startswith("until:")]
    assert len(told) == len(lines)
    assert all(f"2026-01-02 12:00:00 UTC: {words}" in line for words, line in zip(lines, told, strict=True))
    assert "old builds:      logged it 1 time since the merge: not counted against the fix" in shown
