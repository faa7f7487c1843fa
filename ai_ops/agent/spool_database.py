"""The spool's database: its tables, how an older one is brought up to date, and how values are kept in it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ai_ops.monitoring.checkpoint import Checkpoint

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, count INTEGER NOT NULL,
  event BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS held (waiting INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO held SELECT * FROM (SELECT count(*), coalesce(sum(length(event)), 0) FROM outbox)
  WHERE NOT EXISTS (SELECT 1 FROM held);
CREATE TRIGGER IF NOT EXISTS held_more AFTER INSERT ON outbox BEGIN
  UPDATE held SET waiting = waiting + 1, bytes = bytes + length(NEW.event); END;
CREATE TRIGGER IF NOT EXISTS held_less AFTER DELETE ON outbox BEGIN
  UPDATE held SET waiting = waiting - 1, bytes = bytes - length(OLD.event); END;
CREATE TABLE IF NOT EXISTS checkpoints (
  device TEXT, inode TEXT, path TEXT NOT NULL, "offset" INTEGER NOT NULL, generation INTEGER NOT NULL,
  identity TEXT NOT NULL, head_length INTEGER NOT NULL, head BLOB NOT NULL, tail_length INTEGER NOT NULL,
  tail BLOB NOT NULL, seen_at REAL NOT NULL, target TEXT NOT NULL DEFAULT '',
  done_at REAL NOT NULL DEFAULT 0, skipping INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (device, inode, generation)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS windows (
  key TEXT PRIMARY KEY, opened_at REAL NOT NULL, count INTEGER NOT NULL, counted_since REAL NOT NULL,
  event BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS patterns (pattern TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (
  stream TEXT PRIMARY KEY, position TEXT NOT NULL, seen_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 3;
"""
# Of the 2 MB that is usual, three quarters would hold what is not read again.
_CACHE_KIB = 512
_FROM_VERSION_1 = """
BEGIN;
ALTER TABLE checkpoints RENAME TO checkpoints_1;
{schema}
INSERT INTO checkpoints SELECT *, '', 0, 0 FROM checkpoints_1;
DROP TABLE checkpoints_1;
COMMIT;
"""
_FROM_VERSION_2 = """
BEGIN;
ALTER TABLE checkpoints ADD COLUMN skipping INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 3;
COMMIT;
"""


def opened(path: Path) -> sqlite3.Connection:
    """Return the database at a path, made or brought to this version; every commit of it is on the disk."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version == 2:
        database.executescript(_FROM_VERSION_2)
    database.executescript(_FROM_VERSION_1.replace("{schema}", _SCHEMA) if version == 1 else _SCHEMA)
    return database


def row_of(checkpoint: Checkpoint) -> tuple[Any, ...]:
    """Return a checkpoint as its table keeps it."""
    # Device and inode are unsigned 64-bit on some systems, too wide for an SQLite integer.
    c = checkpoint
    return (
        str(c.device),
        str(c.inode),
        stored_path(c.path),
        c.offset,
        c.generation,
        c.identity,
        c.head_length,
        c.head,
        c.tail_length,
        c.tail,
        c.seen_at,
        stored_path(c.target),
        c.done_at,
        c.skipping,
    )


def checkpoint_of(row: Sequence[Any]) -> Checkpoint:
    """Return the checkpoint that ``_row`` gave."""
    found = Checkpoint(int(row[0]), int(row[1]), *row[2:])
    return replace(found, path=os.fsdecode(found.path), target=os.fsdecode(found.target))


def stored_path(path: str) -> str | bytes:
    """Return a path as a database keeps it: a file's name is any bytes, and text is UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def add_to_total(database: sqlite3.Connection, name: str, value: int) -> None:
    """Add to a counter, which never falls below 0."""
    if value:
        database.execute(
            "INSERT INTO totals VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(0, value + ?)",
            (name, max(0, value), value),
        )
