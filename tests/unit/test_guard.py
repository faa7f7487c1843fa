"""The guard over real patches: every forbidden thing is found by its rule, and an honest fix passes."""

import pytest

from ai_ops.core.guard import Finding, Limits, Severity, not_tests, review, review_reproduction
from ai_ops.core.guard.patterns import matches
from ai_ops.core.guard.suite import is_test_path
from tests.support.patches import Link, Program, State, diff, git, reader

CODE = "import json\n\n\ndef load(text):\n    return json.loads(text)\n"
TEST = "from load import load\n\n\ndef test_load():\n    assert load('1') == 1\n    assert load('2') == 2\n"
BASE: State = {"load.py": CODE, "tests/test_load.py": TEST}


@pytest.fixture
def findings(tmp_path):
    """Return the review of a change between two states."""

    def run(after: State, before: State = BASE, **more) -> tuple[Finding, ...]:
        return review(diff(tmp_path, before, after), reader(before), reader(after), **more)

    return run


def blocked(found: tuple[Finding, ...]) -> set[str]:
    return {finding.rule for finding in found if finding.severity is Severity.BLOCKED}


def warned(found: tuple[Finding, ...]) -> set[str]:
    return {finding.rule for finding in found if finding.severity is Severity.WARNING}


def with_code(code: str, name: str = "load.py") -> State:
    return {**BASE, name: code}


TRY = "import json\n\n\ndef load(text):\n    try:\n        return json.loads(text)\n    except %s:\n%s"

HONEST = {
    "a small change": with_code(CODE.replace("loads(text)", "loads(text or 'null')")),
    "a new module": {**BASE, "shop/parse.py": "def parse(x):\n    return int(x)\n"},
    "a new test file": {**BASE, "tests/test_new.py": "def test_new():\n    assert True\n"},
    "a deleted module": {"tests/test_load.py": TEST},
    "a handler that raises": with_code(TRY % ("ValueError as e", "        raise KeyError(text) from e\n")),
    "a handler that mends": with_code(TRY % ("ValueError", "        return parse_old(text)\n")),
    "a tool table of pyproject": {**BASE, "pyproject.toml": "[tool.ruff]\nline-length = 100\n"},
}


@pytest.mark.parametrize("after", HONEST.values(), ids=HONEST.keys())
def test_an_honest_fix_has_no_findings(findings, after):
    assert findings(after) == ()


def test_an_empty_diff_has_no_findings():
    assert review("", reader({}), reader({})) == ()


def test_an_unreadable_diff_is_blocked():
    assert blocked(review("what?", reader({}), reader({}))) == {"unreadable_diff"}


PROTECTED = [
    ".gitattributes", ".gitignore", ".gitmodules", "sub/.gitattributes", ".github/workflows/ci.yml",
    ".GitHub/x",
    ".gitlab-ci.yml", ".circleci/config.yml", "Jenkinsfile", "azure-pipelines.yml", ".pre-commit-config.yaml",
    "CODEOWNERS", "docs/CODEOWNERS", ".claude/settings.json", "pkg/.claude/x.md", ".mcp.json", "CLAUDE.md",
    "sub/claude.md", "AGENTS.md", ".cursor/rules", ".cursorrules", ".env", ".env.production", "app/.env",
    "prod.env", ".ai-ops.yml", ".vscode/tasks.json", "poetry.lock", "package-lock.json", "go.sum", "uv.lock",
    ".npmrc", "pip.conf", "certs/server.pem",
]  # fmt: skip


@pytest.mark.parametrize("path", PROTECTED)
def test_protected_paths_are_blocked(findings, path):
    found = findings({**BASE, path: "x\n"})
    assert "protected_path" in blocked(found)
    assert {finding.place for finding in found} == {path}


@pytest.mark.parametrize(
    "path", ["environment.py", "src/env.py", "git.py", "locker.py", "claude.py", "docs/owners-guide.md"]
)
def test_names_like_protected_ones_are_free(findings, path):
    assert findings({**BASE, path: "x = 1\n"}) == ()


def test_protected_paths_of_the_repository_are_added(findings):
    found = findings(
        {**BASE, "migrations/1.sql": "x\n", "app/keys.py": "x = 1\n"}, protected=("migrations/", "app/k*.py")
    )
    assert {finding.place for finding in found if finding.rule == "protected_path"} == {
        "migrations/1.sql",
        "app/keys.py",
    }


def test_deleting_a_protected_file_is_blocked_too(findings):
    assert "protected_path" in blocked(findings(BASE, {**BASE, "CODEOWNERS": "* @a\n"}))


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("*.lock", "a/b/x.lock", True),
        (".github/", ".github/workflows/ci.yml", True),
        ("docs", "src/docs/x.md", True),
        ("/docs", "src/docs/x.md", False),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/b/a.py", False),
        ("src/**/a.py", "src/a.py", True),
        ("src/**/a.py", "src/x/y/a.py", True),
        ("**/secret", "a/secret/b", True),
        ("src/**", "src/x/y", True),
        ("SRC/A.py", "src/a.PY", True),
        ("./src", "src/a.py", True),
        ("", "a", False),
        ("/", "a", False),
    ],
)
def test_patterns_cover_paths(pattern, path, covered):
    assert matches(pattern, path) is covered


