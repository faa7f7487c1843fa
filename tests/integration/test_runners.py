"""Runners of other languages in the real sandbox: what they report, and what hostile code cannot."""

import os
import shutil
from pathlib import Path

import pytest

from ai_ops.core.project import DISCOVERY_FILES, ProjectFile, parse_project_file, plan_tests
from ai_ops.core.proof import run_trouble
from ai_ops.core.runners import named
from ai_ops.errors import PermanentError
from ai_ops.flow.report import CaseOutcome, RunEnd
from ai_ops.flow.repository import Repository
from ai_ops.workspace.sandbox import BubblewrapSandbox, OffSandbox
from ai_ops.workspace.setup_layer import SetupBuilder
from ai_ops.workspace.suite import SuiteRunner
from tests.support.languages import NODE, RUST

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed here")


@pytest.fixture(params=[BubblewrapSandbox, OffSandbox], ids=["bwrap", "off"])
def sandbox(request):
    return request.param()


@pytest.fixture
def run(tmp_path, shared_toolbox):
    """Run a tree of files as a repository."""

    async def go(files, *, sandbox=None, wall_seconds=60, **arguments):
        checkout = tmp_path / "checkout"
        for name, text in files.items():
            path = checkout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        contents = {name: files[name] for name in DISCOVERY_FILES if name in files}
        said = parse_project_file(files.get(".ai-ops.yml", "").encode())
        runner = SuiteRunner(sandbox or BubblewrapSandbox(), shared_toolbox, wall_seconds=wall_seconds)
        plan = plan_tests(list(files), contents, said)
        return await runner.run(checkout, plan, out=tmp_path / "out", **arguments)

    return go


def outcomes(report):
    return {result.id: result.outcome.value for result in report.results}


# --- unittest --------------------------------------------------------------------------------------

UNITTEST = """\
import unittest


class TestHalf(unittest.TestCase):
    def test_two(self):
        self.assertEqual(2 / 2, 1)

    @unittest.skip("later")
    def test_later(self):
        pass

    def test_zero(self):
        1 / 0
"""


async def test_a_unittest_suite_reports_its_methods_with_type_and_frames(run):
    report = await run({"shop/tests.py": UNITTEST, "shop/__init__.py": "", "setup.py": ""})
    assert outcomes(report) == {
        "shop/tests.py::TestHalf::test_two": "passed",
        "shop/tests.py::TestHalf::test_later": "skipped",
        "shop/tests.py::TestHalf::test_zero": "failed",
    }
    failed = report.results[-1]
    assert (failed.exception_type, failed.frames[-1].file) == ("ZeroDivisionError", "shop/tests.py")


# --- node:test -------------------------------------------------------------------------------------

NODE_TESTS = """\
import assert from 'node:assert';
import test, { describe, it } from 'node:test';

class EmptyError extends Error {
  name = 'EmptyError';
}

describe('a group', () => {
  it('passes', () => {});
  it('fails with a class of its own', () => {
    throw new EmptyError('nothing here');
  });
  it('is skipped', { skip: true }, () => {});
  it('is to do', { todo: true }, () => {
    throw new Error('not yet');
  });
});
test('parent', async (t) => {
  await t.test('child', () => assert.equal(1, 2));
});
"""


@needs_node
async def test_a_node_suite_reports_each_test_by_file_and_name(run, sandbox):
    files = {**NODE.files, "test/more.test.js": NODE_TESTS, "test/broken.test.js": "import './nope.js';\n"}
    report = await run(files, sandbox=sandbox)
    assert (report.end, report.exit_code) == (RunEnd.EXITED, 1)
    assert outcomes(report) == {
        "test/broken.test.js": "error",
        "test/more.test.js::a group::passes": "passed",
        "test/more.test.js::a group::fails with a class of its own": "failed",
        "test/more.test.js::a group::is skipped": "skipped",
        "test/more.test.js::a group::is to do": "skipped",
        "test/more.test.js::parent::child": "failed",
        "test/ratings.test.js::ratings::an average is shown": "passed",
    }
    kinds = {case.id: case.exception_type for case in report.results}
    assert kinds["test/more.test.js::a group::fails with a class of its own"] == "EmptyError"
    assert kinds["test/more.test.js::parent::child"] == "AssertionError"


@needs_node
async def test_a_node_failure_has_the_frames_of_the_code(run):
    report = await run({**NODE.files, **NODE.reproduction}, paths=["test/empty.test.js"])
    (failed,) = report.results
    assert (failed.exception_type, failed.message) == (
        "TypeError",
        "Reduce of empty array with no initial value",
    )
    assert [(frame.file, frame.line, frame.function) for frame in failed.frames][1:3] == [
        ("src/ratings.js", 6, "summary"),
        ("src/ratings.js", 2, "average"),
    ]


