"""JUnit reports are read into results, and hostile ones into nothing."""

import subprocess
import sys

import pytest

from ai_ops.core.reports import MAX_REPORT_BYTES, missing_modules, parse_junit
from ai_ops.flow.event import Frame
from ai_ops.flow.report import CaseOutcome, CaseResult, RunEnd, SuiteReport

SUITE = """
import pytest

def f(x):
    return 1 / x

def test_ok():
    pass

def test_bad():
    f(0)

class TestOuter:
    class TestInner:
        @pytest.mark.parametrize("a", ["x::y.z"])
        def test_in(self, a):
            assert a == 1, "hey"

def test_chain():
    try:
        f(0)
    except ZeroDivisionError as error:
        raise ValueError("wrapped") from error

@pytest.fixture
def broken():
    raise KeyError("k")

def test_error(broken):
    pass

def test_skipped():
    pytest.skip("no")

@pytest.fixture
def late():
    yield
    raise RuntimeError("teardown")

def test_fails_and_so_does_its_teardown(late):
    assert 0

def test_only_the_teardown_fails(late):
    pass
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The same suite reported by the real pytest in both families."""
    root = tmp_path_factory.mktemp("suite")
    (root / "tests" / "sub").mkdir(parents=True)
    (root / "tests" / "sub" / "test_a.py").write_text(SUITE)
    (root / "tests" / "test_import.py").write_text("import no_such_thing_at_all\n")
    (root / "tests" / "test_syntax.py").write_text("def broken(:\n")
    found = {}
    for family in ("xunit1", "xunit2"):
        xml = root / f"{family}.xml"
        options = ["--tb=native", "-o", f"junit_family={family}", f"--junitxml={xml}", f"--rootdir={root}"]
        plain = ["-p", "no:cacheprovider", "--continue-on-collection-errors", "-c", "/dev/null"]
        command = [sys.executable, "-m", "pytest", *options, *plain, str(root / "tests")]
        subprocess.run(command, cwd=root, capture_output=True, check=False)
        found[family] = {one.id: one for one in parse_junit(xml.read_bytes(), roots=[str(root)])}
    return found


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_each_test_has_a_stable_id_and_an_outcome(reports, family):
    outcomes = {id.removeprefix("tests/"): result.outcome.value for id, result in reports[family].items()}
    assert outcomes == {
        "test_import.py": "error",
        "test_syntax.py": "error",
        "sub/test_a.py::test_ok": "passed",
        "sub/test_a.py::test_bad": "failed",
        "sub/test_a.py::TestOuter::TestInner::test_in[x::y.z]": "failed",
        "sub/test_a.py::test_chain": "failed",
        "sub/test_a.py::test_error": "error",
        "sub/test_a.py::test_skipped": "skipped",
        "sub/test_a.py::test_fails_and_so_does_its_teardown": "failed",
        "sub/test_a.py::test_only_the_teardown_fails": "error",
    }


@pytest.mark.parametrize(
    ("test", "kind", "message"),
    [
        ("sub/test_a.py::test_ok", "", ""),
        ("sub/test_a.py::test_bad", "ZeroDivisionError", "division by zero"),
        ("sub/test_a.py::test_chain", "ValueError", "wrapped"),
        ("sub/test_a.py::test_error", "KeyError", "'k'"),
        ("sub/test_a.py::test_only_the_teardown_fails", "RuntimeError", "teardown"),
        ("test_import.py", "ModuleNotFoundError", "No module named 'no_such_thing_at_all'"),
        ("test_syntax.py", "SyntaxError", "invalid syntax"),
    ],
)
def test_the_exception_is_read_out_of_the_failure(reports, test, kind, message):
    result = reports["xunit1"]["tests/" + test]
    assert (result.exception_type, result.message) == (kind, message)


def test_frames_are_relative_to_the_repository_and_without_the_runner(reports):
    assert reports["xunit1"]["tests/sub/test_a.py::test_bad"].frames == (
        Frame("tests/sub/test_a.py", 11, "test_bad"),
        Frame("tests/sub/test_a.py", 5, "f"),
    )
    assert reports["xunit1"]["tests/test_import.py"].frames[-1] == Frame(
        "tests/test_import.py", 1, "<module>"
    )
    assert reports["xunit1"]["tests/test_syntax.py"].frames[-1] == Frame(
        "tests/test_syntax.py", 1, "<module>"
    )


