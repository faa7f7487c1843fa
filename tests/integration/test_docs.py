"""The documentation is true: its commands run, its tables are whole, its links lead somewhere."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import is_dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from pydantic import SecretStr
from typer.main import get_command

from ai_ops import flow
from ai_ops.cli.app import app
from ai_ops.core.commands import RULES
from ai_ops.core.failures import CATALOGUE
from ai_ops.core.failures.page import with_tables
from ai_ops.core.guard.policy import RULE_NAMES
from ai_ops.core.setting_names import TABLES
from ai_ops.server.auth import Scope
from ai_ops.server.http_server import ROUTES
from ai_ops.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("doc/*.md"), *ROOT.glob("examples/*.md")])
README, ENV = ROOT / "README.md", ROOT / ".env.example"
WRITTEN_ELSEWHERE = {"doc/benchmarks.md"}  # `make bench` writes it

_BLOCK = re.compile(r"^<!-- run[^>]*-->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_SETTING = re.compile(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    """Return the shell blocks of a page that are marked to be run."""
    found = _BLOCK.findall(read(page))
    assert found, f"{page} has no block to run"
    return found


def run_script(script: str, folder: Path, where: Path) -> None:
    """Run a script of the documentation as a reader would, and leave nothing of it behind."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "HTTP_PORT": port,
        "AGENT_SERVER_URL": f"http://127.0.0.1:{port}",
    }
    # Into a file: what the script starts in the background would keep a pipe open.
    output = folder / "said.txt"
    with output.open("wb") as said:
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=where,
            env=environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        code = shell.wait(timeout=280)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    assert code == 0, output.read_text(encoding="utf-8", errors="replace")[-6000:]


needs_bubblewrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")
patient = pytest.mark.timeout(300)  # about ten seconds each; the machine may be busy
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are written with curl")


@needs_bubblewrap
@patient
def test_the_first_hour_of_the_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    script = "ai-ops demo > demo.txt\n" + "\n".join(blocks("README.md")) + "\nkill %1; wait %1"
    run_script(script, tmp_path, tmp_path)
    assert "verdict    proved" in (tmp_path / "demo.txt").read_text(encoding="utf-8")
    assert "a pull request was opened" in (tmp_path / "said.txt").read_text(encoding="utf-8")


@needs_bubblewrap
@patient
@needs_curl
def test_the_hand_test_and_the_examples_of_the_api_run(tmp_path: Path) -> None:
    *before, stop = blocks("doc/e2e-test.md")
    run_script(
        "\n".join([*before, *blocks("doc/api.md"), *blocks("doc/operations.md"), stop]), tmp_path, ROOT
    )


def agent_keys() -> set[str]:
    """Return the settings that the agent reads by itself."""
    found = set(
        re.findall(r'values\.(?:text|parsed|secret)\(\s*"([A-Z_]+)"', read("ai_ops/agent/options.py"))
    )
    assert found > {"LOG_FILTER", "NODE_NAME"}
    return found


def test_the_example_environment_names_exactly_the_settings_there_are() -> None:
    settings = {name.upper() for name in Settings.model_fields} - {*TABLES}
    assert sorted(key for key, _ in _SETTING.findall(read(".env.example"))) == sorted(settings | agent_keys())


def test_the_example_environment_shows_the_defaults_and_no_secret() -> None:
    shown = dict(_SETTING.findall(read(".env.example")))
    for name, field in Settings.model_fields.items():
        if name.upper() in TABLES:
            continue
        value = field.default
        if value is None or isinstance(value, SecretStr):
            wanted = ""
        elif isinstance(value, bool):
            wanted = str(value).lower()
        elif isinstance(value, tuple):
            wanted = ",".join(value)
        else:
            wanted = str(value)
        seen = shown[name.upper()]
        number = isinstance(value, float) and float(seen) == value
        assert number or seen == wanted, name.upper()


def test_a_setting_is_marked_later_as_long_as_nothing_reads_it() -> None:
    code = "".join(p.read_text("utf-8") for p in (ROOT / "ai_ops").rglob("*.py") if p.name != "settings.py")
    used = {name.upper() for name in re.findall(r"\b(?:settings|found)\.(\w+)", code)} | agent_keys()
    later, comment = set(), ""
    for line in read(".env.example").splitlines():
        if line.startswith("# "):
            comment = line
        elif (said := _SETTING.match(line)) and comment.startswith("# Later"):
            later.add(said[1])
    assert sorted(later) == sorted({name.upper() for name in Settings.model_fields} - used - {*TABLES})


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_stands_in_the_api_page_with_its_scope(route) -> None:
    assert f"| `{route.method} {route.path}` |" in read("doc/api.md")
    line = next(line for line in read("doc/api.md").splitlines() if f"`{route.method} {route.path}`" in line)
    assert line.split("|")[2].strip().strip("`") == route.scope.value


