"""Intake: what an event means for its issue, and whether a repair should be queued.

Pure decisions over what is known at that moment; the store makes them inside the transaction that
writes the event, so that ten thousand repeats meet one issue and one task.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ai_ops.core.grouping import v1
from ai_ops.core.triage import short_type
from ai_ops.core.wording import dotted
from ai_ops.flow.event import ErrorDetail, Frame
from ai_ops.flow.issue import IssueState, TriageDecision
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import TaskState

_MAX_TITLE = 200


class IntakeOutcome(StrEnum):
    """What an event is to its issue."""

    NEW = "new"
    REPEATED = "repeated"
    REGRESSED = "regressed"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class IssueStanding:
    """What intake needs to know of an issue that is there already.

    ``task`` is the state of the repair of its current episode and ``pull_request`` that of its pull
    request; None where there is none. ``resolved_at`` is set while the issue is resolved. ``waiting`` says
    what its repair waits for, as long as that is not over; ``withdrawn`` that its task was taken back
    for a deploy storm's; ``expired`` that we closed its pull request, because nobody looked at it.
    """

    state: IssueState
    episode: int
    task: TaskState | None = None
    pull_request: PullRequestState | None = None
    resolved_at: datetime | None = None
    waiting: str = ""
    withdrawn: bool = False
    expired: bool = False

    @property
    def anew(self) -> bool:
        """Whether the next event begins the next episode: nobody has decided about the error in this one."""
        over = self.expired and self.pull_request is PullRequestState.CLOSED and not _in_hand(self)
        return self.withdrawn or over


@dataclass(frozen=True, slots=True)
class IntakeDecision:
    """The outcome, the issue's episode and state after it, whether to queue a repair, and why (not)."""

    outcome: IntakeOutcome
    episode: int
    state: IssueState
    create_task: bool
    reason: str


@dataclass(frozen=True, slots=True)
class RequestDecision:
    """What a person's wish for a repair leads to: a new task in ``episode``, or the one that is there."""

    create_task: bool
    episode: int
    reason: str = ""


def take(known: IssueStanding | None, occurred_at: datetime, triage: TriageDecision) -> IntakeDecision:
    """Decide what one event is to its issue, ``known`` being None for a fingerprint never seen.

    A resolved issue regresses only by an event that happened after it was resolved: one that waited
    in an agent's spool is old news. A regression opens the next episode, unless the work on this one
    is still in hand. Whether the error of a merged fix is back depends on the build that logged it: that
    is the fix watch's to say (``came_back``).
    """
    if known is None:
        return IntakeDecision(IntakeOutcome.NEW, 1, IssueState.OPEN, triage.repair, triage.reason)
    if known.state is IssueState.IGNORED:
        return IntakeDecision(
            IntakeOutcome.IGNORED, known.episode, known.state, False, "A person chose to ignore this issue."
        )
    if known.state is IssueState.RESOLVED:
        if known.pull_request is PullRequestState.MERGED:
            return IntakeDecision(IntakeOutcome.REPEATED, known.episode, known.state, False, _WATCHED)
        if known.resolved_at is not None and occurred_at <= known.resolved_at:
            return IntakeDecision(
                IntakeOutcome.REPEATED,
                known.episode,
                known.state,
                False,
                "It happened before it was resolved.",
            )
        return _regressed(known, triage)
    if known.waiting:
        return IntakeDecision(IntakeOutcome.REPEATED, known.episode, known.state, False, known.waiting)
    if known.anew:  # what it waited for is over, and here it is again
        return IntakeDecision(
            IntakeOutcome.REPEATED, known.episode + 1, known.state, triage.repair, triage.reason
        )
    if known.task is not None:
        reason = f"This episode has its repair, which is {known.task.value}."
        return IntakeDecision(IntakeOutcome.REPEATED, known.episode, known.state, False, reason)
    return IntakeDecision(IntakeOutcome.REPEATED, known.episode, known.state, triage.repair, triage.reason)