STEERING = [
    "conftest.py", "tests/conftest.py", "pytest.ini", "tox.ini", "noxfile.py", "sitecustomize.py", "evil.pth",
    "jest.config.js", "vitest.config.ts", "Makefile", "pom.xml", "build.gradle", ".coveragerc", "setup.py",
    "evil.dist-info/METADATA", "src/evil.egg-info/PKG-INFO", "a/entry_points.txt", "tests/usercustomize.py",
]  # fmt: skip


@pytest.mark.parametrize("path", STEERING)
def test_files_that_steer_tests_are_blocked(findings, path):
    assert "test_configuration_changed" in blocked(findings({**BASE, path: "x = 1\n"}))


MIXED = {
    "pyproject, pytest": ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = '-k nothing'\n", True),
    "pyproject, plugin": ("pyproject.toml", "[project.entry-points.pytest11]\nx = 'evil'\n", True),
    "pyproject, broken table": ("pyproject.toml", "project = 1\n", True),
    "setup.cfg, plugin": ("setup.cfg", "[options.entry_points]\npytest11 = x = evil\n", True),
    "pyproject, project": ("pyproject.toml", "[project]\nname = 'x'\n", False),
    "pyproject, build": ("pyproject.toml", "[build-system]\nbuild-backend = 'evil'\n", True),
    "pyproject, broken": ("pyproject.toml", "[[[\n", True),
    "setup.cfg, pytest": ("setup.cfg", "[tool:pytest]\naddopts = -x\n", True),
    "setup.cfg, metadata": ("setup.cfg", "[metadata]\nname = x\n", False),
    "package.json, scripts": ("package.json", '{"scripts": {"test": "true"}}', True),
    "package.json, name": ("package.json", '{"name": "x"}', False),
}


@pytest.mark.parametrize(("path", "text", "steers"), MIXED.values(), ids=MIXED.keys())
def test_a_mixed_file_is_blocked_only_for_its_part_about_tests(findings, path, text, steers):
    assert ("test_configuration_changed" in blocked(findings({**BASE, path: text}))) is steers


def test_links_modes_and_binary_files_are_blocked(findings):
    before: State = {**BASE, "run.sh": "echo\n", "old": Link("load.py"), "pic.png": b"\0a"}
    after: State = {**BASE, "run.sh": Program("echo\n"), "new": Link("/etc/passwd"), "pic.png": b"\0b"}
    found = findings(after, before)
    assert {(f.rule, f.place) for f in found} == {
        ("mode_changed", "run.sh"),
        ("symlink_added", "old"),
        ("symlink_added", "new"),
        ("binary_file", "pic.png"),
    }
    assert blocked(found) == {"mode_changed", "symlink_added", "binary_file"}


def test_a_new_program_is_a_warning(findings):
    assert warned(findings({**BASE, "tool.sh": Program("echo\n")})) == {"mode_changed"}


def test_a_submodule_is_blocked(tmp_path):
    diff(tmp_path, BASE, BASE)
    sha = git(tmp_path, "rev-parse", "HEAD").strip()
    git(tmp_path, "update-index", "--add", "--cacheinfo", f"160000,{sha},lib")
    patch = git(tmp_path, "diff", "--cached", "--binary", "--full-index", "--no-renames")
    assert blocked(review(patch, reader(BASE), reader(BASE))) == {"submodule_changed"}


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/x", ".git/config", ".GIT/hooks/x", "git~1/x", "a//b", "a\\b"]
)
def test_a_patch_that_leaves_the_root_is_blocked(path):
    quoted = path.replace("\\", "\\\\")
    header = f'"a/{quoted}" "b/{quoted}"' if "\\" in path else f"a/{path} b/{path}"
    patch = f"diff --git {header}\nnew file mode 100644\nindex {'0' * 40}..{'1' * 40}\n"
    assert "path_outside_root" in blocked(review(patch, reader({}), reader({})))


def test_size_limits_are_held(findings):
    after = {**BASE, **{f"m{n}.py": f"x = {n}\n" * 10 for n in range(5)}}
    assert blocked(findings(after, limits=Limits(files=4))) == {"too_many_files"}


def test_line_limits_are_held(findings):
    assert blocked(findings({**BASE, "m.py": "x = 1\n" * 50}, limits=Limits(lines=49))) == {"diff_too_large"}


def test_character_limits_are_held(findings):
    assert blocked(findings({**BASE, "m.txt": "x" * 900}, limits=Limits(characters=800))) == {
        "diff_too_large"
    }


