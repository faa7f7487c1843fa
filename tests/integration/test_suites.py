"""Test suites in the real sandbox: what they report, and what hostile ones cannot."""

import asyncio
import importlib.metadata
import os
import subprocess
from pathlib import Path

import pytest

from ai_ops.core.ports import SandboxSpec
from ai_ops.core.project import ProjectFile, discover, plan_tests
from ai_ops.core.proof import run_trouble
from ai_ops.core.pytest_plugins import missing_plugins
from ai_ops.core.reports import missing_modules
from ai_ops.errors import PermanentError
from ai_ops.flow.event import Frame
from ai_ops.flow.report import CaseOutcome, CaseResult, RunEnd
from ai_ops.flow.repository import Repository
from ai_ops.workspace import folders
from ai_ops.workspace.folders import remove_tree
from ai_ops.workspace.profile import SandboxLimits
from ai_ops.workspace.sandbox import BubblewrapSandbox, OffSandbox
from ai_ops.workspace.setup_layer import SetupBuilder
from ai_ops.workspace.suite import SuiteRunner, command_line, elsewhere
from ai_ops.workspace.toolbox import ensure_toolbox

REPOSITORY = Repository("git.example/acme/shop", "https://git.example/acme/shop", "github")
CALC = "def half(n):\n    return 1 / n\n"
TESTS = """
from calc import half

def test_two():
    assert half(2) == 0.5

class TestZero:
    def test_zero(self):
        half(0)
"""


@pytest.fixture(scope="module")
def toolbox(tmp_path_factory):
    return asyncio.run(ensure_toolbox(tmp_path_factory.mktemp("data")))


@pytest.fixture(params=[BubblewrapSandbox, OffSandbox], ids=["bwrap", "off"])
def sandbox(request):
    return request.param()


@pytest.fixture
def run(tmp_path, toolbox):
    """Run a tree of files as a repository."""

    async def go(files, *, sandbox=None, project=None, runner=None, **arguments):
        checkout = repository(tmp_path / "checkout", files)
        runner = runner or SuiteRunner(sandbox or BubblewrapSandbox(), toolbox, wall_seconds=30)
        plan = discover(list(files), {}, project)
        return await runner.run(checkout, plan, out=tmp_path / "out", **arguments)

    return go


def repository(folder: Path, files) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def outcomes(report):
    return {result.id: result.outcome.value for result in report.results}


async def test_a_suite_reports_each_test_with_exception_and_frames(run, sandbox):
    report = await run({"calc.py": CALC, "tests/test_calc.py": TESTS}, sandbox=sandbox)
    assert (report.end, report.exit_code) == (RunEnd.EXITED, 1)
    assert report.results == (
        CaseResult("tests/test_calc.py::test_two", CaseOutcome.PASSED),
        CaseResult(
            "tests/test_calc.py::TestZero::test_zero",
            CaseOutcome.FAILED,
            "ZeroDivisionError",
            "division by zero",
            (Frame("tests/test_calc.py", 9, "test_zero"), Frame("calc.py", 2, "half")),
        ),
    )
    assert "1 failed, 1 passed" in report.output


NOTICES = """\
import os
import sys


def seen():
    words = " ".join([sys.argv[0], sys.orig_argv[0], *sys.orig_argv])
    return {"argv": "pytest" in words, "pid": os.getpid() < 300}
"""


@pytest.mark.parametrize("sign", ["argv", "pid"])
async def test_code_that_knows_the_run_of_one_test_does_not_know_the_suite(run, sign):
    test = f"from app import seen\n\n\ndef test_it():\n    assert seen()[{sign!r}]\n"
    files = {"app.py": NOTICES, "tests/test_it.py": test}
    assert outcomes(await run(files, paths=["tests/test_it.py"])) == {"tests/test_it.py::test_it": "passed"}
    assert outcomes(await run(files)) == {"tests/test_it.py::test_it": "failed"}