HOSTILE = """\
import fs from 'node:fs';
import test from 'node:test';

test('before', () => {{}});
test('at', () => {{
  {body}
}});
"""
FORGED = (
    '{"test":["at"],"file":"/workspace/a.test.mjs","passed":true,"aside":"","suite":false,'
    '"error":null,"stderr":""}\\n{"end":1}\\n'
)


@needs_node
@pytest.mark.parametrize(
    "body",
    [
        "process.exit(0);",
        "process.reallyExit(0);",
        "process.kill(process.pid, 'SIGKILL');",
        f"fs.writeFileSync('/report/node.jsonl', '{FORGED}'); process.exit(0);",
        f"fs.writeFileSync('/report/node.jsonl', '{FORGED}'); process.kill(process.ppid, 'SIGKILL');",
        "fs.rmSync('/report/node.jsonl'); process.exit(0);",
        "fs.rmSync('/report/node.jsonl'); fs.symlinkSync('/etc/passwd', '/report/node.jsonl');",
        "console.log('1..1\\nok 1 - at'); process.exit(0);",
    ],
    ids=["exits", "exits at once", "killed", "forges", "forges and kills", "removes", "links", "prints"],
)
async def test_a_node_test_that_ends_the_run_does_not_pass(run, body):
    report = await run({"package.json": "{}", "a.test.mjs": HOSTILE.format(body=body)})
    passed = [case for case in report.results or () if case.outcome is CaseOutcome.PASSED]
    assert run_trouble(report, "suite") or "a.test.mjs::at" not in {case.id for case in passed}


@needs_node
async def test_a_node_test_that_hangs_ends_at_the_limit(run):
    files = {"package.json": "{}", "a.test.mjs": HOSTILE.format(body="for (;;);")}
    report = await run(files, wall_seconds=1.5)
    assert (report.end, report.results) == (RunEnd.WALL_TIMEOUT, None)


@needs_node
async def test_a_package_that_is_missing_is_named(run):
    files = {"package.json": "{}", "a.test.mjs": "import 'left-pad';\n"}
    report = await run(files)
    assert named("node:test").missing(report, list(files)) == ("left-pad",)


# --- cargo -----------------------------------------------------------------------------------------

needs_cargo = pytest.mark.skipif(
    not (shutil.which("cargo") and shutil.which("cc")), reason="Rust is not installed here"
)
RUST_EXITS = (
    '#[test]\nfn at() { println!("test at ... ok"); std::process::exit(0); }\n#[test]\nfn before() {}\n'
)


@needs_cargo
async def test_a_rust_suite_reports_each_test_by_file_crate_and_documentation(run, sandbox):
    documented = "/// ```\n/// assert_eq!(shop::one(), 1);\n/// ```\npub fn one() -> u32 {\n    1\n}\n"
    files = RUST.files | RUST.reproduction | {"src/lib.rs": "pub mod ratings;\n\n" + documented}
    report = await run(files, sandbox=sandbox)
    assert (report.end, report.exit_code) == (RunEnd.EXITED, 101)
    assert outcomes(report) == {
        "shop (src/lib.rs)::ratings::tests::an_average_is_whole": "passed",
        "tests/empty.rs::a_product_without_stars_is_listed": "failed",
        "tests/ratings.rs::a_product_is_listed": "passed",
        "documentation of shop::src/lib.rs - one #1": "passed",
    }
    (failed,) = (case for case in report.results if case.outcome is CaseOutcome.FAILED)
    assert (failed.exception_type, failed.message) == ("panic", "attempt to divide by zero")
    assert ("src/ratings.rs", 2) in [(frame.file, frame.line) for frame in failed.frames if frame.in_app]


@needs_cargo
async def test_a_rust_test_that_ends_its_program_is_no_report(run):
    report = await run({**RUST.files, "tests/ends.rs": RUST_EXITS}, paths=["tests/ends.rs"])
    assert (report.exit_code, run_trouble(report, "").rule) == (0, "early_exit")


@needs_cargo
async def test_a_crate_that_is_missing_is_named(run):
    manifest = RUST.files["Cargo.toml"] + '\n[dependencies]\nleft-pad = "1"\n'
    files = {**RUST.files, "Cargo.toml": manifest}
    report = await run(files)
    assert named("cargo").missing(report, list(files)) == ("left-pad",)


# --- Go --------------------------------------------------------------------------------------------