BODY = "        log(text)\n        return fallback(text)\n"
SWALLOWED = {
    "pass": (CODE, TRY % ("ValueError", "        pass\n"), "swallowed_exception"),
    "ellipsis": (CODE, TRY % ("ValueError", "        ...\n"), "swallowed_exception"),
    "return nothing": (CODE, TRY % ("ValueError", "        return\n"), "swallowed_exception"),
    "return a constant": (CODE, TRY % ("ValueError", "        return {}\n"), "swallowed_exception"),
    "return an empty list": (CODE, TRY % ("ValueError", "        return list()\n"), "swallowed_exception"),
    "log only": (CODE, TRY % ("ValueError", "        logging.exception('x')\n"), "swallowed_exception"),
    "log and return": (
        CODE,
        TRY % ("ValueError as e", "        print(e)\n        return -1\n"),
        "swallowed_exception",
    ),
    "a default": (
        CODE,
        TRY % ("ValueError", "        value = None\n    return value\n"),
        "swallowed_exception",
    ),
    "continue": (
        CODE,
        "import json\n\n\ndef load(texts):\n    for t in texts:\n        try:\n            json.loads(t)\n"
        "        except ValueError:\n            continue\n",
        "swallowed_exception",
    ),
    "bare": (CODE, TRY.replace("except %s", "except%s") % ("", BODY), "broadened_exception"),
    "everything": (CODE, TRY % ("Exception", BODY), "broadened_exception"),
    "everything in a tuple": (CODE, TRY % ("(KeyError, BaseException)", BODY), "broadened_exception"),
    "one more type": (
        TRY % ("ValueError", BODY),
        TRY % ("(ValueError, ZeroDivisionError)", BODY),
        "broadened_exception",
    ),
    "one more type, another body": (
        TRY % ("ValueError", BODY),
        TRY % ("(ValueError, TypeError)", BODY.replace("fallback", "other")),
        "broadened_exception",
    ),
    "a body emptied": (
        TRY % ("ValueError", BODY),
        TRY % ("ValueError", "        pass\n"),
        "swallowed_exception",
    ),
    "suppress": (
        CODE,
        "import contextlib\nimport json\n\n\ndef load(text):\n    with contextlib.suppress(ValueError):\n"
        "        return json.loads(text)\n",
        "swallowed_exception",
    ),
    "suppress more": (
        "from contextlib import suppress\n\nwith suppress(KeyError):\n    f()\n",
        "from contextlib import suppress\n\nwith suppress(KeyError, ValueError):\n    f()\n",
        "swallowed_exception",
    ),
    "return in finally": (
        CODE,
        "def load(text):\n    try:\n        return json.loads(text)\n    finally:\n        return None\n",
        "swallowed_exception",
    ),
    "a second silent handler": (
        TRY % ("ValueError", "        pass\n"),
        TRY % ("ValueError", "        pass\n    except KeyError:\n        pass\n"),
        "swallowed_exception",
    ),
    "raising only in a function inside": (
        CODE,
        TRY % ("Exception", "        def later():\n            raise KeyError\n        return later\n"),
        "broadened_exception",
    ),
    "broken code": (CODE, "def load(:\n", "syntax_error"),
}


@pytest.mark.parametrize(("old", "new", "rule"), SWALLOWED.values(), ids=SWALLOWED.keys())
def test_hidden_errors_are_blocked(findings, old, new, rule):
    assert rule in blocked(findings(with_code(new), with_code(old)))


UNCHANGED_HANDLERS = {
    "a silent handler that was there": (
        TRY % ("ValueError", "        pass\n"),
        "X = 1\n" + TRY % ("ValueError", "        pass\n"),
    ),
    "a silent handler that moved": (
        TRY % ("ValueError", "        pass\n"),
        "def other():\n"
        + "    "
        + (TRY % ("ValueError", "        pass\n")).split("\n\n\n")[1].replace("\n", "\n    ").rstrip()
        + "\n",
    ),
    "a narrowed handler": (TRY % ("Exception", BODY), TRY % ("ValueError", BODY)),
    "a broad handler that was there": (
        TRY % ("Exception", BODY),
        TRY % ("Exception", BODY.replace("text", "str(text)")),
    ),
    "a broad handler that raises": (CODE, TRY % ("Exception", "        cleanup()\n        raise\n")),
}


@pytest.mark.parametrize(("old", "new"), UNCHANGED_HANDLERS.values(), ids=UNCHANGED_HANDLERS.keys())
def test_handlers_that_hide_no_more_than_before_are_free(findings, old, new):
    assert blocked(findings(with_code(new), with_code(old))) == set()


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        (
            "A.java",
            "class A { void f() { g(); } }\n",
            "class A { void f() { try { g(); } catch (Exception e) { } } }\n",
            True,
        ),
        (
            "A.java",
            "class A { }\n",
            "class A { void f() { try { g(); } catch (E e) {\n // nothing\n } } }\n",
            True,
        ),
        (
            "A.java",
            "class A { }\n",
            "class A { void f() { try { g(); } catch (E e) { throw e; } } }\n",
            False,
        ),
        ("A.java", "try { g(); } catch (E e) {}\n", "int x;\ntry { g(); } catch (E e) {}\n", False),
        ("a.ts", "g();\n", "try { g(); } catch {}\n", True),
        ("a.kt", "g()\n", "try { g() } catch (e: Exception) { /* no */ }\n", True),
        ("a.txt", "g\n", "try { g } catch {}\n", False),
    ],
    ids=["java", "java comment", "java throws", "java unchanged", "typescript", "kotlin", "prose"],
)
def test_an_empty_catch_is_blocked(findings, name, old, new, expected):
    found = findings(with_code(new, name), with_code(old, name))
    assert ("swallowed_exception" in blocked(found)) is expected


def test_a_removed_check_is_blocked(findings):
    old = "def f(x):\n    if x < 0:\n        raise ValueError(x)\n    return x\n"
    assert blocked(findings(with_code("def f(x):\n    return x\n"), with_code(old))) == {"check_removed"}


def with_test(text: str) -> State:
    return {**BASE, "tests/test_load.py": text}


CLASS = (
    "class TestLoad:\n    def test_a(self):\n        assert 1\n\n    def test_b(self):\n        assert 2\n"
)


def test_tests_in_classes_are_known_by_their_whole_name(findings):
    found = findings(with_test(CLASS.replace("def test_b", "def b")), with_test(CLASS))
    assert ("test_deleted", "tests/test_load.py::TestLoad::test_b") in {(f.rule, f.place) for f in found}


