"""Runs a repository's tests in the sandbox and brings back what they reported."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ai_ops.core.ports import Bind, Sandbox, SandboxSpec
from ai_ops.core.project import PATHS, TestPlan
from ai_ops.core.reports import MAX_REPORT_BYTES, parse_junit
from ai_ops.errors import PermanentError
from ai_ops.flow.report import SuiteReport
from ai_ops.workspace.folders import fresh_folder, read_regular
from ai_ops.workspace.setup_layer import SETUP_MOUNT, setup_environment
from ai_ops.workspace.toolbox import Toolbox

WORKSPACE = "/workspace"
_REPORT = "/report"
_REPORT_NAME = "junit.xml"
_TAIL = 20_000
# The cache goes elsewhere rather than off: without its plugin, a repository's own `--lf` is an error.
_PYTEST_OPTIONS = (
    f"--junitxml={_REPORT}/{_REPORT_NAME} --tb=native --rootdir={WORKSPACE} -o junit_family=xunit1 "
    "-o junit_logging=no -o cache_dir=/tmp/pytest_cache"
)

# A whole suite runs under another parent, with later process numbers and under a name that is not pytest's.
# Its copy of the reproduction then fails when code only knew the first run by these.
_ELSEWHERE = 'i=0; while [ "$i" -lt 700 ]; do (:); i=$((i+1)); done; "$@"'
_PYTHONS = frozenset({"python", "python3"})
_UNNAMED = (
    "import runpy, sys; sys.argv[0] = 'app.py'; sys.orig_argv[:] = [sys.executable, *sys.argv]; "
    "runpy.run_module('py' 'test', run_name='__main__')"
)


class SuiteRunner:
    """Runs test plans. A report is taken only from a regular file that the run itself wrote."""

    def __init__(
        self,
        sandbox: Sandbox,
        toolbox: Toolbox,
        *,
        wall_seconds: float = 600.0,
        idle_seconds: float | None = None,
        output_limit: int = 10_000_000,
    ) -> None:
        """Limits are for one run of a suite, in seconds and bytes."""
        self._sandbox = sandbox
        self._toolbox = toolbox
        self._wall_seconds = wall_seconds
        self._idle_seconds = idle_seconds
        self._output_limit = output_limit

    async def run(
        self,
        checkout: Path,
        plan: TestPlan,
        *,
        out: Path,
        paths: Sequence[str] = (),
        setup_layer: Path | None = None,
    ) -> SuiteReport:
        """Run the suite, or only the test files in ``paths``, and return what was reported.

        The two differ in their parent process, process numbers and argv (``elsewhere``).

        Args:
            checkout: the repository; the tests may write to it.
            plan: how its tests are run.
            out: a folder for the report; it is emptied first.
            paths: test files relative to the checkout; the plan's ``reproduce`` runs them.
            setup_layer: what ``setup`` made, mounted read-only.

        Raises:
            PermanentError: ``sandbox_unavailable``, ``sandbox_refused``, ``test_path_invalid``.
        """
        await asyncio.to_thread(fresh_folder, out)
        binds = [
            *self._toolbox.binds,
            Bind(checkout, WORKSPACE, writable=True),
            Bind(out, _REPORT, writable=True),
        ]
        if setup_layer is not None:
            binds.append(Bind(setup_layer, SETUP_MOUNT))
        result = await self._sandbox.run(
            SandboxSpec(
                argv=command_line(plan, paths) if paths else elsewhere(plan.command),
                binds=tuple(binds),
                cwd=WORKSPACE,
                env={
                    **setup_environment(self._toolbox, ready=setup_layer is not None),
                    "PYTEST_ADDOPTS": _PYTEST_OPTIONS,
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                network=False,
                wall_seconds=self._wall_seconds,
                idle_seconds=self._idle_seconds,
                output_limit=self._output_limit,
            )
        )
        xml = await asyncio.to_thread(read_regular, out / _REPORT_NAME, MAX_REPORT_BYTES)
        # Without isolation the tests saw the real folder, so its name is in their frames.
        roots = (WORKSPACE, str(checkout))
        results = await asyncio.to_thread(parse_junit, xml, roots=roots) if xml else None
        return SuiteReport(
            result.end, result.exit_code, results, result.output[-_TAIL:], result.duration_seconds
        )


def command_line(plan: TestPlan, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the argv for a whole suite, or for some test files.

    Raises:
        PermanentError: ``test_path_invalid``.
    """
    if not paths:
        return plan.command
    for path in paths:
        parts = path.split("/")
        if not path or path.startswith(("/", "-")) or ".." in parts or "\0" in path:
            raise PermanentError("test_path_invalid", f"{path[:200]!r} is not a path of the repository")
    return tuple(word for item in plan.reproduce for word in (paths if item == PATHS else (item,)))


def elsewhere(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command that does the same as ``command`` in a process that looks otherwise."""
    if len(command) > 2 and command[0] in _PYTHONS and tuple(command[1:3]) == ("-m", "pytest"):
        command = (command[0], "-c", _UNNAMED, *command[3:])
    return ("/bin/sh", "-c", _ELSEWHERE, "app", *command)
