"""The durable outbox, and what it follows from: file positions and de-duplication windows, in one database.

One transaction takes the events of a chunk, the counts it raised and the position after it. So a kill at
any moment finds either all of it or nothing, and reading goes on where the last transaction ended.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ai_ops.agent.dedup import Window
from ai_ops.agent.rejected import RejectedFolder
from ai_ops.agent.spool_database import add_to_total, checkpoint_of, opened, row_of, stored_path
from ai_ops.agent.wire import encode
from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.monitoring.checkpoint import Checkpoint

MAX_BYTES = 256 << 20
_FORGET_STREAM_SECONDS = 365 * 86_400.0  # unlike a file, a stream is only mentioned when something happens


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event to be shipped. ``count`` is how many occurrences it stands for."""

    event_id: str
    count: int
    event: bytes


@dataclass(slots=True)
class Change:
    """What one transaction writes.

    ``counts`` come from windows that are shut in the same transaction, so they find room even when there is
    none for ``events``. A window that is None is gone.
    """

    events: list[Outgoing] = field(default_factory=list)
    counts: list[Outgoing] = field(default_factory=list)
    checkpoints: dict[tuple[int, ...], Checkpoint] = field(default_factory=dict)
    windows: dict[str, Window | None] = field(default_factory=dict)
    patterns: Sequence[str] = ()
    positions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One spooled event. ``id`` names it for acknowledgement."""

    id: int
    event_id: str
    count: int
    event: bytes


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """``waiting`` counts events; the totals count occurrences, since the spool was made.

    What was rejected and sent again is no longer counted as rejected.
    """

    waiting: int
    shipped: int
    dropped: int
    rejected: int


class Spool:
    """Used by the reading and the shipping thread.

    Args:
        folder: where ``spool.db``, its lock and ``rejected/`` live; made readable for the owner alone.
        bound: how many events may wait; what comes beyond is dropped and counted.
        max_bytes: how many bytes of events may wait; when it is reached, no more event is taken either.

    Raises:
        PermanentError: ``spool_in_use``, ``spool_damaged``, ``spool_unwritable``.
    """

    def __init__(self, folder: Path, bound: int, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._bound = bound
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            self._owner = _own(folder / "lock")
        except OSError as error:
            raise _unwritable(folder, error) from None
        self._rejected = RejectedFolder(folder / "rejected")
        try:
            self._database = opened(folder / "spool.db")
            self._waiting, self._bytes = self._measure()
            self._rejected.settle(self._waits)
        except sqlite3.DatabaseError as error:
            os.close(self._owner)
            raise failed("spool_damaged", f"{folder / 'spool.db'}: {error}") from None
        except OSError as error:
            os.close(self._owner)
            raise _unwritable(self._rejected.path, error) from None

    def close(self) -> None:
        """Close the database and give the folder free."""
        with self._lock:
            self._database.close()
            os.close(self._owner)

    def forget(self, before: float, keep: Collection[tuple[int, int]] = ()) -> None:
        """Forget the positions of files that no look has found since ``before``, in Unix time.

        Those of the files in ``keep``, by device and inode, are kept. Streams keep theirs for a year.
        """
        kept = {(str(device), str(inode)) for device, inode in keep}
        with self._transaction() as database:
            old = database.execute(
                "SELECT DISTINCT device, inode FROM checkpoints WHERE seen_at < ?", (before,)
            )
            database.executemany(
                "DELETE FROM checkpoints WHERE device = ? AND inode = ? AND seen_at < ?",
                [(*key, before) for key in set(old.fetchall()) - kept],
            )
            long_ago = time.time() - _FORGET_STREAM_SECONDS
            database.execute("DELETE FROM positions WHERE seen_at < ?", (long_ago,))

    def checkpoints(self) -> list[Checkpoint]:
        """Return the file positions."""
        with self._reading() as database:
            rows = database.execute(
                'SELECT device, inode, path, "offset", generation, identity, head_length, head,'
                " tail_length, tail, seen_at, target, done_at, skipping FROM checkpoints"
            ).fetchall()
        return [checkpoint_of(row) for row in rows]

    def patterns(self) -> list[str]:
        """Return the patterns whose files have all been seen."""
        with self._reading() as database:
            return [os.fsdecode(row[0]) for row in database.execute("SELECT pattern FROM patterns")]

    def positions(self) -> dict[str, str]:
        """Return how far each stream that is no file was read."""
        with self._reading() as database:
            return dict(database.execute("SELECT stream, position FROM positions").fetchall())

    def windows(self) -> list[Window]:
        """Return the open windows, oldest first."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT key, opened_at, count, counted_since, event FROM windows ORDER BY opened_at"
            )
            return [Window(*row) for row in rows]

    def room(self, held: int = 0) -> int:
        """Return how many events the spool takes before it is full, ``held`` bytes counted as taken."""
        return max(0, self._bound - self._waiting) if self._bytes + held < self._max_bytes else 0

    def commit(self, change: Change) -> int:
        """Write a change durably; return how many occurrences were dropped because the spool is full.

        Raises:
            TemporaryError: ``spool_unavailable``; nothing was written.
        """
        room = self.room()
        dropped = sum(event.count for event in change.events[room:])
        with self._transaction() as database:
            database.executemany(
                "INSERT OR IGNORE INTO outbox (event_id, count, event) VALUES (?, ?, ?)",
                [(o.event_id, o.count, o.event) for o in (*change.events[:room], *change.counts)],
            )
            database.executemany(
                "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [row_of(checkpoint) for checkpoint in change.checkpoints.values()],
            )
            database.executemany(
                "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?)",
                [
                    (w.key, w.opened_at, w.count, w.counted_since, w.event)
                    for w in change.windows.values()
                    if w is not None
                ],
            )
            database.executemany(
                "DELETE FROM windows WHERE key = ?",
                [(key,) for key, w in change.windows.items() if w is None],
            )
            database.executemany(
                "INSERT OR IGNORE INTO patterns VALUES (?)", [(stored_path(p),) for p in change.patterns]
            )
            database.executemany(
                "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)",
                [(stream, position, time.time()) for stream, position in change.positions.items()],
            )
            add_to_total(database, "dropped", dropped)
        return dropped

    def oldest(self, limit: int, max_bytes: int) -> list[Waiting]:
        """Return the events that wait longest: at most ``limit``, and ``max_bytes`` but for the first.

        Raises:
            TemporaryError: ``spool_unavailable``.
        """
        taken: list[Waiting] = []
        size = 0
        with self._reading() as database:
            rows = database.execute(
                "SELECT id, event_id, count, event FROM outbox ORDER BY id LIMIT ?", (limit,)
            )
            for row in rows:
                size += len(row[3])
                if taken and size > max_bytes:
                    break
                taken.append(Waiting(*row))
        return taken

    def acknowledge(self, events: Sequence[Waiting]) -> None:
        """Delete what the other side has made durable."""
        self._remove(events, "shipped")

    @property
    def rejected(self) -> RejectedFolder:
        """Where the events lie that the other side did not take."""
        return self._rejected

    def reject(self, events: Sequence[tuple[Waiting, str]]) -> int:
        """Move what the other side does not take, with its reason, into ``rejected/``, and count it.

        Returns how many were only counted, because the folder is full.

        Raises:
            TemporaryError: ``spool_unavailable``; the events still wait.
        """
        with self._files():
            kept = events[: self._rejected.room()]
            with self._rejected.moving(self._waits):
                for event, reason in kept:
                    self._rejected.begin_keeping(event.event_id, reason, event.event)
                self._rejected.sync()
                self._remove([event for event, _ in events], "rejected")
        return len(events) - len(kept)

    def resend(self, mend: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
        """Move what lies in ``rejected/`` back to the end of the outbox; return how many events that were.

        They find room even in a full spool: they only change their place on the disk.

        Args:
            mend: returns an event as it is to be sent now.

        Raises:
            TemporaryError: ``spool_unavailable``; some may have been moved.
        """
        moved = 0
        with self._files():
            for batch in self._rejected.lift():
                with self._rejected.moving(self._waits):
                    self._put_back([Outgoing(r.event_id, r.count, encode(mend(r.event))) for r in batch])
                moved += len(batch)
        return moved

    def _put_back(self, events: Sequence[Outgoing]) -> None:
        with self._transaction() as database:
            rejected = sum(event.count for event in events if not self._waits(event.event_id))
            database.executemany(
                "INSERT INTO outbox (event_id, count, event) VALUES (?, ?, ?)"
                " ON CONFLICT (event_id) DO UPDATE SET event = excluded.event",
                [(o.event_id, o.count, o.event) for o in events],
            )
            add_to_total(database, "rejected", -rejected)

    @property
    def waiting(self) -> int:
        """How many events wait; known while the database cannot be read, too."""
        return self._waiting

    def stats(self) -> SpoolStats:
        """Return what waits and the totals.

        Raises:
            TemporaryError: ``spool_unavailable``.
        """
        with self._reading() as database:
            totals: dict[str, int] = dict(database.execute("SELECT name, value FROM totals").fetchall())
        return SpoolStats(
            self._waiting, *(totals.get(name, 0) for name in ("shipped", "dropped", "rejected"))
        )

    def _remove(self, events: Sequence[Waiting], total: str) -> None:
        if not events:
            return
        with self._transaction() as database:
            database.executemany("DELETE FROM outbox WHERE id = ?", [(event.id,) for event in events])
            add_to_total(database, total, sum(event.count for event in events))

    def _waits(self, event_id: str) -> bool:
        with self._lock:
            found = self._database.execute("SELECT 1 FROM outbox WHERE event_id = ?", (event_id,))
            return found.fetchone() is not None

    @contextlib.contextmanager
    def _files(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise _unavailable(self._rejected.path, str(error)) from None

    def _measure(self) -> tuple[int, int]:
        row = self._database.execute("SELECT waiting, bytes FROM held").fetchone()
        return int(row[0]), int(row[1])

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as error:
                raise _unavailable(self._folder / "spool.db", str(error)) from None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                held = self._measure()
                self._database.execute("COMMIT")
                self._waiting, self._bytes = held
            except sqlite3.Error as error:
                with contextlib.suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise _unavailable(self._folder / "spool.db", str(error)) from None


def _own(path: Path) -> int:
    """Lock the folder: two agents on one spool would send everything twice."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        import fcntl
    except ImportError:  # Windows: the lock is left out there
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise failed("spool_in_use", f"another agent works on {path.parent}") from None
    return handle


def _unwritable(path: Path, error: OSError) -> AiOpsError:
    return failed("spool_unwritable", f"{path}: {error.strerror}")


def _unavailable(path: Path, reason: str) -> AiOpsError:
    return failed("spool_unavailable", f"{path}: {reason}")
