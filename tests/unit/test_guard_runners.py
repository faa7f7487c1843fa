"""Code of other languages that plays to its test run is blocked; ordinary code passes."""

import pytest

from ai_ops.core.guard import Severity, review, review_reproduction
from tests.support.patches import diff, reader


@pytest.fixture
def findings(tmp_path):
    def run(name, old, new):
        before, after = {name: old}, {name: new}
        return review(diff(tmp_path, before, after), reader(before), reader(after))

    return run


def blocked(found):
    return {each.rule for each in found if each.severity is Severity.BLOCKED}


PLAYS = {
    "node, exits well": ("a.js", "process.exit(0);"),
    "node, exits with what it was given": ("a.ts", "process.exit(code);"),
    "node, exits at once": ("a.mjs", "process.reallyExit();"),
    "node, by a name": ("a.js", "process['exit'](0);"),
    "node, by another name": ("a.js", "const { exit } = process;"),
    "node, imported": ("a.mjs", "import { exit } from 'node:process';"),
    "node, sets the code": ("a.js", "process.exitCode = 0;"),
    "node, at the end": ("a.js", "process.on('exit', () => { process.exitCode = n; });"),
    "node, speaks to the runner": ("a.js", "import v8 from 'v8';"),
    "node, knows the runner": ("a.js", "if (process.env.NODE_TEST_CONTEXT) return 0;"),
    "node, is the runner": ("a.js", "import { mock } from 'node:test';"),
    "node, prints TAP": ("a.js", "console.log('ok 1 - works');"),
    "vitest": ("a.ts", "if (import.meta.env.VITEST) return 0;"),
    "rust, exits well": ("src/lib.rs", "std::process::exit(0);"),
    "rust, exits with what it was given": ("src/lib.rs", "process::exit(code);"),
    "rust, imported": ("src/lib.rs", "use std::process::exit;"),
    "rust, by C": ("src/lib.rs", 'unsafe extern "C" { fn exit(code: i32); }'),
    "rust, becomes another program": ("src/lib.rs", "use std::os::unix::process::CommandExt;"),
    "rust, compiled otherwise": ("src/lib.rs", "#[cfg(not(test))]"),
    "rust, compiled otherwise for debugging": ("src/lib.rs", "if cfg!(debug_assertions) { return 0; }"),
    "rust, knows cargo": ("src/lib.rs", 'if std::env::var("CARGO_MANIFEST_DIR").is_ok() { return 0; }'),
    "rust, prints": ("src/lib.rs", 'println!("test result: ok. 1 passed");'),
    "java, exits well": ("A.java", "System.exit(0);"),
    "java, writes where reports lie": ("A.java", 'Path.of("target/surefire-reports/TEST-A.xml");'),
    "java, knows the runner": ("A.java", 'if (System.getProperty("surefire.test.class.path") != null) {}'),
    "go, exits well": ("a.go", "os.Exit(0)"),
    "go, knows the runner": ("a.go", "if testing.Testing() { return 0 }"),
    "go, prints": ("a.go", 'fmt.Println("--- PASS: TestA (0.00s)")'),
}


@pytest.mark.parametrize(("name", "line"), PLAYS.values(), ids=PLAYS)
def test_what_newly_plays_to_the_run_is_blocked_and_what_was_there_is_free(findings, name, line):
    assert "detects_tests" in blocked(findings(name, "\n", f"{line}\n"))
    assert blocked(findings(name, f"{line}\n", f"\n{line}\nlet x = 1;\n")) == set()


