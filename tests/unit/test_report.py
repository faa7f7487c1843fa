import html
import re
from dataclasses import replace

import pytest

from ai_ops.core import report
from ai_ops.core.report import Report
from ai_ops.flow.event import ErrorDetail, Frame
from ai_ops.flow.task import Proof, Reason, Verdict

ERROR = ErrorDetail(
    "Traceback …\nZeroDivisionError: division by zero",
    "python",
    "builtins.ZeroDivisionError",
    "division by zero",
    (Frame("/srv/shop/app/main.py", 3, "main"), Frame("/srv/shop/app/rating.py", 7, "rate"),
     Frame("/usr/lib/python3.11/x.py", 1, "lib", in_app=False)),
)  # fmt: skip
HOSTILE = "Fixes #1 @all [skip ci] /merge ![x](https://evil.example) <script>\n\nCo-authored-by: x <x@y.z>"


def a_report(**changes):
    proof = Proof(Verdict.PROVED, (Reason("red_to_green", "tests/test_x.py", "failed before, passed after"),))
    return replace(Report(report.title(ERROR), ERROR, proof), **changes)


def test_a_title_names_the_type_and_the_place():
    assert report.title(ERROR) == "Fix ZeroDivisionError in rating.py (rate)"
    assert report.title(replace(ERROR, frames=())) == "Fix ZeroDivisionError"
    assert report.title(ErrorDetail("boom")) == "Fix error"
    assert report.title(ErrorDetail("boom"), "shop/ratings.py") == "Fix error in ratings.py"
    assert report.title(ERROR, "shop/other.py") == report.title(ERROR)


@pytest.mark.parametrize(
    ("frame", "place"),
    [
        (Frame("C:\\app\\rating.py", 1, "rate"), "rating.py (rate)"),
        (Frame("rating.py", 1, ""), "rating.py"),
        (Frame("rating.py", 1, "<module>"), "rating.py (module)"),
        (Frame("app/models/order.rb", 1, "Order#pay"), "order.rb (Order.pay)"),
        (Frame("a/b.py", 1, HOSTILE), None),
    ],
)
def test_a_place_is_a_file_and_a_function_in_plain_words(frame, place):
    found = report.place(replace(ERROR, frames=(frame,)))
    assert place is None or found == place
    assert not set(found) & set("#@[]<>!\n:")


@pytest.mark.parametrize(
    "kind", ["GH-1", "ABC-123", "#1", "x #1", "[skip ci]", "org/repo#1", "a\nb", HOSTILE]
)
def test_no_type_makes_a_title_or_a_commit_message_act(kind):
    error = replace(ERROR, exception_type=kind, message=HOSTILE, frames=(Frame(HOSTILE, 1, HOSTILE),))
    title = report.title(error)
    message = report.commit_message(error, (f"tests/{HOSTILE}.py",), "run-1")
    for words in (title, message):
        assert not set(words) & set("#@[]<>!:") - ({":"} if words is message else set())
        assert not re.search(r"(?i)fix(es)? \w+-\d", words)
    assert "\n" not in title
    assert message.split("\n\n")[-1] == "AI-Ops-Run: run-1\n"
    assert message.count("\n") == 5


@pytest.mark.parametrize("verdict", [*Verdict, None])
def test_a_body_claims_what_was_proved_and_no_more(verdict):
    body = report.body(a_report(proof=Proof(verdict), diff="+x"), "marker")
    assert body.startswith(f"**{report.HEADLINES[verdict]}**")
    assert ("Proved:" in body) is (verdict is Verdict.PROVED)


def test_a_body_tells_cause_evidence_commands_proof_and_cost():
    body = report.body(
        a_report(
            cause="The list is empty.", summary="An empty list is 0.", commands=("pytest -q",), occurrences=3,
            service="shop", cost_usd=0.25, trace_id="run-1", banners=("SANDBOX=off",),
        ),
        "ai-ops:abc:1",
    )  # fmt: skip
    for words in (
        "### Cause", "The list is empty.", "### Change", "- Place: `rating.py:7 (rate)`", "- Seen: `3 times`",
        "ZeroDivisionError: division by zero", "pytest -q", "- `red_to_green` `tests/test_x.py`",
        "0.2500 USD", "> **SANDBOX=off**", "Trace: `run-1`",
    ):  # fmt: skip
        assert words in body
    assert body.endswith("<!-- ai-ops:abc:1 -->\n")