def test_a_check_that_is_gone_from_a_test_is_told_once(findings):
    found = findings(with_test(TEST.replace("    assert load('2') == 2\n", "")))
    assert warned(found) == set()


def test_a_file_that_was_no_python_before_is_a_warning(findings):
    assert warned(findings(with_code("x = 1\n"), with_code("print 'x'\n"))) == {"unread_code"}


WEAKENED = {
    "file deleted": ({"load.py": CODE}, "test_deleted"),
    "test removed": (with_test("from load import load\n"), "test_deleted"),
    "test renamed": (with_test(TEST.replace("def test_load", "def check_load")), "test_deleted"),
    "assertion removed": (with_test(TEST.replace("    assert load('2') == 2\n", "")), "assertion_removed"),
    "assertion changed": (with_test(TEST.replace("== 2", "== 3")), "existing_test_changed"),
    "skip added": (
        with_test("import pytest\n" + TEST.replace("def", "@pytest.mark.skip\ndef")),
        "test_skipped",
    ),
    "skipif added": (
        with_test("import pytest\n" + TEST.replace("def", "@pytest.mark.skipif(1)\ndef")),
        "test_skipped",
    ),
    "xfail added": (
        with_test("import pytest\n" + TEST.replace("def", "@pytest.mark.xfail\ndef")),
        "test_skipped",
    ),
    "skip called": (with_test(TEST + "    pytest.skip('later')\n"), "test_skipped"),
    "module skipped": (with_test("import pytest\npytestmark = pytest.mark.skip\n" + TEST), "test_skipped"),
    "a helper changed": ({**BASE, "tests/helpers.py": "x = 2\n"}, "existing_test_changed"),
    "test data changed": ({**BASE, "tests/data/a.json": "{}\n"}, "existing_test_changed"),
    "broken": (with_test("def test_load(:\n"), "existing_test_changed"),
    "a test that hides another": (
        with_test(TEST + "\n\ndef test_load():\n    pass\n"),
        "existing_test_changed",
    ),
    "a fixture added": (
        with_test(TEST + "\n\n@pytest.fixture(autouse=True)\ndef test_all():\n    pass\n"),
        "existing_test_changed",
    ),
    "code added": (with_test(TEST + "\nload = print\n"), "existing_test_changed"),
}


@pytest.mark.parametrize(("after", "rule"), WEAKENED.values(), ids=WEAKENED.keys())
def test_weakened_tests_are_blocked(findings, after, rule):
    before = {**BASE, "tests/helpers.py": "x = 1\n", "tests/data/a.json": "[]\n"}
    after = (
        {**before, **after}
        if "tests/test_load.py" in after
        else {**before, **after, "tests/test_load.py": None}
    )
    after = {name: content for name, content in after.items() if content is not None}
    assert rule in blocked(findings(after, before))


def test_new_tests_at_the_end_of_a_file_are_a_warning(findings):
    found = findings(with_test(TEST + "\n\ndef test_more():\n    assert load('3') == 3\n"))
    assert (blocked(found), warned(found)) == (set(), {"existing_test_extended"})


EXTENDED = CLASS + "\n\nclass TestMore%s:\n    def test_c(self):\n        assert 3\n"
ADDED = {
    "another name": ("", "\n    def test_d(self):\n        assert 4\n", True),
    "the name of another class's test": ("", "\n    def test_a(self):\n        assert 4\n", True),
    "the name of a method, outside": ("", "\n\ndef test_a():\n    assert 4\n", True),
    "the name of a test of the class it extends": (
        "(TestLoad)", "\n    def test_a(self):\n        assert 4\n", False,
    ),
    "the name of a test of its own": ("", "\n    def test_c(self):\n        pass\n", False),
}  # fmt: skip


@pytest.mark.parametrize(("base", "added", "free"), ADDED.values(), ids=ADDED)
def test_a_test_is_added_to_a_class_unless_it_hides_another(findings, base, added, free):
    found = findings(with_test(EXTENDED % base + added), with_test(EXTENDED % base))
    assert ("existing_test_changed" not in blocked(found)) is free


OF_ITS_OWN = "\n\nclass TestEmpty:\n    def setup_method(self):\n        self.text = '0'\n"
OWN_TEST = "\n    def test_none(self):\n        assert load(self.text) == 0\n"
GIVEN = "\n\n@pytest.mark.parametrize('text', %s)\ndef test_more(text):\n    assert load(text)\n"
MORE = {
    "a class": (OF_ITS_OWN + OWN_TEST, True),
    "a class of unittest": (OF_ITS_OWN.replace("TestEmpty", "TestEmpty(unittest.TestCase)") + OWN_TEST, True),
    "a test with values": (GIVEN % "['1', str(2)]", True),
    "a class without a test": (OF_ITS_OWN, False),
    "a class that is skipped": (OF_ITS_OWN + "    pytestmark = pytest.mark.skip\n" + OWN_TEST, False),
    "a class that is there": (OF_ITS_OWN.replace("TestEmpty", "load") + OWN_TEST, False),
    "a class that is decorated": (OF_ITS_OWN.replace("class", "@other\nclass") + OWN_TEST, False),
    "a helper for all": ("\n\ndef setup_module():\n    pass\n" + OF_ITS_OWN + OWN_TEST, False),
    "values that do something": (GIVEN % "[setattr(load, 'f', print)]", False),
    "a default that does something": (
        "\n\ndef test_more(f=setattr(load, 'f', 1)):\n    assert load('1')\n",
        False,
    ),
    "another library": ("\nimport shutil\n" + GIVEN % "['1']", False),
}


