"""The fix watch: what the builds that log, or stay silent, say of a merged fix. Pure decisions.

Only a build that holds the merge commit can show that a fix failed, and only its silence that it holds. Where
nobody can tell which build it is, time stands in for it: so long after the merge a deploy is usual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ai_ops.core.quiet_window import CHANCE, MOST, quiet_until
from ai_ops.core.untrusted import clean
from ai_ops.core.wording import counted
from ai_ops.flow.fix_watch import FixWatch, WatchedPlace, WatchState
from ai_ops.flow.issue import IssueState


@dataclass(frozen=True, slots=True)
class Sighting:
    """A release that was seen in a service and environment since the merge, by any error."""

    service: str
    environment: str
    release: str
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Logged:
    """What one release logged of the watched error since the last look: first and last time, how many."""

    service: str
    environment: str
    release: str
    first_at: datetime
    last_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is on record for one look. ``resolved_at`` is set while the issue is resolved."""

    state: IssueState
    episode: int
    resolved_at: datetime | None = None
    sightings: tuple[Sighting, ...] = ()
    logged: tuple[Logged, ...] = ()
    seen_seq: int = 0
    seen_count: int = 0

    @property
    def releases(self) -> tuple[str, ...]:
        """The builds of which it matters whether they hold the fix."""
        names = [each.release for each in self.sightings] + [each.release for each in self.logged]
        return tuple(dict.fromkeys(filter(None, names)))