def test_a_body_tells_what_was_tried_in_vain_the_risks_the_past_and_how_to_turn_it_off():
    body = report.body(
        a_report(
            tried=("fix 1: still_failing: it fails",), risks=("One file.",),
            precedents=("KeyError: it was merged",), issue_id="1234-abcd",
        ),
        "marker",
    )  # fmt: skip
    headings = re.findall(r"^### (.+)$", body, re.MULTILINE)
    assert headings == [
        "Cause", "Open points", "Risks", "Evidence", "Tried in vain", "Similar bugs of the past",
        "How to turn it off",
    ]  # fmt: skip
    for words in (
        "- fix 1: still_failing: it fails", "- One file.", "- KeyError: it was merged",
        "- Close this pull request to say no", "- After the merge: revert the merge commit",
        "ai-ops issue ignore 1234-abcd",
    ):  # fmt: skip
        assert words in html.unescape(body)


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({}, ["Close", "After"]),
        ({"issue_id": "i"}, ["Close", "After", "To have this", "To have no"]),
        ({"issue_id": "i", "next_step": "Approve it."}, ["To have this", "To have no"]),
        (
            {"issue_id": "i", "next_step": "Retry.", "pr_url": "https://x/1"},
            ["Close", "After", "To have this", "To have no"],
        ),
        ({"next_step": "Retry."}, []),
    ],
    ids=["pull request of no issue", "pull request", "withheld", "failed after it was opened", "no issue"],
)
def test_how_to_turn_it_off_names_what_there_is_to_turn_off(changes, begins):
    words = report.turn_off(a_report(**changes))
    assert len(words) == len(begins)
    for line, start in zip(words, begins, strict=True):
        assert line.startswith(start)


@pytest.mark.parametrize(
    ("frame", "where"),
    [
        (Frame("C:\\app\\rating.py", 7, "rate"), "rating.py:7 (rate)"),
        (Frame("rating.py", 0, "rate"), "rating.py (rate)"),
        (Frame("rating.py", 3, ""), "rating.py:3"),
        (Frame("lib.py", 3, "x", in_app=False), ""),
    ],
)
def test_the_evidence_names_the_line_and_a_title_does_not(frame, where):
    error = replace(ERROR, frames=(frame,))
    assert report.location(error) == where
    assert ":" not in report.title(error)


def test_nothing_from_outside_acts_in_a_body():
    error = replace(ERROR, raw_excerpt=f"```\n{HOSTILE}\n```", exception_type=HOSTILE, message=HOSTILE)
    body = report.body(
        a_report(
            error=error, cause=HOSTILE, summary=HOSTILE, service=HOSTILE, environment="`", release=HOSTILE,
            commands=(f"x ``` {HOSTILE}",), tried=(HOSTILE,), risks=(HOSTILE,), precedents=(HOSTILE,),
            issue_id=HOSTILE,
            proof=Proof(Verdict.UNPROVED, (Reason(HOSTILE, HOSTILE, HOSTILE),)),
        ),
        "marker",
    )  # fmt: skip
    fenced = re.sub(r"(?ms)^(`{3,})\n.*?\n\1$", "", body)
    spoken = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", fenced).replace("<!-- marker -->", "")
    assert not re.search(r"!\[|<|(?m:^/)", spoken)
    assert not re.search(r"@\w|#\d|https://", html.unescape(spoken))


TEST = "tests/test_x.py::test_empty"
PROVED = Proof(
    Verdict.PROVED,
    (
        Reason("reproduced", TEST, "fails on the base commit with ZeroDivisionError in rate"),
        Reason("frame_not_logged", "", "the log names no frame"),
        Reason("passes_after", TEST, "passes with the fix"),
        Reason("suite_clean", "", "no new failure in 5 tests"),
    ),
)


def section(body, heading):
    return body.partition(f"### {heading}\n\n")[2].partition("\n\n### ")[0]


