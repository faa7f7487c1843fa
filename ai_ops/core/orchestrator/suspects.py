"""Looks for suspects before anything is asked. They are a hint: what cannot be found stops nothing."""

from __future__ import annotations

import asyncio
import logging

from ai_ops.core.orchestrator.project import Project
from ai_ops.core.orchestrator.scene import Job
from ai_ops.core.suspects import MOST_COMMITS, Line, by_commit, lines_of
from ai_ops.errors import AiOpsError
from ai_ops.flow.suspects import SuspectCommit, SuspectRelease, Suspects

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 20.0  # a long history is slow to search, and the mirror is held meanwhile


async def find_suspects(job: Job, project: Project) -> Suspects:
    """Return who touched the trace's lines last, and which commits came with the release.

    The lines are those of the release that logged them, where it is a commit of the repository; else those of
    the base, which may have moved since.
    """
    lines = lines_of(job.error.frames, project.files)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            logged = await job.tools.history.find_commit(job.repository, job.issue.sample.release)
            blamed = await _blamed(job, logged or project.base.sha, lines)
            release = await _release(job, lines)
    except (AiOpsError, TimeoutError) as failure:
        log.info("task %s: its history was not searched: %r", job.task.id, failure)
        return Suspects()
    return Suspects(by_commit(lines, blamed), release)


async def _blamed(job: Job, sha: str, lines: tuple[Line, ...]) -> dict[Line, SuspectCommit]:
    found: dict[Line, SuspectCommit] = {}
    for path in dict.fromkeys(path for path, _ in lines):
        numbers = [number for each, number in lines if each == path]
        blamed = await job.tools.history.blame(job.repository, sha, path, numbers)
        found |= {(path, number): commit for number, commit in blamed.items()}
    return found


async def _release(job: Job, lines: tuple[Line, ...]) -> SuspectRelease | None:
    """Return what came with the release that the error came with, if both it and the last one are commits."""
    change = await job.tools.issues.release_change(job.issue)
    if change is None:
        return None
    history = job.tools.history
    before = await history.find_commit(job.repository, change.before)
    after = await history.find_commit(job.repository, change.after)
    if before is None or after is None:
        return None
    paths = tuple(dict.fromkeys(path for path, _ in lines))
    found = await history.between(job.repository, before, after, paths, MOST_COMMITS)
    return SuspectRelease(before, after, found[0], tuple(found[1])) if found and found[0] else None
