"""Follow-ups of a pull request: one task for each wish, and one at a time for each pull request.

Two that ran at once would both build on the same commit of the branch, and one of them be in vain.
"""

from __future__ import annotations

from ai_ops.core.ports.records import NewTask, TaskFilter, Tasks
from ai_ops.flow.follow_up import FollowUp
from ai_ops.flow.pull_request import PullRequest
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import UNFINISHED, Priority, Task, TaskKind


async def wish(tasks: Tasks, pull_request: PullRequest, wanted: FollowUp) -> Task | None:
    """Return the task of a wish, made now or before; None while another of the pull request is under way.

    It is to be enqueued while it is pending. A caller that gets None asks again later.

    Raises:
        TemporaryError: ``storage_unavailable``.
    """
    repository = Repository(pull_request.repo_key, pull_request.repo_url, pull_request.code_host)
    # No key of a request over HTTP holds a line feed, so none can stand for this one.
    key = f"follow-up\n{pull_request.id}\n{wanted.key}"
    new = NewTask(TaskKind.FOLLOW_UP, repository, Priority.HIGH, wanted.payload(), idempotency_key=key)
    task = (await tasks.create(new)).task
    return task if task.payload.get("key") == wanted.key else None


async def under_way(tasks: Tasks, pull_request_id: str) -> Task | None:
    """Return the follow-up of a pull request that has not ended, or None.

    While there is one, the head of the branch may be a commit of ours that our record does not name yet.
    """
    wanted = TaskFilter(
        states=tuple(UNFINISHED), kinds=(TaskKind.FOLLOW_UP,), pull_request_id=pull_request_id
    )
    return next(iter((await tasks.list(wanted, limit=1)).items), None)