@pytest.mark.parametrize("path", [os.environ["PATH"], "/nowhere"], ids=["with a Python", "without"])
def test_process_numbers_are_late_with_and_without_a_python(path):
    command = ["bwrap", "--unshare-pid", "--dev-bind", "/", "/", "--setenv", "PATH", path]
    argv = [word.replace("(:)", "exit 1") for word in elsewhere(("/bin/sh", "-c", "echo $$"))]
    if path == "/nowhere":
        argv = list(elsewhere(("/bin/sh", "-c", "echo $$")))
    ended = subprocess.run([*command, *argv], capture_output=True, text=True, check=True)
    assert int(ended.stdout) > 700


async def test_only_the_named_files_run(run, sandbox):
    files = {"tests/test_a.py": "def test_a(): pass", "tests/test_b.py": "def test_b(): pass"}
    report = await run(files, sandbox=sandbox, paths=["tests/test_b.py"])
    assert outcomes(report) == {"tests/test_b.py::test_b": "passed"}


@pytest.mark.parametrize("command", ["pytest -q", "python3 -m pytest", "cd . && python -m pytest"])
async def test_commands_of_the_repository_run_in_a_shell_inside(run, command):
    project = ProjectFile(test=command, reproduce="pytest -x {path}")
    files = {"test_a b.py": "def test_a(): pass", "test_c.py": "def test_c(): pass", "conftest.py": ""}
    assert len((await run(files, project=project)).results) == 2
    report = await run(files, project=project, paths=["test_a b.py"])
    assert outcomes(report) == {"test_a b.py::test_a": "passed"}


async def test_a_repository_s_own_pytest_options_still_work(run):
    files = {
        "pytest.ini": "[pytest]\naddopts = --lf --tb=short -q\n",
        "sub/test_a.py": "def test_a(cache): assert 0, 'no'",
    }
    report = await run(files)
    assert report.results[0].exception_type == "AssertionError"


async def test_ids_do_not_depend_on_where_the_command_runs(run):
    files = {"backend/pytest.ini": "[pytest]\n", "backend/tests/test_a.py": "def test_a(): pass"}
    report = await run(files, project=ProjectFile(test="cd backend && pytest"))
    assert outcomes(report) == {"backend/tests/test_a.py::test_a": "passed"}


async def test_nothing_is_left_in_the_checkout(run, tmp_path):
    await run({"calc.py": CALC, "tests/test_calc.py": TESTS})
    left = {str(path.relative_to(tmp_path / "checkout")) for path in (tmp_path / "checkout").rglob("*")}
    assert left == {"calc.py", "tests", "tests/test_calc.py"}


HOSTILE = "import os, pathlib\nR = pathlib.Path('/report/junit.xml')\n"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("os._exit(0)", id="exits before the report"),
        pytest.param("R.symlink_to('/etc/passwd'); os._exit(0)", id="link as report"),
        pytest.param("os.mkfifo(R); os._exit(0)", id="fifo as report"),
        pytest.param("R.mkdir(); os._exit(0)", id="folder as report"),
        pytest.param("R.write_bytes(b'<testsuites>'); os._exit(0)", id="half a report"),
        pytest.param("os.truncate(os.open(R, os.O_CREAT | os.O_RDWR), 10**9); os._exit(0)", id="huge report"),
    ],
)
async def test_without_an_honest_file_there_are_no_results(run, tmp_path, body):
    secret = tmp_path / "secret.xml"
    secret.write_text("<testsuites/>")
    report = await run({"test_a.py": HOSTILE + f"def test_a():\n    {body}\n"})
    assert report.end is RunEnd.EXITED
    assert report.results is None


async def test_a_link_to_a_readable_report_elsewhere_is_not_followed(run, tmp_path):
    decoy = tmp_path / "decoy.xml"
    decoy.write_text('<testsuites><testsuite><testcase classname="t" name="x"/></testsuite></testsuites>')
    body = f"R.symlink_to({str(decoy)!r}); os._exit(0)"
    assert (await run({"test_a.py": HOSTILE + f"def test_a():\n    {body}\n"})).results is None