def only_counts(known: IssueStanding) -> bool:
    """Return whether ``take`` finds any further event a mere repeat, whenever it happened."""
    if known.state is IssueState.IGNORED:
        return True
    if known.state is IssueState.RESOLVED:
        return known.pull_request is PullRequestState.MERGED
    return bool(known.waiting) or (known.task is not None and not known.anew)


def came_back(known: IssueStanding, triage: TriageDecision) -> IntakeDecision | None:
    """Decide on an error that a build with its merged fix logged again; None where there is nothing to open.

    It is opened only from where the fix has left it, and not while its repair is still being worked on.
    """
    if known.state not in (IssueState.OPEN, IssueState.RESOLVED) or _in_hand(known):
        return None
    return _regressed(known, triage)


_WATCHED = "Its fix was merged: the fix watch looks which build logged it."


def _regressed(known: IssueStanding, triage: TriageDecision) -> IntakeDecision:
    in_hand = _in_hand(known)
    episode = known.episode if in_hand or known.task is None else known.episode + 1
    return IntakeDecision(
        IntakeOutcome.REGRESSED,
        episode,
        IssueState.OPEN,
        triage.repair and not in_hand,
        in_hand or triage.reason,
    )


def request(known: IssueStanding | None, *, insists: bool = False) -> RequestDecision:
    """Decide on a person's wish for a repair.

    It is answered with the existing task while that is not final, its pull request is open, or a
    person closed it unmerged. New evidence against a closed one opens an episode of its own; so does
    whoever ``insists``, who names the issue and knows what became of it.
    """
    if known is None:
        return RequestDecision(True, 1)
    if known.task is None:
        return RequestDecision(True, known.episode)
    if reason := _in_hand(known):
        return RequestDecision(False, known.episode, reason)
    if known.pull_request is PullRequestState.CLOSED and not (known.expired or insists):
        return RequestDecision(
            False,
            known.episode,
            "Its pull request was closed without a merge, and there is no new evidence. Whoever wants it "
            "nevertheless says so: ai-ops issue repair.",
        )
    return RequestDecision(True, known.episode + 1)


def _in_hand(known: IssueStanding) -> str:
    """Return why the current episode is still being worked on; empty when it is not."""
    if known.task is TaskState.NEEDS_HUMAN_REVIEW:
        return "Its repair waits for a person's review."
    if known.task is not None and not known.task.final:
        return f"Its repair is {known.task.value}."
    if known.pull_request is PullRequestState.OPEN:
        return "Its pull request is open."
    return ""


def culprit(error: ErrorDetail) -> str:
    """Return the place of an error in words: the innermost frame of the application, or of all."""
    frame = _place(error)
    if frame is None:
        return ""
    file, function = _plain(frame.file.replace("\\", "/")), _plain(dotted(frame.function))
    return f"{function} ({file})" if function else file


def title(error: ErrorDetail) -> str:
    """Return an issue's title: the exception's type and its place.

    Without a place the message's template stands for it, which is what all its occurrences share: its
    values are gone, and of its words only what can address nobody is kept.
    """
    name = _plain(short_type(error.exception_type)) or "Error"
    if place := culprit(error):
        return f"{name} in {place}"[:_MAX_TITLE]
    words = template(error)
    return (f"{name}: {words}" if words else name)[:_MAX_TITLE]


def template(error: ErrorDetail) -> str:
    """Return an error's message without its changing parts, in plain characters: ``user ... not found``."""
    masked = v1.template(error.message or error.raw_excerpt.strip().partition("\n")[0]).replace("<*>", "...")
    return " ".join(re.sub(r"[^\w .:/<>()-]", " ", masked).split()).strip(" :-")


def _place(error: ErrorDetail) -> Frame | None:
    frames = [frame for frame in error.frames if frame.in_app] or list(error.frames)
    return frames[-1] if frames else None


def _plain(text: str) -> str:
    """Return only what names of files, types and functions are made of: the rest could speak to someone."""
    return re.sub(r"[^\w.:/$<>-]", "", text)[-90:]
