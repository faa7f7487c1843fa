"""FixWatch: whether a merged fix holds, as far as the builds that hold it have shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class WatchState(StrEnum):
    """Where a watch stands. Before the merge there is none.

    ``rolled_back``: a build without the fix was deployed after one with it. ``ended``: a person, or another
    repair, took the issue over, and the watch says nothing until it is given back.
    """

    WAITING_FOR_DEPLOY = "waiting_for_deploy"
    QUIET = "quiet"
    ROLLED_BACK = "rolled_back"
    RESOLVED = "resolved"
    RECURRED = "recurred"
    ENDED = "ended"

    @property
    def active(self) -> bool:
        """Whether it is looked at from time to time; a resolved one only when its error is logged again."""
        return self in (WatchState.WAITING_FOR_DEPLOY, WatchState.QUIET, WatchState.ROLLED_BACK)


TRANSITIONS: dict[WatchState, frozenset[WatchState]] = {
    WatchState.WAITING_FOR_DEPLOY: frozenset(
        {WatchState.QUIET, WatchState.ROLLED_BACK, WatchState.RESOLVED, WatchState.RECURRED, WatchState.ENDED}
    ),
    WatchState.QUIET: frozenset(
        {
            WatchState.WAITING_FOR_DEPLOY,  # it counted by time, and an old build was seen again
            WatchState.ROLLED_BACK,
            WatchState.RESOLVED,
            WatchState.RECURRED,
            WatchState.ENDED,
        }
    ),
    WatchState.ROLLED_BACK: frozenset(
        {
            WatchState.WAITING_FOR_DEPLOY,  # the releases were forgotten by age
            WatchState.QUIET,
            WatchState.RESOLVED,
            WatchState.RECURRED,
            WatchState.ENDED,
        }
    ),
    WatchState.RESOLVED: frozenset({WatchState.RECURRED}),
    WatchState.RECURRED: frozenset(),
    WatchState.ENDED: frozenset(
        {
            WatchState.WAITING_FOR_DEPLOY,
            WatchState.QUIET,
            WatchState.ROLLED_BACK,
            WatchState.RESOLVED,
            WatchState.RECURRED,
        }
    ),
}
"""What may follow on each state."""


@dataclass(frozen=True, slots=True)
class WatchedPlace:
    """A service in an environment where the error was seen.

    ``rate`` is how often it was seen there before the merge, in hours that had it per second. ``old_last`` is
    when a build known not to hold the fix logged it there last, since the merge.
    """

    service: str
    environment: str
    rate: float = 0.0
    old_last: datetime | None = None


@dataclass(frozen=True, slots=True)
class FixWatch:
    """The watch over one merged pull request and an issue that it was to mend. Unique by the two.

    ``since`` is when its state began; ``until`` when the next one comes by itself if nothing happens: the end
    of the quiet window, or when it begins without a build that is known to hold the fix.
    ``begun_at`` is when the quiet window began. ``by_time`` says that it began by time alone. ``old_events``
    counts what builds without the fix logged since the merge, ``old_release`` names the newest of those.
    ``recurred_release`` is the build in which the error came back, at ``recurred_at``. ``seen_seq`` and
    ``seen_count`` tell how far the issue's events were looked at. ``proposed_at`` is when a revert was
    proposed, ``revert_url`` its pull request.
    """

    pull_request_id: str
    issue_id: str
    episode: int
    repo_key: str
    merge_sha: str
    merged_at: datetime
    state: WatchState
    since: datetime
    until: datetime | None = None
    begun_at: datetime | None = None
    by_time: bool = False
    reason: str = ""
    places: tuple[WatchedPlace, ...] = ()
    old_events: int = 0
    old_release: str = ""
    recurred_release: str = ""
    recurred_at: datetime | None = None
    seen_seq: int = 0
    seen_count: int = 0
    proposed_at: datetime | None = None
    revert_url: str = ""
