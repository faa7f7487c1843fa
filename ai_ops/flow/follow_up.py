"""FollowUp: what is wanted of a pull request of ours after it was opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class FollowUpReason(StrEnum):
    """What asked for it: somebody's ``comment``, failed ``checks`` of CI, or a base branch that moved."""

    COMMENT = "comment"
    CHECKS = "checks"
    BASE_MOVED = "base_moved"


class FollowUpAction(StrEnum):
    """What is done: the change is revised, made anew, ported to another branch, or its base is merged in."""

    REVISE = "revise"
    ANEW = "anew"
    PORT = "port"
    MERGE = "merge"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One wish for one pull request. It is the payload of its task.

    ``request`` is text from outside, masked: what a person wrote, or what CI printed. ``key`` names the
    wish, so that it makes one task however often it is seen. ``author``, ``comment_id`` and ``thread`` are
    those of a comment. ``branch`` is where a change is to be ported to.
    """

    pull_request_id: str
    reason: FollowUpReason
    request: str
    key: str
    action: FollowUpAction = FollowUpAction.REVISE
    author: str = ""
    comment_id: str = ""
    thread: str = ""
    branch: str = ""

    def payload(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> FollowUp:
        """Return what ``payload`` gave."""
        words = {name: str(payload.get(name, "")) for name in cls.__dataclass_fields__}
        return cls(
            **words | {"reason": FollowUpReason(words["reason"]), "action": FollowUpAction(words["action"])}  # type: ignore[arg-type]
        )
