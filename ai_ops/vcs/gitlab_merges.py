"""Merge requests at GitLab: found, opened once, changed, closed, and shown to people. All of it blocks."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gitlab.v4.objects import Project

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.pull_request import HostedPullRequest, NewPullRequest, PullRequestState
from ai_ops.vcs.gitlab_failures import VENDOR_ERRORS, named

_STATES = {"merged": PullRequestState.MERGED, "closed": PullRequestState.CLOSED}
_DRAFT = re.compile(r"\s*(?:\[draft\]|draft:|\(draft\))\s*", re.IGNORECASE)
_UNSURE = ("unchecked", "checking", "preparing")  # GitLab has not tried the merge yet
# Looking again after these is of no use: nothing was made, or looking is refused too.
_REFUSED_FOR_GOOD = (
    "host_unauthorized",
    "host_forbidden",
    "host_scope_missing",
    "host_archived",
    "host_not_found",
    "host_rate_limited",
)
_log = logging.getLogger(__name__)


def find(project: Project, branch: str, base: str) -> HostedPullRequest | None:
    """Return the newest merge request of a branch in any state; an open one first."""
    listed = project.mergerequests.list(
        state="all",
        source_branch=branch,
        target_branch=base,
        order_by="created_at",
        sort="desc",
        get_all=True,
    )
    # A fork may have a branch of the same name.
    found = [one for one in listed if one.source_project_id == one.target_project_id]
    found.sort(key=lambda one: (one.state not in _STATES, one.iid), reverse=True)
    return hosted(found[0], adopted=True) if found else None


def open_one(project: Project, wanted: NewPullRequest) -> HostedPullRequest:
    """Open a merge request, or adopt the one that is there."""
    found = find(project, wanted.branch, wanted.base)
    if found is not None:
        return found
    _refuse_an_empty_one(project, wanted)
    try:
        made = project.mergerequests.create(_asked_for(wanted))
        opened = hosted(made)
    except (AiOpsError, *VENDOR_ERRORS) as error:
        opened = _look_again(project, wanted, named(error))
    if opened.state is not PullRequestState.OPEN:
        return opened
    try:
        ask_for_review(project, opened.number, wanted.reviewers)
    except (AiOpsError, *VENDOR_ERRORS) as error:
        _log.warning("no review asked on merge request %d: %s", opened.number, named(error))
    return opened


def show(project: Project, number: int) -> HostedPullRequest:
    """Return a merge request as it is now."""
    return hosted(project.mergerequests.get(number), adopted=True)


def update(project: Project, number: int, body: str | None, draft: bool | None) -> None:
    """Change the text, or the beginning of the title, which is all that makes a draft.

    Only what changes is sent: what python-gitlab's ``save`` sends back would undo others' changes.
    """
    changes: dict[str, Any] = {}
    if body is not None:
        changes["description"] = body
    if draft is not None:
        there = project.mergerequests.get(number)
        if bool(there.draft) is not draft:
            changes["title"] = drafted(undrafted(there.title), draft)
    if changes:
        project.mergerequests.update(number, changes)


def close(project: Project, number: int) -> None:
    """Close a merge request unmerged."""
    if project.mergerequests.get(number).state not in _STATES:
        project.mergerequests.update(number, {"state_event": "close"})


def ask_for_review(project: Project, number: int, logins: Sequence[str]) -> tuple[str, ...]:
    """Ask people for a review, and return those that GitLab took; it takes no groups.

    The list is replaced as a whole, and who may not be asked vanishes from it without a word (so do all
    but one where the plan has a single reviewer): the answer says who is on it.
    """
    if not logins:
        return ()
    there = project.mergerequests.get(number)
    asked = {one["username"].lower(): one["id"] for one in there.reviewers}
    new = {}
    for login in dict.fromkeys(logins):
        name = login.removeprefix("@").lower()
        if name in asked or name == there.author["username"].lower():
            continue
        user_id = _user_id(project, name)
        if user_id is None:
            _log.warning("no review asked of %s on merge request %d: no such account", login, number)
        else:
            new[name] = user_id
    if new:
        ids = [*asked.values(), *new.values()]
        answer = project.mergerequests.update(number, {"reviewer_ids": ids})
        asked = {one["username"].lower(): one["id"] for one in answer["reviewers"]}
    return tuple(one for one in dict.fromkeys(logins) if one.removeprefix("@").lower() in asked)


def hosted(merge: Any, *, adopted: bool = False) -> HostedPullRequest:
    """Return what GitLab said of a merge request."""
    state = _STATES.get(merge.state, PullRequestState.OPEN)  # "locked" is one that is being merged
    sure = getattr(merge, "detailed_merge_status", "") not in _UNSURE
    return HostedPullRequest(
        number=merge.iid,
        url=merge.web_url,
        state=state,
        branch=merge.source_branch,
        base=merge.target_branch,
        head_sha=merge.sha or "",
        adopted=adopted,
        merge_sha=_merge_sha(merge) if state is PullRequestState.MERGED else "",
        author=merge.author["username"] if merge.author else "",
        draft=bool(merge.draft),
        conflicts=bool(merge.has_conflicts) and sure and state is PullRequestState.OPEN,
        merged_at=moment(merge.merged_at),
        closed_at=moment(merge.closed_at),
        body=merge.description or "",
    )


def moment(text: str | None) -> datetime | None:
    """Return a moment that GitLab wrote down."""
    return datetime.fromisoformat(text) if text else None


def drafted(title: str, draft: bool) -> str:
    """Return a title as one of a draft, or as it is."""
    return f"Draft: {title}" if draft else title


def undrafted(title: str) -> str:
    """Return a title without what makes a draft of it."""
    while found := _DRAFT.match(title):
        title = title[found.end() :]
    return title


def _asked_for(wanted: NewPullRequest) -> dict[str, Any]:
    return {
        "source_branch": wanted.branch,
        "target_branch": wanted.base,
        # A title that only looks like a draft's would make one.
        "title": drafted(undrafted(wanted.title), wanted.draft),
        "description": wanted.body,
        "labels": ",".join(wanted.labels),
    }


def _merge_sha(merge: Any) -> str:
    """Return the commit of the base branch: a merge, a squashed commit, or the branch's own head."""
    return merge.merge_commit_sha or merge.squash_commit_sha or merge.sha or ""


