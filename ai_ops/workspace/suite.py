"""Runs a repository's tests in the sandbox and brings back what they reported."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ai_ops.core import runners
from ai_ops.core.failures import failed
from ai_ops.core.ports import Bind, Sandbox, SandboxSpec
from ai_ops.core.project import TestPlan
from ai_ops.core.runners.model import PATHS, REPORT_FOLDER, REPORTERS, WORKSPACE, RawRun, Runner, Text
from ai_ops.flow.report import SuiteReport
from ai_ops.workspace.folders import fresh_folder, read_regular
from ai_ops.workspace.report_files import read_reports, remove_reports, walk
from ai_ops.workspace.setup_layer import SETUP_MOUNT, setup_environment
from ai_ops.workspace.toolbox import Toolbox
from ai_ops.workspace.toolchains import FindToolchain, Toolchain, find_toolchain

_REPORTER_FOLDER = Path(__file__).parent / "reporters"
_PACKAGES = "node_modules"
_MOST_TEXT = 1_000_000
_TAIL = 20_000

# A whole suite runs under another parent, with later process numbers and under a name that is not pytest's.
# Its copy of the reproduction then fails when code only knew the first run by these.
# Threads use numbers up too, at a third of what a fork costs; where there is no Python that can, forks do.
_LATER = (
    "import _thread\n"
    "done = _thread.allocate_lock()\n"
    "done.acquire()\n"
    "for _ in range(700): _thread.start_new_thread(done.release, ()), done.acquire()"
)
_ELSEWHERE = (
    'later=$1; shift; python3 -I -S -c "$later" 2>/dev/null || '
    '{ i=0; while [ "$i" -lt 700 ]; do (:); i=$((i+1)); done; }; "$@"'
)
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
        find: FindToolchain = find_toolchain,
    ) -> None:
        """Limits are for one run of a suite, in seconds and bytes; ``find`` looks the tests' programs up."""
        self._sandbox = sandbox
        self._toolbox = toolbox
        self._wall_seconds = wall_seconds
        self._idle_seconds = idle_seconds
        self._output_limit = output_limit
        self._find = find

    async def check(self, plan: TestPlan) -> None:
        """Look whether the programs are there that the tests need; with a set-up, that may bring them.

        Raises:
            PermanentError: ``test_tool_missing``.
        """
        runner = runners.named(plan.kind)
        missing = (await asyncio.to_thread(self._find, runner.TOOLS)).missing
        if missing and plan.setup is None and runner in runners.RUNNERS:
            raise failed(
                "test_tool_missing",
                f"the tests are run by {runner.NAME}, and on this host there is no {', '.join(missing)}",
            )

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
        runner = runners.named(plan.kind)
        places = runners.places(plan.kind, plan.report)

        def text(path: str) -> str:
            return (read_regular(checkout / path, _MOST_TEXT) or b"").decode("utf-8", "replace")

        def prepare() -> tuple[tuple[str, ...], tuple[str, ...], Toolchain]:
            fresh_folder(out)
            remove_reports(checkout, places)
            seen = walk(checkout) if runner.SOURCES else ()
            sources = tuple(path for path in seen if path.endswith(runner.SOURCES))
            return command_line(plan, paths, text), sources, self._find(runner.TOOLS)

        argv, sources, toolchain = await asyncio.to_thread(prepare)
        spec = self._spec(argv if paths else elsewhere(argv), runner, toolchain, checkout, out, setup_layer)
        result = await self._sandbox.run(spec)

        def read() -> RawRun:
            return RawRun(
                result.exit_code,
                result.output,
                read_reports(out, checkout, places),
                # Without isolation the tests saw the real folder, so its name is in their frames.
                (WORKSPACE, str(checkout)),
                places,
                tuple(paths),
                sources,
                text,
            )

        results = await asyncio.to_thread(lambda: runners.read(runner, read()))
        return SuiteReport(
            result.end, result.exit_code, results, result.output[-_TAIL:], result.duration_seconds, argv
        )

    def _spec(
        self,
        argv: tuple[str, ...],
        runner: Runner,
        toolchain: Toolchain,
        checkout: Path,
        out: Path,
        layer: Path | None,
    ) -> SandboxSpec:
        binds = [
            *self._toolbox.binds,
            *toolchain.binds,
            Bind(_REPORTER_FOLDER, REPORTERS),
            Bind(checkout, WORKSPACE, writable=True),
            Bind(out, REPORT_FOLDER, writable=True),
        ]
        if layer is not None:
            binds.append(Bind(layer, SETUP_MOUNT))
            if (layer / _PACKAGES).is_dir():  # Node looks for packages beside the code and nowhere else
                binds.append(Bind(layer / _PACKAGES, f"{WORKSPACE}/{_PACKAGES}"))
        environment = setup_environment(
            self._toolbox, ready=layer is not None, tools=runner.TOOLS, folders=toolchain.folders
        )
        return SandboxSpec(
            argv=argv,
            binds=tuple(binds),
            cwd=WORKSPACE,
            env={**environment, **runner.ENVIRONMENT},
            network=False,
            wall_seconds=self._wall_seconds,
            idle_seconds=self._idle_seconds,
            output_limit=self._output_limit,
        )


def command_line(plan: TestPlan, paths: Sequence[str], text: Text = lambda path: "") -> tuple[str, ...]:
    """Return the argv for a whole suite, or for some test files.

    Args:
        plan: how the tests are run.
        paths: the test files; the whole suite when there are none.
        text: returns the text of one of them.

    Raises:
        PermanentError: ``test_path_invalid``.
    """
    if not paths:
        return plan.command
    for path in paths:
        parts = path.split("/")
        if not path or path.startswith(("/", "-")) or ".." in parts or "\0" in path:
            raise failed("test_path_invalid", f"{path[:200]!r} is not a path of the repository")
    selected = runners.named(plan.kind).select(paths, text)
    return tuple(word for item in plan.reproduce for word in (selected if item == PATHS else (item,)))


def elsewhere(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command that does the same as ``command`` in a process that looks otherwise."""
    if len(command) > 2 and command[0] in _PYTHONS and tuple(command[1:3]) == ("-m", "pytest"):
        command = (command[0], "-c", _UNNAMED, *command[3:])
    return ("/bin/sh", "-c", _ELSEWHERE, "app", _LATER, *command)
