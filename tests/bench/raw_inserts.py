"""What SQLite alone writes of events, fsynced, in batches: the limit that intake is held against."""

import asyncio
import sqlite3
import time

from ai_ops.store.database import open_database

_COUNTS = ("count", "payloads", "first_seen", "last_seen", "minute_at", "minute_events", "only_counted")


def bare(path, batches):
    """Return rows a second into a table with one index; ``batches`` are rows of id and body."""
    connection = _opened(path)
    connection.execute("CREATE TABLE events (id TEXT PRIMARY KEY, body TEXT)")
    began = time.perf_counter()
    for rows in batches:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events VALUES (?, ?)", rows)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return sum(map(len, batches)) / seconds


def same_schema(path, source, after, size):
    """Return rows a second for what a server has stored, into a database made by our migrations.

    Every column of the events behind the row ``after`` of ``source``, with all indexes and keys, and for each
    batch of ``size`` the counts of the issues that they are of; nothing is looked up, judged or converted.
    """
    asyncio.run(_migrated(path))
    stored = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
    columns, events = _rows(stored, "events", "WHERE seq > ? ORDER BY seq", (after,))
    names, issues = _rows(stored, "issues")
    stored.close()
    seq, of_event = names.index("seq"), columns.index("issue_id")
    counted = {
        row[names.index("id")]: (*(row[names.index(name)] for name in _COUNTS), row[seq]) for row in issues
    }
    batches = [events[at : at + size] for at in range(0, len(events), size)]
    updates = [[counted[issue] for issue in {row[of_event] for row in rows}] for rows in batches]
    insert = _insert("events", columns)
    update = f"UPDATE issues SET {', '.join(f'{name} = ?' for name in _COUNTS)} WHERE seq = ?"
    connection = _opened(path)
    connection.executemany(_insert("issues", names), issues)
    began = time.perf_counter()
    for rows, touched in zip(batches, updates, strict=True):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(insert, rows)
        connection.executemany(update, touched)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return len(events) / seconds


def last_event(source):
    """Return the number of the last row of a server's events."""
    stored = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
    (seq,) = stored.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
    stored.close()
    return seq


def _opened(path):
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


async def _migrated(path):
    await (await open_database(f"sqlite:///{path}")).close()


def _rows(connection, table, condition="", values=()):
    found = connection.execute(f"SELECT * FROM {table} {condition}", values)
    return [column[0] for column in found.description], found.fetchall()


def _insert(table, columns):
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
