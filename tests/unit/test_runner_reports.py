"""Reports as real tools wrote them, in ``tests/data/reports``, read by their runners."""

import json
from pathlib import Path

import pytest

from ai_ops.core import runners
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


def test_half_a_surrogate_in_a_report_does_not_reach_the_database():
    name = r"caf\u00e9 \ud800 \ud83d\ude00"
    seen = '"file":"/workspace/a.js","passed":true,"aside":"","suite":false,"error":null'
    lines = f'{{"test":["{name}"],{seen}}}\n'
    runner = named("node:test")
    run = RawRun(0, "", {runner.REPORTS[0]: f'{lines}{{"end":1}}\n'.encode()}, places=runner.REPORTS)
    (case,) = runners.read(runner, run)
    assert case.id == "a.js::café ? 😀"


# --- Maven, Gradle ---------------------------------------------------------------------------------

JAVA = "src/test/java/com/acme/shop/RatingsTest.java"
SUREFIRE = "target/surefire-reports/TEST-com.acme.shop.RatingsTest.xml"
GRADLE = "app/build/test-results/test/TEST-com.acme.shop.RatingsTest.xml"
RAN = "[ERROR] Tests run: {}, Failures: 1, Errors: 2, Skipped: 1\n"


def jvm(runner, place, name, output="", *, prefix="", exit_code=1):
    reports = {place: (REPORTS / name).read_bytes()} if name else {}
    sources = (f"{prefix}src/main/java/com/acme/shop/Ratings.java", prefix + JAVA)
    run = RawRun(exit_code, output, reports, places=named(runner).REPORTS, sources=sources)
    found = named(runner).read(run)
    return found and {case.id: case for case in found}


def test_a_suite_of_maven_is_named_by_the_files_of_its_classes():
    found = jvm("maven", SUREFIRE, "surefire.xml", RAN.format(8))
    assert {id.removeprefix(f"{JAVA}::"): case.outcome.value for id, case in found.items()} == {
        "listed": "passed",
        "empty": "error",
        "wrong": "failed",
        "later": "skipped",
        "wraps": "error",
        "Inner::nested": "passed",
        "each(int)[1]": "passed",
        "each(int)[2]": "passed",
    }
    empty, wraps = found[f"{JAVA}::empty"], found[f"{JAVA}::wraps"]
    assert (empty.exception_type, empty.message) == ("java.lang.ArithmeticException", "/ by zero")
    assert (wraps.exception_type, wraps.message) == ("java.lang.IllegalStateException", "outer")
    for case in (empty, wraps):  # down to the cause
        assert [f.function for f in case.frames if f.in_app][-2:] == ["Ratings.summary", "Ratings.average"]


def test_more_results_than_surefire_says_it_ran_are_no_report():
    assert jvm("maven", SUREFIRE, "surefire.xml", RAN.format(7)) is None
    assert jvm("maven", SUREFIRE, "surefire.xml", RAN.format(4) + RAN.format(4))


def test_a_suite_of_gradle_is_named_by_the_files_of_its_classes():
    found = jvm("gradle", GRADLE, "gradle.xml", prefix="app/")
    assert {id.removeprefix(f"app/{JAVA}::"): case.outcome.value for id, case in found.items()} == {
        "listed()": "passed",
        "empty()": "failed",
        "wrong()": "failed",
        "later()": "skipped",
    }
    empty = found[f"app/{JAVA}::empty()"]
    assert (empty.exception_type, empty.message) == ("java.lang.ArithmeticException", "/ by zero")
    assert empty.frames[-1].function == "Ratings.average"


UNCOMPILED = {
    "maven": f"[ERROR] COMPILATION ERROR :\n[ERROR] /workspace/{JAVA}:[2,35] cannot find symbol\n",
    "gradle, java": f"/workspace/{JAVA}:2: error: cannot find symbol\n",
    "gradle, kotlin": f"e: file:///workspace/{JAVA}:2:35 cannot find symbol\n",
}


@pytest.mark.parametrize("case", UNCOMPILED)
def test_a_class_of_tests_that_does_not_compile_is_an_error(case):
    runner = case.partition(",")[0]
    (error,) = jvm(runner, "", "", UNCOMPILED[case]).values()
    assert (error.id, error.outcome.value, error.message) == (JAVA, "error", "cannot find symbol")
    assert jvm(runner, "", "", UNCOMPILED[case], exit_code=0) is None


@pytest.mark.parametrize(
    ("runner", "output", "missing"),
    [
        (
            "maven",
            "[ERROR] Plugin x could not be resolved: Cannot access central in offline mode and the artifact "
            "org.acme:left-pad:jar:1.0 has not been downloaded from it before.",
            ("org.acme:left-pad:jar:1.0",),
        ),
        (
            "gradle",
            "> No cached version of org.acme:left-pad:1.0 available for offline mode.",
            ("org.acme:left-pad:1.0",),
        ),
        ("maven", "[ERROR] There are test failures.", ()),
    ],
    ids=["maven", "gradle", "nothing"],
)
def test_an_artifact_that_is_missing_is_named(runner, output, missing):
    assert named(runner).missing(SuiteReport(RunEnd.EXITED, 1, None, output), []) == missing


