"""Floods: when many new errors come at once, which of them get a task now and which wait, and why.

Two shapes are told apart. A *deploy storm* is many new errors just after a release changed: they have one
likely cause, so one task stands for all and names the release. A *spike* is any other flood; there, tasks
are made at the pace that is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ai_ops.core.expected import ExpectedRule
from ai_ops.core.publishing_limits import PublishingLimits
from ai_ops.flow.task import Task, TaskState

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """What intake allows; 0 means no limit, or never.

    ``stored_per_minute`` is how many events of one issue are stored a minute; further ones are only
    counted. ``tasks_per_hour`` is how many repairs events may start in an hour, per repository and per
    node. ``storm_fingerprints`` new errors within ``storm_seconds`` of a change of release are a storm.
    What ``expected`` names starts no repair. One whose pull request would be beyond ``publishing`` waits.
    """

    stored_per_minute: int = 0
    tasks_per_hour: int = 0
    storm_fingerprints: int = 0
    storm_seconds: float = 600.0
    expected: tuple[ExpectedRule, ...] = ()
    publishing: PublishingLimits = field(default_factory=PublishingLimits)


@dataclass(frozen=True, slots=True)
class ReleaseChange:
    """A release was seen for the first time in one service and environment, after another one."""

    before: str
    after: str
    at: datetime


class Progress(StrEnum):
    """How far the repair of a new error has come: none yet, one that waits for its first turn, or further.

    What a person asked for, sent back to work or approved is ``begun``: no rule takes it back.
    """

    NONE = "none"
    PENDING = "pending"
    BEGUN = "begun"


def progress(repair: Task | None) -> Progress:
    """Return how far the repair of a new error has come."""
    if repair is None:
        return Progress.NONE
    by_event = repair.payload.get("requested_by") == "event"
    first = repair.action == "work" and repair.run_number == 1 and repair.trace_id is None
    untouched = repair.state is TaskState.PENDING and by_event and first
    return Progress.PENDING if untouched else Progress.BEGUN


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A new error of the changed release that triage would repair."""

    fingerprint: str
    first_seen: datetime
    progress: Progress


@dataclass(frozen=True, slots=True)
class Storm:
    """One task for all: ``carrier`` is the fingerprint whose task it is, ``waiting`` are the others.

    ``reason`` says for people what happened and which release is suspected.
    """

    change: ReleaseChange
    carrier: str
    fingerprints: tuple[str, ...]
    waiting: tuple[str, ...]
    reason: str


def storm(change: ReleaseChange, newcomers: Sequence[Newcomer], rules: IntakeRules) -> Storm | None:
    """Return the storm that these new errors are, or None.

    The carrier is the earliest whose repair has not begun, because a task that runs already was told
    nothing of the release; errors whose repair has begun keep it and wait for nothing.
    """
    close = change.at + timedelta(seconds=rules.storm_seconds)
    within = sorted(
        (one for one in newcomers if change.at <= one.first_seen <= close),
        key=lambda one: (one.first_seen, one.progress is not Progress.PENDING, one.fingerprint),
    )
    free = [one.fingerprint for one in within if one.progress is not Progress.BEGUN]
    if not rules.storm_fingerprints or len(within) < rules.storm_fingerprints or not free:
        return None
    return Storm(
        change,
        carrier=free[0],
        fingerprints=tuple(one.fingerprint for one in within),
        waiting=tuple(free[1:]),
        reason=_words(change, len(within), rules),
    )


def _words(change: ReleaseChange, number: int, rules: IntakeRules) -> str:
    return (
        f"{number} new errors within {rules.storm_seconds:g} seconds of the change of release from "
        f"{change.before[:_SHOWN]} to {change.after[:_SHOWN]}: "
        "that release is suspected, and one task stands for all."
    )


def spike(in_repository: int, from_node: int, node: str, rules: IntakeRules) -> str:
    """Return why a new repair has to wait; empty when there is room.

    Args:
        in_repository: repairs started in the last hour in its repository.
        from_node: the same for errors first seen on its node; not looked at without a node's name.
        node: the node's name.
        rules: the limits.
    """
    limit = rules.tasks_per_hour
    if not limit:
        return ""
    if in_repository >= limit:
        return (
            f"Many new errors at once: this repository had {in_repository} repairs in the last hour, {limit} "
            "are allowed. It waits for its turn."
        )
    if node and from_node >= limit:
        return (
            f"Many new errors at once: node {node[:_SHOWN]} caused {from_node} repairs in the last hour, "
            f"{limit} are allowed. It waits for its turn."
        )
    return ""
