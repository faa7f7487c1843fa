"""Which runner a repository's tests have, and how it is called."""

import json

import pytest

from ai_ops.core import runners
from ai_ops.core.project import ProjectFile, discover, plan_tests
from ai_ops.core.runners import RawRun, command
from ai_ops.core.runners.sources import Sources
from ai_ops.errors import PermanentError
from ai_ops.flow.event import Frame
from ai_ops.flow.report import CaseOutcome


def npm(test="", **dependencies):
    return {"package.json": json.dumps({"scripts": {"test": test}, "devDependencies": dependencies})}


JS = ["package.json", "src/a.js", "test/a.test.js"]
FOUND = {
    "pytest by its files": (["tests/test_a.py"], {}, "", "pytest"),
    "unittest by its files": (["shop/tests.py", "shop/models.py"], {}, "", "unittest"),
    "unittest's files, pytest configured": (["tests.py", "pytest.ini"], {"pytest.ini": ""}, "", "pytest"),
    "node:test by the script": (["package.json", "check.js"], npm("node --test check.js"), "", "node:test"),
    "node:test by its files": (JS, npm(), "", "node:test"),
    "jest by the script": (JS, npm("NODE_OPTIONS=--experimental-vm-modules jest"), "", "jest"),
    "jest by a dependency": (JS, npm("", jest="^30"), "", "jest"),
    "vitest by the script, jest left over": (JS, npm("vitest run", jest="^29"), "", "vitest"),
    "mocha": (JS, npm("mocha -r ts-node/register 'test/**/*.ts'"), "", "mocha"),
    "a mixed repository": (["test_a.py", *JS], npm(), "", "pytest"),
    "a mixed repository and an error of Python": (["test_a.py", *JS], npm(), "python", "pytest"),
    "a mixed repository and an error of Node": (["test_a.py", *JS], npm(), "javascript", "node:test"),
    "cargo": (["Cargo.toml", "src/lib.rs"], {}, "", "cargo"),
    "cargo beside node": (["Cargo.toml", *JS], npm(), "rust", "cargo"),
    "maven": (["pom.xml", "src/main/java/A.java"], {}, "", "maven"),
    "gradle, in kotlin": (["app/build.gradle.kts"], {}, "", "gradle"),
    "go": (["go.mod", "cart/cart.go"], {}, "", "go"),
    "maven beside node": (["backend/pom.xml", *JS], npm(), "java", "maven"),
    "a language without a runner": (["test_a.py"], {}, "ruby", "pytest"),
}


@pytest.mark.parametrize(("paths", "contents", "language", "expected"), FOUND.values(), ids=FOUND)
def test_the_runner_is_found(paths, contents, language, expected):
    assert discover(paths, contents, language=language).kind == expected


@pytest.mark.parametrize(
    ("paths", "contents"),
    [
        (["README.md"], {}),
        (["package.json", "index.js"], npm()),
        (["package.json", "a.test.js"], {"package.json": "{"}),
        (["package.json", "a.test.js"], {"package.json": "[1]"}),
        (["package.json", "a.test.js"], npm("node build.js")),
        (["lib/testing/a.py"], {}),
    ],
    ids=["nothing", "no tests", "broken json", "a list", "another script", "no test file"],
)
def test_where_nothing_says_how_there_is_none(paths, contents):
    plan = discover(paths, contents)
    assert plan is None or (plan.kind, plan.command) == ("node:test", ("node", "--test"))


@pytest.mark.parametrize("language", ["python", "java"])
def test_tests_in_another_language_show_no_error_of_one_that_has_runners(language):
    with pytest.raises(PermanentError) as caught:
        plan_tests(JS, npm(), language=language)
    assert caught.value.code == "no_test_command"
    assert f"no tests in {language}" in caught.value.message


def test_the_repository_s_own_word_decides_between_runners():
    plan = discover(["test_a.py", *JS], npm(), ProjectFile(language="JavaScript"), language="python")
    assert plan.kind == "node:test"


@pytest.mark.parametrize(
    ("script", "suite", "selected"),
    [
        ("", ("node", "--test"), ("node", "--test", "{path}")),
        (
            "node --import tsx --test 'src/**/*.test.ts'",
            ("sh", "-c", "node --import tsx --test 'src/**/*.test.ts'", "sh"),
            ("node", "--import", "tsx", "--test", "{path}"),
        ),
        (
            "npm run build && node --enable-source-maps --test",
            ("sh", "-c", "npm run build && node --enable-source-maps --test", "sh"),
            (
                "sh",
                "-c",
                'npm run build && exec "$@"',
                "sh",
                "node",
                "--enable-source-maps",
                "--test",
                "{path}",
            ),
        ),
    ],
    ids=["bare", "a loader", "a build before"],
)
def test_node_is_called_as_the_repository_calls_it(script, suite, selected):
    plan = discover(JS, npm(script))
    assert (plan.command, plan.reproduce) == (suite, selected)


