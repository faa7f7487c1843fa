"""The trace: what each run did, step by step, so that it can be read, followed live and replayed.

History is only ever appended to. Everything is redacted on the way in, because prompts, answers and
outputs quote logs; only working patches are kept byte for byte, and those are never served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import insert, select, update

from ai_ops.core.ports import Clock, Outcome
from ai_ops.flow.run import Artifact, Run, Step, StepState, TraceEvent, Usage
from ai_ops.store import tables
from ai_ops.store.database import Database
from ai_ops.store.group_commit import GroupCommit
from ai_ops.store.lane import Transaction
from ai_ops.store.paging import page
from ai_ops.store.rows import clean, storable
from ai_ops.trace.rows import artifact_from, event_from, run_from, run_row, step_from, usage_of
from ai_ops.trace.wake import Wake

ARTIFACT_BYTES = 1024 * 1024
_MOST_REDACTED = 2 * ARTIFACT_BYTES
_POLL_SECONDS = 1.0
_MAX_EVENTS = 1000

_Line = tuple[str, str, dict[str, Any]]


class Redacts(Protocol):
    """What the trace needs of the redactor."""

    def redact(self, text: str, /) -> str:
        """Return text without secrets."""
        ...

    def redact_json(self, value: Any, /) -> Any:
        """Return a JSON value without secrets."""
        ...


class TraceStore:
    """Implements ``Trace`` on the database."""

    def __init__(self, database: Database, clock: Clock, redactor: Redacts) -> None:
        self._database = database
        self._clock = clock
        self._redactor = redactor
        self._wake = Wake()
        self._lines: GroupCommit[_Line, None] = GroupCommit(self._append_all)

    async def run_started(self, run: Run) -> None:
        """Record that a run began; harmless when it is known."""
        async with self._database.write() as connection:
            known = await connection.execute(select(tables.runs.c.seq).where(tables.runs.c.id == run.id))
            if known.first() is None:
                await connection.execute(insert(tables.runs), run_row(run))

    async def run_ended(self, run_id: str, outcome: str) -> None:
        """Record how a run ended, and append the ``complete`` event; harmless when it has ended."""
        c = tables.runs.c
        ended = {"ended_at": self._clock.now(), "outcome": outcome}
        running = (c.id == run_id) & c.ended_at.is_(None)
        async with self._database.write() as connection:
            changed = await connection.execute(update(tables.runs).where(running).values(ended))
            if changed.rowcount:
                await self._append(connection, (run_id, "complete", {"outcome": outcome}))
        self._wake.wake(run_id)

    async def step_outcome(self, run_id: str, name: str, round: int) -> Outcome | None:
        """Return the committed outcome of a step, or None."""
        c = tables.steps.c
        done = c.state == StepState.DONE
        async with self._database.read() as connection:
            found = await connection.execute(select(c.output).where(_same(run_id, name, round), done))
        output: Outcome | None = found.scalar_one_or_none()
        return output

    async def step_started(self, run_id: str, name: str, round: int) -> None:
        """Record that a step begins (again); one that is done stays done."""
        c = tables.steps.c
        async with self._database.write() as connection:
            known = await self._step(connection, run_id, name, round)
            if known is None:
                await self._insert_step(connection, run_id, name, round)
            elif known.state is StepState.DONE:
                return
            else:
                again = {"state": StepState.STARTED, "entries": c.entries + 1, "ended_at": None}
                await connection.execute(update(tables.steps).where(_same(run_id, name, round)).values(again))
            entries = known.entries + 1 if known else 1
            data = {"step": name, "round": round, "state": "started", "entries": entries}
            await self._append(connection, (run_id, "step", data))
        self._wake.wake(run_id)

    async def step_done(self, run_id: str, name: str, round: int, outcome: Outcome) -> None:
        """Commit a step's outcome with its event; the first outcome stands.

        ``outcome["usage"]``, when there, is added to the run's usage in the same commit. It is redacted, so
        what must come back byte for byte, such as the ids of tests, is kept as a patch.
        """
        safe = await asyncio.to_thread(self._redactor.redact_json, outcome)
        usage = usage_of(outcome)
        values = {
            "state": StepState.DONE,
            "ended_at": self._clock.now(),
            "output": safe,
            "failure": None,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cost_usd": usage.cost_usd,
        }
        async with self._database.write() as connection:
            known = await self._step(connection, run_id, name, round)
            if known is None:
                await self._insert_step(connection, run_id, name, round)
            elif known.state is StepState.DONE:
                return
            await connection.execute(update(tables.steps).where(_same(run_id, name, round)).values(values))
            await self._add_usage(connection, run_id, usage)
            data = {"step": name, "round": round, "state": "done", "output": safe}
            await self._append(connection, (run_id, "step", data))
        self._wake.wake(run_id)

    async def step_failed(self, run_id: str, name: str, round: int, failure: Mapping[str, str]) -> None:
        """Record that an entry of a step failed; one that is done stays done."""
        safe = {key: clean(self._redactor.redact(str(words))) for key, words in failure.items()}
        values = {"state": StepState.FAILED, "ended_at": self._clock.now(), "failure": safe}
        async with self._database.write() as connection:
            known = await self._step(connection, run_id, name, round)
            if known is None:
                await self._insert_step(connection, run_id, name, round)
            elif known.state is StepState.DONE:
                return
            await connection.execute(update(tables.steps).where(_same(run_id, name, round)).values(values))
            data = {"step": name, "round": round, "state": "failed", "failure": safe}
            await self._append(connection, (run_id, "step", data))
        self._wake.wake(run_id)

    async def add_usage(self, run_id: str, usage: Usage) -> None:
        """Add what a call that failed had cost; what a step used comes with its outcome."""
        async with self._database.write() as connection:
            await self._add_usage(connection, run_id, usage)

    async def emit(self, run_id: str, kind: str, data: Mapping[str, Any]) -> None:
        """Append an event to the run's history; concurrent callers share a commit."""
        await self._lines.submit((run_id, kind, self._redactor.redact_json(dict(data))))
        self._wake.wake(run_id)

    async def put_artifact(self, run_id: str, name: str, text: str, media_type: str = "text/plain") -> None:
        """Keep a named text with the run; the same name replaces, what is over 1 MiB is cut and says so."""
        c = tables.artifacts.c
        # Cut before the redaction too, with room for what it changes: it takes seconds on what is huge.
        kept = await asyncio.to_thread(
            lambda: _capped(storable(self._redactor.redact(text[:_MOST_REDACTED])))
        )
        row = {"media_type": media_type, "text": kept, "created_at": self._clock.now()}
        same = (c.run_id == run_id) & (c.name == name)
        async with self._database.write() as connection:
            changed = await connection.execute(update(tables.artifacts).where(same).values(row))
            if not changed.rowcount:
                await connection.execute(insert(tables.artifacts), {**row, "run_id": run_id, "name": name})

    async def artifact(self, run_id: str, name: str) -> Artifact | None:
        """Return an artifact."""
        c = tables.artifacts.c
        query = select(tables.artifacts).where(c.run_id == run_id, c.name == name)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return artifact_from(row, row["text"]) if row else None

    async def artifacts(self, run_id: str) -> Sequence[Artifact]:
        """Return a run's artifacts, by name, each with empty text."""
        c = tables.artifacts.c
        query = select(c.run_id, c.name, c.media_type, c.created_at).where(c.run_id == run_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(c.name))).mappings().all()
        return [artifact_from(row, "") for row in rows]

    async def put_patch(self, run_id: str, name: str, patch: str) -> None:
        """Keep a working patch byte for byte; patches are never served."""
        c = tables.patches.c
        # git's output may hold any bytes; they travel in a string as surrogates.
        row = {"patch": patch.encode("utf-8", "surrogateescape"), "created_at": self._clock.now()}
        same = (c.run_id == run_id) & (c.name == name)
        async with self._database.write() as connection:
            changed = await connection.execute(update(tables.patches).where(same).values(row))
            if not changed.rowcount:
                await connection.execute(insert(tables.patches), {**row, "run_id": run_id, "name": name})

    async def patch(self, run_id: str, name: str) -> str | None:
        """Return a working patch."""
        c = tables.patches.c
        async with self._database.read() as connection:
            found = await connection.execute(select(c.patch).where(c.run_id == run_id, c.name == name))
        raw = found.scalar_one_or_none()
        return None if raw is None else bytes(raw).decode("utf-8", "surrogateescape")

    async def runs(self, *, limit: int = 50, cursor: str | None = None) -> tuple[Sequence[Run], str | None]:
        """Return runs, newest first, and the cursor of the next page."""
        found = await page(self._database, tables.runs, run_from, limit=limit, cursor=cursor)
        return found.items, found.next_cursor

    async def find_run(self, run_id: str) -> Run | None:
        """Return a run."""
        async with self._database.read() as connection:
            found = await connection.execute(select(tables.runs).where(tables.runs.c.id == run_id))
            row = found.mappings().first()
        return run_from(row) if row else None

    async def steps(self, run_id: str) -> Sequence[Step]:
        """Return a run's steps in the order they first began."""
        c = tables.steps.c
        query = select(tables.steps).where(c.run_id == run_id).order_by(c.seq)
        async with self._database.read() as connection:
            return [step_from(row) for row in (await connection.execute(query)).mappings()]

    async def events_after(self, run_id: str, seq: int, limit: int = 500) -> Sequence[TraceEvent]:
        """Return the run's history after ``seq``."""
        c = tables.trace_events.c
        query = select(tables.trace_events).where(c.run_id == run_id, c.seq > seq).order_by(c.seq)
        async with self._database.read() as connection:
            rows = await connection.execute(query.limit(max(1, min(limit, _MAX_EVENTS))))
            return [event_from(row) for row in rows.mappings()]

    async def follow(self, run_id: str, seq: int = 0) -> AsyncIterator[TraceEvent]:
        """Yield the run's history after ``seq`` as it grows; ends after ``complete``.

        What this process writes is seen at once, what another one writes within a second.
        """
        with self._wake.listen(run_id) as listener:
            while True:
                listener.clear()
                found = await self.events_after(run_id, seq)
                for event in found:
                    seq = event.seq
                    yield event
                    if event.kind == "complete":
                        return
                if not found:
                    run = await self.find_run(run_id)
                    if (
                        run is not None
                        and run.ended_at is not None
                        and not await self.events_after(run_id, seq, 1)
                    ):
                        return
                    await listener.wait(_POLL_SECONDS)

    async def _step(self, connection: Transaction, run_id: str, name: str, round: int) -> Step | None:
        query = select(tables.steps).where(_same(run_id, name, round))
        row = (await connection.execute(query)).mappings().first()
        return step_from(row) if row else None

    async def _insert_step(self, connection: Transaction, run_id: str, name: str, round: int) -> None:
        row = {
            "run_id": run_id,
            "name": name,
            "round": round,
            "state": StepState.STARTED,
            "started_at": self._clock.now(),
            "entries": 1,
            "input_tokens": 0,
            "output_tokens": 0,
            "cost_usd": 0.0,
        }
        await connection.execute(insert(tables.steps), row)

    async def _add_usage(self, connection: Transaction, run_id: str, usage: Usage) -> None:
        if usage == Usage():
            return
        c = tables.runs.c
        added = {
            "input_tokens": c.input_tokens + usage.input_tokens,
            "output_tokens": c.output_tokens + usage.output_tokens,
            "cost_usd": c.cost_usd + usage.cost_usd,
        }
        await connection.execute(update(tables.runs).where(c.id == run_id).values(added))

    async def _append(self, connection: Transaction, *lines: _Line) -> None:
        now = self._clock.now()
        rows = [{"run_id": run_id, "at": now, "kind": kind, "data": data} for run_id, kind, data in lines]
        await connection.execute(insert(tables.trace_events), rows)

    async def _append_all(self, lines: Sequence[_Line]) -> list[None]:
        async with self._database.write() as connection:
            await self._append(connection, *lines)
        return [None] * len(lines)


def _same(run_id: str, name: str, round: int) -> Any:
    c = tables.steps.c
    return (c.run_id == run_id) & (c.name == name) & (c.round == round)


def _capped(text: str) -> str:
    raw = text.encode()
    if len(raw) <= ARTIFACT_BYTES:
        return text
    kept = raw[:ARTIFACT_BYTES].decode("utf-8", "ignore")
    return f"{kept}\n[cut here: {len(raw) - ARTIFACT_BYTES} more bytes]\n"
