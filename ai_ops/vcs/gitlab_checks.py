"""How CI stands on a commit at GitLab: the jobs of its newest pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitlab.v4.objects import Project

from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import Check, Checks, CheckState
from ai_ops.vcs.hosting import MOST_LOG, MOST_SUMMARY, added_up, tail

_STATES = {
    "success": CheckState.PASSED,
    "skipped": CheckState.PASSED,
    "failed": CheckState.FAILED,
    "canceled": CheckState.FAILED,
}
"""All others are on their way, or wait for a person."""


def checks_of(project: Project, sha: str) -> Checks:
    """Return what CI says of a commit."""
    runs: list[Check] = []
    for pipeline in _pipelines(project, sha):
        runs.extend(_runs(pipeline))
    return added_up(runs)


def log_of(project: Project, check: Check) -> str:
    """Return the end of a job's log; a pipeline itself has none."""
    kind, _, number = check.id.partition("-")
    if kind != "job" or not number.isdigit():
        return ""
    end = _End()
    try:
        project.jobs.get(int(number), lazy=True).trace(streamed=True, action=end.take, chunk_size=MOST_LOG)
    except PermanentError as failure:
        if failure.code not in ("host_not_found", "host_forbidden"):  # erased, or not for Developers
            raise
        return ""
    return tail(end.kept)


class _End:
    """Keeps the end of a stream."""

    def __init__(self) -> None:
        self.kept = b""

    def take(self, chunk: bytes) -> None:
        self.kept = (self.kept + chunk)[-2 * MOST_LOG :]


def _pipelines(project: Project, sha: str) -> list[Any]:
    """Return the newest pipeline of each source: a push and its merge request may each have started one.

    A pipeline of the merged result runs on a commit that GitLab made up; its merge request names it.
    """
    newest: dict[str, Any] = {}
    for pipeline in project.pipelines.list(sha=sha, order_by="id", sort="desc", get_all=True):
        newest.setdefault(pipeline.source, pipeline)
    if newest:
        return list(newest.values())
    for merge in project.commits.get(sha, lazy=True).merge_requests():
        head = project.mergerequests.get(merge["iid"])
        if head.sha == sha and head.head_pipeline:
            return [project.pipelines.get(head.head_pipeline["id"])]
    return []


def _runs(pipeline: Any) -> Iterator[Check]:
    """Yield a pipeline's jobs, and the pipeline itself where no job explains how it stands.

    So it is when another pipeline that it started has failed, or when its file could not be read.
    """
    jobs = [_of_job(job) for job in pipeline.jobs.list(get_all=True)]
    yield from jobs
    state = _STATES.get(pipeline.status, CheckState.PENDING)
    if state is not CheckState.PASSED and state not in {job.state for job in jobs}:
        yield Check(
            id=f"pipeline-{pipeline.id}",
            name=f"pipeline {pipeline.id}",
            state=state,
            url=pipeline.web_url,
            summary=pipeline.status,
        )


def _of_job(job: Any) -> Check:
    state = _STATES.get(job.status, CheckState.PENDING)
    if job.allow_failure and (state is CheckState.FAILED or job.status == "manual"):
        state = CheckState.PASSED  # nothing waits for it
    reason = getattr(job, "failure_reason", None) or job.status
    return Check(
        id=f"job-{job.id}",
        name=job.name,
        state=state,
        url=job.web_url,
        summary=f"{job.stage}: {reason}"[:MOST_SUMMARY],
    )
