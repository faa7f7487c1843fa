"""TAP is read whole or not at all."""

import pytest

from ai_ops.core.tap import parse_tap


def read(text):
    points = parse_tap(text)
    return None if points is None else [("::".join(point.names), point.outcome.value) for point in points]


def test_points_have_a_name_an_outcome_and_what_is_said_of_them():
    text = """TAP version 13
1..4
ok 1 - adds
noise of the program
not ok 2 - divides
  ---
  name: 'TypeError'
  stack: |-
    at half (/workspace/src/a.js:2:3)
  ...
ok 3 - later # SKIP no network
not ok 4 - some day # TODO not there yet
# a remark
"""
    assert read(text) == [
        ("adds", "passed"),
        ("divides", "failed"),
        ("later", "skipped"),
        ("some day", "skipped"),
    ]
    assert "at half (/workspace/src/a.js:2:3)" in parse_tap(text)[1].said


def test_a_subtest_is_named_by_the_point_that_ends_it():
    text = """TAP version 14
# Subtest: test/a.js
    # Subtest: inner
        ok 1 - deep
        1..1
    ok 1 - inner
    not ok 2 - shallow
    1..2
not ok 1 - test/a.js
ok 2 - test/b.js
1..2
"""
    assert read(text) == [
        ("test/a.js::inner::deep", "passed"),
        ("test/a.js::shallow", "failed"),
        ("test/b.js", "passed"),
    ]


def test_a_subtest_that_fails_by_itself_is_a_result():
    assert read("    ok 1 - in\n    1..1\nnot ok 1 - out\n1..1\n") == [
        ("out::in", "passed"),
        ("out", "failed"),
    ]


@pytest.mark.parametrize("text", ["1..0\n", "1..0 # SKIP nothing to do\n"])
def test_a_plan_of_nothing_is_an_empty_report(text):
    assert read(text) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("ok 1 - a\n", id="no plan"),
        pytest.param("1..2\nok 1 - a\n", id="ended early"),
        pytest.param("1..1\nok 1 - a\nok 2 - b\n", id="more than planned"),
        pytest.param("1..2\nok 1 - a\nok 1 - a\n", id="a number twice"),
        pytest.param("1..1\nok 1 - forged\n1..1\nok 1 - true\n", id="a second report"),
        pytest.param("1..1\n    ok 1 - in\n    1..2\nok 1 - a\n", id="a subtest that ended early"),
        pytest.param("1..1\nok 1 - a\n    ok 1 - in\n    1..1\n", id="a subtest that nothing ends"),
        pytest.param("1..2\nok 1 - a\nBail out! no database\nok 2 - b\n", id="bailed out"),
        pytest.param(" " * 100_000 + "ok 1\n", id="endless depth"),
    ],
)
def test_what_is_not_whole_is_no_report(text):
    assert read(text) is None
