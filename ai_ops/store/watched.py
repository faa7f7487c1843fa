"""What is on record about merged fixes: which have no watch yet, and what was logged since the last look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    RowMapping,
    and_,
    cast,
    exists,
    extract,
    func,
    insert,
    select,
    text,
)

from ai_ops.core.fix_watch import Facts, Logged, Sighting
from ai_ops.core.quiet_window import LOOKED_BACK, occasions_per_second
from ai_ops.flow.fix_watch import FixWatch, WatchedPlace, WatchState
from ai_ops.flow.issue import IssueState
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.store import tables
from ai_ops.store.watch_rows import watch_row

_EVENTS = tables.events.c
_ISSUES = tables.issues.c
_TASKS = tables.tasks.c
_WATCHES = tables.fix_watches.c
_PULLS = tables.pull_requests.c


def begin_missing(connection: Connection) -> int:
    """Make the watches of merged pull requests that have none; return how many."""
    watched = exists().where(_WATCHES.pull_request_id == _PULLS.id, _WATCHES.issue_id == _ISSUES.id)
    named = (_PULLS.id, _PULLS.repo_key, _PULLS.merge_sha, _PULLS.merged_at, _PULLS.updated_at)
    issue = (_ISSUES.id.label("issue_id"), _ISSUES.episode, _ISSUES.first_seen)
    where = (_PULLS.state == PullRequestState.MERGED, ~watched)
    own = and_(
        _ISSUES.fingerprint == _PULLS.fingerprint,
        _ISSUES.repo_key == _PULLS.repo_key,
        _ISSUES.episode == _PULLS.episode,
    )
    joined = and_(  # a repair whose change was proposed for another error already
        text("tasks.kind = 'repair'"),
        _ISSUES.fingerprint == _TASKS.fingerprint,
        _ISSUES.repo_key == _TASKS.repo_key,
        _ISSUES.episode == _TASKS.episode,
    )
    columns = (*named, *issue, _ISSUES.service, _ISSUES.environment)
    by_error = select(*columns).join(tables.issues, own).where(*where)
    through = select(*columns).join(tables.tasks, _TASKS.pull_request_id == _PULLS.id)
    by_task = through.join(tables.issues, joined).where(*where)
    found = [row for query in (by_error, by_task) for row in connection.execute(query).mappings()]
    distinct = {(row["id"], row["issue_id"]): row for row in found}.values()
    rows = [watch_row(_begun(connection, row)) for row in distinct]
    if rows:
        connection.execute(insert(tables.fix_watches), rows)
    return len(rows)


def facts_of(connection: Connection, watch: FixWatch) -> Facts:
    """Return what is on record since the last look at a watch."""
    columns = (_ISSUES.state, _ISSUES.episode, _ISSUES.resolved_at, _ISSUES.count.label("seen"))
    issue = connection.execute(select(*columns).where(_ISSUES.id == watch.issue_id)).one()
    new = (_EVENTS.issue_id == watch.issue_id, _EVENTS.seq > watch.seen_seq)
    seen = connection.execute(select(func.max(_EVENTS.seq)).where(*new)).scalar()
    logged = tuple(_logged(connection, watch)) if seen else ()
    places = {(place.service, place.environment) for place in watch.places}
    places |= {(each.service, each.environment) for each in logged}
    return Facts(
        IssueState(issue.state),
        issue.episode,
        issue.resolved_at,
        tuple(each for each in _sightings(connection, watch) if (each.service, each.environment) in places),
        logged,
        seen or watch.seen_seq,
        issue.seen,
    )


def _sightings(connection: Connection, watch: FixWatch) -> Iterator[Sighting]:
    c = tables.releases.c
    query = select(c.service, c.environment, c.release, c.first_seen, c.last_seen).where(
        c.repo_key == watch.repo_key, c.last_seen >= watch.merged_at
    )
    for row in connection.execute(query):
        yield Sighting(*row)


def _logged(connection: Connection, watch: FixWatch) -> Iterator[Logged]:
    where = (_EVENTS.service, _EVENTS.environment, _EVENTS.release)
    query = (
        select(*where, func.min(_EVENTS.occurred_at), func.max(_EVENTS.occurred_at), func.sum(_EVENTS.count))
        .where(
            _EVENTS.issue_id == watch.issue_id,
            _EVENTS.seq > watch.seen_seq,
            _EVENTS.occurred_at > watch.merged_at,
        )
        .group_by(*where)
    )
    for service, environment, release, first, last, count in connection.execute(query):
        yield Logged(service, environment, release, first, last, int(count))


def _begun(connection: Connection, row: RowMapping) -> FixWatch:
    merged_at: datetime = row["merged_at"] or row["updated_at"]
    before = (_EVENTS.issue_id == row["issue_id"], _EVENTS.received_at <= merged_at)
    seen = connection.execute(select(func.max(_EVENTS.seq)).where(*before)).scalar()
    return FixWatch(
        pull_request_id=row["id"],
        issue_id=row["issue_id"],
        episode=row["episode"],
        repo_key=row["repo_key"],
        merge_sha=row["merge_sha"],
        merged_at=merged_at,
        state=WatchState.WAITING_FOR_DEPLOY,
        since=merged_at,
        reason="the fix was merged",
        places=_places(connection, row, merged_at),
        seen_seq=seen or 0,
    )


def _places(connection: Connection, row: RowMapping, merged_at: datetime) -> tuple[WatchedPlace, ...]:
    """Return where the error was seen before the merge, and how often; at least where it began."""
    since = merged_at - LOOKED_BACK
    hour: Any = cast(extract("epoch", _EVENTS.occurred_at) / 3600, Integer)
    query = select(_EVENTS.service, _EVENTS.environment, hour).where(
        _EVENTS.issue_id == row["issue_id"], _EVENTS.occurred_at > since, _EVENTS.occurred_at <= merged_at
    )
    hours = connection.execute(query.distinct()).all()
    first = min((each[2] for each in hours), default=0)
    young = row["first_seen"] > since  # its rate is counted from its first hour, which is no waiting time
    found = Counter({(row["service"], row["environment"]): 0} if not hours else {})
    for service, environment, number in hours:
        found[service, environment] += not (young and number == first)
    return tuple(
        WatchedPlace(service, environment, occasions_per_second(occasions, row["first_seen"], merged_at))
        for (service, environment), occasions in found.items()
    )
