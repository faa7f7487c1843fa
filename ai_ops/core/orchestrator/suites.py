"""Running a repository's tests in a step, with the set-up layer they need, and keeping what was reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ai_ops.core import runners
from ai_ops.core.failures import failed
from ai_ops.core.orchestrator.project import Project
from ai_ops.core.orchestrator.records import describe_report
from ai_ops.core.orchestrator.scene import Scene
from ai_ops.core.project import PROJECT_FILE
from ai_ops.core.wording import one_line
from ai_ops.flow.report import CaseOutcome, CaseResult, RunEnd, SuiteReport

_NOT_BEGUN = {126: "cannot be executed", 127: "is not there"}
"""What a shell says of a program by its exit code."""


async def checkout_of(scene: Scene, name: str, patch: str = "") -> Path:
    """Return a fresh checkout of the base with ``patch`` applied."""
    project = scene.project
    return await scene.tools.workspaces.ensure(
        scene.run_id, name, project.repository, project.base.sha, patch
    )


async def setup_layer(scene: Scene) -> Path | None:
    """Return the set-up layer, made on an untouched checkout and cached; None when nothing is set up."""
    project = scene.project
    if project.plan.setup is None:
        return None
    checkout = await checkout_of(scene, "setup")
    return await scene.tools.setup_layers.ensure(project.repository, project.plan, checkout)


async def run_suite(
    scene: Scene, checkout: Path, name: str, *, layer: Path | None, paths: tuple[str, ...] = ()
) -> SuiteReport:
    """Run the suite, or the tests in ``paths``, and keep what was reported as ``<name>-report``."""
    tools = scene.tools
    out = await tools.workspaces.scratch(scene.run_id, f"report-{name}")
    report = await tools.suites.run(checkout, scene.project.plan, out=out, paths=paths, setup_layer=layer)
    await tools.trace.put_artifact(scene.run_id, f"{name}-report", describe_report(report))
    return report


def collected_files(report: SuiteReport) -> frozenset[str]:
    """Return the files whose tests a report names."""
    return frozenset(case.id.partition("::")[0] for case in report.results or ())


def refuse_missing_setup(project: Project, report: SuiteReport, *, forgiven: Sequence[str] = ()) -> None:
    """Raise the named failure when tests cannot run for want of what has to be installed.

    Args:
        project: the repository, and the runner of its tests.
        report: the run.
        forgiven: new test files; what only they import is their author's fault and not the set-up's.

    Raises:
        PermanentError: ``setup_required``.
    """
    if report.results is not None:
        kept = tuple(case for case in report.results if not _imports_it_itself(case, forgiven))
        report = replace(report, results=kept)
    if missing := runners.named(project.plan.kind).missing(report, project.files):
        raise failed(
            "setup_required",
            f"the tests need packages that are not installed: {', '.join(missing)}",
        )


def refuse_missing_command(project: Project, report: SuiteReport) -> None:
    """Raise the named failure when a shell could not begin the repository's own suite.

    Raises:
        PermanentError: ``test_tool_missing``.
    """
    if report.end is RunEnd.EXITED and report.exit_code in _NOT_BEGUN and not report.results:
        argv = project.plan.command
        command = one_line(argv[2] if argv[:2] == ("sh", "-c") else " ".join(argv), 200)
        raise failed(
            "test_tool_missing",
            f"the test command ended with exit code {report.exit_code}: {command!r} names a program that "
            f"{_NOT_BEGUN[report.exit_code]}",
            next_step=f"Correct `test` in {PROJECT_FILE}, install the program where the server runs, or name "
            "a `setup` that puts it into $AI_OPS_SETUP_DIR/bin.",
        )


def _imports_it_itself(case: CaseResult, forgiven: Sequence[str]) -> bool:
    files = {frame.file for frame in case.frames if frame.in_app}
    return case.outcome is CaseOutcome.ERROR and bool(files) and files <= set(forgiven)
