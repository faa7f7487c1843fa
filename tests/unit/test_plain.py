"""The stroke that joins plain traces gives what the joiner gives line by line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_ops.monitoring import scan
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.plain import plain_records
from tests.support.joining import records_of

DATA = Path(__file__).parent.parent / "data" / "stacktraces"
STAMP = "2026-03-01 12:00:00,123"
PYTHON = ["Traceback (most recent call last):", '  File "/a.py", line 1, in f', "    g()", "ValueError: bad"]
JAVA = [
    "x.YException: no",
    "\tat a.B.c(B.java:1)",
    "Caused by: z.WError: in",
    "\tat a.B.d(B.java:2)",
    "\t... 1 more",
]
NODE = ["TypeError: x is not a function", "    at f (/app/a.js:1:2)", "    at /app/b.js:3:4"]
CHAIN = ["", "During handling of the above exception, another exception occurred:", ""]
PIECES = st.sampled_from(
    [
        [f"{STAMP} ERROR [main] shop: failed"],
        [f"{STAMP} ERROR [main] shop: failed", *PYTHON],
        [f"{STAMP} ERROR [main] shop: again", *JAVA],
        [f"{STAMP} ERROR [exec-2] shop: failed"],
        [f"{STAMP} ERROR java.lang.XError: failed"],
        [f"{STAMP} CRITICAL failed"],
        [f"{STAMP} INFO fine"],
        [f"{STAMP} INFO ERROR count 0"],
        ["ERROR undated"],
        ["free text"],
        ["    indented"],
        [""],
        CHAIN,
        PYTHON,
        PYTHON[:2],
        PYTHON[2:],
        JAVA,
        JAVA[:2],
        JAVA[1:],
        NODE,
        NODE[1:],
    ]
)


def slowly(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    with monkeypatch.context() as patched:
        patched.setattr(scan, "plain_records", lambda *_: ())
        return records_of(tmp_path, text)


@given(st.lists(PIECES, max_size=14))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_stroke_and_the_joiner_give_the_same_records(tmp_path, monkeypatch, pieces) -> None:
    text = "".join(f"{line}\n" for piece in pieces for line in piece)
    assert records_of(tmp_path, text) == slowly(tmp_path, text, monkeypatch)


def test_a_run_of_plain_traces_goes_on_behind_one_that_others_may_have_interrupted(tmp_path) -> None:
    errors = [[f"{STAMP} ERROR [main] failed {n}", *PYTHON[:-1], f"ValueError: of {n}"] for n in range(5)]
    lines = [
        line for error in errors for line in ([*error, f"{STAMP} INFO fine"] if error is errors[2] else error)
    ]
    found = records_of(tmp_path, "\n".join([*lines, ""]))
    assert [record.split("\n") for record in found] == errors


@pytest.mark.parametrize("file", sorted(DATA.rglob("*.txt")), ids=lambda file: str(file.relative_to(DATA)))
def test_below_a_dated_line_every_sample_is_the_same_by_both(file, tmp_path, monkeypatch) -> None:
    one = f"{STAMP} ERROR [main] failed\n{file.read_text()}"
    text = f"{one}{one}{STAMP} INFO a\n" + f"{STAMP} INFO b\n" * 4
    assert records_of(tmp_path, text) == slowly(tmp_path, text, monkeypatch)


@pytest.mark.parametrize("ending", ["\r\n", " \x1b[0m\n"], ids=["crlf", "coloured"])
def test_lines_that_are_cleaned_are_cleaned_by_both(ending, tmp_path, monkeypatch) -> None:
    lines = [
        f"{STAMP} ERROR [main] failed",
        *PYTHON,
        f"{STAMP} ERROR [main] failed",
        *JAVA,
        f"{STAMP} INFO a",
    ]
    text = "".join(line + ending for line in lines)
    assert records_of(tmp_path, text) == slowly(tmp_path, text, monkeypatch)


@pytest.mark.parametrize("trace", [PYTHON, JAVA, NODE], ids=["python", "java", "node"])
def test_plain_traces_below_dated_errors_are_taken_at_one_stroke(trace) -> None:
    one = [f"{STAMP} ERROR [main] failed", *trace]
    lone = f"{STAMP} ERROR [main] alone"
    text = "\n".join([*one, *one, lone, f"{STAMP} INFO fine", ""]).encode()
    is_error = Detector().is_error
    found = list(plain_records(one[0].encode(), text, len(one[0]), is_error, lambda at: at))
    assert [raw.decode().split("\n") for raw, _ in found] == [one, one, [lone]]
    assert [text[end : end + 1] for _, end in found] == [b"\n"] * 3
    assert text[found[1][1] + 1 :].startswith(lone.encode())


@pytest.mark.parametrize(
    "between",
    [[f"{STAMP} INFO beat"], [f"{STAMP} INFO beat"] * 3, [f"{STAMP} ERROR [exec-2] other"]],
    ids=["one", "three", "error"],
)
def test_frames_that_others_interrupt_are_left_to_the_joiner(between, tmp_path) -> None:
    lines = [f"{STAMP} ERROR [main] failed", *JAVA[:2], *between, *JAVA[2:]]
    found = records_of(tmp_path, "\n".join([*lines, f"{STAMP} INFO after", ""]))
    assert found[0].split("\n") == [lines[0], *JAVA]