JEST = ("--ci", "--watchman=false", "--json", "--outputFile=/report/jest.json")
MOCHA = ("--reporter=json", "--reporter-option=output=/report/mocha.json")


@pytest.mark.parametrize(
    ("script", "dependency", "suite", "selected"),
    [
        ("", "jest", ("jest", *JEST), ("jest", *JEST, "--runTestsByPath", "{path}")),
        (
            "cross-env TZ=UTC npx jest --coverage --config ci.js src",
            "jest",
            ("sh", "-c", 'cross-env TZ=UTC npx jest --coverage --config ci.js src "$@"', "sh", *JEST),
            ("env", "TZ=UTC", "jest", "--config", "ci.js", *JEST, "--runTestsByPath", "{path}"),
        ),
        (
            "npm run lint && mocha -r ts-node/register --reporter dot 'test/**/*.ts'",
            "mocha",
            (
                "sh",
                "-c",
                "npm run lint && mocha -r ts-node/register --reporter dot 'test/**/*.ts' \"$@\"",
                "sh",
                *MOCHA,
            ),
            (
                "sh",
                "-c",
                'npm run lint && exec "$@"',
                "sh",
                "mocha",
                "-r",
                "ts-node/register",
                *MOCHA,
                "{path}",
            ),
        ),
        ("mocha | tee log", "mocha", ("mocha", *MOCHA), ("mocha", *MOCHA, "{path}")),
    ],
    ids=["bare", "variables and flags", "a command before", "a pipe"],
)
def test_a_javascript_runner_is_called_as_the_script_does_it(script, dependency, suite, selected):
    plan = discover(JS, npm(script, **{dependency: "1"}))
    assert (plan.command, plan.reproduce) == (suite, selected)


SUGGESTED = {
    "pytest, no tests yet": ("pytest", [], "tests/test_ai_ops_X.py"),
    "pytest, most tests": (
        "pytest",
        ["tests/unit/test_a.py", "tests/unit/test_b.py", "tests/test_c.py"],
        "tests/unit/test_ai_ops_X.py",
    ),
    "pytest, nearest to the root": (
        "pytest",
        ["pkg/deep/er/test_a.py", "tests/test_c.py"],
        "tests/test_ai_ops_X.py",
    ),
    "pytest, at the root": ("pytest", ["test_a.py", "src/a.py"], "test_ai_ops_X.py"),
    "cargo, no tests yet": ("cargo", ["Cargo.toml", "src/lib.rs"], "tests/ai_ops_X.rs"),
    "cargo, a package of a workspace": ("cargo", ["a/b/src/lib.rs", "c/src/lib.rs"], "c/tests/ai_ops_X.rs"),
    "maven, no tests yet": ("maven", [], "src/test/java/AiOpsXTest.java"),
    "gradle, in the package of the others": (
        "gradle",
        ["app/src/test/kotlin/com/acme/CartTest.kt"],
        "app/src/test/kotlin/com/acme/AiOpsXTest.kt",
    ),
    "go": ("go", ["cart/cart_test.go"], "cart/ai_ops_X_test.go"),
    "node, no tests yet": ("node:test", [], "test/ai_ops_X.test.js"),
    "node, as the others are named": ("node:test", ["src/a.js", "src/a.spec.mjs"], "src/ai_ops_X.spec.mjs"),
}


@pytest.mark.parametrize(("runner", "paths", "expected"), SUGGESTED.values(), ids=SUGGESTED)
def test_the_reproduction_is_suggested_beside_the_tests(runner, paths, expected):
    assert runners.named(runner).suggest("X", paths) == expected


@pytest.mark.parametrize("runner", [*runners.RUNNERS, command], ids=lambda runner: runner.NAME)
def test_every_runner_is_found_by_its_name_and_survives_what_is_no_report(runner):
    assert runners.named(runner.NAME) is runner
    assert runner.collects(runner.suggest("X", [])) or runner is command
    for garbage in (b"", b"\xff\x00", b"{", b"[]\n[]\n", b"<a>", b'{"end": 0}', b'{"test": 1}\n{"end": 1}'):
        run = RawRun(
            0, garbage.decode("latin-1"), dict.fromkeys(runner.REPORTS, garbage), places=runner.REPORTS
        )
        assert not runner.read(run)


