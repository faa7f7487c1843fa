"""Issue: the events that share one fingerprint in one repository."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ai_ops.flow.event import Event


class IssueState(StrEnum):
    """Where an issue stands. A merged one has handed its errors over to another."""

    OPEN = "open"
    IGNORED = "ignored"
    RESOLVED = "resolved"
    MERGED = "merged"


class TriageClass(StrEnum):
    """What kind of trouble an error is. Only a code fault is repaired by itself."""

    CODE_FAULT = "code_fault"
    EXPECTED = "expected"
    INFRASTRUCTURE = "infrastructure"
    DEPENDENCY = "dependency"
    UNKNOWN = "unknown"


class TriageJudge(StrEnum):
    """Who chose an error's class: the rules at intake, or the model that a run asks first."""

    RULES = "rules"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class TriageDecision:
    """A class, whether to repair, and why, in words for people; ``judge`` says whose decision it is."""

    triage_class: TriageClass
    repair: bool
    reason: str
    judge: TriageJudge = TriageJudge.RULES


@dataclass(frozen=True, slots=True)
class IssueDecision:
    """What a person decided about an issue: who, when, which verb, and its details as a JSON object."""

    at: datetime
    who: str
    verb: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Issue:
    """Events with one fingerprint, or with those that people merged. Unique by (repo_key, fingerprint).

    ``episode`` starts at 1 and rises when a regression or accepted new evidence opens the next
    repair. ``sample`` is the newest event, redacted. ``count`` are all occurrences; of ``only_counted``
    events nothing else is stored, because they came faster than the limit. ``waiting_reason`` says why
    its repair has to wait, empty when it does not. ``release`` is that of its first event.
    """

    id: str
    repo_key: str
    repo_url: str
    code_host: str
    fingerprint: str
    grouping_version: str
    episode: int
    state: IssueState
    title: str
    language: str
    exception_type: str
    culprit: str
    count: int
    first_seen: datetime
    last_seen: datetime
    triage: TriageDecision
    sample: Event
    only_counted: int = 0
    waiting_reason: str = ""
    merged_into: str | None = None
    release: str = ""