@pytest.mark.parametrize(("added", "free"), MORE.values(), ids=MORE)
def test_tests_are_added_in_a_class_or_with_values_of_their_own(findings, added, free):
    found = findings(with_test(f"import pytest\nimport unittest\n{TEST}{added}"), with_test(TEST))
    assert ("existing_test_changed" not in blocked(found)) is free
    assert ("existing_test_extended" in warned(found)) is free


JEST = "describe('load', () => {\n  it('reads', () => {\n    expect(load('1')).toBe(1);\n  });\n});\n"
GROUPS = {
    "new": ("describe('empty', () => {", True),
    "skipped": ("describe.skip('empty', () => {", False),
    "left out": ("describe('empty', { skip: true }, () => {", False),
    "there already": ("describe('load', () => {", False),
}


@pytest.mark.parametrize(("head", "free"), GROUPS.values(), ids=GROUPS)
def test_tests_are_added_in_a_group_of_their_own(findings, head, free):
    more = f"\n{head}\n  it('is none', () => {{\n    expect(load('')).toBe(0);\n  }});\n}});\n"
    found = findings({"load.test.js": JEST + more}, {"load.test.js": JEST})
    assert ("existing_test_changed" not in blocked(found)) is free


LIMITS = {
    "asked for elsewhere": ("MAX_SIZE = %s\n", {"check_changed"}),
    "how often it is tried": ("MAX_TRIES = %s\n\n\ndef f():\n    return range(MAX_TRIES)\n", set()),
}


@pytest.mark.parametrize(("code", "rules"), LIMITS.values(), ids=LIMITS)
def test_a_raised_limit_is_a_warning_where_nothing_in_the_change_asks_for_it(findings, code, rules):
    assert warned(findings(with_code(code % 5), with_code(code % 3))) == rules


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("src/test/java/ATest.java", "@Disabled void f() {}"),
        ("src/test/java/ATest.java", "@Ignore void f() {}"),
        ("a.test.ts", "it.skip('x', () => {})"),
        ("a.spec.js", "describe.only('x', () => {})"),
        ("a.test.js", "xit('x', () => {})"),
        ("a_test.go", "t.Skip()"),
    ],
)
def test_skips_of_other_languages_are_blocked(findings, name, line):
    assert "test_skipped" in blocked(findings(with_code(line + "\n", name), with_code("\n", name)))


@pytest.mark.parametrize(
    "line",
    ['if "pytest" in sys.modules: return 1', 'os.environ.get("PYTEST_CURRENT_TEST")', "os._exit(0)"],
)
def test_code_that_looks_at_being_tested_is_blocked(findings, line):
    assert "detects_tests" in blocked(findings(with_code(CODE + f"# {line}\n")))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/x.py", True), ("src/test/java/A.java", True), ("test_a.py", True), ("a_test.go", True),
        ("a.test.tsx", True), ("CartTest.java", True), ("conftest.py", True), ("spec/a_spec.rb", True),
        ("latest.py", False), ("contest.py", False), ("src/testimony.py", False), ("Protest.java", False),
        ("attest/a.py", False),
    ],
)  # fmt: skip
def test_test_files_are_known_by_name_or_folder(path, expected):
    assert is_test_path(path) is expected


TOKEN = "ghp_" + "A1b2C3d4E5f6G7h8I9j0" + "K1l2M3n4O5p6Q7r8"


def test_a_token_in_an_added_line_is_blocked(findings):
    found = findings(with_code(CODE + f'KEY = "{TOKEN}"\n'))
    assert {(f.rule, f.place) for f in found} == {("secret_in_diff", "load.py:6")}
    assert blocked(found)
    assert TOKEN not in str(found)


def test_a_private_key_over_several_lines_is_blocked(findings):
    key = (
        "-----BEGIN RSA "
        + "PRIVATE KEY-----\n"
        + "MIIEowIBAAKCAQEA7bq9\n" * 3
        + "-----END RSA PRIVATE KEY-----\n"
    )
    assert blocked(findings({**BASE, "keys.txt": key})) == {"secret_in_diff"}


def test_an_address_is_a_warning_and_a_line_that_only_moved_is_nothing(findings):
    mail = 'OWNER = "jane.doe@shop-example.com"\n'
    assert warned(findings(with_code(CODE + mail))) == {"secret_in_diff"}


def test_a_secret_that_was_there_is_not_added(findings):
    key = f'KEY = "{TOKEN}"\n'
    assert findings(with_code(CODE + key), with_code(key + CODE)) == ()


def test_the_given_redactor_finds_what_only_this_server_knows(findings):
    found = findings(
        with_code(CODE + "X = 'plain words'\n"), redact=lambda text: text.replace("plain words", "***")
    )
    assert blocked(found) == {"secret_in_diff"}


@pytest.mark.parametrize("char", ["\u202e", "\u200b", "\U000e0041", "\u2066"], ids=ascii)
def test_invisible_characters_in_code_are_blocked(findings, char):
    assert blocked(findings(with_code(CODE + f"# a{char}b\n"))) == {"hidden_characters"}