WHAT_AN_AGENT_KEY_OPENS = {
    "README.md": r"`SERVER_AGENT_KEYS`\n\(.*?\)",
    ".env.example": r"# Keys that open.*?#SERVER_AGENT_KEYS=",
    "ai_ops/settings.py": r'server_agent_keys: .*?""".*?"""',
    "doc/api.md": r"`SERVER_AGENT_KEYS` has.*?\.",
    "doc/security.md": r"\| an agent, .*",
}


@pytest.mark.parametrize(("page", "place"), WHAT_AN_AGENT_KEY_OPENS.items(), ids=WHAT_AN_AGENT_KEY_OPENS)
def test_every_route_that_an_agents_key_opens_is_named_where_the_key_is_told_of(
    page: str, place: str
) -> None:
    flags = re.DOTALL if ".*?" in place else 0
    said = re.search(place, read(page), flags)
    assert said is not None
    opened = {route.path for route in ROUTES if route.scope is Scope.EVENTS}
    assert set(re.findall(r"/(?:v1|api)/[\w/{}]+", said[0])) == opened


def test_every_rule_of_the_guard_stands_in_the_page_of_security() -> None:
    for rule, finds in RULE_NAMES.items():
        assert f"| `{rule}` | {finds} | " in read("doc/security.md")


def test_every_rule_of_commands_stands_in_the_page_of_security() -> None:
    for rule in RULES.values():
        row = f"| `{rule.name}` | {rule.words} | {rule.severity} | {rule.decision} |"
        assert row in read("doc/security.md")


def test_the_api_page_names_no_route_that_is_not_there() -> None:
    named = set(re.findall(r"^\| `([A-Z]+ /[^`]+)` \|", read("doc/api.md"), re.MULTILINE))
    assert named == {f"{route.method} {route.path}" for route in ROUTES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if str(target.relative_to(ROOT)) in WRITTEN_ELSEWHERE:
            continue
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), link


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_is_named_is_there(page: Path) -> None:
    for name in re.findall(r"`((?:ai_ops|tests|doc|examples|scripts)/[\w./-]+)`", page.read_text("utf-8")):
        assert name in WRITTEN_ELSEWHERE or (ROOT / name).exists(), name


def nouns() -> list[str]:
    """Return the classes of ``flow``: every noun the product has."""
    found = []
    for module in iter_modules(flow.__path__):
        loaded = import_module(f"ai_ops.flow.{module.name}")
        for name, value in vars(loaded).items():
            own = isinstance(value, type) and value.__module__ == loaded.__name__
            if own and name == value.__name__ and (is_dataclass(value) or issubclass(value, Enum)):
                found.append(name)
    return found


@pytest.mark.parametrize("noun", nouns())
def test_every_noun_stands_in_the_glossary(noun: str) -> None:
    assert f"`{noun}`" in read("doc/glossary.md")


@pytest.mark.parametrize("command", sorted(get_command(app).commands))  # type: ignore[attr-defined]
def test_every_command_stands_in_the_readme(command: str) -> None:
    line = next((x for x in read("README.md").splitlines() if x.startswith(f"| `ai-ops {command}` |")), "")
    assert line
    for name in getattr(get_command(app).commands[command], "commands", {}):  # type: ignore[attr-defined]
        assert f"`{name}`" in line


def raised() -> dict[str, list[str]]:
    """Return the codes that the code raises by name, each with where."""
    found: dict[str, list[str]] = {}
    for path in (ROOT / "ai_ops").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in ("PermanentError", "TemporaryError", "failed", "failure", "part_of_the_way"):
                found.setdefault(str(node.args[0].value), []).append(f"{path.name} {name}")
    return found


def test_every_failure_is_raised_by_the_code_of_its_row() -> None:
    assert sorted(raised().keys() - CATALOGUE) == [], "a new failure is a row in ai_ops/core/failures/"
    spelt = [place for places in raised().values() for place in places if place.endswith("Error")]
    assert spelt == [], "failed(code, …) knows the family of a failure"


def test_no_row_is_there_that_nothing_raises() -> None:
    code = "".join(
        path.read_text("utf-8")
        for path in (ROOT / "ai_ops").rglob("*.py")
        if path.parent.name != "failures" or path.name == "way.py"
    )
    assert [name for name in CATALOGUE if f'"{name}"' not in code] == []


def test_the_page_of_operations_has_the_failures_as_the_code_has_them() -> None:
    page = read("doc/operations.md")
    assert with_tables(page) == page, "make docs"


def test_the_examples_run_as_their_page_says(tmp_path: Path) -> None:
    run_script("\n".join(blocks("examples/README.md")), tmp_path, ROOT)


def test_no_page_speaks_of_how_it_was_made() -> None:
    for page in [*PAGES, ENV, ROOT / "NOTICE"]:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/work/|/root/|index-url|pypi\.|artifactory|sk-ant-|ghp_|github_pat_", text), (
            page
        )
