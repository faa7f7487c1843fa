"""Whether a branch is still ours: a person's commit on it, a force push or its end stops us, for good.

A commit is ours when a run of ours recorded it before it was pushed. Author, committer and trailer prove
nothing: anybody can write them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.saying import say_once
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import TaskFilter
from ai_ops.core.wording import counted
from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import HostedPullRequest, PullRequest, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.run import StepState
from ai_ops.flow.task import Task, TaskKind

BRANCH_TAKEN = "the branch is no longer ours: "
"""What ``PullRequest.held`` begins with where the branch is why."""

_MOST_TASKS = 100
_MADE_IN = ("commit", "push")  # a commit that is signed anew is another one


class Holding:
    """A watcher that lets go of a pull request whose branch a person has taken over, and says so once.

    It is asked before all others, which leave alone what is held.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def look(self, pull_request: PullRequest, hosted: HostedPullRequest) -> None:
        """Let go of it, or say so where that could not be said before."""
        if pull_request.state is PullRequestState.OPEN:
            await let_go(self._tools, pull_request, hosted.head_sha)


async def let_go(tools: Tools, pull_request: PullRequest, head: str) -> bool:
    """Hold a pull request whose branch is not ours any more, and say so once; return whether it is held.

    It is held first, then that is said: should the host refuse the comment, it is held all the same.
    ``head`` is the commit that the branch is at, empty when it is gone.
    """
    if not pull_request.held:
        why = await taken(tools, pull_request, head)
        if not why:
            return False
        pull_request = await tools.pull_requests.update(pull_request.id, held=f"{BRANCH_TAKEN}{why}")
    if pull_request.held.startswith(BRANCH_TAKEN):
        why = pull_request.held.removeprefix(BRANCH_TAKEN)
        await say_once(tools, pull_request, f"held:{pull_request.id}", _words(why))
    return True


async def taken(tools: Tools, pull_request: PullRequest, head: str) -> str:
    """Return why the branch is not ours any more, in words without text from outside; empty while it is.

    Args:
        tools: the ports.
        pull_request: our record.
        head: the commit that the branch is at, empty when it is gone.
    """
    if not head:
        return "it was deleted"
    if not pull_request.head_sha or head == pull_request.head_sha or await _ours(tools, pull_request, head):
        return ""
    repository = Repository(pull_request.repo_key, pull_request.repo_url, pull_request.code_host)
    try:
        await tools.git.refresh(repository, pull_request.branch)
        found = await tools.history.between(repository, pull_request.head_sha, head, (), 1)
    except PermanentError:  # it moves on while we look; that it is not ours is certain
        found = None
    if found is None:
        return f"it was pushed anew and does not hold our commit {pull_request.head_sha[:12]}"
    number, _ = found
    verb = "is" if number == 1 else "are"
    return f"it holds {counted(number, 'commit')} that {verb} not ours, up to {head[:12]}"


async def _ours(tools: Tools, pull_request: PullRequest, sha: str) -> bool:
    """Whether a run on this pull request recorded that it made a commit; it does so before it pushes."""
    async for task in _tasks(tools, pull_request):
        for number in range(task.run_number, 0, -1):
            for step in await tools.trace.steps(run_id(task.id, number)):
                made = step.name in _MADE_IN and step.state is StepState.DONE and step.output
                if made and made.get("sha") == sha:
                    return True
    return False


async def _tasks(tools: Tools, pull_request: PullRequest) -> AsyncIterator[Task]:
    wanted = TaskFilter(kinds=(TaskKind.FOLLOW_UP,), pull_request_id=pull_request.id)
    for task in (await tools.tasks.list(wanted, limit=_MOST_TASKS)).items:
        yield task
    first = await tools.tasks.find(pull_request.task_id)
    if first is not None:
        yield first


def _words(why: str) -> str:
    return (
        f"I leave this pull request to you from now on, because {why}.\n\n"
        "I push nothing more to the branch, and I do not repair its checks, mark it ready, or close it."
    )
