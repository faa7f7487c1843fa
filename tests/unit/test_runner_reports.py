"""Reports as real tools wrote them, in ``tests/data/reports``, read by their runners."""

import json
from pathlib import Path

import pytest

from ai_ops.core.runners import RawRun, named
from ai_ops.flow.report import RunEnd, SuiteReport

REPORTS = Path(__file__).parents[1] / "data" / "reports"


def recorded(runner, name, **more):
    """Return the run of a recorded report; a runner without report files is read from what it printed."""
    data = (REPORTS / name).read_bytes()
    places = named(runner).REPORTS
    if not places:
        return RawRun(1, data.decode(), **more)
    return RawRun(1, "", {places[0]: data}, places=places, **more)


def read(runner, name, **more):
    return {case.id: case for case in named(runner).read(recorded(runner, name, **more))}


def damaged(runner, name, change):
    places = named(runner).REPORTS
    report = json.loads((REPORTS / name).read_bytes())
    change(report)
    return named(runner).read(RawRun(0, "", {places[0]: json.dumps(report).encode()}, places=places))


# --- jest 30, vitest 4, mocha 12 -------------------------------------------------------------------

RATINGS = "test/ratings.test.js"
JS = {
    "jest": ("::", "Error", ("", "")),
    "vitest": ("::", "AssertionError", ("<anonymous>", "average")),
    "mocha": (" ", "AssertionError", ("Context.<anonymous>", "average")),
}


@pytest.mark.parametrize("tool", JS)
def test_each_javascript_test_has_its_file_its_outcome_and_its_error(tool):
    joint, assertion, functions = JS[tool]
    found = read(tool, f"{tool}.json")
    outcomes = {
        id.removeprefix(f"{RATINGS}::").replace(joint, " "): case.outcome.value
        for id, case in found.items()
        if id.startswith(f"{RATINGS}::")
    }
    assert outcomes == {
        "group inner works": "passed",
        "group empty": "failed",
        "group own": "failed",
        "group expects": "failed",
        "group skipped": "skipped",
    }
    empty = next(case for id, case in found.items() if id.endswith("empty"))
    assert (empty.exception_type, empty.message) == (
        "TypeError",
        "Reduce of empty array with no initial value",
    )
    places = [(frame.file, frame.line, frame.function) for frame in empty.frames if frame.in_app]
    assert places == [(RATINGS, 5, functions[0]), ("src/ratings.js", 2, functions[1])]
    expects = next(case for id, case in found.items() if id.endswith("expects"))
    assert expects.exception_type == assertion


@pytest.mark.parametrize("tool", ["jest", "vitest"])
def test_a_javascript_file_that_cannot_be_loaded_is_an_error_and_names_what_is_missing(tool):
    found = read(tool, f"{tool}.json")
    errors = {id: case.message for id, case in found.items() if case.outcome.value == "error"}
    assert set(errors) == {"test/pkg.test.js", "test/syntax.test.js"}
    assert "nope.js" in errors["test/syntax.test.js"]
    report = SuiteReport(RunEnd.EXITED, 1, tuple(found.values()))
    assert named(tool).missing(report, []) == ("left-pad",)


def test_a_file_that_mocha_cannot_load_leaves_no_report_and_is_told():
    said = "\nError: Cannot find module 'left-pad'\n- /workspace/test/a.js\n    at load (node:x:1:2)\n"
    (error,) = named("mocha").read(RawRun(1, said, places=named("mocha").REPORTS, selected=("test/a.js",)))
    assert (error.id, error.outcome.value) == ("test/a.js", "error")
    assert "left-pad" in error.message
    assert named("mocha").read(RawRun(1, said, places=named("mocha").REPORTS)) is None
    assert named("mocha").read(RawRun(0, said, selected=("test/a.js",))) is None


@pytest.mark.parametrize(
    ("tool", "change"),
    [
        ("jest", lambda report: report["testResults"][0]["assertionResults"].pop()),
        ("vitest", lambda report: report.update(numTotalTests=6)),
        ("vitest", lambda report: report.pop("numTotalTests")),
        ("mocha", lambda report: report["tests"].pop()),
    ],
    ids=["jest, a test less", "vitest, another number", "vitest, no number", "mocha, a test less"],
)
def test_a_javascript_report_that_does_not_add_up_is_none(tool, change):
    assert damaged(tool, f"{tool}.json", lambda report: None)
    assert damaged(tool, f"{tool}.json", change) is None
