"""The audit log in the database, and its anchor in a file beside it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, insert, select

from ai_ops.core.audit import BEGINNING, BROKEN, Anchor, Chain, Fault, digest
from ai_ops.core.failures import failed
from ai_ops.core.ports import Clock
from ai_ops.flow.judgement import AuditEntry
from ai_ops.store.database import Database
from ai_ops.store.lane import Transaction
from ai_ops.store.rows import clean
from ai_ops.store.tables import audit_log

ANCHOR = "audit-head.json"
"""The anchor's name in the data folder."""

_AT_A_TIME = 1000


class AuditLog:
    """Implements ``Audit``.

    Args:
        database: where the lines are.
        clock: the time of a line.
        anchor: a file of the owner's alone that holds the last line this server wrote. A kill between a line
            and its anchor leaves the anchor behind, which is no fault; an anchor ahead of the log is one.
        shared: other servers write too, so that a log may have lines before this one has an anchor.
    """

    def __init__(self, database: Database, clock: Clock, anchor: Path, *, shared: bool = False) -> None:
        self._database = database
        self._clock = clock
        self._anchor = anchor
        self._shared = shared
        self._turn = asyncio.Lock()
        self._written: Anchor | None = None

    async def append(
        self, who: str, verb: str, subject: str = "", detail: Mapping[str, Any] | None = None
    ) -> AuditEntry:
        """Write a line. It is on the disk when this returns.

        Where the line that this server wrote last is gone, a line says so first.

        Raises:
            TemporaryError: ``storage_unavailable``; what the line tells must not be done.
        """
        async with self._turn:
            held = self._written or await asyncio.to_thread(_read, self._anchor)
            if held is None and (self._shared or not await self._begun()):
                await self._anchored(Anchor(0, BEGINNING))
                held = self._written
            async with self._database.write() as connection:
                if held is None or not held.holds(await _hash(connection, held.seq)):
                    gone = {"seq": held.seq if held else None, "hash": held.hash if held else "no anchor"}
                    await self._insert(connection, "server", BROKEN, "", gone)
                elif held.restored:
                    await self._tell_restored(connection, held.restored)
                entry = await self._insert(connection, who, verb, subject, dict(detail or {}))
            await self._anchored(Anchor(entry.seq, entry.hash))
        return entry

    async def note_restored(self) -> None:
        """Write down that a backup has taken the place of a longer log, if it has; else nothing.

        Raises:
            TemporaryError: as ``append``.
        """
        async with self._turn:
            held = self._written or await asyncio.to_thread(_read, self._anchor)
            if held is None or not held.restored:
                return
            async with self._database.write() as connection:
                if not held.holds(await _hash(connection, held.seq)):
                    return  # the next line says so
                entry = await self._tell_restored(connection, held.restored)
            await self._anchored(Anchor(entry.seq, entry.hash))

    async def _tell_restored(self, connection: Transaction, kept: str) -> AuditEntry:
        return await self._insert(connection, "server", "system.restored", kept, {"kept": kept})

    async def _insert(
        self, connection: Transaction, who: str, verb: str, subject: str, detail: dict[str, Any]
    ) -> AuditEntry:
        c = audit_log.c
        query = select(c.seq, c.hash).order_by(c.seq.desc()).limit(1)
        last = (await connection.execute(query)).first()
        seq, previous = (last[0] + 1, last[1]) if last else (1, BEGINNING)
        parts = (clean(who, 200), clean(verb, 200), clean(subject, 500), detail)
        at = self._clock.now()
        line = digest(previous, seq, at, *parts)
        entry = AuditEntry(seq, at, *parts, previous, line)
        row = {name: getattr(entry, name) for name in AuditEntry.__dataclass_fields__}
        await connection.execute(insert(audit_log), row)
        return entry

    async def _begun(self) -> bool:
        """Whether there is a line."""
        async with self._database.read() as connection:
            return (await connection.execute(select(audit_log.c.seq).limit(1))).first() is not None

    async def _anchored(self, anchor: Anchor) -> None:
        """Keep the anchor, in this process whatever becomes of its file."""
        self._written = anchor
        try:
            await asyncio.to_thread(write_anchor, self._anchor, anchor)
        except OSError as error:
            raise failed(
                "storage_unavailable",
                f"{self._anchor.name} cannot be written: {error.strerror}",
                next_step="See the room and the rights of DATA_DIR.",
            ) from error

    async def since(self, moment: datetime, *, limit: int = 1000) -> Sequence[AuditEntry]:
        """Return lines, newest first."""
        c = audit_log.c
        query = select(audit_log).where(c.at >= moment).order_by(c.seq.desc()).limit(limit)
        async with self._database.read() as connection:
            return [_entry(row) for row in (await connection.execute(query)).mappings()]

    async def verify(self) -> tuple[int, tuple[Fault, ...]]:
        """Read the whole log; return how many lines it has and what is wrong with it."""
        async with self._turn:
            chain = Chain(await asyncio.to_thread(_read, self._anchor))
            last = -1
            while True:
                query = select(audit_log).where(audit_log.c.seq > last).order_by(audit_log.c.seq)
                async with self._database.read() as connection:
                    rows = (await connection.execute(query.limit(_AT_A_TIME))).mappings().all()
                if not rows:
                    break
                last = rows[-1]["seq"]
                chain.take(_entry(row) for row in rows)
            return chain.count, chain.end()

    async def newest(self, verb: str) -> AuditEntry | None:
        """Return the newest line of a verb."""
        query = select(audit_log).where(audit_log.c.verb == verb).order_by(audit_log.c.seq.desc()).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return _entry(row) if row else None


async def _hash(connection: Transaction, seq: int) -> str | None:
    found = (await connection.execute(select(audit_log.c.hash).where(audit_log.c.seq == seq))).first()
    return found[0] if found else None


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(**{name: row[name] for name in AuditEntry.__dataclass_fields__})


def write_anchor(path: Path, anchor: Anchor) -> None:
    """Replace the file whole: a reader finds the old anchor or the new one."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(asdict(anchor), file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _read(path: Path) -> Anchor | None:
    try:
        held = json.loads(path.read_text(encoding="ascii"))
        return Anchor(int(held["seq"]), str(held["hash"]), str(held.get("restored", "")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Anchor(0, "unreadable")
