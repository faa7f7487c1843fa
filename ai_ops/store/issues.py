"""Issues and the events under them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, insert, select, update

from ai_ops.core.flood import IntakeRules, ReleaseChange
from ai_ops.core.issue_verbs import VERBS
from ai_ops.core.ports import Clock, Ingested, Merged, Page
from ai_ops.flow.event import Event
from ai_ops.flow.issue import Issue, IssueDecision, IssueState, TriageDecision
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task
from ai_ops.store import decisions, releases, tables
from ai_ops.store.database import Database
from ai_ops.store.group_commit import GroupCommit
from ai_ops.store.issue_memory import IssueMemory
from ai_ops.store.lane_life import ProcessEndedError
from ai_ops.store.open_issue import PLACE, QUEUE, SPIKE, STORM
from ai_ops.store.packing import Packer
from ai_ops.store.paging import page
from ai_ops.store.refusals import reconsider
from ai_ops.store.releases import Place
from ai_ops.store.rows import NAME, clean, issue_from, task_row, triage_columns
from ai_ops.store.spikes import release_waiting
from ai_ops.store.taking import Batch, Taking

MANY = 50
"""How many events in one transaction call for a process beside this one."""

_REMEMBERED_PLACES = 10_000
_VERB_OF = {state: verb for verb, state in VERBS.items()}


class IssueRepository:
    """Implements ``Issues``. ``ingest`` trusts the fingerprint it is given and expects redacted text."""

    def __init__(self, database: Database, clock: Clock, rules: IntakeRules | None = None) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules or IntakeRules()
        self._commits: GroupCommit[Batch, Ingested] = GroupCommit(self._ingest, weight=len, ahead=True)
        self._work = Taking(self._rules)
        self._process = database.beside(Taking(self._rules, IssueMemory()))
        self._packer = Packer()
        self._places: dict[Place, datetime] = {}  # when releases were last put on record

    async def ingest(self, events: Sequence[tuple[Event, Repository]]) -> Ingested:
        """Take events and return when they are on the disk; concurrent callers share a commit.

        Raises:
            TemporaryError: ``storage_unavailable``; nothing of this call is acknowledged.
        """
        return await self._commits.submit(events) if events else Ingested(0, 0)

    async def _ingest(self, calls: Sequence[Batch]) -> list[Ingested]:
        places = releases.places_of(pair for events in calls for pair in events)
        now = self._clock.now()
        due = {place for place in places if self._due(place, now)}
        answers = await self._take(calls, due, now)
        if len(self._places) > _REMEMBERED_PLACES:
            self._places.clear()
        self._places |= dict.fromkeys(due, now)
        return answers

    async def _take(self, calls: Sequence[Batch], due: Collection[Place], now: datetime) -> list[Ingested]:
        """Take them in the process beside this one where it is there, else here."""
        if sum(map(len, calls)) >= MANY:
            self._process.begin()
        if self._process.pid is not None:
            # Done here, a failure that lasts is met and named. What it had committed when it ended is a
            # duplicate now, and the engine finds its tasks.
            with contextlib.suppress(ProcessEndedError):
                return await self._process.once(self._packer.pack(calls), due, now)
        return await self._database.change(self._work, calls, due, now)

    def _due(self, place: Place, now: datetime) -> bool:
        noted = self._places.get(place)
        return noted is None or abs(now - noted) >= releases.NOTED_AGAIN

    async def release_change(self, issue: Issue) -> ReleaseChange | None:
        """Return the release that an issue's episode began with, and the one before it in the same place.

        The first episode began with the issue's first event, a later one with what its repair was begun for.
        """
        c = tables.issues.c
        first = select(c.service, c.environment, c.release).where(c.id == issue.id)
        async with self._database.read() as connection:
            row = (await connection.execute(first)).first()
            sample = issue.sample
            where = (sample.service, sample.environment, sample.release)
            if row is not None and issue.episode == 1:
                where = (row.service, row.environment, row.release)
            place = Place(issue.repo_key, *(clean(word, NAME) for word in where))
            return await connection.run(releases.change_to, place) if place.release else None

    async def release_waiting(self) -> Sequence[Task]:
        """Start repairs that waited for a spike to pass, or a place, while there is room; to be enqueued."""
        async with self._database.write() as connection:
            tasks = await connection.run(release_waiting, self._clock.now(), self._rules)
            if tasks:
                await connection.execute(insert(tables.tasks), [task_row(task) for task in tasks])
        return tasks

    async def reconsider(self) -> Sequence[Task]:
        """Open the next episode of errors whose pull request was turned down, where there is new evidence.

        Returns the repairs that begin with it; to be enqueued.
        """
        async with self._database.write() as connection:
            return await connection.run(reconsider, self._clock.now(), self._rules)

    async def waiting(self) -> Mapping[str, int]:
        """Return how many open issues wait, by ``spike``, ``storm``, ``place`` and ``queue``."""
        c = tables.issues.c
        query = (
            select(c.waiting_for, func.count()).where(c.waiting_for != "", c.state == IssueState.OPEN)
        ).group_by(c.waiting_for)
        found = {SPIKE: 0, "storm": 0, PLACE: 0, QUEUE: 0}
        async with self._database.read() as connection:
            for what, number in await connection.execute(query):
                found["storm" if what.startswith(STORM) else what] += number
        return found

    async def find(self, issue_id: str) -> Issue | None:
        """Return an issue."""
        query = select(tables.issues).where(tables.issues.c.id == issue_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return issue_from(row) if row else None

    async def list(
        self, *, states: Collection[IssueState] = (), limit: int = 50, cursor: str | None = None
    ) -> Page[Issue]:
        """Return issues, newest first; no states: of any."""
        where = [tables.issues.c.state.in_(states)] if states else []
        return await page(self._database, tables.issues, issue_from, *where, limit=limit, cursor=cursor)

    async def titles(self, ids: Collection[str]) -> Mapping[str, str]:
        """Return the titles of these; ids that are not there are left out."""
        if not ids:
            return {}
        c = tables.issues.c
        async with self._database.read() as connection:
            rows = await connection.execute(select(c.id, c.title).where(c.id.in_(ids)))
            return {row.id: row.title for row in rows}

    async def fingerprints(self, issue_id: str) -> Sequence[str]:
        """Return the fingerprints whose events come to an issue, its own first."""
        async with self._database.read() as connection:
            row = await decisions.existing(connection, issue_id)
            return await decisions.fingerprints(connection, row)

    async def decisions(self, issue_id: str) -> Sequence[IssueDecision]:
        """Return what people decided about an issue, oldest first."""
        async with self._database.read() as connection:
            return await decisions.decisions(connection, issue_id)

    async def decide(self, issue_id: str, verb: str, who: str) -> Issue:
        """Ignore, resolve (as of now) or reopen an issue.

        Raises:
            PermanentError: ``issue_not_found``, ``issue_merged``.
        """
        async with self._database.write() as connection:
            row = await decisions.change_state(connection, issue_id, verb, who, self._clock.now())
        return issue_from(row)

    async def set_state(self, issue_id: str, state: IssueState) -> Issue:
        """Record the system's own decision about an issue; as ``decide``."""
        return await self.decide(issue_id, _VERB_OF[state], "ai-ops")

    async def judged(self, issue_id: str, decision: TriageDecision) -> None:
        """Record what triage says of an issue; it stands until an event or a person calls for a repair."""
        c = tables.issues.c
        async with self._database.write() as connection:
            await connection.execute(
                update(tables.issues).where(c.id == issue_id).values(triage_columns(decision))
            )

    async def merge(self, issue_id: str, into: str, who: str) -> Merged:
        """Hand the fingerprints and the count of one issue over to another of the same repository.

        Raises:
            PermanentError: ``issue_not_found``, ``issue_merged``, ``cannot_merge``.
        """
        async with self._database.write() as connection:
            now = self._clock.now()
            row, withdrawn, begun = await decisions.merge(connection, issue_id, into, who, now)
        return Merged(issue_from(row), tuple(withdrawn), tuple(begun))

    async def split(self, issue_id: str, fingerprint: str, who: str) -> Issue:
        """Take a fingerprint out of an issue again and return the issue that it has from now on.

        Raises:
            PermanentError: ``issue_not_found``, ``issue_merged``, ``cannot_split``.
        """
        async with self._database.write() as connection:
            row = await decisions.split(connection, issue_id, fingerprint, who, self._clock.now())
        return issue_from(row)