@pytest.mark.parametrize(
    ("runner", "paths", "words"),
    [
        ("maven", [JAVA, "src/test/resources/a.txt"], ("-Dtest=com.acme.shop.RatingsTest",)),
        ("maven", [f"app/{JAVA}"], ("-Dtest=com.acme.shop.RatingsTest", "--projects", "app", "--also-make")),
        ("gradle", [JAVA], ("test", "--tests", "com.acme.shop.RatingsTest")),
        ("gradle", [f"a/b/{JAVA}"], (":a:b:test", "--tests", "com.acme.shop.RatingsTest")),
    ],
    ids=["maven", "maven, a module", "gradle", "gradle, a module"],
)
def test_a_class_of_tests_is_called_by_its_name_in_its_module(runner, paths, words):
    selected = named(runner).select(paths, lambda path: "")
    assert tuple(word for word in selected if "NoSpecified" not in word and "NoTests" not in word) == words


# --- Go --------------------------------------------------------------------------------------------

GO = {
    "go.mod": "module example.com/acme/shop\n\ngo 1.22\n",
    "cart/cart_test.go": "package cart\n\nfunc TestWorks(t *testing.T) {}\nfunc TestLater(t *testing.T) {}\n"
    "func TestTable(t *testing.T) {}\n",
    "cart/empty_test.go": "package cart\n\nfunc TestEmpty(t *testing.T) {}\n",
}


def go(output, exit_code=1, **more):
    run = RawRun(exit_code, output, sources=tuple(GO), text=lambda path: GO[path], **more)
    found = named("go").read(run)
    return found and {case.id: case for case in found}


def go_said():
    return (REPORTS / "go.jsonl").read_text()


def test_a_suite_of_go_is_named_by_the_files_of_its_functions():
    found = go("go: downloading nothing\n" + go_said())
    assert {id: case.outcome.value for id, case in found.items()} == {
        "cart/cart_test.go::TestWorks": "passed",
        "cart/cart_test.go::TestLater": "skipped",
        "cart/cart_test.go::TestTable/one": "passed",
        "cart/cart_test.go::TestTable/two": "failed",
        "cart/empty_test.go::TestEmpty": "failed",
    }
    assert found["cart/cart_test.go::TestTable/two"].message == "cart_test.go:13: got 1, want 2"


def test_a_panic_of_go_has_its_message_and_the_frames_of_the_code():
    failed = go(go_said())["cart/empty_test.go::TestEmpty"]
    assert (failed.exception_type, failed.message) == ("panic", "runtime error: integer divide by zero")
    frames = [(frame.file, frame.line) for frame in failed.frames if frame.in_app]
    assert frames == [("cart/empty_test.go", 6), ("cart/cart.go", 14), ("cart/cart.go", 10)]


def test_a_test_of_go_that_never_ended_is_an_error():
    ended = '"Action":"pass","Package":"example.com/acme/shop/cart","Test":"TestWorks"'
    assert ended in go_said()
    found = go("\n".join(line for line in go_said().splitlines() if ended not in line))
    assert found["cart/cart_test.go::TestWorks"].outcome.value == "error"


def test_an_end_that_is_told_twice_is_no_pass():
    last = next(line for line in go_said().splitlines() if '"fail"' in line and "TestTable/two" in line)
    found = go(go_said().replace(last, f"{last}\n{last.replace('fail', 'pass')}"))
    assert found["cart/cart_test.go::TestTable/two"].outcome.value == "failed"


def test_a_program_of_go_that_exits_is_no_report_though_its_last_test_passes():
    said = (
        '{"Action":"start","Package":"x"}\n{"Action":"run","Package":"x","Test":"TestA"}\n'
        '{"Action":"output","Package":"x","Test":"TestA","Output":"ok  \\tx\\t0.008s\\n"}\n'
        '{"Action":"pass","Package":"x","Test":"TestA","Elapsed":0.008}\n'
    )
    assert go(said, exit_code=0) is None


@pytest.mark.parametrize("lines", [-1, 5, 0], ids=["a package less", "cut off", "nothing"])
def test_a_run_of_go_that_did_not_end_is_no_report(lines):
    text = "\n".join(go_said().splitlines()[:lines])
    assert go(text) is None


@pytest.mark.parametrize("told", ["plain", "event"])
def test_a_package_of_go_that_does_not_compile_is_an_error(told):
    line = "cart/empty_test.go:5:2: undefined: Averag"
    if told == "event":
        line = json.dumps({"ImportPath": "x [x.test]", "Action": "build-output", "Output": line + "\n"})
    package = '{"Action":"start","Package":"x"}\n{"Action":"fail","Package":"x","Elapsed":0}\n'
    (error,) = go(f"{line}\n{package}").values()
    assert (error.id, error.outcome.value, error.message) == (
        "cart/empty_test.go",
        "error",
        "undefined: Averag",
    )


def test_tests_of_go_are_called_by_name_in_their_package():
    words = named("go").select(["cart/empty_test.go", "cart/testdata/a.json"], lambda path: GO[path])
    assert words == ("-run", "^(TestEmpty)$", "./cart")
    words = named("go").select(["a_test.go"], lambda path: "")
    assert words == ("./",)


def test_a_module_of_go_that_is_missing_is_named():
    said = "cart/cart.go:3:8: no required module provides package github.com/acme/pad; to add it:\n"
    report = SuiteReport(RunEnd.EXITED, 1, None, said)
    assert named("go").missing(report, []) == ("github.com/acme/pad",)