async def test_an_old_report_is_not_taken_for_a_new_one(run):
    assert (await run({"test_a.py": "def test_a(): pass"})).results
    assert (await run({"test_a.py": "import os; os._exit(0)"})).results is None


async def test_a_hang_ends_at_the_limit(run, toolbox):
    runner = SuiteRunner(BubblewrapSandbox(), toolbox, wall_seconds=1.5)
    report = await run({"test_a.py": "import time\ndef test_a(): time.sleep(60)"}, runner=runner)
    assert (report.end, report.exit_code, report.results) == (RunEnd.WALL_TIMEOUT, None, None)


EXCESSES = {
    "floods": ("while True: os.write(1, b'x' * 65536)", RunEnd.OUTPUT_LIMIT),
    "forks": (
        "try: [os.fork() or time.sleep(9) for _ in range(200)]\n    except OSError: pass\n    time.sleep(60)",
        RunEnd.PROCESS_LIMIT,
    ),
    "fills the disk": ("open('big', 'wb').write(os.urandom(12 * 2**20)); time.sleep(60)", RunEnd.DISK_LIMIT),
    "makes many files": (
        "for n in range(700): open(f'/tmp/{n}', 'w')\n    time.sleep(60)",
        RunEnd.FILE_LIMIT,
    ),
    "eats memory": ("x = bytearray(b'x') * 10**9; time.sleep(60)", RunEnd.MEMORY_LIMIT),
}


@pytest.mark.parametrize(("body", "end"), EXCESSES.values(), ids=EXCESSES.keys())
async def test_a_test_that_uses_too_much_ends_the_run_and_proves_nothing(run, toolbox, body, end):
    limits = SandboxLimits(processes=100, memory_bytes=300 * 2**20, disk_bytes=8 * 2**20, files=500)
    runner = SuiteRunner(BubblewrapSandbox(limits), toolbox, wall_seconds=60)
    files = {"test_a.py": f"import os, time\ndef test_a(capfd):\n  with capfd.disabled():\n    {body}\n"}
    report = await run(files, runner=runner)
    assert (report.end, report.exit_code, report.results) == (end, None, None)
    assert run_trouble(report, "suite").rule == end.value