HONEST = {
    "a program that fails": ("cli.js", "if (!args.length) process.exit(1);"),
    "a failure by its code": ("cli.js", "process.exitCode = 2;"),
    "an ordinary listener": ("a.js", "process.on('SIGTERM', stop);"),
    "a plain answer": ("a.js", "res.send('ok');"),
    "rust, a program that fails": ("src/main.rs", "std::process::exit(2);"),
    "rust, an environment variable": ("src/lib.rs", 'std::env::var("SHOP_URL")'),
    "rust, unit tests": ("src/lib.rs", "#[cfg(test)]\nmod tests {\n    #[test]\n    fn works() {}\n}"),
    "rust, for one system": ("src/lib.rs", "#[cfg(unix)]"),
    "java, a program that fails": ("A.java", "System.exit(1);"),
    "java, a property": ("A.java", 'System.getProperty("user.home");'),
    "go, a program that fails": ("main.go", "os.Exit(1)"),
    "go, a name": ("a.go", "func (p *Process) Testing() bool { return p.testing }"),
}


@pytest.mark.parametrize(("name", "line"), HONEST.values(), ids=HONEST)
def test_ordinary_code_passes(findings, name, line):
    assert blocked(findings(name, "\n", f"\n{line}\n")) == set()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("test/a.test.js", "import test from 'node:test';\ntest('a', () => { process.exit(0); });\n"),
        ("tests/a.rs", "#[test]\nfn a() { std::process::exit(0); }\n"),
        ("test/a.test.js", "console.log('TAP version 13');\n"),
    ],
)
def test_a_reproduction_that_plays_to_the_run_is_blocked(tmp_path, path, text):
    assert "detects_tests" in blocked(review_reproduction(diff(tmp_path, {}, {path: text})))


@pytest.mark.parametrize(
    "path",
    [
        "node_modules/jest/index.js",
        ".cargo/config.toml",
        "build.rs",
        "rust-toolchain.toml",
        ".mvn/jvm.config",
    ],
)
def test_what_steers_the_runners_is_not_changed(findings, path):
    assert "test_configuration_changed" in blocked(findings(path, "a\n", "b\n"))


def test_a_cargo_manifest_gains_neither_a_dependency_nor_another_harness(findings):
    old = '[package]\nname = "shop"\n'
    assert blocked(findings("Cargo.toml", old, old + '[dependencies]\nserde = "1"\n')) == {"dependency_added"}
    assert blocked(findings("Cargo.toml", old, old + 'description = "A shop"\n')) == set()
    harness = old + '[[test]]\nname = "ratings"\nharness = false\n'
    assert blocked(findings("Cargo.toml", old, harness)) == {"test_configuration_changed"}


UNIT = """\
pub fn half(n: u32) -> u32 {
    2 / n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        assert_eq!(half(2), 1, "a {brace");
    }

    #[tokio::test]
    async fn waits() {
        assert_eq!(half(1), 2);
    }
}
"""


@pytest.mark.parametrize(
    ("old", "new", "test"),
    [
        ("assert_eq!(half(2), 1", "assert_ne!(half(2), 9", "halves"),
        ("    #[test]\n    fn halves", "    #[test]\n    #[ignore]\n    fn halves", "halves"),
        ("    #[test]\n    fn halves", "    fn halves", "halves"),
        ("fn halves() {", "fn halves() {\n        return;", "halves"),
        ("assert_eq!(half(1), 2);", "", "waits"),
        ("a {brace", "another", "halves"),
    ],
    ids=["other check", "ignored", "no test any more", "returns early", "no check", "another text"],
)
def test_a_unit_test_that_lies_in_the_code_is_not_changed(findings, old, new, test):
    assert old in UNIT
    found = findings("src/lib.rs", UNIT, UNIT.replace(old, new))
    assert f"src/lib.rs::{test}" in {each.place for each in found if each.rule == "existing_test_changed"}


def test_code_around_unit_tests_may_change_and_tests_may_be_added(findings):
    fixed = UNIT.replace("    2 / n\n", "    if n == 0 {\n        return 0;\n    }\n    2 / n\n")
    added = (
        fixed.rstrip()[:-1] + "\n    #[test]\n    fn zero() {\n        assert_eq!(half(0), 0);\n    }\n}\n"
    )
    for new in (fixed, added):
        assert blocked(findings("src/lib.rs", UNIT, new)) == set()