GO = {
    "go.mod": "module example.com/acme/shop\n\ngo 1.20\n",
    "cart/cart.go": "package cart\n\nfunc Half(n int) int {\n\treturn 2 / n\n}\n",
    "cart/cart_test.go": 'package cart\n\nimport "testing"\n\nfunc TestWorks(t *testing.T) { Half(1) }\n',
    "cart/zero_test.go": 'package cart\n\nimport "testing"\n\nfunc TestZero(t *testing.T) { Half(0) }\n',
}


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed here")
@pytest.mark.timeout(240)  # the standard library is built first
async def test_a_go_suite_reports_each_test_by_file_and_name(run):
    report = await run(GO, wall_seconds=200)
    assert outcomes(report) == {
        "cart/cart_test.go::TestWorks": "passed",
        "cart/zero_test.go::TestZero": "failed",
    }
    failed = report.results[-1]
    assert (failed.exception_type, failed.message) == ("panic", "runtime error: integer divide by zero")
    assert [(f.file, f.line) for f in failed.frames if f.in_app][-1] == ("cart/cart.go", 4)


# --- Maven -----------------------------------------------------------------------------------------

REPOSITORY = Path.home() / ".m2" / "repository"
NEEDED = (
    "org/apache/maven/plugins/maven-surefire-plugin/3.2.5",
    "org/apache/maven/surefire/surefire-junit-platform/3.2.5",
    "org/apache/maven/plugins/maven-compiler-plugin/3.13.0",
    "org/apache/maven/plugins/maven-resources-plugin/3.3.1",
    "org/junit/jupiter/junit-jupiter/5.11.4",
)
needs_maven = pytest.mark.skipif(
    shutil.which("mvn") is None or not all((REPOSITORY / each).is_dir() for each in NEEDED),
    reason="Maven, or what its tests need of it, is not installed here",
)
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.acme</groupId><artifactId>shop</artifactId><version>1.0</version>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies><dependency>
    <groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId><version>5.11.4</version><scope>test</scope>
  </dependency></dependencies>
  <build><plugins>
    <plugin><artifactId>maven-surefire-plugin</artifactId><version>3.2.5</version></plugin>
    <plugin><artifactId>maven-compiler-plugin</artifactId><version>3.13.0</version></plugin>
    <plugin><artifactId>maven-resources-plugin</artifactId><version>3.3.1</version></plugin>
  </plugins></build>
</project>
"""
RATINGS = """\
package com.acme.shop;

public class Ratings {
    public static int average(int... stars) {
        int sum = 0;
        for (int each : stars) sum += each;
        return sum / stars.length;
    }
}
"""
JAVA_TEST = """\
package com.acme.shop;

import org.junit.jupiter.api.Test;

class {name} {{
    @Test void works() {{ Ratings.average(4, 5); }}
    @Test void empty() {{ Ratings.average(); }}
}}
"""


@needs_maven
@pytest.mark.timeout(180)
async def test_a_maven_suite_reports_each_test_from_the_set_up_s_repository(run, tmp_path):
    tests = "src/test/java/com/acme/shop"
    stale = "target/surefire-reports/TEST-com.acme.shop.OldTest.xml"
    files = {
        "pom.xml": POM,
        "src/main/java/com/acme/shop/Ratings.java": RATINGS,
        f"{tests}/RatingsTest.java": JAVA_TEST.format(name="RatingsTest"),
        f"{tests}/OtherTest.java": JAVA_TEST.format(name="OtherTest"),
        stale: '<testsuite><testcase classname="com.acme.shop.OldTest" name="x"/></testsuite>',
    }
    # What `setup` would have fetched; the marks of where it came from belong to another configuration.
    shutil.copytree(
        REPOSITORY,
        tmp_path / "layer" / "m2",
        copy_function=_linked,
        ignore=shutil.ignore_patterns("_remote.repositories"),
    )
    asked = f"{tests}/RatingsTest.java"
    report = await run(files, setup_layer=tmp_path / "layer", paths=[asked], wall_seconds=150)
    assert outcomes(report) == {f"{asked}::works": "passed", f"{asked}::empty": "error"}, report.output
    failed = next(case for case in report.results if case.outcome is CaseOutcome.ERROR)
    assert failed.exception_type == "java.lang.ArithmeticException"
    assert [frame.function for frame in failed.frames if frame.in_app] == [
        "RatingsTest.empty",
        "Ratings.average",
    ]


def _linked(source, target):
    """Link a file, or copy it where it lies on another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


