"""Places for pull requests: taken before money is spent, and given back when nothing came of them."""

from __future__ import annotations

import logging

from ai_ops.core.identity import is_revert, pull_request_id, run_id
from ai_ops.core.orchestrator.scene import Job
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.orchestrator.watching import as_recorded
from ai_ops.core.ports import Place
from ai_ops.errors import AiOpsError
from ai_ops.flow.pull_request import HostedPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task

log = logging.getLogger(__name__)


async def take_place(job: Job, branch: str, base: str, *, beyond_limits: bool = False) -> str:
    """Take the place of a branch's pull request, or return why there is none now.

    People merge and close on the host, where we do not hear of it at once: it is asked before a repair waits.
    """
    place = Place(job.repository.key, branch, base, job.task.id)
    beyond_limits = beyond_limits or bool(job.task.payload.get("beyond_limits"))
    return await found_place(job.tools, job.repository, place, beyond_limits=beyond_limits)


async def found_place(tools: Tools, repository: Repository, place: Place, *, beyond_limits: bool) -> str:
    """Take a place as ``take_place`` does."""
    why = await tools.places.take(place, beyond_limits=beyond_limits)
    if why and await _some_have_ended(tools, repository):
        why = await tools.places.take(place)
    return why


async def _some_have_ended(tools: Tools, repository: Repository) -> bool:
    """Look at the open pull requests of the repository, and say whether one is open no more."""
    ended = False
    host = tools.host_of(repository)
    for known in await tools.pull_requests.open_in(repository.key):
        hosted = await host.find_pull_request(repository, known.branch, known.base)
        if hosted is not None and hosted.state is not PullRequestState.OPEN:
            await tools.pull_requests.update(known.id, **as_recorded(hosted))
            ended = True
    return ended


class LeftPlaces:
    """Clears up after tasks that ended without a record of a pull request.

    One that failed just then may have opened it all the same: it is looked for, and put on record.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def clear(self) -> None:
        """Give every left place back, or record the pull request that took it."""
        for place in await self._tools.places.left():
            try:
                await self._clear(place)
            except AiOpsError as failure:  # it goes on counting until the host can be asked
                log.warning("the place of %s in %s stays taken: %s", place.branch, place.repo_key, failure)

    async def _clear(self, place: Place) -> None:
        tools = self._tools
        task = await tools.tasks.find(place.task_id)
        hosted = await self._hosted(place, task) if task is not None and place.base else None
        if task is None or hosted is None:
            await tools.places.release(place.repo_key, place.branch)
            return
        if is_revert(place.branch):
            return  # the task's own is the one that was merged; the fix watch puts this one on record
        kept = await tools.pull_requests.record(await self._found(task, hosted))
        await tools.tasks.update(task.id, pull_request_id=kept.id, pr_url=kept.url)
        log.info("task %s had opened %s, which is on record now", task.id, kept.url)

    async def _hosted(self, place: Place, task: Task) -> HostedPullRequest | None:
        repository = Repository(task.repo_key, task.repo_url, task.code_host)
        return await self._tools.host_of(repository).find_pull_request(repository, place.branch, place.base)

    async def _made(self, task: Task) -> tuple[str, str]:
        """Return the base and the commit of the task's last run, as far as it came; else they are empty.

        Without the base nobody could follow the pull request up. A commit above ours is a person's.
        """
        made = {"checkout": "", "commit": "", "push": ""}
        for step in await self._tools.trace.steps(run_id(task.id, task.run_number)):
            if step.name in made and step.output:
                named = step.output.get("base") if step.name == "checkout" else step.output
                made[step.name] = str((named or {}).get("sha", ""))
        return made["checkout"], made["push"] or made["commit"]

    async def _found(self, task: Task, hosted: HostedPullRequest) -> PullRequest:
        issue = await self._tools.issues.find(task.issue_id or "")
        base_sha, ours = await self._made(task)
        now = self._tools.clock.now()
        return PullRequest(
            id=pull_request_id(task.repo_key, hosted.branch),
            repo_key=task.repo_key,
            repo_url=task.repo_url,
            code_host=task.code_host,
            number=hosted.number,
            url=hosted.url,
            branch=hosted.branch,
            base=hosted.base,
            base_sha=base_sha,
            head_sha=ours or hosted.head_sha,
            title=issue.title if issue else hosted.branch,
            body="",
            diff="",
            task_id=task.id,
            run_id=task.trace_id or "",
            issue_id=task.issue_id,
            fingerprint=task.fingerprint,
            episode=task.episode,
            created_at=now,
            updated_at=now,
            draft=hosted.draft,
            proof=task.proof,
            **as_recorded(hosted),
        )