Holds = Mapping[str, bool | None]
"""Whether a release holds the merge commit; None, or no entry, where nobody can tell."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """A place as its releases show it: where the fix was seen first and last, and a build without it last."""

    place: WatchedPlace
    counts_from: datetime
    fixed_first: datetime | None = None
    fixed_last: datetime | None = None
    old_last: datetime | None = None
    old_release: str = ""
    rolled_back: bool = False

    @property
    def name(self) -> str:
        """The place in words; what it is called came with events."""
        words = (_said(self.place.service), _said(self.place.environment))
        return "/".join(filter(None, words)) or "a service without a name"


def assess(watch: FixWatch, facts: Facts, holds: Holds, now: datetime, grace: timedelta) -> FixWatch:
    """Return a watch after one more look; the caller does what its new state asks for.

    Args:
        watch: as the last look left it.
        facts: what is on record now.
        holds: which releases hold the fix.
        now: the time.
        grace: how long after the merge a build of which nothing is known is taken to hold it.
    """
    if watch.state is WatchState.ENDED:  # the issue was given back
        watch = replace(watch, state=WatchState.WAITING_FOR_DEPLOY, since=now)
    if ended := _ended(facts, watch):
        return replace(watch, state=WatchState.ENDED, since=now, until=None, reason=ended)
    places = _with_logged(watch.places, facts.logged, holds)
    standings = [_standing(place, watch, facts, holds, grace) for place in places]
    again, old = _told_apart(facts, standings, holds, watch, grace)
    watch = replace(
        watch,
        places=places,
        old_events=watch.old_events + sum(each.count for each in old),
        old_release=next((each.release for each in reversed(old) if each.release), watch.old_release),
        seen_seq=facts.seen_seq,
        seen_count=facts.seen_count,
    )
    if again is not None:
        return _recurred(watch, again, holds, now)
    return watch if not watch.state.active else _weighed(watch, standings, now)


def _ended(facts: Facts, watch: FixWatch) -> str:
    if not watch.state.active:
        return ""
    if facts.episode != watch.episode:
        return "another repair of the error was begun"
    if facts.state is IssueState.IGNORED:
        return "its issue is ignored"
    return "its issue was merged into another one" if facts.state is IssueState.MERGED else ""


def _with_logged(
    places: tuple[WatchedPlace, ...], logged: Sequence[Logged], holds: Holds
) -> tuple[WatchedPlace, ...]:
    """Return the places with those that are new, and with when an old build was seen to log the error."""
    found = {(place.service, place.environment): place for place in places}
    for each in logged:
        key = (each.service, each.environment)
        place = found.setdefault(key, WatchedPlace(*key))
        if holds.get(each.release) is False:
            found[key] = replace(place, old_last=_later(place.old_last, each.last_at))
    return tuple(found.values())


def _standing(
    place: WatchedPlace, watch: FixWatch, facts: Facts, holds: Holds, grace: timedelta
) -> _Standing:
    here = [
        each
        for each in facts.sightings
        if (each.service, each.environment) == (place.service, place.environment)
    ]
    fixed = [each for each in here if holds.get(each.release)]
    old = [each for each in here if holds.get(each.release) is False]
    newest = max(old, key=lambda each: each.last_seen, default=None)
    old_last = place.old_last if newest is None else _later(place.old_last, newest.last_seen)
    name = newest.release if newest else ""
    if not fixed:
        usual = max(watch.merged_at, old_last or watch.merged_at) + grace
        return _Standing(place, usual, old_last=old_last, old_release=name)
    first, last = min(each.first_seen for each in fixed), max(each.last_seen for each in fixed)
    deployed_after = any(each.first_seen > first and each.last_seen > last for each in old)
    back = old_last is not None and (deployed_after or old_last - last > grace)
    return _Standing(place, max(first, old_last or first), first, last, old_last, name, back)


def _told_apart(
    facts: Facts, standings: Sequence[_Standing], holds: Holds, watch: FixWatch, grace: timedelta
) -> tuple[Logged | None, list[Logged]]:
    """Return the first of what builds with the fix logged, and what those without it did, oldest first."""
    by_place = {(each.place.service, each.place.environment): each for each in standings}
    again: list[Logged] = []
    old: list[Logged] = []
    for each in sorted(facts.logged, key=lambda one: one.last_at):
        held = holds.get(each.release)
        if held is None:  # nobody knows the build, so time decides, or a person who said that it is deployed
            standing = by_place[each.service, each.environment]
            usual = max(watch.merged_at, standing.old_last or watch.merged_at) + grace
            said = max(facts.resolved_at or usual, watch.merged_at)
            held = each.last_at >= min(usual, said)
        (again if held else old).append(each)
    return next(iter(again), None), old


def _recurred(watch: FixWatch, again: Logged, holds: Holds, now: datetime) -> FixWatch:
    known = holds.get(again.release) is not None
    build = f"release {_said(again.release)}" if again.release else "a build that names no release"
    why = "which holds the fix" if known else "which by its time should hold the fix"
    return replace(
        watch,
        state=WatchState.RECURRED,
        since=now,
        until=None,
        by_time=not known,
        reason=f"the error was logged again by {build}, {why}",
        recurred_release=again.release,
        recurred_at=again.last_at,
    )


def _weighed(watch: FixWatch, standings: Sequence[_Standing], now: datetime) -> FixWatch:
    """Return a watch in which nothing speaks against the fix: it waits, counts, or has counted enough."""
    back = next((each for each in standings if each.rolled_back), None)
    if back is not None:
        build = f"release {_said(back.old_release)}" if back.old_release else "a build"
        reason = f"{build}, without the fix, is seen in {back.name} after one with it"
        return _moved(watch, WatchState.ROLLED_BACK, now, reason=reason)
    starts = {each.name: each.fixed_first or each.counts_from for each in standings}
    begun = min((start for start in starts.values() if start <= now), default=None)
    if begun is None:
        until = min(starts.values(), default=None)
        return _moved(watch, WatchState.WAITING_FOR_DEPLOY, now, until=until, reason=_waits(standings))
    if watch.state is WatchState.QUIET and watch.begun_at is not None:
        begun = watch.begun_at
    elif watch.state is WatchState.ROLLED_BACK:
        begun = max((each.fixed_last for each in standings if each.fixed_last), default=now)
    by_time = not any(each.fixed_first for each in standings)
    until = quiet_until(begun, [(max(begun, each.counts_from), each.place.rate) for each in standings])
    quiet = replace(watch, begun_at=begun, by_time=by_time)
    if until <= now:
        words = f"the error stayed away from {_moment(begun)} to {_moment(until)}, {_why(begun, until)}"
        return _moved(quiet, WatchState.RESOLVED, now, reason=words + (_BY_TIME if by_time else ""))
    reason = (_COUNTED_BY_TIME if by_time else _SEEN) + _lagging(watch, standings)
    return _moved(quiet, WatchState.QUIET, begun, until=until, reason=reason)


_SEEN = "a build with the fix is seen, and the error stays away"
_BY_TIME = "; counted by time, because no build said that it holds the fix"
_COUNTED_BY_TIME = "no build says that it holds the fix; the silence is counted by time"


def _moved(
    watch: FixWatch, state: WatchState, since: datetime, *, until: datetime | None = None, reason: str
) -> FixWatch:
    """Return a watch in a state; while that stays the same it keeps when it began."""
    if watch.state is state:
        since = watch.since
    counting = state in (WatchState.QUIET, WatchState.RESOLVED)
    begun = watch.begun_at if counting else None
    return replace(watch, state=state, since=since, until=until, reason=reason, begun_at=begun)


def _waits(standings: Sequence[_Standing]) -> str:
    if any(each.old_last for each in standings):
        return "no build with the fix is seen yet; builds without it still run"
    return "no build with the fix is seen yet"


def _lagging(watch: FixWatch, standings: Sequence[_Standing]) -> str:
    """Return what is said of builds without the fix that still log the error beside it."""
    still = [each.name for each in standings if each.place.old_last and each.place.old_last > watch.merged_at]
    if not still or not watch.old_events:
        return ""
    return f"; an old build still runs in {', '.join(still)}: {counted(watch.old_events, 'event')} of it"


def _why(begun: datetime, until: datetime) -> str:
    if until - begun >= MOST:
        return f"the longest that is waited ({MOST.days} days)"
    return f"a silence that at its old rate is chance in less than {CHANCE:.0%} of all cases"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one


def _said(name: str) -> str:
    """Return a name that came with an event, on one line, without hidden characters."""
    return " ".join(clean(name).text.split())[:100]