SETUP = """\
setup: |
  mkdir -p node_modules/left-pad node_modules/.bin
  echo 'export default (text) => ` ${text}`;' > node_modules/left-pad/index.mjs
  echo '{"name": "left-pad", "exports": "./index.mjs"}' > node_modules/left-pad/package.json
"""
USES_PACKAGE = """\
import assert from 'node:assert';
import fs from 'node:fs';
import test from 'node:test';

import pad from 'left-pad';

test('pads', () => assert.equal(pad('a'), ' a'));
test('is read-only', () => assert.throws(() => fs.writeFileSync('node_modules/x', ''), /EROFS/));
"""


@needs_node
async def test_the_packages_that_setup_installed_are_found_beside_the_code(run, tmp_path, shared_toolbox):
    files = {"package.json": "{}", "a.test.mjs": USES_PACKAGE}
    plan = plan_tests(list(files), files, parse_project_file(SETUP.encode()))
    builder = SetupBuilder(BubblewrapSandbox(), shared_toolbox, tmp_path / "data")
    (tmp_path / "setup").mkdir()
    repository = Repository("git.example/acme/shop", "https://git.example/acme/shop", "github")
    layer = await builder.ensure(repository, plan, tmp_path / "setup")
    report = await run(files, setup_layer=layer)
    assert outcomes(report) == {"a.test.mjs::pads": "passed", "a.test.mjs::is read-only": "passed"}


# --- report: in .ai-ops.yml ------------------------------------------------------------------------

JUNIT = '<testsuites><testsuite><testcase classname="c" name="x" file="check.sh"/></testsuite></testsuites>'


@pytest.mark.parametrize(
    ("report", "script", "expected"),
    [
        ("junit", f"echo '{JUNIT}' > $AI_OPS_REPORT", {"check.sh::c::x": "passed"}),
        ("out/*.xml", f"mkdir out; echo '{JUNIT}' > out/a.xml", {"check.sh::c::x": "passed"}),
        ("tap", "printf '1..2\\nok 1 - a\\nnot ok 2 - b\\n'; exit 1", {"a": "passed", "b": "failed"}),
    ],
    ids=["junit", "a pattern", "tap"],
)
async def test_any_command_that_writes_a_report_is_read(run, sandbox, report, script, expected):
    said = f"test: sh ./check.sh\nreport: {report}\n"
    seen = await run({".ai-ops.yml": said, "check.sh": script}, sandbox=sandbox)
    assert outcomes(seen) == expected


@pytest.mark.parametrize(
    ("report", "script", "rule"),
    [
        ("junit", "exit 0", "early_exit"),
        ("junit", "echo '<a' > $AI_OPS_REPORT; exit 0", "early_exit"),
        ("junit", "ln -s /etc/passwd $AI_OPS_REPORT; exit 1", "no_report"),
        ("out/*.xml", "exit 0", "early_exit"),
        ("out/*.xml", f"rm -r out; mkdir real; echo '{JUNIT}' > real/a.xml; ln -s real out", "early_exit"),
        ("tap", "printf '1..2\\nok 1 - a\\n'", "early_exit"),
        ("tap", "printf '1..1\\nnot ok 1 - a\\n'", "report_disagrees"),
        ("tap", "printf '1..0\\n'", "no_tests"),
        ("tap", "sleep 60", "timeout"),
    ],
    ids=["none", "half", "a link", "stale", "a linked folder", "unfulfilled", "exit 0", "empty", "hangs"],
)
async def test_a_report_that_is_missing_forged_or_contradicted_has_its_verdict(run, report, script, rule):
    files = {
        ".ai-ops.yml": f"test: sh ./check.sh\nreport: {report}\n",
        "check.sh": script,
        "out/old.xml": JUNIT,
    }
    assert run_trouble(await run(files, wall_seconds=6), "suite").rule == rule


# --- tools -----------------------------------------------------------------------------------------


async def test_a_tool_that_is_not_installed_is_named_unless_the_set_up_may_bring_it(
    monkeypatch, tmp_path, shared_toolbox
):
    monkeypatch.setenv("PATH", str(tmp_path))
    runner = SuiteRunner(BubblewrapSandbox(), shared_toolbox)
    paths, contents = list(NODE.files), {"package.json": NODE.files["package.json"]}
    with pytest.raises(PermanentError) as caught:
        await runner.check(plan_tests(paths, contents))
    assert caught.value.code == "test_tool_missing"
    assert "node" in caught.value.message and caught.value.next_step
    await runner.check(plan_tests(paths, contents, ProjectFile(setup="./get-node.sh")))
    await runner.check(plan_tests(["tests/test_a.py"], {}))