def _refuse_an_empty_one(project: Project, wanted: NewPullRequest) -> None:
    """GitLab opens merge requests of nothing; nobody could merge one."""
    try:
        between = project.repository_compare(wanted.base, wanted.branch)
        if isinstance(between, dict) and between["commits"]:
            return
    except PermanentError as failure:
        if failure.code != "host_not_found" or "ref" not in failure.message.lower():
            raise
    raise failed(
        "host_rejected",
        f"there is nothing to merge from {wanted.branch} into {wanted.base}",
        next_step="Push the branch first.",
    )


def _look_again(project: Project, wanted: NewPullRequest, failure: AiOpsError) -> HostedPullRequest:
    """Adopt what is there after a failed creation: its answer was lost, or someone was faster."""
    if failure.code == "host_forbidden" and _is_archived(project):
        raise failed("host_archived", "the GitLab project is archived")
    if failure.code in _REFUSED_FOR_GOOD:
        raise failure
    try:
        found = find(project, wanted.branch, wanted.base)
    except (AiOpsError, *VENDOR_ERRORS):
        raise failure from None
    if found is None:
        raise failure
    return found


def _is_archived(project: Project) -> bool:
    """GitLab refuses changes to an archived project without saying why."""
    try:
        return bool(project.manager.gitlab.projects.get(project.get_id() or "").archived)
    except (AiOpsError, *VENDOR_ERRORS):
        return False


def _user_id(project: Project, name: str) -> int | None:
    if "/" in name:
        return None  # a group
    found = project.manager.gitlab.users.list(username=name, get_all=True)
    return next((one.id for one in found if one.username.lower() == name), None)
