"""What ``.ai-ops.yml`` may say, and how a repository's tests are found."""

import subprocess

import pytest

from ai_ops.core.drafts import Draft
from ai_ops.core.project import ProjectFile, discover, parse_project_file, plan_tests
from ai_ops.errors import PermanentError
from ai_ops.flow.fixing import FixMode


def test_every_field_is_read():
    text = b"""
setup: python -m venv /opt/setup/venv
test: pytest -q
reproduce: pytest {path}
report: junit
language: python
mode: agentic
protected_paths: ["migrations/**"]
reviewers: [ann, bob]
labels: [bot]
draft: true
budget_usd: 1.5
"""
    assert parse_project_file(text) == ProjectFile(
        "python -m venv /opt/setup/venv",
        "pytest -q",
        "pytest {path}",
        "junit",
        "python",
        FixMode.AGENTIC,
        ("migrations/**",),
        ("ann", "bob"),
        ("bot",),
        Draft.ALWAYS,
        1.5,
    )


@pytest.mark.parametrize(
    ("said", "draft"),
    [(b"true", Draft.ALWAYS), (b"false", Draft.NEVER), (b"until_green", Draft.UNTIL_GREEN), (b"", None)],
)
def test_a_repository_says_whether_its_pull_requests_are_drafts(said, draft):
    assert parse_project_file(b"draft: " + said).draft is draft


@pytest.mark.parametrize("data", [None, b"", b"# nothing\n", b"test:\n"])
def test_a_file_that_says_nothing_is_the_default(data):
    assert parse_project_file(data) == ProjectFile()


@pytest.mark.parametrize(
    ("data", "named"),
    [
        pytest.param(b"tests: pytest", "tests", id="unknown field"),
        pytest.param(b"test: 3", "test", id="number for text"),
        pytest.param(b'test: "a\\0b"', "test", id="nul"),
        pytest.param(b"test: " + b"x" * 5000, "test", id="long text"),
        pytest.param(b"labels: bug", "labels", id="text for list"),
        pytest.param(b"labels: [1]", "labels", id="number in list"),
        pytest.param(b"mode: magic", "mode", id="unknown mode"),
        pytest.param(b"mode: [agentic]", "mode", id="list for mode"),
        pytest.param(b"draft: 1", "draft", id="number for flag"),
        pytest.param(b"draft: maybe", "true, false or until_green", id="unknown draft"),
        pytest.param(b"draft: [until_green]", "draft", id="list for draft"),
        pytest.param(b"budget_usd: .inf", "budget_usd", id="infinite"),
        pytest.param(b"budget_usd: .nan", "budget_usd", id="not a number"),
        pytest.param(b"budget_usd: 1" + b"0" * 400, "budget_usd", id="larger than a float"),
        pytest.param(b"budget_usd: -1", "budget_usd", id="negative"),
        pytest.param(b"budget_usd: true", "budget_usd", id="flag for money"),
        pytest.param(b"budget_usd: " + b"9" * 5000, "not valid YAML", id="endless number"),
        pytest.param(b"reproduce: pytest", "{path}", id="reproduce without a place"),
        pytest.param(b"test: a\ntest: b", "test", id="twice"),
        pytest.param(b"- a", "mapping", id="list"),
        pytest.param(b"a: &x [1]\nb: *x", "aliases", id="alias"),
        pytest.param(b"test: !!python/object/apply:os.system ['id']", "YAML", id="object tag"),
        pytest.param(b"test: [", "YAML (line", id="broken"),
        pytest.param(b"[" * 20000, "YAML", id="deep"),
        pytest.param(b"\xff\xfe", "UTF-8", id="not utf-8"),
        pytest.param(b"#" * 70000, "larger", id="large"),
    ],
)
def test_a_wrong_file_is_a_named_failure(data, named):
    with pytest.raises(PermanentError) as caught:
        parse_project_file(data)
    assert caught.value.code == "project_file_invalid"
    assert named in caught.value.message
    assert caught.value.next_step


def refusal(data):
    with pytest.raises(PermanentError) as caught:
        parse_project_file(data)
    return caught.value.message