async def test_what_tests_leave_behind_in_a_checkout_goes_and_nothing_beside_it(run, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("kept")
    body = f"""
import os, pathlib, socket
def test_a():
    os.symlink({str(kept)!r}, "link"); os.symlink({str(tmp_path)!r}, "folder"); os.mkfifo("pipe")
    socket.socket(socket.AF_UNIX).bind("socket")
    pathlib.Path("program").touch(); os.chmod("program", 0o6755)
    os.makedirs("shut/inner"); os.chmod("shut/inner", 0); os.chmod("shut", 0)
"""
    report = await run({"test_a.py": body})
    assert set(outcomes(report).values()) == {"passed"}, report.output
    remove_tree(tmp_path / "checkout")
    assert not (tmp_path / "checkout").exists()
    assert kept.read_text() == "kept"


async def test_tests_have_no_network_and_no_secrets(run, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "planted-secret")
    body = """
import os, socket, pytest
def test_network():
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", 22), 1)
def test_environment():
    known = {"PATH", "LANG", "HOME", "PWD", "PYTEST_ADDOPTS", "PYTHONDONTWRITEBYTECODE"}
    assert not {n for n in os.environ if not n.startswith("PYTEST_")} - known
"""
    report = await run({"test_a.py": body})
    assert set(outcomes(report).values()) == {"passed"}, report.results


async def test_a_missing_dependency_is_recognised(run):
    files = {"app.py": "import flask_nope", "test_a.py": "import app"}
    report = await run(files)
    assert missing_modules(report, list(files)) == ("flask_nope",)
    files = {"conftest.py": "import django_nope", "test_a.py": ""}
    report = await run(files)
    assert missing_modules(report, list(files)) == ("django_nope",)


@pytest.mark.parametrize(
    ("ini", "wanted"),
    [
        ("addopts = --cov=app --cov-report=term -n 4", ["pytest-cov (for --cov)", "pytest-xdist (for -n)"]),
        ("addopts = --strict-config\nasyncio_mode = auto", ["pytest-asyncio (for asyncio_mode)"]),
        ("required_plugins = pytest-django>=4 pytest-env", ["pytest-django", "pytest-env"]),
        ("addopts = -q", []),
    ],
    ids=["options", "strict-config", "required", "none"],
)
async def test_a_missing_plugin_is_recognised(run, ini, wanted):
    report = await run({"pytest.ini": f"[pytest]\n{ini}\n", "test_a.py": "def test_a(): pass"})
    assert [str(plugin) for plugin in missing_plugins(report)] == wanted


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x.py", "a/../../x", "-p", "--version", "a\0b"])
def test_paths_that_are_none_of_the_repository_are_refused(path):
    with pytest.raises(PermanentError, match="test_path_invalid"):
        command_line(plan_tests(["test_a.py"], {}), [path])


# --- toolbox ---------------------------------------------------------------------------------------


async def inside(toolbox, *argv):
    spec = SandboxSpec(argv, toolbox.binds, cwd="/", env={"PATH": toolbox.path()})
    return (await BubblewrapSandbox().run(spec)).output.strip()


async def test_the_toolbox_offers_pytest_and_its_dependencies_only(toolbox):
    listing = "import importlib.metadata as m; print(*sorted(d.name.lower() for d in m.distributions()))"
    names = (await inside(toolbox, "python", "-c", listing)).split()
    assert names == ["iniconfig", "packaging", "pluggy", "pygments", "pytest"]


@pytest.mark.parametrize(
    "argv",
    [
        ("pytest", "--version"),
        ("python", "-m", "pytest", "--version"),
        ("python3", "-m", "pytest", "--version"),
    ],
)
async def test_pytest_answers_by_each_name(toolbox, argv):
    assert await inside(toolbox, *argv) == f"pytest {importlib.metadata.version('pytest')}"


async def test_the_toolbox_cannot_be_changed_from_inside(toolbox):
    script = (
        "touch /opt/toolbox/x || chmod u+w /opt/toolbox/bin || rm -f /opt/toolbox/bin/pytest || echo kept"
    )
    assert (await inside(toolbox, "sh", "-c", script)).endswith("kept")


async def test_the_toolbox_is_built_once_even_by_two_at_a_time(tmp_path):
    first, second = await asyncio.gather(ensure_toolbox(tmp_path), ensure_toolbox(tmp_path))
    assert first == second
    assert [path.name for path in (tmp_path / "toolbox").iterdir()] == [first.key]
    before = first.folder.stat().st_ctime_ns
    await ensure_toolbox(tmp_path)
    assert first.folder.stat().st_ctime_ns == before


# --- set-up ----------------------------------------------------------------------------------------


@pytest.fixture
def prepared(tmp_path, toolbox):
    """Build the set-up layer of a tree of files."""

    async def go(files, command, *, sandbox=None, key=REPOSITORY):
        checkout = repository(tmp_path / "setup-checkout", files)
        plan = discover(list(files), {}, ProjectFile(test="python -m pytest", setup=command))
        builder = SetupBuilder(sandbox or BubblewrapSandbox(), toolbox, tmp_path / "data", wall_seconds=60)
        return await builder.ensure(key, plan, checkout)

    return go


async def test_no_command_means_no_layer(tmp_path, toolbox):
    builder = SetupBuilder(BubblewrapSandbox(), toolbox, tmp_path)
    assert await builder.ensure(REPOSITORY, plan_tests(["test_a.py"], {}), tmp_path) is None


async def test_what_setup_installs_is_seen_by_the_tests(run, prepared, sandbox):
    install = (
        "python -m venv --without-pip $AI_OPS_SETUP_DIR/venv && "
        "echo 'VALUE = 42' > $(ls -d $AI_OPS_SETUP_DIR/venv/lib/python*)/site-packages/dependency.py && "
        "mkdir $AI_OPS_SETUP_DIR/bin && printf '#!/bin/sh\\necho tool' > $AI_OPS_SETUP_DIR/bin/tool && "
        "chmod +x $AI_OPS_SETUP_DIR/bin/tool && touch ~/kept"
    )
    layer = await prepared({"requirements.txt": "dependency\n"}, install, sandbox=sandbox)
    assert (layer / "home" / "kept").exists()
    body = """
import os, subprocess, dependency
def test_dependency():
    assert dependency.VALUE == 42
def test_tool():
    assert subprocess.check_output(["tool"]) == b"tool\\n"
"""
    report = await run({"test_a.py": body}, sandbox=sandbox, setup_layer=layer)
    assert outcomes(report) == {"test_a.py::test_dependency": "passed", "test_a.py::test_tool": "passed"}


async def test_tests_cannot_change_the_layer(run, prepared):
    layer = await prepared({}, "touch $AI_OPS_SETUP_DIR/x")
    body = "import os\ndef test_a(): open(os.environ['AI_OPS_SETUP_DIR'] + '/x', 'w')\n"
    report = await run({"test_a.py": body}, setup_layer=layer)
    assert report.results[0].exception_type == "OSError"
    assert "Read-only" in report.results[0].message


async def test_the_layer_is_made_once_for_the_same_cause(prepared):
    command = "date +%N > $AI_OPS_SETUP_DIR/made"
    first = await prepared({"requirements.txt": "a\n"}, command)
    made = (first / "made").read_text()
    assert await prepared({"requirements.txt": "a\n"}, command) == first
    assert (first / "made").read_text() == made


@pytest.mark.parametrize("other", ["lock file", "command", "repository"])
async def test_another_cause_makes_another_layer(prepared, other):
    first = await prepared({"requirements.txt": "a\n"}, "true")
    second = await prepared(
        {"requirements.txt": "b\n" if other == "lock file" else "a\n"},
        "true ." if other == "command" else "true",
        key=Repository("git.example/acme/other", "", "github") if other == "repository" else REPOSITORY,
    )
    assert first != second


async def test_a_failing_setup_is_named_leaves_nothing_and_may_be_tried_again(prepared, tmp_path):
    for _ in range(2):
        with pytest.raises(PermanentError) as caught:
            await prepared({}, "echo no such package; exit 3")
        assert caught.value.code == "setup_failed"
        assert "exit code 3" in caught.value.message and "no such package" in caught.value.message
        assert "SETUP_NETWORK" in caught.value.next_step
        assert list((tmp_path / "data" / "setup").iterdir()) == []


async def test_a_failed_layer_loses_its_name_before_it_is_removed(prepared, monkeypatch):
    """Whoever tries again while it is being removed begins with a folder of its own."""
    removed, remove = [], folders.remove_tree

    def noted(path):
        if path.exists():
            removed.append(path)
        remove(path)

    monkeypatch.setattr(folders, "remove_tree", noted)
    with pytest.raises(PermanentError, match="setup_failed"):
        await prepared({}, "mkdir $AI_OPS_SETUP_DIR/half; exit 3")
    (gone,) = (path for path in removed if path.parent.name == "setup")
    assert gone.name.startswith(".gone-")


async def test_a_layer_that_was_cut_off_is_made_again(prepared):
    layer = await prepared({}, "touch $AI_OPS_SETUP_DIR/whole")
    (layer.parent / "complete").unlink()
    (layer / "whole").unlink()
    assert (await prepared({}, "touch $AI_OPS_SETUP_DIR/whole") / "whole").exists()


async def test_setup_has_no_network_by_default(prepared):
    script = "python -c 'import socket; socket.create_connection((\"127.0.0.1\", 22), 1)'"
    with pytest.raises(PermanentError, match=r"Network is unreachable|refused"):
        await prepared({}, script)


async def test_a_lock_file_that_is_a_link_is_not_read(prepared, tmp_path):
    (tmp_path / "setup-checkout").mkdir()
    (tmp_path / "setup-checkout" / "uv.lock").symlink_to("/etc/shadow")
    assert await prepared({}, "true") == await prepared({}, "true")
