"""The audit log in the database, and its anchor in a file beside it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, insert, select

from ai_ops.core.audit import BEGINNING, Anchor, Chain, Fault, digest
from ai_ops.core.ports import Clock
from ai_ops.flow.judgement import AuditEntry
from ai_ops.store.database import Database
from ai_ops.store.rows import clean
from ai_ops.store.security_tables import audit_log

_AT_A_TIME = 1000


class AuditLog:
    """Implements ``Audit``.

    Args:
        database: where the lines are.
        clock: the time of a line.
        anchor: a file of the owner's alone that holds the last line this server wrote. A kill between a line
            and its anchor leaves the anchor behind, which is no fault; an anchor ahead of the log is one.
    """

    def __init__(self, database: Database, clock: Clock, anchor: Path) -> None:
        self._database = database
        self._clock = clock
        self._anchor = anchor
        self._turn = asyncio.Lock()

    async def append(
        self, who: str, verb: str, subject: str = "", detail: Mapping[str, Any] | None = None
    ) -> AuditEntry:
        """Write a line. It is on the disk when this returns.

        Raises:
            TemporaryError: ``storage_unavailable``; nothing was written.
        """
        async with self._turn:
            async with self._database.write() as connection:
                c = audit_log.c
                query = select(c.seq, c.hash).order_by(c.seq.desc()).limit(1)
                last = (await connection.execute(query)).first()
                seq, previous = (last[0] + 1, last[1]) if last else (1, BEGINNING)
                parts = (clean(who, 200), clean(verb, 200), clean(subject, 500), dict(detail or {}))
                at = self._clock.now()
                line = digest(previous, seq, at, *parts)
                entry = AuditEntry(seq, at, *parts, previous, line)
                row = {name: getattr(entry, name) for name in AuditEntry.__dataclass_fields__}
                await connection.execute(insert(audit_log), row)
            await asyncio.to_thread(_write, self._anchor, Anchor(entry.seq, entry.hash))
        return entry

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


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(**{name: row[name] for name in AuditEntry.__dataclass_fields__})


def _write(path: Path, anchor: Anchor) -> None:
    """Replace the file whole: a reader finds the old anchor or the new one."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump({"seq": anchor.seq, "hash": anchor.hash}, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _read(path: Path) -> Anchor | None:
    try:
        held = json.loads(path.read_text(encoding="ascii"))
        return Anchor(int(held["seq"]), str(held["hash"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return Anchor(0, "unreadable")