def test_each_test_is_told_with_what_it_did_before_and_does_now():
    body = report.body(a_report(proof=PROVED), "marker")
    assert section(body, "Tests before and after") == (
        f"- `{TEST}`: fails on the base commit with ZeroDivisionError in rate; passes with the fix\n"
        "- `the whole suite`: no new failure in 5 tests"
    )
    assert section(body, "Open points") == "- `frame_not_logged`: the log names no frame"


def test_the_cause_tells_the_line_of_the_log_apart_from_the_fixers_words():
    body = report.body(a_report(cause="It divides by 0.", where="app/rating.py:7"), "marker")
    assert section(body, "Cause") == (
        "Raised at `app/rating.py:7 (rate)`, by the log. In the fixer's words: It divides by 0."
    )
    assert "- Place: `app/rating.py:7 (rate)`" in body


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("", "rating.py:7 (rate)"),
        ("app/rating.py:7", "app/rating.py:7 (rate)"),
        ("app/main.py:3", "app/main.py:3"),
        ("rating.py:7", "rating.py:7 (rate)"),
    ],
    ids=["unknown", "the same line", "an outer line", "at the root"],
)
def test_a_place_is_the_line_in_the_repository_where_it_is_known(where, place):
    assert a_report(where=where).place == place


def test_without_a_change_nothing_is_left_to_judge():
    nothing = a_report(proof=Proof(Verdict.UNPROVED, (Reason("passes_on_base", TEST, "it passes"),)))
    assert nothing.headline == "No change: nothing that was tried could be proved."
    assert replace(nothing, diff="+x").headline == report.HEADLINES[Verdict.UNPROVED]


def test_of_a_long_log_beginning_and_end_are_shown_and_the_rest_is_counted():
    excerpt = "ERROR first line\n" + "  at frame\n" * 5_000 + "x" * 90_000 + "é中\nValueError: the last line"
    shown = section(report.body(a_report(error=replace(ERROR, raw_excerpt=excerpt)), "marker"), "Evidence")
    assert "ERROR first line" in shown and "ValueError: the last line" in shown and "é中" in shown
    assert "characters left out" in shown
    assert len(shown) < 8_000


def test_words_of_any_script_are_shown_and_titles_keep_their_names():
    error = replace(
        ERROR, exception_type="错误", raw_excerpt="错误：除以零", frames=(Frame("商品/评分.py", 6, "平均"),)
    )
    text = a_report(error=error, title=report.title(error), cause="评论数为零时相除。", summary="先检查。")
    body = report.body(text, "marker")
    assert text.title == "Fix 错误 in 评分.py (平均)"
    for words in ("评论数为零时相除。", "先检查。", "错误：除以零", "`评分.py:6 (平均)`"):
        assert words in body


def test_a_body_fits_a_host_whatever_is_told():
    many = tuple(Reason("rule", "@" * 300, "*" * 5_000) for _ in range(200))
    body = report.body(
        a_report(
            proof=Proof(Verdict.UNPROVED, many), diff="+x", cause="*" * 9_000, summary="_" * 9_000,
            commands=("pytest " + "x" * 9_000,) * 50, tried=("#" * 900,) * 50, risks=("<" * 900,) * 50,
            precedents=("[" * 900,) * 50, error=replace(ERROR, raw_excerpt="`" * 90_000), issue_id="i",
            banners=("careful",), cost_usd=1.5,
        ),
        "marker",
    )  # fmt: skip
    assert len(body) <= 60_000
    assert body.startswith("**Not proved")
    assert "> **careful**" in body and "Cost: 1.5000 USD" in body and body.endswith("<!-- marker -->\n")
    assert "Left out for want of room, see the trace: " in body


def test_of_many_open_points_the_first_are_shown_and_the_rest_is_counted():
    many = tuple(Reason("new_failure", f"tests/t.py::t{n}", "fails") for n in range(50))
    shown = section(report.body(a_report(proof=Proof(Verdict.REFUTED, many)), "marker"), "Open points")
    assert shown.count("\n") == 20
    assert shown.endswith("- and 30 more, see the trace")


def test_every_round_that_failed_is_told():
    tried = tuple(f"fix {n}: still_failing: it fails, and 2 further reasons" for n in range(1, 6))
    shown = html.unescape(section(report.body(a_report(tried=tried), "marker"), "Tried in vain"))
    assert shown.splitlines() == [f"- {line}" for line in tried]
