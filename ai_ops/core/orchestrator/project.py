"""What a run knows of its repository at the base commit; the same in every step of the run."""

from __future__ import annotations

from dataclasses import dataclass

from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.project import (
    DISCOVERY_FILES,
    PROJECT_FILE,
    ProjectFile,
    TestPlan,
    parse_project_file,
    plan_tests,
)
from ai_ops.flow.repository import Base, Repository


@dataclass(frozen=True, slots=True)
class Project:
    """A repository at its base commit: its files, its own settings, and how its tests run."""

    repository: Repository
    base: Base
    files: tuple[str, ...]
    settings: ProjectFile
    plan: TestPlan


async def load_project(tools: Tools, repository: Repository, base: Base, language: str = "") -> Project:
    """Read a repository's settings at the base commit; ``language`` is the error's.

    Raises:
        PermanentError: ``project_file_invalid``, ``no_test_command``.
    """
    files = tuple(await tools.git.list_files(repository, base.sha))
    settings = parse_project_file(await _read(tools, repository, base, PROJECT_FILE, files))
    contents = {
        name: data.decode("utf-8", "replace")
        for name in DISCOVERY_FILES
        if (data := await _read(tools, repository, base, name, files)) is not None
    }
    plan = plan_tests(files, contents, settings, language=language)
    return Project(repository, base, files, settings, plan)


async def load_settings(tools: Tools, repository: Repository, base: Base) -> ProjectFile:
    """Read what a repository says of itself, whether it has tests or not.

    Raises:
        PermanentError: ``project_file_invalid``.
    """
    files = tuple(await tools.git.list_files(repository, base.sha))
    return parse_project_file(await _read(tools, repository, base, PROJECT_FILE, files))


async def _read(
    tools: Tools, repository: Repository, base: Base, path: str, files: tuple[str, ...]
) -> bytes | None:
    return await tools.git.read_file(repository, base.sha, path) if path in files else None
