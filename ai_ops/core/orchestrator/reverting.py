"""Proposes to take a merged change back that did not mend its error: in words, and where asked as a change.

It is never merged by us. Each effect looks before it creates, so it may be proposed again after a crash.
"""

from __future__ import annotations

import logging

from ai_ops.core import markdown
from ai_ops.core.failures import failed
from ai_ops.core.identity import pull_request_id, revert_branch
from ai_ops.core.links import absolute
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import CodeHost, Place
from ai_ops.errors import PermanentError
from ai_ops.flow.fix_watch import FixWatch
from ai_ops.flow.pull_request import HostedPullRequest, NewPullRequest, PullRequest
from ai_ops.flow.repository import Base, Repository

log = logging.getLogger(__name__)


async def propose(tools: Tools, watch: FixWatch, pull_request: PullRequest, *, opens: bool) -> str:
    """Say below a merged pull request that its error came back, and how to take it back.

    Args:
        tools: what it works with.
        watch: the watch that found it.
        pull_request: the one that was merged.
        opens: whether a pull request that reverts it is opened too.

    Returns:
        The address of that pull request; empty when there is none.
    """
    repository = Repository(pull_request.repo_key, pull_request.repo_url, pull_request.code_host)
    host = tools.host_of(repository)
    parents, patch, reverted, why = 0, "", None, ""
    try:
        if watch.merge_sha:
            parents, patch = await tools.builds.reversal(repository, watch.merge_sha)
        if opens and watch.merge_sha:
            reverted = await _open(tools, host, repository, watch, pull_request, patch)
    except PermanentError as failure:
        log.warning("pull request %s is not reverted by another: %s", pull_request.id, failure)
        why = failure.code if opens else ""
    url = reverted.url if reverted else ""
    body = _body(watch, parents, absolute(url, tools.policy.public_url), why)
    try:
        marker = f"ai-ops:fix-watch:{watch.issue_id}"
        await host.comment(repository, pull_request.number, body, marker=marker)
    except PermanentError as failure:  # it may be locked, and will not be told at the next round either
        log.warning("pull request %s could not be told that it did not hold: %s", pull_request.id, failure)
    return url


async def _open(
    tools: Tools,
    host: CodeHost,
    repository: Repository,
    watch: FixWatch,
    pull_request: PullRequest,
    patch: str,
) -> HostedPullRequest:
    branch = revert_branch(watch.merge_sha)
    base = await tools.git.refresh(repository, pull_request.base)
    found = await host.find_pull_request(repository, branch, base.branch)
    title, head = f"Revert: {pull_request.title}", ""
    if found is None:
        await _take_place(tools, Place(repository.key, branch, base.branch, pull_request.task_id))
        message = f"{title}\n\nThis reverts commit {watch.merge_sha}: the error came back with it.\n"
        head = await tools.git.commit(repository, base.sha, patch, message)
        await tools.git.push(repository, head, branch)
        body = _reasons(watch)
        found = await host.open_pull_request(
            repository, NewPullRequest(branch=branch, base=base.branch, title=title, body=body)
        )
    await _record(tools, base, found, pull_request, title, patch, head)
    return found


async def _take_place(tools: Tools, place: Place) -> None:
    if why := await tools.places.take(place):
        raise failed("too_many_pull_requests", why)


async def _record(
    tools: Tools, base: Base, found: HostedPullRequest, merged: PullRequest, title: str, patch: str, head: str
) -> None:
    """Keep our record of it. It is no repair of an episode, so it bears neither issue nor fingerprint."""
    now = tools.clock.now()
    await tools.pull_requests.record(
        PullRequest(
            id=pull_request_id(merged.repo_key, found.branch),
            repo_key=merged.repo_key,
            repo_url=merged.repo_url,
            code_host=merged.code_host,
            number=found.number,
            url=found.url,
            state=found.state,
            branch=found.branch,
            base=found.base,
            base_sha=base.sha,
            head_sha=found.head_sha or head,
            title=title,
            body="",
            diff=tools.redact(patch),
            task_id=merged.task_id,
            run_id=merged.run_id,
            issue_id=None,
            fingerprint="",
            episode=0,
            created_at=now,
            updated_at=now,
            summary=f"takes back pull request {merged.id}",
        )
    )


def _reasons(watch: FixWatch) -> str:
    return f"The fix did not hold: {markdown.text(watch.reason)}."


def _body(watch: FixWatch, parents: int, reverted: str, why: str) -> str:
    """Return the comment. ``parents`` are those of the merge commit: only one with two has a main line."""
    command = f"git revert {'-m 1 ' if parents > 1 else ''}{watch.merge_sha}"
    lines = [
        _reasons(watch),
        "Its issue is open again, and a new repair will not make the same change.",
    ]
    if parents:
        lines.append(f"To take it back:\n\n{markdown.block(command, 'sh')}")
    if reverted:
        lines.append(f"That is proposed in {reverted} and waits for a person to merge it.")
    elif why:
        lines.append(f"No pull request could be opened for it: {markdown.code(why)}.")
    return "\n\n".join(lines) + "\n"