def test_all_that_is_wrong_with_a_file_is_named_at_once():
    guard = b"guard: {lins: 3, files: many, block: [nope, test_deletd]}"
    said = refusal(b"tests: pytest\nmode: magic\nlabels: bug\n" + guard)
    for words in (
        "tests: is not a known field; did you mean test?",
        "mode: must be one of",
        "labels: must be a list",
        "guard.lins: is not a known field; did you mean lines?",
        "guard.files: must be a whole number",
        "guard.block: 'nope' is not a known rule; known are all, ",
        "guard.block: 'test_deletd' is not a known rule; did you mean test_deleted?",
    ):
        assert words in said
    assert refusal(b"test: a\ntest: b\nmode: x\nmode: y").endswith("test: appears twice; mode: appears twice")


def test_a_name_that_is_like_no_other_is_told_with_all_there_are():
    assert "frobnicate: is not a known field; known are setup, test, " in refusal(b"frobnicate: 1")
    assert " 1: is not a known field; known are " in refusal(b"1: a")


def test_a_file_of_nothing_but_mistakes_is_told_in_part():
    said = refusal("\n".join(f"tests{number}: x" for number in range(50)).encode())
    assert said.count("did you mean test") == 20 and said.endswith("; and 30 more")


@pytest.mark.parametrize(
    ("files", "contents"),
    [
        pytest.param(["tests/test_a.py"], {}, id="test file"),
        pytest.param(["pkg/a_test.py"], {}, id="test file, other form"),
        pytest.param(["conftest.py"], {}, id="conftest"),
        pytest.param(["pytest.ini"], {"pytest.ini": ""}, id="pytest.ini"),
        pytest.param(["pyproject.toml"], {"pyproject.toml": "[tool.pytest.ini_options]\n"}, id="pyproject"),
        pytest.param(["setup.cfg"], {"setup.cfg": "[tool:pytest]\n"}, id="setup.cfg"),
        pytest.param(["tox.ini"], {"tox.ini": "[pytest]\n"}, id="tox.ini"),
    ],
)
def test_pytest_is_found(files, contents):
    plan = discover(files, contents)
    assert plan.command == ("python", "-m", "pytest")
    assert plan.reproduce == ("python", "-m", "pytest", "{path}")
    assert (plan.kind, plan.setup) == ("pytest", None)


@pytest.mark.parametrize(
    ("files", "contents"),
    [
        pytest.param(["app.py", "contest.py", "latest_run.py"], {}, id="no tests"),
        pytest.param(["pyproject.toml"], {"pyproject.toml": "[tool.ruff]\n"}, id="other tool"),
        pytest.param(["pyproject.toml"], {"pyproject.toml": "]]broken"}, id="broken toml"),
        pytest.param(["setup.cfg"], {"setup.cfg": "no section"}, id="broken ini"),
    ],
)
def test_no_tests_is_a_named_failure(files, contents):
    assert discover(files, contents) is None
    with pytest.raises(PermanentError) as caught:
        plan_tests(files, contents)
    assert caught.value.code == "no_test_command"


def test_own_commands_come_first_and_run_in_a_shell_inside():
    plan = discover(["a.py"], {}, ProjectFile(test="make test", setup="./setup.sh"))
    assert plan.command == ("sh", "-c", "make test", "sh")
    assert plan.setup == "./setup.sh"


@pytest.mark.parametrize("written", ["echo {path}", 'echo "{path}"', "echo '{path}'"])
def test_a_path_never_becomes_shell_text(written):
    plan = discover(["a.py"], {}, ProjectFile(test="x", reproduce=written))
    hostile = "$(id) `id`; id"
    argv = [hostile if word == "{path}" else word for word in plan.reproduce]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == hostile + "\n"


def test_lock_files_are_those_that_decide_what_is_installed():
    files = [
        "requirements-dev.txt",
        "sub/poetry.lock",
        "pyproject.toml",
        "notes.txt",
        "test_a.py",
        "uv.lock.bak",
    ]
    assert discover(files, {}).lock_files == ("pyproject.toml", "requirements-dev.txt", "sub/poetry.lock")