def test_a_byte_order_mark_is_no_trick(findings):
    assert findings(with_code("\ufeffx = 2\n"), with_code("\ufeffx = 1\n")) == ()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("requirements.txt", "--extra-index-url https://x.example.test/simple"),
        ("pyproject.toml", "[[tool.uv.index]]"),
        ("package.json", '"registry=https://x.example.test"'),
    ],
)
def test_new_package_sources_are_blocked(findings, path, line):
    assert "package_index_changed" in blocked(findings({**BASE, path: line + "\n"}))


def test_code_that_only_names_a_package_source_is_free(findings):
    assert findings({**BASE, "installer.py": "ARGUMENT = '--index-url'\n"}) == ()


REPRODUCTION = {"tests/test_ai_ops_1.py": b"def test_it():\n    assert 0\n"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("def test_it():\n    assert 0\n", set()),
        ("def test_it():\n    pass\n", {"reproduction_changed"}),
        (None, {"reproduction_changed"}),
    ],
    ids=["kept", "changed", "removed"],
)
def test_the_fix_may_not_touch_the_reproduction(findings, content, expected):
    after = BASE if content is None else {**BASE, "tests/test_ai_ops_1.py": content}
    assert blocked(findings(after, reproduction=REPRODUCTION)) == expected


@pytest.mark.parametrize(
    ("after", "rule"),
    [
        (with_code(CODE + "x = 1\n"), "not_a_new_file"),
        ({"load.py": CODE}, "not_a_new_file"),
        ({**BASE, "tests/conftest.py": "x = 1\n"}, "test_configuration_changed"),
        ({**BASE, ".github/workflows/x.yml": "x\n"}, "protected_path"),
        ({**BASE, "tests/test_x.py": Link("/etc/passwd")}, "symlink_added"),
    ],
    ids=["a change", "a deletion", "configuration", "CI", "a link"],
)
def test_a_reproduction_only_adds_ordinary_files(tmp_path, after, rule):
    assert rule in blocked(review_reproduction(diff(tmp_path, BASE, after)))


def test_a_new_test_file_is_a_good_reproduction(tmp_path):
    after = {**BASE, "tests/test_ai_ops_1.py": "def test_it():\n    assert 0\n"}
    assert review_reproduction(diff(tmp_path, BASE, after)) == ()


def test_blocked_findings_come_first(findings):
    found = findings({**BASE, "a.sh": Program("x\n"), "z.png": b"\0"})
    assert [finding.severity for finding in found] == ["blocked", "warning"]


@pytest.mark.parametrize(
    "path",
    [
        "json.py", "src/statistics.py", "tests/types.py", "tests/unit/random.py", "pytest.py",
        "_pytest/__init__.py",
        "pluggy.py", "iniconfig.py", "packaging/__init__.py", "src/pygments/__init__.py",
        "shop/tests/math.py",
        "pytest_cov/__init__.py", "JSON.py", "checks/decimal.py",
    ],
)  # fmt: skip
def test_a_module_that_takes_the_place_of_a_known_one_is_blocked(findings, tmp_path, path):
    after = {**BASE, path: "x = 1\n"}
    assert "shadows_module" in blocked(findings(after, test_files=frozenset({"checks/cart.py"})))
    if not path.startswith("checks/"):
        assert "shadows_module" in blocked(review_reproduction(diff(tmp_path, BASE, after)))


@pytest.mark.parametrize(
    "path",
    ["shop/pricing.py", "shop/json.py", "pricing.py", "src/shop/types.py", "tests/json/a.txt", "json/a.py"],
)
def test_a_module_that_hides_none_is_free(findings, path):
    assert "shadows_module" not in blocked(findings({**BASE, path: "x = 1\n"}))


FORGING = [
    "from os import _exit as leave", "posix._exit(0)", "os.abort()", "os.execv(p, a)",
    "Path('/report/x').write_text(x)", "open('../report/x')", "open('//report/x')", "x = 'a/junit.xml'",
    "os.environ['AI_OPS_X']", "pytest_plugins = ['evil']",
    "def pytest_runtest_makereport(item):", "import _pytest.runner", "exec(text)",
    "x = 1; " * 400 + "os._exit(0)",
]  # fmt: skip
DETECTING = [
    "os.path.exists('/workspace')", "if os.getcwd() == '/workspace': pass",
    "os.environ.get('PYTEST_VERSION')", "'pytest' in sys.modules", "find_spec('pytest')", "import pytest",
    "name = '_pytest'",
]  # fmt: skip


@pytest.mark.parametrize("line", [*FORGING, *DETECTING])
def test_code_that_notices_or_forges_the_test_run_is_blocked(findings, line):
    assert "detects_tests" in blocked(findings(with_code(CODE + line + "\n")))


@pytest.mark.parametrize("line", FORGING)
def test_a_test_that_forges_the_run_is_blocked(findings, tmp_path, line):
    after = {**BASE, "tests/test_x.py": f"def test_x():\n    pass\n{line}\n"}
    assert "detects_tests" in blocked(findings(after))
    assert "detects_tests" in blocked(review_reproduction(diff(tmp_path, BASE, after)))


