"""What the adapters of code hosts share: hidden marks, CI added up, logs cut, answers kept a while."""

from __future__ import annotations

import pytest

from ai_ops.flow.pull_request import Check, CheckState
from ai_ops.vcs.hosting import MOST_LOG, Remembered, added_up, is_ours, mark_of, marked, tail


@pytest.mark.parametrize("marker", ["m", "--> <script>", "a\nb", "@ada /merge fixes #1", "é\x00"])
def test_a_mark_is_hidden_whatever_it_is_made_of(marker):
    text = marked("Done.", marker)
    hidden = text.removeprefix("Done.\n\n")
    assert hidden == mark_of(marker)
    assert hidden.startswith("<!-- ai-ops ") and hidden.endswith(" -->") and hidden.count("--") == 2
    assert mark_of(marker) != mark_of(marker + "2")


def test_a_comment_is_ours_by_account_and_mark():
    text = marked("Done.", "m")
    assert is_ours("AI-Ops[bot]", text, "ai-ops[bot]")
    assert not is_ours("ada", text, "ai-ops[bot]")
    assert not is_ours("ai-ops[bot]", "Done.", "ai-ops[bot]")


def test_checks_are_added_up_by_the_worst():
    states = [CheckState.PASSED, CheckState.PENDING, CheckState.FAILED]
    for count in range(4):
        runs = [Check(str(n), "x", state) for n, state in enumerate(states[:count])]
        assert added_up(runs).state is (states[count - 1] if count else CheckState.NONE)


@pytest.mark.parametrize("log", ["", "short\n", "é" * MOST_LOG, "one\n" * MOST_LOG], ids=range(4))
def test_the_end_of_a_log_is_text_within_the_limit(log):
    end = tail(log)
    assert len(end.encode()) <= MOST_LOG and log.endswith(end)
    assert end == log or len(end.encode()) > MOST_LOG - 100


def test_broken_bytes_stay_within_the_limit():
    assert 0 < len(tail(b"\xff" * 2 * MOST_LOG).encode()) <= MOST_LOG


def test_an_answer_is_kept_for_a_while_and_a_failure_is_not():
    moment, asked = [0.0], []

    def ask():
        asked.append(moment[0])
        return len(asked)

    kept: Remembered[str, int] = Remembered(300.0, lambda: moment[0])
    assert [kept.get("a", ask), kept.get("a", ask), kept.get("b", ask)] == [1, 1, 2]
    moment[0] = 299.0
    assert kept.get("a", ask) == 1
    moment[0] = 301.0
    assert kept.get("a", ask) == 3
    with pytest.raises(ZeroDivisionError):
        kept.get("c", lambda: 1 // 0)
    assert kept.get("c", ask) == 4
