"""What a person may do to an issue, as pure decisions. Which errors belong together is theirs to say.

``repair`` is not here: it asks for a task, and ``core.intake.request`` answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from ai_ops.core.failures import failed
from ai_ops.flow.issue import IssueState

VERBS = {"ignore": IssueState.IGNORED, "resolve": IssueState.RESOLVED, "reopen": IssueState.OPEN}
"""The verbs that change an issue's state, and the state after each."""


def state_after(verb: str, state: IssueState) -> IssueState:
    """Return the state after a verb; it is the same one when the wish is fulfilled already.

    Raises:
        PermanentError: ``issue_merged``.
    """
    _not_merged(state)
    return VERBS[verb]


def check_merge(states: Sequence[IssueState], repo_keys: Sequence[str], *, same: bool) -> None:
    """Refuse a merge that makes no sense, given the two issues.

    Raises:
        PermanentError: ``issue_merged``, ``cannot_merge``.
    """
    for state in states:
        _not_merged(state)
    if same:
        raise failed(
            "cannot_merge", "An issue cannot be merged into itself.", next_step="Name another one in: into."
        )
    if len(set(repo_keys)) > 1:
        raise failed(
            "cannot_merge",
            "The two issues belong to different repositories, and a repair works on one.",
            next_step="Merge issues of one repository.",
        )


def check_split(state: IssueState, fingerprint: str, fingerprints: Sequence[str]) -> None:
    """Refuse to split off what cannot be: only a fingerprint that came to the issue from elsewhere.

    Args:
        state: the issue's.
        fingerprint: what is to leave it.
        fingerprints: all it has, its own first; one that was merged has none.

    Raises:
        PermanentError: ``issue_merged``, ``cannot_split``.
    """
    _not_merged(state)
    others = fingerprints[1:]
    if fingerprint in others:
        return
    reason = "is its own" if fingerprint in fingerprints else "does not belong to it"
    advice = f"One of: {', '.join(others[:5])}." if others else "Nothing was merged into it."
    raise failed("cannot_split", f"This fingerprint cannot leave the issue: it {reason}.", next_step=advice)


def _not_merged(state: IssueState) -> None:
    if state is IssueState.MERGED:
        raise failed("issue_merged")