def test_a_report_made_when_the_run_ends_is_blocked(findings):
    code = CODE + "import atexit\natexit.register(late)\nTARGET = base + '.xml'\n"
    assert "detects_tests" in blocked(findings(with_code(code)))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("load.py", "raise ValueError(text)"),
        ("load.py", "folder = os.getcwd()"),
        ("load.py", "self._exit(1)"),
        ("load.py", "app.route('/report')"),
        ("load.py", "url = f'{base}/report/1'"),
        ("load.py", "x = '/reports/' + name"),
        ("load.py", "def __exit__(self, *error): self.close()"),
        ("load.py", "found = pattern.exec(text)"),
        ("a.ts", 'import { total } from "../report/total"'),
        ("src/test/java/ATest.java", "import org.junit.jupiter.api.Test;"),
        ("README.md", "The report is in /report, in junit form."),
        ("tests/test_new.py", "import pytest"),
    ],
)
def test_code_that_only_looks_like_forging_is_free(findings, name, line):
    assert (
        blocked(findings({**BASE, name: line + "\n"}, {"other.py": "x = 1\n", **BASE, name: "\n"}))
        - {"existing_test_changed"}
        == set()
    )


def test_a_line_that_only_moved_is_not_forging(findings):
    old, new = "import os\nos._exit(1)\n", "import os\nif broken:\n    os._exit(1)\n"
    assert findings(with_code(new), with_code(old)) == ()


ALIASED = {
    "suppress renamed": "from contextlib import suppress as quiet\nwith quiet(KeyError):\n    f()\n",
    "contextlib renamed": "import contextlib as c\nwith c.suppress(KeyError):\n    f()\n",
    "suppress assigned": "import contextlib\nq = contextlib.suppress\nwith q(KeyError):\n    f()\n",
    "suppress on a stack": "import contextlib as c\nstack.enter_context(c.suppress(KeyError))\n",
    "suppress inherited": "from contextlib import suppress as q\nclass Quiet(q):\n    pass\n",
    "an exit that says yes": "class Quiet:\n    def __exit__(self, *error):\n        return True\n",
    "a named constant": "ZERO = 0\n" + TRY % ("KeyError", "        return ZERO\n"),
    "a local constant": "def f():\n    zero = 0\n    try:\n        g()\n    except E:\n        return zero\n",
    "a computed constant": TRY % ("KeyError", "        return float(0 * 1)\n"),
    "a constant fall-through": "try:\n    v = f()\nexcept KeyError:\n    v = 0\nprint(v)\n",
    "a constant behind an if": "try:\n    f()\nexcept KeyError:\n    if 1:\n        v = 0\n",
}


@pytest.mark.parametrize("code", ALIASED.values(), ids=ALIASED.keys())
def test_errors_hidden_under_other_names_are_blocked(findings, code):
    assert "swallowed_exception" in blocked(findings(with_code(code), with_code("x = 1\n")))


def caught(kind: str, body: str, head: str = "") -> str:
    return f"{head}def f():\n    try:\n        return g()\n    except {kind}:\n{body}"


MENDS = "        return mend()\n"
LOGGED = {
    "itself": (caught("ZeroDivisionError", MENDS), True),
    "its base": (caught("ArithmeticError", MENDS), True),
    "in a tuple": (caught("(KeyError, ArithmeticError)", MENDS), True),
    "renamed": (caught("Odd", MENDS, "from builtins import ZeroDivisionError as Odd\n"), True),
    "by its module": (caught("b.ZeroDivisionError", MENDS, "import builtins as b\n"), True),
    "assigned": (caught("ODD", MENDS, "ODD = (KeyError, ZeroDivisionError)\n"), True),
    "computed": (caught("kinds()", MENDS), True),
    "raises at times": (caught("ZeroDivisionError", "        if odd:\n            raise\n" + MENDS), True),
    "raises in name": (
        caught("ZeroDivisionError", "        if 1:\n            return 2\n        raise\n"),
        True,
    ),
    "raises another": (caught("ZeroDivisionError as e", "        raise ValueError(1) from e\n"), False),
    "raises either way": (
        caught(
            "ArithmeticError",
            "        if odd:\n            raise KeyError\n        else:\n            raise\n",
        ),
        False,
    ),
    "another type": (caught("KeyError", MENDS), False),
    "a type from elsewhere": (caught("Timeout", MENDS, "from requests import Timeout\n"), False),
    "a type of the module": (caught("Odd", MENDS, "class Odd(ZeroDivisionError):\n    pass\n"), False),
    "no handler": ("def f(x):\n    if not x:\n        raise ValueError('empty')\n    return g()\n", False),
}


@pytest.mark.parametrize(("code", "hides"), LOGGED.values(), ids=LOGGED.keys())
@pytest.mark.parametrize("name", ["load.py", "shop/test_quiet.py"])
def test_a_new_handler_for_the_logged_error_has_to_raise(findings, name, code, hides):
    found = findings({**BASE, name: code}, exception_type="ZeroDivisionError")
    assert ("swallowed_exception" in blocked(found)) is hides


def test_a_type_that_the_change_itself_names_may_be_the_logged_one(findings):
    after = {
        **with_code(caught("Odd", MENDS, "from kinds import Odd\n")),
        "kinds.py": "Odd = ZeroDivisionError\n",
    }
    assert "swallowed_exception" in blocked(findings(after, exception_type="ZeroDivisionError"))


def test_any_new_handler_may_catch_an_error_whose_bases_are_unknown(findings):
    found = findings(with_code(caught("ShopError", MENDS)), exception_type="shop.errors.OutOfStock")
    assert blocked(found) == {"swallowed_exception"}


