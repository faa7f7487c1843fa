"""How CI stands on a commit at GitHub: commit statuses and check runs, which are two lists there."""

from __future__ import annotations

from collections.abc import Iterator

import requests
from github.CheckRun import CheckRun
from github.CommitCombinedStatus import CommitCombinedStatus
from github.CommitStatus import CommitStatus
from github.Repository import Repository as GithubRepository

from ai_ops.flow.pull_request import Check, Checks, CheckState
from ai_ops.vcs.github_failures import VENDOR_ERRORS, named
from ai_ops.vcs.hosting import MOST_LOG, MOST_SUMMARY, added_up, tail

_OF_STATUS = {"success": CheckState.PASSED, "pending": CheckState.PENDING}
# ``action_required`` waits for a person, who has to let it run: it is not red.
_OF_RUN = {
    "success": CheckState.PASSED,
    "neutral": CheckState.PASSED,
    "skipped": CheckState.PASSED,
    "action_required": CheckState.PENDING,
}
_MOST_READ = 64 * 1024 * 1024  # bytes of a job's log that are read for its end


def checks_of(repository: GithubRepository, sha: str) -> Checks:
    """Return what CI says of a commit."""
    commit = repository.get_commit(sha)
    runs = commit.get_check_runs(filter="latest")
    return added_up([*_statuses(commit.get_combined_status()), *(_of_run(one) for one in runs)])


def log_of(repository: GithubRepository, check: Check, timeout_seconds: int) -> str:
    """Return the end of a check's log: of the job behind it, or what the check itself shows."""
    kind, _, number = check.id.partition("-")
    if kind != "run" or not number.isdigit():
        return ""
    log = _job_log(repository, int(number), timeout_seconds)
    return log or tail("\n".join(_shown(repository.get_check_run(int(number)))))


def _statuses(combined: CommitCombinedStatus) -> Iterator[Check]:
    """Yield the newest status of each context. Without any GitHub says "pending", which is none.

    Only thirty are listed; what the others say together is a check of its own where it is worse.
    """
    listed = [_of_status(one) for one in combined.statuses]
    yield from listed
    whole = _OF_STATUS.get(combined.state, CheckState.FAILED)
    if combined.total_count > len(listed) and whole not in {one.state for one in listed}:
        yield Check(id="status-others", name="further commit statuses", state=whole)


def _of_status(one: CommitStatus) -> Check:
    return Check(
        id=f"status-{one.id}",
        name=one.context,
        state=_OF_STATUS.get(one.state, CheckState.FAILED),
        url=one.target_url or "",
        summary=(one.description or "")[:MOST_SUMMARY],
    )


def _of_run(one: CheckRun) -> Check:
    state = _OF_RUN.get(one.conclusion, CheckState.FAILED)
    if one.status != "completed":
        state = CheckState.PENDING
    words = (one.output.title, one.output.summary) if one.output else ()
    return Check(
        id=f"run-{one.id}",
        name=one.name,
        state=state,
        url=one.html_url or one.details_url or "",
        summary="\n".join(word for word in words if word)[:MOST_SUMMARY],
    )


def _job_log(repository: GithubRepository, number: int, timeout_seconds: int) -> str:
    """Return the log of the job that a check run of GitHub Actions is; empty where it is none of those."""
    try:
        address = repository.get_workflow_job(number).logs_url()
    except VENDOR_ERRORS as error:
        failure = named(error)
        # Another App's check, a log that is gone, or a token that may not read it: the check's own words.
        if failure.code in ("host_not_found", "host_forbidden", "host_scope_missing", "host_bad_answer"):
            return ""
        raise failure from None
    return _end_of(address, timeout_seconds)


def _end_of(address: str, timeout_seconds: int) -> str:
    """Read the end of a file that GitHub signed an address for; it lies elsewhere and wants no token."""
    kept = b""
    with requests.get(address, timeout=timeout_seconds, stream=True, allow_redirects=False) as answer:
        if answer.status_code != 200:
            return ""
        read = 0
        for chunk in answer.iter_content(MOST_LOG):
            kept = (kept + chunk)[-2 * MOST_LOG :]
            read += len(chunk)
            if read > _MOST_READ:
                break
    return tail(kept)


def _shown(run: CheckRun) -> Iterator[str]:
    """Yield what a check run shows: its output, and its remarks on lines."""
    if run.output:
        yield from (part for part in (run.output.title, run.output.summary, run.output.text) if part)
    for remark in run.get_annotations():
        yield f"{remark.path}:{remark.start_line}: {remark.annotation_level}: {remark.message}"