CASE = '<testcase classname="t.test_a" name="{}" file="t/test_a.py">{}</testcase>'


def document(*cases):
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>".encode()


def test_frames_outside_the_repository_are_not_in_app():
    text = (
        "Traceback (most recent call last):\n"
        '  File "/workspace/app.py", line 3, in run\n    go()\n'
        '  File "/usr/lib/python3.11/json/decoder.py", line 7, in decode\n    raise\n'
        '  File "/workspace-other/x.py", line 1, in y\n    raise\n'
        "ValueError: no"
    )
    (result,) = parse_junit(document(CASE.format("test_x", f"<failure message='m'>{text}</failure>")))
    assert [(frame.file, frame.in_app) for frame in result.frames] == [
        ("app.py", True),
        ("/usr/lib/python3.11/json/decoder.py", False),
        ("/workspace-other/x.py", False),
    ]


def test_a_second_pass_does_not_hide_a_failure():
    failed = CASE.format("test_x", "<failure message='assert 0'/>")
    passed = CASE.format("test_x", "")
    for order in ((failed, passed), (passed, failed)):
        (result,) = parse_junit(document(*order))
        assert result.outcome is CaseOutcome.FAILED


def test_an_inherited_test_belongs_to_the_class_that_runs_it():
    xml = '<testcase classname="tests.test_b.TestB" name="test_x" file="tests/base.py"/>'
    assert parse_junit(document(xml))[0].id == "tests/test_b.py::TestB::test_x"


BOMB = b'<!DOCTYPE a [<!ENTITY b "xx"><!ENTITY c "&b;&b;">]><testsuites><testsuite name="&c;"/></testsuites>'


@pytest.mark.parametrize(
    "xml",
    [
        pytest.param(BOMB, id="entities"),
        pytest.param(BOMB.decode().encode("utf-16"), id="entities in utf-16"),
        pytest.param(b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><testsuites/>', id="external"),
        pytest.param(b"<testsuites><testsuite>", id="cut off"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe\x00", id="garbage"),
        pytest.param(b"<html/>", id="other document"),
        pytest.param(b"<a>" * 50 + b"</a>" * 50, id="deep"),
        pytest.param(b"<testsuites>" + b" " * MAX_REPORT_BYTES + b"</testsuites>", id="large"),
        pytest.param(b'<?xml version="1.0" encoding="no-such"?><testsuites/>', id="unknown encoding"),
    ],
)
def test_a_hostile_or_damaged_report_is_none(xml):
    assert parse_junit(xml) is None


def report(results, output="", exit_code=2):
    return SuiteReport(RunEnd.EXITED, exit_code, results, output)


def uncollected(message):
    return CaseResult("tests/test_a.py", CaseOutcome.ERROR, "ModuleNotFoundError", message)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        pytest.param(report((uncollected("No module named 'flask'"),)), ("flask",), id="dependency"),
        pytest.param(report((uncollected("No module named 'yaml.nodes'"),)), ("yaml",), id="submodule"),
        pytest.param(report((uncollected("No module named 'shop.cart'"),)), (), id="own package"),
        pytest.param(report((uncollected("No module named 'helpers'"),)), (), id="own module"),
        pytest.param(
            report((CaseResult("t.py::test_x", CaseOutcome.ERROR, message="No module named 'flask'"),)),
            (),
            id="raised by a test that runs",
        ),
        pytest.param(
            report(
                None, "ImportError while loading conftest\nE   ModuleNotFoundError: No module named 'django'"
            ),
            ("django",),
            id="conftest",
        ),
        pytest.param(report(None, "python: No module named pytest"), ("pytest",), id="pytest itself"),
        pytest.param(report((), "No module named 'printed'"), (), id="only printed"),
    ],
)
def test_missing_dependencies_are_told_from_missing_own_modules(given, missing):
    files = ["src/shop/__init__.py", "tests/helpers.py", "README.md"]
    assert missing_modules(given, files) == missing