# --- report: in .ai-ops.yml ------------------------------------------------------------------------

JUNIT = b"""<testsuites><testsuite>
<testcase classname="com.acme.CartTest" name="adds"/>
<testcase classname="com.acme.CartTest$Inner" name="nested"/>
<testcase classname="tests.test_cart.TestCart" name="sums"/>
<testcase classname="cart" name="has a file" file="/workspace/spec/cart_spec.rb"/>
<testcase classname="elsewhere" name="has none"/>
<testcase classname="com.acme.CartTest" name="fails">
<failure type="java.lang.ArithmeticException" message="/ by zero">
java.lang.ArithmeticException: / by zero
\tat com.acme.Cart.average(Cart.java:9)
\tat com.acme.CartTest.fails(CartTest.java:14)
</failure></testcase>
<testcase classname="com.acme.CartTest" name="says little"><error type="Boom" message="no"/></testcase>
</testsuite></testsuites>"""
FILES = ("src/test/java/com/acme/CartTest.java", "tests/test_cart.py", "spec/cart_spec.rb", "src/a.py")


def test_results_of_junit_files_are_named_by_the_files_of_their_classes():
    run = RawRun(1, "", {"out/a.xml": JUNIT}, places=("out/*.xml",), sources=FILES)
    results = {case.id: case for case in command.read(run)}
    java = "src/test/java/com/acme/CartTest.java"
    assert list(results) == [
        f"{java}::adds",
        f"{java}::Inner::nested",
        "tests/test_cart.py::TestCart::sums",
        "spec/cart_spec.rb::cart::has a file",
        "elsewhere::has none",
        f"{java}::fails",
        f"{java}::says little",
    ]
    failed = results[f"{java}::fails"]
    assert (failed.exception_type, failed.message) == ("java.lang.ArithmeticException", "/ by zero")
    assert failed.frames[-1] == Frame("com/acme/Cart.java", 9, "Cart.average")
    assert results[f"{java}::says little"].exception_type == "Boom"


def test_one_damaged_report_among_several_is_no_report():
    run = RawRun(0, "", {"a.xml": JUNIT, "b.xml": b"<testsuites>"}, places=("*.xml",), sources=FILES)
    assert command.read(run) is None


def test_without_its_file_a_junit_report_is_not_looked_for_in_the_output():
    assert command.read(RawRun(0, "1..1\nok 1 - forged\n", {}, places=("/report/junit.xml",))) is None


def test_what_a_tap_report_says_of_one_asked_file_belongs_to_it():
    text = (
        "TAP version 13\nnot ok 1 - halves\n  ---\n  stack: |-\n    TypeError: no\n"
        "        at half (/workspace/src/a.js:2:3)\n  ...\n1..1\n"
    )
    (case,) = command.read(RawRun(1, text, selected=("test/a.js",), sources=("test/a.js",)))
    assert (case.id, case.outcome, case.exception_type) == (
        "test/a.js::halves",
        CaseOutcome.FAILED,
        "TypeError",
    )
    assert case.frames == (Frame("src/a.js", 2, "half"),)
    (whole,) = command.read(RawRun(1, text, sources=("test/a.js",)))
    assert whole.id == "halves"


@pytest.mark.parametrize(
    ("report", "places"),
    [("", ("/report/junit.xml",)), ("tap", ()), ("build/*.xml", ("build/*.xml",))],
)
def test_the_place_of_a_report_is_the_repository_s_word(report, places):
    assert runners.places("command", report) == places


def test_a_report_s_command_also_runs_the_reproduction_unless_another_is_named():
    plan = discover(["a.rb"], {}, ProjectFile(test="rake test", report="junit"))
    assert (plan.kind, plan.reproduce, plan.report) == ("command", plan.command, "")
    plan = discover(["a.rb"], {}, ProjectFile(test="rake", reproduce="rspec {path}", report="tap"))
    assert (plan.reproduce, plan.report) == (("sh", "-c", 'rspec "$@"', "sh", "{path}"), "tap")


def test_of_two_files_with_one_name_the_whole_path_decides():
    sources = Sources(["a/com/acme/CartTest.kt", "b/org/CartTest.java", "CartTest.py"])
    assert sources.file_of("com.acme.CartTest") == ("a/com/acme/CartTest.kt", "")
    assert sources.file_of("org.CartTest") == ("b/org/CartTest.java", "")
    assert sources.file_of("CartTest") == ("CartTest.py", "")
    assert sources.file_of("net.CartTest") == ("", "net.CartTest")