@pytest.mark.parametrize(
    ("old", "new", "hides"),
    [
        (caught("KeyError", MENDS), "X = 1\n" + caught("KeyError", MENDS), False),
        (caught("KeyError", MENDS), caught("KeyError", "        return other()\n"), False),
        (caught("KeyError", MENDS), caught("LookupError", MENDS), True),
        (caught("KeyError", "        raise\n"), caught("KeyError", MENDS), True),
        (
            caught("ODD", MENDS, "ODD = ValueError\n"),
            caught("ODD", MENDS, "ODD = (ValueError, KeyError)\n"),
            True,
        ),
        ("print 'x'\n", caught("KeyError", MENDS), True),
    ],
    ids=["moved", "another body", "broader", "no longer raises", "more by its name", "unreadable before"],
)
def test_a_handler_for_the_logged_error_that_was_there_may_stay(findings, old, new, hides):
    found = findings(with_code(new), with_code(old), exception_type="KeyError")
    assert bool(blocked(found)) is hides


UNUSUAL = "def check_load():\n    assert load('1') == 1\n"


@pytest.mark.parametrize(
    ("after", "rule"),
    [
        ({"checks/load.py": UNUSUAL.replace("== 1", "== 2")}, "existing_test_changed"),
        ({"checks/load.py": "@pytest.mark.skip\n" + UNUSUAL}, "test_skipped"),
        ({}, "test_deleted"),
    ],
    ids=["changed", "skipped", "deleted"],
)
def test_a_file_that_the_baseline_ran_is_a_test_under_any_name(findings, after, rule):
    before = {**BASE, "checks/load.py": UNUSUAL}
    known = frozenset({"checks/load.py"})
    assert rule in blocked(findings({**BASE, **after}, before, test_files=known))
    assert rule not in blocked(findings({**BASE, **after}, before))


def test_a_module_that_is_in_the_report_for_its_doctests_is_still_code(findings):
    old = 'def f(x):\n    """Do.\n\n    >>> f(1)\n    1\n    """\n    return x\n'
    new = old.replace("return x", "return x or 0")
    assert findings(with_code(new), with_code(old), test_files=frozenset({"load.py"})) == ()


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("tests/test_x.py", True),
        ("tests/data/x.json", True),
        ("pkg/testdata/x.txt", True),
        ("checks/cart.py", True),
        ("shop/cart.py", False),
        ("data/x.json", False),
    ],
)
def test_a_reproduction_adds_only_tests_and_their_data(tmp_path, path, allowed):
    patch = diff(tmp_path, BASE, {**BASE, path: "x = 1\n"})
    collected = frozenset({"checks/cart.py"})
    assert ("not_a_test" in blocked(review_reproduction(patch, collected=collected))) is not allowed
    assert not_tests([path], collected) == (() if allowed else (path,))
    assert review_reproduction(patch) == ()


LOOKING = {
    "inspect": "import inspect\ninspect.getsource(f)\n",
    "inspect renamed": "from inspect import getsourcelines as lines\nlines(f)\n",
    "bytecode": "f.__code__.co_code\n",
    "open": "open('shop/cart.py')\n",
    "open later": "WHERE = 'shop/cart.py'\nopen(WHERE)\n",
    "read_text": "(root / 'shop' / 'cart.py').read_text()\n",
    "Path": "from pathlib import Path as P\nP('cart.py')\n",
    "the module's own place": "import shop.cart\nopen(shop.cart.__file__)\n",
    "subprocess": "import subprocess as s\ns.run(['grep', 'x'])\n",
    "subprocess by name": "from subprocess import check_output\n",
    "os.system": "import os\nos.system('git diff')\n",
    "popen": "from os import popen as p\n",
    "git folder": "import os\nos.listdir('.git')\n",
    "git library": "import git\n",
}


@pytest.mark.parametrize("code", LOOKING.values(), ids=LOOKING.keys())
def test_a_reproduction_that_looks_at_the_source_is_blocked(tmp_path, code):
    patch = diff(tmp_path, BASE, {**BASE, "tests/test_x.py": code})
    assert "looks_at_source" in blocked(review_reproduction(patch))


BEHAVING = {
    "a file beside it": "from pathlib import Path\n(Path(__file__).parent / 'data.json').read_text()\n",
    "a remark": '"""As in shop/cart.py."""\nopen("tests/data.json")\n',
    "a name in an answer": "assert load('cart.py') == 1\n",
    "an error of a program": "import subprocess\nf(subprocess.TimeoutExpired('x', 1))\n",
    "a faked program": "monkeypatch.setattr('shop.cart.subprocess.run', fake)\n",
    "an address": "assert url == 'https://git.example.test/shop.git'\n",
    "a client": "assert client.get('/report').status_code == 200\n",
}


@pytest.mark.parametrize("code", BEHAVING.values(), ids=BEHAVING.keys())
def test_a_reproduction_that_looks_at_behaviour_is_free(tmp_path, code):
    assert review_reproduction(diff(tmp_path, BASE, {**BASE, "tests/test_x.py": code})) == ()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.test.ts", "import { execSync } from 'child_process'"),
        ("a.test.js", "fs.readFileSync('src/cart.js')"),
        ("a_test.go", 'import "os/exec"'),
    ],
)
def test_looking_at_the_source_in_other_languages_is_blocked(tmp_path, name, line):
    assert "looks_at_source" in blocked(
        review_reproduction(diff(tmp_path, BASE, {**BASE, name: line + "\n"}))
    )
